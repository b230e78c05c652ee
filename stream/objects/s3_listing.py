"""What lies in one bucket, and removing it: used by `skustream gc` alone. Comes in: `s3.S3Store`'s calls, full keys."""

from typing import Any

from stream.objects.bucket import MISSING, Bucket, Refused
from stream.objects.port import Listed


class Listing:
    """Pages of keys, and single deletes; both harmless to repeat."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def page(self, prefix: str, after: str, token: str | None) -> tuple[list[Listed], str | None]:
        """Up to 1,000 objects below `prefix` and behind `after`, and where the next page begins; None at the end."""
        asked = {"Prefix": prefix}
        if token is not None:
            asked["ContinuationToken"] = token
        elif after:
            asked["StartAfter"] = after
        try:
            answer = await self._bucket.repeated(lambda: self._asked(asked))
        except Refused as refused:
            raise self._bucket.unavailable(f"cannot be listed: {refused}") from refused
        found = [Listed(item["Key"], item["Size"]) for item in answer.get("Contents", ())]
        if any(not item.key.startswith(prefix) for item in found):
            raise self._bucket.unavailable(f"a listing below {prefix!r} tells other keys")
        following = answer.get("NextContinuationToken")
        if not answer.get("IsTruncated"):
            return found, None
        if not following or following == token:
            raise self._bucket.unavailable("a listing that goes on names no next page")
        return found, str(following)

    async def delete(self, full_key: str) -> None:
        """Remove one object. Raises Unavailable when the server refuses."""
        try:
            await self._bucket.repeated(lambda: self._deleted(full_key))
        except Refused as refused:
            if refused.status != MISSING:
                raise self._bucket.unavailable(f"{full_key} cannot be deleted: {refused}") from refused

    async def _asked(self, asked: dict[str, str]) -> dict[str, Any]:
        async with self._bucket.client(self._bucket.options.timeout_seconds) as client:
            answer: dict[str, Any] = await client.list_objects_v2(Bucket=self._bucket.name, **asked)
        return answer

    async def _deleted(self, full_key: str) -> None:
        async with self._bucket.client(self._bucket.options.timeout_seconds) as client:
            await client.delete_object(Bucket=self._bucket.name, Key=full_key)
