"""Photos that lie in S3: objects of the buckets that were named for it, read with the store's own keys and endpoint.

Comes in: a bucket and a key of an event. Goes out: bytes and ETags, or an error by whose fault it is. An event may name
any bucket, and our keys may be able to read many: nothing is asked of one that is not on the list.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn, TypeVar

from botocore import exceptions as faults

from stream.core.clock import Clock
from stream.core.errors import Reason, Rejected, Resource, Transient, Unavailable
from stream.objects.bucket import MISSING, Bucket, Lost, Refused
from stream.objects.options import StoreOptions

T = TypeVar("T")
_PIECE_BYTES = 1 << 20
_FORBIDDEN = 403
_OUR_KEYS = frozenset(
    {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)
"""What is wrong with every request of ours, and so no event's fault (L8)."""


class S3Sources:
    """Reads from `buckets`, and from no other. `aclose` it."""

    def __init__(self, buckets: frozenset[str], options: StoreOptions, *, clock: Clock) -> None:
        """Nothing is opened before the first photo."""
        self._buckets = buckets
        self._options = options
        self._clock = clock
        self._opened: dict[str, Bucket] = {}
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def open(self, bucket: str, key: str) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """The object's size in bytes, and its bytes in pieces; silence is bounded by the options' timeout."""
        source = await self._source(bucket)
        try:
            async with source.client(None) as client:
                answer = await client.get_object(Bucket=bucket, Key=key)
                async with answer["Body"] as stream:
                    yield answer["ContentLength"], stream.iter_chunks(_PIECE_BYTES)
        except (Refused, Lost) as error:
            _tell(error, bucket, key)

    async def etag(self, bucket: str, key: str) -> str | None:
        """The ETag by HEAD. A refusal of HEAD has no words, so its reason is asked for by GET of one byte."""
        source = await self._source(bucket)

        async def head(client: Any) -> str | None:
            tag: str | None = (await client.head_object(Bucket=bucket, Key=key)).get("ETag")
            return tag

        async def get(client: Any) -> str | None:
            answer = await client.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")
            async with answer["Body"] as stream:
                await stream.read()
            tag: str | None = answer.get("ETag")
            return tag

        try:
            try:
                return await self._once(source, head)
            except Refused as refused:
                if refused.status != _FORBIDDEN:
                    raise
                return await self._once(source, get)
        except (Refused, Lost) as error:
            _tell(error, bucket, key)

    async def aclose(self) -> None:
        """Close the connections."""
        for source in self._opened.values():
            await source.aclose()

    async def _once(self, source: Bucket, ask: Callable[[Any], Awaitable[T]]) -> T:
        async with source.client(self._options.timeout_seconds) as client:
            return await ask(client)

    async def _source(self, name: str) -> Bucket:
        if name not in self._buckets:
            raise Rejected(
                Reason.SOURCE_REFUSED,
                f"photos are read from buckets that SKUSTREAM_SOURCE_BUCKETS names, and {name[:63]!r} is none of them",
            )
        async with self._opening:
            if name not in self._opened:
                self._opened[name] = await _Source(name, self._options, self._clock).open()
        return self._opened[name]


class _Source(Bucket):
    """A bucket that is not ours: what it refuses is the event's trouble, what it refuses of our keys is not."""

    def sort(self, error: faults.ClientError) -> Exception:
        """A forbidden or missing object is a definite no."""
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code == "NoSuchBucket":
            return Refused(MISSING, code)
        if status == _FORBIDDEN and code not in _OUR_KEYS:
            return Refused(status, code)
        return super().sort(error)

    def unavailable(self, detail: str, *, is_refusal: bool = False) -> Unavailable:
        """Photos cannot be had; the store is another matter."""
        return Unavailable(Resource.SOURCES, f"{self.place}: {detail}", is_refusal=is_refusal)


def _tell(error: Refused | Lost, bucket: str, key: str) -> NoReturn:
    at = f"s3://{bucket}/{key[:200]}"
    if isinstance(error, Lost):
        raise Transient(f"{at}: no answer ({error})") from None
    if error.status == MISSING:
        raise FileNotFoundError(at) from None
    if error.status == _FORBIDDEN:
        raise Rejected(
            Reason.SOURCE_REFUSED,
            f"{at}: {error}; the keys need s3:GetObject there, and s3:ListBucket, or a missing object looks forbidden",
        ) from None
    raise Rejected(Reason.SOURCE_REFUSED, f"{at}: {error}") from None
