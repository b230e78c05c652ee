"""The store on S3 and what speaks like it. Comes in: what `port.ObjectStore` says. Goes out: calls to one bucket.

Why a lost answer can be resolved. A conditional PUT whose answer is lost may have been carried out, may be carried
out a moment later, or never. Worse, a 412 proves nothing by itself: aiohttp silently sends a PUT again when a pooled
connection dies under it, and the second one then fails on what the first one wrote. So after everything but a plain
success we read back what stands there:
- our own bytes: the write is ours. This is safe because bodies carry their writer's nonce (`port.Documents`), so
  nobody else can have written the same bytes;
- the condition still holds: nothing has landed, so we send the same bytes again under the same condition. Should the
  first request arrive late, one of the two fails its condition and the bytes are the same;
- anything else: another's write stands there, and the answer is None.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import structlog

from stream.core.clock import Clock
from stream.core.errors import Misconfigured, Resource, Unavailable
from stream.metrics.port import Recorder
from stream.objects.bucket import MISSING, TRIES, Bucket, Lost, Refused
from stream.objects.keys import checked_asset_key
from stream.objects.options import InputMode, StoreOptions, joined_url, marked_url
from stream.objects.port import MAX_DOCUMENT_BYTES, Document, Listed, StoredFile
from stream.objects.s3_conditions import fault_in_conditions
from stream.objects.s3_files import Files
from stream.objects.s3_listing import Listing

_log = structlog.get_logger(__name__)


class S3Store:
    """An `ObjectStore` below `prefix` in one bucket. Made by `await S3Store.open(...)`; `aclose` it."""

    def __init__(self, bucket: Bucket, prefix: str, *, recorder: Recorder, clock: Clock) -> None:
        self._bucket = bucket
        self._options = bucket.options
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._recorder = recorder
        self._clock = clock
        self._files = Files(bucket)
        self._listing = Listing(bucket)

    @classmethod
    async def open(cls, bucket: str, prefix: str, options: StoreOptions, *, recorder: Recorder, clock: Clock) -> Self:
        """Open the client; nothing is sent before the first call. Raises Misconfigured."""
        return cls(await Bucket(bucket, options, clock).open(), prefix, recorder=recorder, clock=clock)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._bucket.aclose()

    async def read(self, key: str) -> Document | None:
        """The document at `key`, or None; its age by the server's clock (whole seconds)."""
        with self._timed("read"):
            return await self._read(self._full(key))

    async def create(self, key: str, body: bytes) -> str | None:
        """Write only if nothing stands at `key` (`If-None-Match: *`)."""
        with self._timed("create"):
            return await self._write(key, body, None)

    async def replace(self, key: str, body: bytes, tag: str) -> str | None:
        """Write only if `key` is at version `tag`, an ETag (`If-Match`)."""
        with self._timed("replace"):
            return await self._write(key, body, tag)

    async def put_file(self, key: str, path: Path, *, content_type: str, sha256: str) -> StoredFile:
        """Upload from disk in one request (up to 5 GiB) unless something stands at `key`."""
        with self._timed("put"):
            return await self._files.put(self._full(key), key, path, content_type=content_type, sha256=sha256)

    async def get_file(self, key: str, path: Path, *, max_bytes: int) -> StoredFile:
        """Download to disk. Raises FileNotFoundError, ValueError beyond `max_bytes` (nothing is left at `path`)."""
        with self._timed("get"):
            return await self._files.get(self._full(key), key, path, max_bytes)

    async def stat(self, key: str) -> StoredFile | None:
        """The facts, or None; where nobody recorded a hash it is computed by reading."""
        with self._timed("stat"):
            return await self._files.stat(self._full(key), key)

    async def list_keys(self, prefix: str, *, after: str = "") -> AsyncGenerator[Listed, None]:
        """Pages of 1,000 (`ListObjectsV2`)."""
        start = self._full(after) if after else ""
        token: str | None = None
        while True:
            with self._timed("list"):
                page, token = await self._listing.page(self._full(prefix), start, token)
            for found in page:
                yield Listed(found.key.removeprefix(self._prefix), found.bytes)
            if token is None:
                return

    async def delete_asset(self, key: str) -> None:
        """Delete it; that it is gone already is fine."""
        with self._timed("delete"):
            await self._listing.delete(self._full(checked_asset_key(key)))

    def public_url(self, key: str) -> str:
        """At the CDN, or at the server itself."""
        if self._options.public_base_url is None:
            return self._bucket.url(self._full(key))
        return joined_url(self._options.public_base_url, quote(key, safe="/~"))

    async def fetch_url(self, key: str, *, valid_seconds: int, mark: str = "") -> str | None:
        """A CDN or presigned URL by the input mode; None: upload."""
        match self._input_mode():
            case InputMode.PUBLIC:
                return marked_url(self.public_url(key), mark)
            case InputMode.PRESIGNED:
                return await self._bucket.presigned(self._full(key), valid_seconds, mark)
            case _:
                return None

    async def probe(self) -> None:
        """Try the conditions with documents of our own, and remove them."""
        with self._timed("probe"):
            await self._read(self._full("_ledger/probe/none"))
            fault = await fault_in_conditions(self._bucket, self._full("_ledger/probe"))
        if fault is None:
            return
        told = f"{self._bucket.place} does not honour conditional writes: {fault.words}"
        if not (fault.is_usable and self._options.overrule_conditions):
            way_out = "Use a store that does" + (", or overrule this with one worker" if fault.is_usable else "")
            raise Misconfigured(f"{told}. Two workers could buy one job twice. {way_out}")
        _log.warning("store-conditions-overruled", detail=told)

    async def _read(self, full_key: str) -> Document | None:
        async def once() -> Document:
            async with self._bucket.client(self._options.timeout_seconds) as client:
                answer = await client.get_object(Bucket=self._bucket.name, Key=full_key)
                async with answer["Body"] as stream:
                    if answer["ContentLength"] > MAX_DOCUMENT_BYTES:
                        raise self._bucket.unavailable(f"{full_key} is too large to be a document of ours")
                    body = await stream.read()
            return Document(body, answer["ETag"], self._age_seconds(answer))

        try:
            return await self._bucket.repeated(once)
        except Refused as refused:
            if refused.status == MISSING:
                return None
            raise self._bucket.unavailable(str(refused)) from refused

    async def _write(self, key: str, body: bytes, tag: str | None) -> str | None:
        """Write under the condition "still at `tag`", None meaning "nothing there"; see the module's docstring."""
        if len(body) > MAX_DOCUMENT_BYTES:
            raise ValueError(f"{key}: a document of {len(body)} bytes")
        full_key = self._full(key)
        for attempt in range(TRIES):
            try:
                return await self._put(full_key, body, tag)
            except (Refused, Lost) as unclear:
                last = unclear
            standing = await self._read(full_key)
            if standing is not None and standing.body == body:
                return standing.tag
            if (standing.tag if standing is not None else None) != tag:
                return None
            await self._bucket.pause(attempt)
        raise self._bucket.unavailable(f"no clear answer to a conditional write in {TRIES} tries: {last}") from last

    async def _put(self, full_key: str, body: bytes, tag: str | None) -> str:
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        async with self._bucket.client(self._options.timeout_seconds) as client:
            answer = await client.put_object(
                Bucket=self._bucket.name,
                Key=full_key,
                Body=body,
                ContentType="application/json",
                CacheControl="no-cache",
                **condition,
            )
        written: str = answer["ETag"]
        return written

    def _age_seconds(self, answer: Mapping[str, Any]) -> float:
        """Both times are the server's own, so our clock may be as wrong as it likes."""
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        if date is None:
            raise self._bucket.unavailable("answers carry no Date header, so a claim's age cannot be told")
        age: float = (parsedate_to_datetime(date) - answer["LastModified"]).total_seconds()
        return max(0.0, age)

    def _input_mode(self) -> InputMode:
        options = self._options
        if options.input_mode is not InputMode.AUTO:
            return options.input_mode
        if (options.public_base_url or "").startswith("https://"):
            return InputMode.PUBLIC
        signed_for = options.presign_endpoint_url or options.endpoint_url
        # A plain http endpoint is nearly always a neighbour that PixelAPI cannot see.
        return InputMode.PRESIGNED if signed_for is None or signed_for.startswith("https://") else InputMode.UPLOAD

    def _full(self, key: str) -> str:
        return self._prefix + key

    @contextmanager
    def _timed(self, action: str) -> Iterator[None]:
        started = self._clock.monotonic()
        try:
            yield
        except Unavailable as error:
            if error.resource is Resource.STORE:  # a full spool is no fault of the store's
                self._recorder.store_failed(action)
            raise
        finally:
            self._recorder.stored(action, self._clock.monotonic() - started)
