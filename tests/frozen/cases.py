"""What a frozen format is: a value, how today's code writes it, how it reads it, and what older bytes mean.

Comes in: the lists of `documents`, `records` and `headers`. Goes out: `Case`, and the files that belong to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True, slots=True)
class Case:
    """`name` is `<format>.<case>`; its files are `<name>.<generation>.<suffix>`, the highest one is written today."""

    name: str
    value: Any
    write: Callable[[Any], bytes] | None
    """None for what others write."""
    read: Callable[[bytes], Any]
    older: Mapping[int, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What the bytes of an older generation mean to today's code, where that is not `value`."""

    def files(self) -> dict[int, Path]:
        """By generation, rising."""
        found = GOLDEN.glob(f"{self.name}.*.*")
        return dict(sorted((int(path.name.split(".")[2]), path) for path in found))

    def meaning(self, generation: int) -> Any:
        """What the file of a generation means."""
        return self.older.get(generation, self.value)
