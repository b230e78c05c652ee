"""The store's small twin for tests: one dictionary, the same promises as the real ones, gone with the process.

Comes in and goes out: what `port.ObjectStore` says.
"""

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from stream.core.clock import Clock, SystemClock
from stream.objects.keys import checked_asset_key
from stream.objects.options import joined_url
from stream.objects.port import MAX_DOCUMENT_BYTES, Document, Listed, StoredFile


@dataclass(frozen=True, slots=True)
class _Object:
    body: bytes
    content_type: str
    written_at: float

    @property
    def tag(self) -> str:
        # A hash as S3's ETag is one: a test that leans on more than the port promises fails here too.
        return hashlib.sha256(self.body).hexdigest()


class MemoryStore:
    """An `ObjectStore` in memory. Nothing awaits inside a method, so every condition holds by itself."""

    def __init__(self, *, clock: Clock | None = None, public_base_url: str = "https://cdn.example") -> None:
        self._clock = clock or SystemClock()
        self._public_base_url = public_base_url
        self._objects: dict[str, _Object] = {}

    async def read(self, key: str) -> Document | None:
        """The document at `key`, or None."""
        standing = self._objects.get(key)
        if standing is None:
            return None
        return Document(standing.body, standing.tag, max(0.0, self._clock.wall() - standing.written_at))

    async def create(self, key: str, body: bytes) -> str | None:
        """Write only if nothing stands at `key`."""
        return self._write(key, body, allowed=key not in self._objects)

    async def replace(self, key: str, body: bytes, tag: str) -> str | None:
        """Write only if `key` is at version `tag`."""
        standing = self._objects.get(key)
        return self._write(key, body, allowed=standing is not None and standing.tag == tag)

    async def put_file(self, key: str, path: Path, *, content_type: str, sha256: str) -> StoredFile:
        """Keep the file's bytes unless something stands at `key`."""
        body = path.read_bytes()  # noqa: ASYNC240 - the twin trades streaming for size
        if hashlib.sha256(body).hexdigest() != sha256:
            raise ValueError(f"{path.name} does not have the sha256 it was announced with")
        standing = self._objects.setdefault(key, _Object(body, content_type, self._clock.wall()))
        return _facts(key, standing)

    async def get_file(self, key: str, path: Path, *, max_bytes: int) -> StoredFile:
        """Copy to `path`."""
        standing = self._objects.get(key)
        if standing is None:
            raise FileNotFoundError(key)
        if len(standing.body) > max_bytes:
            raise ValueError(f"{key} holds {len(standing.body)} bytes, more than {max_bytes}")
        path.write_bytes(standing.body)  # noqa: ASYNC240 - the twin trades streaming for size
        return _facts(key, standing)

    async def stat(self, key: str) -> StoredFile | None:
        """The facts, or None."""
        standing = self._objects.get(key)
        return None if standing is None else _facts(key, standing)

    async def list_keys(self, prefix: str, *, after: str = "") -> AsyncGenerator[Listed, None]:
        """What stood when the listing began, and still stands."""
        for key in sorted(self._objects):
            standing = self._objects.get(key)
            if standing is not None and key.startswith(prefix) and key > after:
                yield Listed(key, len(standing.body))

    async def delete_asset(self, key: str) -> None:
        """Forget the asset."""
        self._objects.pop(checked_asset_key(key), None)

    def public_url(self, key: str) -> str:
        """A URL nobody serves."""
        return joined_url(self._public_base_url, key)

    async def fetch_url(self, key: str, *, valid_seconds: int, mark: str = "") -> str | None:
        """None: nobody can fetch from this process, so inputs are uploaded."""
        del key, valid_seconds, mark
        return None

    async def probe(self) -> None:
        """Memory honours conditions."""

    async def aclose(self) -> None:
        """Nothing is open."""

    def _write(self, key: str, body: bytes, *, allowed: bool) -> str | None:
        if len(body) > MAX_DOCUMENT_BYTES:
            raise ValueError(f"{key}: a document of {len(body)} bytes")
        standing = self._objects.get(key)
        if standing is not None and standing.body == body:
            return standing.tag
        if not allowed:
            return None
        self._objects[key] = written = _Object(body, "application/json", self._clock.wall())
        return written.tag


def _facts(key: str, standing: _Object) -> StoredFile:
    return StoredFile(key, standing.content_type, len(standing.body), standing.tag)
