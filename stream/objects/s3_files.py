"""Large immutable objects in one bucket, streamed between disk and network. Comes in: `s3.S3Store`'s file calls."""

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable, Coroutine, Mapping
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

from stream.core.errors import Resource
from stream.objects import durable
from stream.objects.bucket import MISSING, TRIES, Bucket, Lost, Refused
from stream.objects.port import StoredFile

_IMMUTABLE = "public, max-age=31536000, immutable"
_SLOWEST_BYTES_PER_SECOND = 64 * 1024
_LARGEST_BYTES = 5 * 1024**3
_PIECE_BYTES = 1 << 20
_UNSEEN_BYTES = 8 * 1024 * 1024
"""What our kernel's and the server's buffers hold: handed over, but nobody tells us whether it moves."""
_UPLOADS_AT_ONCE = 8
"""More share one line and one disk: each ends later."""
_CONDITION_FAILED = frozenset({409, 412})
_WRONG_BYTES = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "XAmzContentChecksumMismatch"})
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Files:
    """Put, get and stat of whole objects; `full_key` is the key in the bucket, `key` the one we tell."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._uploads = asyncio.Semaphore(_UPLOADS_AT_ONCE)

    async def put(self, full_key: str, key: str, path: Path, *, content_type: str, sha256: str) -> StoredFile:
        """Upload unless something stands there. A lost answer needs no resolving: whatever stands is kept."""
        size = (await asyncio.to_thread(path.stat)).st_size
        if size > _LARGEST_BYTES:
            raise ValueError(f"{path.name} has {size} bytes; one request stores at most {_LARGEST_BYTES}")
        for attempt in range(TRIES):
            try:
                async with self._uploads:
                    await self._send(full_key, path, size, content_type, sha256)
                return StoredFile(key, content_type, size, sha256)
            except Refused as refused:
                last: Exception = self._allowed(refused, path)
            except Lost as lost:
                last = lost
            standing = await self.stat(full_key, key)
            if standing is not None:
                return standing
            await self._bucket.pause(attempt)
        raise self._bucket.unavailable(f"{key} could not be put in {TRIES} tries: {last}") from last

    async def get(self, full_key: str, key: str, path: Path, max_bytes: int) -> StoredFile:
        """Download to `path`, the hash checked against the recorded one."""
        try:
            return await self._bucket.repeated(lambda: self._fetch(full_key, key, path, max_bytes))
        except Refused as refused:
            if refused.status == MISSING:
                raise FileNotFoundError(key) from refused
            raise self._bucket.unavailable(str(refused)) from refused

    async def stat(self, full_key: str, key: str) -> StoredFile | None:
        """The facts by HEAD; only an object that another program put is read for its hash."""
        try:
            answer = await self._bucket.repeated(lambda: self._head(full_key))
            sha256 = _recorded(answer)
            if sha256 is None:
                sha256 = await self._bucket.repeated(lambda: self._hash(full_key))
        except Refused as refused:
            if refused.status == MISSING:
                return None
            raise self._bucket.unavailable(str(refused)) from refused
        return _facts(key, answer, sha256)

    async def _send(self, full_key: str, path: Path, size: int, content_type: str, sha256: str) -> None:
        body = await asyncio.to_thread(Body, path)
        try:
            async with self._bucket.client(self._limit_seconds(size)) as client:
                sending = client.put_object(
                    Bucket=self._bucket.name,
                    Key=full_key,
                    Body=body,
                    ContentType=content_type,
                    CacheControl=_IMMUTABLE,
                    Metadata={"sha256": sha256},
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
                    IfNoneMatch="*",
                )
                await while_moving(sending, body, self._limit_seconds(min(size, _UNSEEN_BYTES)))
        finally:
            body.close()

    def _limit_seconds(self, size: int) -> float:
        return self._bucket.options.timeout_seconds + size / _SLOWEST_BYTES_PER_SECOND

    def _allowed(self, refused: Refused, path: Path) -> Refused:
        """The refusal, if it is one the put goes on from."""
        if refused.code in _WRONG_BYTES:
            raise ValueError(f"{path.name} does not have the sha256 it was announced with") from refused
        if refused.status not in _CONDITION_FAILED:
            raise self._bucket.unavailable(str(refused)) from refused
        return refused

    async def _head(self, full_key: str) -> Mapping[str, Any]:
        async with self._bucket.client(self._bucket.options.timeout_seconds) as client:
            answer: Mapping[str, Any] = await client.head_object(Bucket=self._bucket.name, Key=full_key)
        return answer

    async def _hash(self, full_key: str) -> str:
        digest = hashlib.sha256()
        await self._stream(full_key, lambda _: None, digest.update)
        return digest.hexdigest()

    async def _fetch(self, full_key: str, key: str, path: Path, max_bytes: int) -> StoredFile:
        try:
            file = await asyncio.to_thread(path.open, "wb")
            with file:
                answer, found = await self._pour(full_key, file, max_bytes)
        except BaseException as error:
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - one call, on the way out
            if isinstance(error, OSError):
                raise durable.unavailable(error, str(path.parent), Resource.DISK) from error
            raise
        return _facts(key, answer, found)

    async def _pour(self, full_key: str, file: BinaryIO, max_bytes: int) -> tuple[Mapping[str, Any], str]:
        """The object into `file`: the answer and the hash of what came. Raises Lost when it is not the recorded one."""
        digest = hashlib.sha256()

        def check(size: int) -> None:
            if size > max_bytes:
                raise ValueError(f"{full_key} holds {size} bytes, more than {max_bytes}")

        def keep(piece: bytes) -> None:
            digest.update(piece)
            file.write(piece)

        answer = await self._stream(full_key, check, keep)
        found = digest.hexdigest()
        if found != (_recorded(answer) or found):
            raise Lost(f"{full_key} arrived with another sha256 than recorded")
        return answer, found

    async def _stream(
        self, full_key: str, check: Callable[[int], None], sink: Callable[[bytes], None]
    ) -> Mapping[str, Any]:
        """Pour an object into `sink`, in a thread; silence is bounded by the client's read timeout."""
        async with self._bucket.client(None) as client:
            answer: Mapping[str, Any] = await client.get_object(Bucket=self._bucket.name, Key=full_key)
            async with answer["Body"] as stream:
                check(answer["ContentLength"])
                async for piece in stream.iter_chunks(_PIECE_BYTES):
                    await asyncio.to_thread(sink, piece)
        return answer


class Body(FileIO):
    """A file on its way up, which counts how often the connection asked for more."""

    pieces = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """The next piece; in whichever thread aiohttp likes."""
        self.pieces += 1
        return super().read(-1 if size is None else size) or b""


async def while_moving(sending: Coroutine[Any, Any, object], body: Body, silence_seconds: float) -> None:
    """Send, for as long as `body` moves: slow is fine. Raises TimeoutError after one to two `silence_seconds` of none.

    The wait for the answer after the last piece is a silence too.
    """
    task = asyncio.ensure_future(sending)
    seen = -1
    try:
        while not task.done():
            if seen == body.pieces:
                raise TimeoutError
            seen = body.pieces
            await asyncio.wait([task], timeout=silence_seconds)
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _recorded(answer: Mapping[str, Any]) -> str | None:
    recorded = str(answer.get("Metadata", {}).get("sha256", ""))
    return recorded if _SHA256.fullmatch(recorded) else None


def _facts(key: str, answer: Mapping[str, Any], sha256: str) -> StoredFile:
    return StoredFile(key, answer.get("ContentType", "application/octet-stream"), answer["ContentLength"], sha256)
