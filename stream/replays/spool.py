"""Bytes that wait for approval: on disk, in a file without a name that goes with its process."""

import tempfile
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Kept:
    """Where they lie."""

    offset: int
    length: int


class Spool:
    """A context manager around the file."""

    def __init__(self) -> None:
        """Empty. Raises OSError where the disk refuses."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `__exit__`
        self._end = 0

    def keep(self, content: bytes) -> Kept:
        """Put `content` there. Raises OSError."""
        self._file.seek(self._end)
        self._file.write(content)
        kept = Kept(self._end, len(content))
        self._end += len(content)
        return kept

    def get(self, kept: Kept) -> bytes:
        """What was kept."""
        self._file.seek(kept.offset)
        return self._file.read(kept.length)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gone."""
        self._file.close()
