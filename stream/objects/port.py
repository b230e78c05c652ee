"""The object store as everybody else sees it. Real: S3 and a local folder; twin: memory. One contract suite for all.

Comes in: spooled files and small JSON documents. Goes out: stored facts, versions ("tags"), URLs.
Every method raises `Unavailable(store)` when the store cannot be reached or refuses us: never the event's fault.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MAX_DOCUMENT_BYTES = 1 << 20
"""Documents are read whole into memory, compared and written back: 1 MiB is far above any ledger record."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An object as it stands in the store; `sha256` in hex, as recorded when it was put."""

    key: str
    content_type: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing tells it."""

    key: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Document:
    """A small object with the version it was read at. `age_seconds` by the store's own clock."""

    body: bytes
    tag: str
    age_seconds: float


class Documents(Protocol):
    """Small objects (up to 1 MiB) changed only under a condition: the ground of the ledger and of L5.

    **Every body must be its writer's own**: it carries a nonce (owner, time, counter) that no other writer and no
    other version of the document repeats. Two promises rest on it. A body that stands there byte for byte counts as
    the caller's own write, which is how a lost answer is resolved; and a tag may be a hash of the content (S3's
    ETag is one), which returns when old bytes return.
    Writers raise ValueError for a body above `MAX_DOCUMENT_BYTES`.
    """

    async def read(self, key: str) -> Document | None:
        """The document at `key`, or None. Reads see every earlier acknowledged write."""
        ...

    async def create(self, key: str, body: bytes) -> str | None:
        """Write `body` only if nothing stands at `key`: the new tag, or None when something else stands there.

        A lost answer is resolved inside: the caller gets a tag only if what stands there is its own body.
        """
        ...

    async def replace(self, key: str, body: bytes, tag: str) -> str | None:
        """Write `body` only if `key` is still at version `tag`: the new tag, or None when it changed or vanished.

        None also when the answer was lost and another has written since: read again before deciding anything.
        """
        ...


class ObjectStore(Documents, Protocol):
    """Documents, and large immutable files."""

    async def put_file(self, key: str, path: Path, *, content_type: str, sha256: str) -> StoredFile:
        """Store the file at `path` (never overwritten, immutable cache headers).

        Where `key` already exists what stands there is kept, and its facts are returned. Raises ValueError when the
        bytes do not have this `sha256` (hex), FileNotFoundError when `path` is gone.
        """
        ...

    async def get_file(self, key: str, path: Path, *, max_bytes: int) -> StoredFile:
        """Copy an object to `path`. Raises `FileNotFoundError`, or `Unavailable`; ValueError beyond `max_bytes`."""
        ...

    async def stat(self, key: str) -> StoredFile | None:
        """The facts of the object at `key`, or None."""
        ...

    def list_keys(self, prefix: str, *, after: str = "") -> AsyncGenerator[Listed, None]:
        """Every object whose key begins with `prefix` and stands behind `after`, in order of keys, page by page.

        Each object that stands throughout is told once; what comes or goes meanwhile may be told or not. Objects of
        one folder come together; a server may order folders by their names alone ("a" before "a-b").
        Nothing outside the store's own prefix or folder is ever told.
        """
        ...

    async def delete_asset(self, key: str) -> None:
        """Remove the asset at `key`, if it is there. Raises ValueError for a key that is no asset's: no document dies.

        Whether anybody still needs it is the caller's knowledge; `stream.collector` alone has it.
        """
        ...

    def public_url(self, key: str) -> str:
        """Where the CDN (or the store itself) serves `key`; needs no query string."""
        ...

    async def fetch_url(self, key: str, *, valid_seconds: int, mark: str = "") -> str | None:
        """A URL from which PixelAPI can read `key` (presigned or CDN), or None when the file must be uploaded.

        `mark` (letters and digits) stands somewhere in the URL, so that the provider's books can be searched for it.
        """
        ...

    async def probe(self) -> None:
        """At start: check that the store is reachable and honours conditions.

        Raises `Unavailable(store)`, or `Misconfigured` when a conditional write is ignored (it could buy twice).
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
