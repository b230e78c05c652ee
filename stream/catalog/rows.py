"""What a catalog becomes: rows to publish, and complaints a person can act on. Pure data.

Comes in: `reading`. Goes out: to whoever submits the rows or reckons what they will cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stream.core.errors import Rejected
from stream.events import RawEvent, read_raw

MAX_ROWS = 1_000_000
MAX_LINE_CHARACTERS = 1_000_000
MAX_COMPLAINTS = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One event of a catalog. `value` is the JSON that is published, byte for byte; `line` is where it begins (from 1).

    The event is not kept beside its bytes: a catalog of 50,000 rows stays at some 30 MB.
    """

    line: int
    sku_id: str
    image_id: str
    value: bytes

    @property
    def image(self) -> tuple[str, str]:
        """The unit of order and of counting: (sku_id, image_id)."""
        return (self.sku_id, self.image_id)

    @property
    def event(self) -> RawEvent:
        """The event, read from the bytes at each call."""
        return read_raw(self.value)


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a line cannot be sent. `message` is the whole sentence (field, value, expectation), URLs without secrets."""

    line: int
    field: str | None
    message: str
    expected: str | None = None

    @classmethod
    def of(cls, line: int, error: Rejected) -> "Complaint":
        """What the event's own rules say."""
        return cls(line, error.field, str(error), error.expected)

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A row that says exactly what an earlier one says: sent once, no complaint."""

    line: int
    earlier_line: int


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything a file holds, in the order of its lines."""

    rows: Sequence[Row]
    complaints: Sequence[Complaint]
    duplicates: Sequence[Duplicate] = ()
