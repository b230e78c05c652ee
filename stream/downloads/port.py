"""Downloads as the stages see them: a URL in, a spooled and checked file out.

All of it is hostile until checked: hosts, redirects, sizes, speed, bytes. No API key ever travels through this door.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Whose(StrEnum):
    """Whose URL it is; decides the hosts that are allowed and whose fault a failure is."""

    SOURCE = "source"
    """`raw_url`: any public host.

    Fails with `Rejected(source-refused | source-missing)`, `Rejected(invalid-image)` where it is too large, or
    `Transient`.
    """
    RESULT = "result"
    """PixelAPI's output: allow-listed hosts only. Fails with `Rejected(bad-result)`, `ResultGone` or `Transient`."""


class ResultGone(Exception):
    """A result URL answered definitely that it is no more (400, 401, 403, 404, 410): poll once more, then give up."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file in the spool folder, deleted when its context ends."""

    path: Path
    bytes: int
    sha256: str


class Downloads(Protocol):
    """Fetch once, bounded."""

    def fetch(self, url: str, whose: Whose) -> AbstractAsyncContextManager[Spooled]:
        """Download `url` into the spool; waits while the spool is full, unless the caller holds a file in it already.

        Raises as `Whose` says; `Unavailable(disk)` when the disk refuses.
        """
        ...

    def scratch(self, suffix: str = "") -> AbstractAsyncContextManager[Path]:
        """A free path in the spool folder for a file of our own; what is there is deleted when its context ends."""
        ...

    async def version_of(self, url: str) -> str | None:
        """The source version by HEAD: ETag, else Last-Modified and length; None where the server tells neither.

        Raises `Rejected(source-refused | source-missing)`, or `Transient`: an unclear answer must not change a key.
        """
        ...

    async def aclose(self) -> None:
        """Close connections and remove the spool."""
        ...
