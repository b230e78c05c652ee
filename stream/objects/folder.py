"""The store on one machine's disk: documents stay readable JSON, assets are plain files a web server can serve.

Comes in: what `port.ObjectStore` says, from any number of processes of this machine. Goes out: files below `root`.
A document's tag is the hash of its content: like S3's ETag it returns when old bytes return, so a swap is safe from
A-B-A only because every ledger body carries its writer's nonce (see `port.Documents`).
"""

import asyncio
import hashlib
import io
import os
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import ParamSpec, TypeVar
from urllib.parse import quote

from stream.core.clock import Clock
from stream.core.errors import Misconfigured, Resource, Unavailable
from stream.metrics.port import Recorder
from stream.objects import durable
from stream.objects.keys import checked_asset_key
from stream.objects.options import InputMode, StoreOptions, joined_url, marked_url
from stream.objects.port import MAX_DOCUMENT_BYTES, Document, Listed, StoredFile

P = ParamSpec("P")
T = TypeVar("T")

_LOCK_SHARDS = 256
_PAGE_KEYS = 1000
_STALE_SECONDS = 24 * 3600
_CONTENT_TYPES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
}
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class FolderStore:
    """An `ObjectStore` below `root`. Files a process left half-written lie in `.tmp`, its locks in `.locks`."""

    def __init__(self, root: Path, options: StoreOptions, *, recorder: Recorder, clock: Clock) -> None:
        self._root = root.absolute()
        self._temporary = self._root / ".tmp"
        self._public_base_url = options.public_base_url
        self._input_mode = options.input_mode
        self._recorder = recorder
        self._clock = clock

    async def read(self, key: str) -> Document | None:
        """The document at `key`, or None; its age by this machine's clock."""
        return await self._run("read", self._read, self._path(key))

    async def create(self, key: str, body: bytes) -> str | None:
        """Write only if nothing stands at `key`; on the disk when this returns."""
        return await self._run("create", self._create, self._path(key), _checked(key, body))

    async def replace(self, key: str, body: bytes, tag: str) -> str | None:
        """Compare and swap under a lock that holds between processes; on the disk when this returns."""
        return await self._run("replace", self._replace, self._path(key), _checked(key, body), tag)

    async def put_file(self, key: str, path: Path, *, content_type: str, sha256: str) -> StoredFile:
        """Copy the file in, unless something stands at `key`. The type served is the key's extension's."""
        del content_type  # a file server goes by the extension, and a record beside the file could contradict it
        return await self._run("put", self._put, key, path, sha256)

    async def get_file(self, key: str, path: Path, *, max_bytes: int) -> StoredFile:
        """Copy out. Raises FileNotFoundError, ValueError beyond `max_bytes` (nothing is left at `path`)."""
        return await self._run("get", self._get, key, path, max_bytes)

    async def stat(self, key: str) -> StoredFile | None:
        """The facts, the hash computed by reading; or None."""
        return await self._run("stat", self._stat, key)

    async def list_keys(self, prefix: str, *, after: str = "") -> AsyncGenerator[Listed, None]:
        """Read folder by folder, a page at a time; links are not followed."""
        folder = prefix.rpartition("/")[0]
        found = self._walk(self._path(folder) if folder else self._root, f"{folder}/" if folder else "", prefix, after)
        while page := await self._run("list", lambda: list(islice(found, _PAGE_KEYS))):
            for listed in page:
                yield listed

    async def delete_asset(self, key: str) -> None:
        """Unlink the file; its folder stays."""
        await self._run("delete", self._delete, self._path(checked_asset_key(key)))

    def public_url(self, key: str) -> str:
        """Below the public base URL, else a file:// URL."""
        if self._public_base_url is None:
            return self._path(key).as_uri()
        return joined_url(self._public_base_url, quote(key, safe="/~"))

    async def fetch_url(self, key: str, *, valid_seconds: int, mark: str = "") -> str | None:
        """The public URL where PixelAPI can be expected to reach it, else None: the file is uploaded."""
        del valid_seconds
        base = self._public_base_url
        wanted = self._input_mode is InputMode.PUBLIC or (
            self._input_mode is InputMode.AUTO and (base or "").startswith("https://")
        )
        return marked_url(self.public_url(key), mark) if wanted and base is not None else None

    async def probe(self) -> None:
        """Write, swap and delete a document, and try the locks."""
        await self._run("probe", self._probe)

    async def aclose(self) -> None:
        """Nothing is open between calls."""

    async def _run(self, action: str, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        started = self._clock.monotonic()
        try:
            return await asyncio.to_thread(work, *args, **named)
        except FileNotFoundError:
            raise  # the caller's own file, or a key that is not there: both are in the port's contract
        except OSError as error:
            self._recorder.store_failed(action)
            raise durable.unavailable(error, f"store {self._root}") from error
        finally:
            self._recorder.stored(action, self._clock.monotonic() - started)

    def _path(self, key: str) -> Path:
        # Keys are ours and clean; this is the second lock on the same door.
        pure = PurePosixPath(key)
        if not key or str(pure) != key or any(part.startswith(".") or "\0" in part for part in pure.parts):
            raise ValueError(f"not a key: {key!r}")
        if pure.is_absolute():
            raise ValueError(f"not a key: {key!r}")
        return self._root / pure

    def _lock(self, path: Path) -> Path:
        shard = int.from_bytes(hashlib.sha256(os.fsencode(path)).digest()[:4]) % _LOCK_SHARDS
        return self._root / ".locks" / f"{shard:02x}"

    def _read(self, path: Path) -> Document | None:
        try:
            with path.open("rb") as file:
                body = file.read(MAX_DOCUMENT_BYTES + 1)
                written_at = os.fstat(file.fileno()).st_mtime
        except _ABSENT:
            return None
        if len(body) > MAX_DOCUMENT_BYTES:
            raise Unavailable(Resource.STORE, f"{path} is too large to be a document of ours")
        return Document(body, _tag(body), max(0.0, self._clock.wall() - written_at))

    def _create(self, path: Path, body: bytes) -> str | None:
        if self._read(path) is None:
            with durable.written(self._temporary, io.BytesIO(body)) as (temporary, _):
                if durable.link(temporary, path):
                    return _tag(body)
        return self._own(path, body)

    def _replace(self, path: Path, body: bytes, tag: str) -> str | None:
        with durable.locked(self._lock(path)):
            standing = self._read(path)
            if standing is None or standing.tag != tag or standing.body == body:
                return self._own(path, body)
            with durable.written(self._temporary, io.BytesIO(body)) as (temporary, _):
                durable.rename(temporary, path)
        return _tag(body)

    def _own(self, path: Path, body: bytes) -> str | None:
        """The tag if what stands there is the caller's own earlier write, made as durable as if it were new."""
        standing = self._read(path)
        if standing is None or standing.body != body:
            return None
        durable.sync_folder(path.parent)
        return standing.tag

    def _put(self, key: str, source: Path, sha256: str) -> StoredFile:
        path = self._path(key)
        standing = self._stat(key)
        if standing is not None:
            return standing
        with source.open("rb") as file, durable.written(self._temporary, file) as (temporary, digest):
            if digest != sha256:
                raise ValueError(f"{source.name} does not have the sha256 it was announced with")
            durable.link(temporary, path)
        return self._stat(key) or _vanished(key)

    def _get(self, key: str, target: Path, max_bytes: int) -> StoredFile:
        source = self._open(key)
        if source is None:
            raise FileNotFoundError(key)
        with source:
            try:
                with target.open("wb") as file:
                    digest = durable.copy(source, file, max_bytes)
                return _facts(key, source, digest)
            except FileNotFoundError as error:  # its folder is gone: not to be taken for a missing key
                raise durable.unavailable(error, str(target.parent), Resource.DISK) from error
            except (OSError, ValueError):
                target.unlink(missing_ok=True)
                raise

    def _stat(self, key: str) -> StoredFile | None:
        file = self._open(key)
        if file is None:
            return None
        with file:
            return _facts(key, file, hashlib.file_digest(file, "sha256").hexdigest())

    def _walk(self, folder: Path, folder_key: str, prefix: str, after: str) -> Iterator[Listed]:
        for key, entry in _entries(folder, folder_key):
            if key.endswith("/"):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._walk(Path(entry.path), key, prefix, after)
            elif key.startswith(prefix) and key > after:
                with suppress(FileNotFoundError):  # deleted meanwhile
                    yield Listed(key, entry.stat(follow_symlinks=False).st_size)

    def _delete(self, path: Path) -> None:
        with suppress(*_ABSENT):
            path.unlink()
            durable.sync_folder(path.parent)

    def _open(self, key: str) -> io.BufferedReader | None:
        try:
            return self._path(key).open("rb")
        except _ABSENT:
            return None

    def _probe(self) -> None:
        path = self._path(f"_ledger/probe/{uuid.uuid4().hex}.json")
        if not durable.locks_hold(self._lock(path)):
            raise Misconfigured(f"store {self._root}: file locks do not hold here: use a local disk, or S3")
        try:
            tag = self._create(path, b'{"probe": 1}')
            is_held = (
                tag is not None
                and self._create(path, b'{"probe": 2}') is None
                and self._replace(path, b'{"probe": 3}', "another tag") is None
                and self._replace(path, b'{"probe": 4}', tag) is not None
            )
        finally:
            path.unlink(missing_ok=True)
        if not is_held:
            raise Misconfigured(f"store {self._root}: conditional writes do not hold here: use a local disk, or S3")
        self._sweep()

    def _sweep(self) -> None:
        """Remove what a killed process left half-written: nothing of ours is being written for a day."""
        for left in self._temporary.iterdir():
            with suppress(FileNotFoundError):  # a neighbour at work has just put it in its place
                if self._clock.wall() - left.stat().st_mtime > _STALE_SECONDS:
                    left.unlink()


def _entries(folder: Path, folder_key: str) -> list[tuple[str, "os.DirEntry[str]"]]:
    """Files and folders with their keys, in the order of keys: a folder's ends with a slash. Dots are our own."""
    try:
        with os.scandir(folder) as entries:
            found = [
                (f"{folder_key}{entry.name}{'/' if entry.is_dir(follow_symlinks=False) else ''}", entry)
                for entry in entries
                if not entry.name.startswith(".") and not entry.is_symlink()
            ]
    except _ABSENT:
        return []
    return sorted(found, key=lambda named: named[0])


def _checked(key: str, body: bytes) -> bytes:
    if len(body) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"{key}: a document of {len(body)} bytes")
    return body


def _tag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _facts(key: str, file: io.BufferedReader, digest: str) -> StoredFile:
    content_type = _CONTENT_TYPES.get(PurePosixPath(key).suffix.lower(), "application/octet-stream")
    return StoredFile(key, content_type, os.fstat(file.fileno()).st_size, digest)


def _vanished(key: str) -> StoredFile:
    raise Unavailable(Resource.STORE, f"{key} vanished while it was put: is something else cleaning this folder?")
