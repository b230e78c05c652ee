"""Letters as a list: what each one says, in a few hundred bytes, beside what people decided about it.

Comes in: records of the dead-letter topic and of the marks. Goes out: rows, the newest first. The letter itself, with
all its headers, stays in Kafka and is read again when somebody opens it (`opening`).
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from stream.broker.port import InRecord
from stream.catalog.book import Fate as End
from stream.console.decisions import Decided, Replayed, gathered
from stream.console.pictures import Picture, pack, unit_of, unpack
from stream.letters.dialects import read_letter
from stream.letters.letter import Dialect, Letter, LetterId
from stream.letters.masking import masked
from stream.replays.book import take_marks
from stream.replays.marks import Coordinates, Mark, Marks, coordinates

MAX_LETTERS = 200_000
"""The newest ones are kept, about 500 bytes each; what was dropped is told."""
MAX_ERROR = 300
MASKED_CHARACTERS = 2_000
"""Cut after masking: half a signature is one too."""
MAX_WORD = 200
KEPT_PER_IMAGE = 20


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One letter in the list. `packed`: the pictures its value names."""

    at: LetterId
    timestamp_ms: int
    reason: str
    stage: str
    sku_id: str
    image_id: str
    batch_id: str
    error: str
    attempts: int
    replay: int
    dialect: Dialect
    priority: str
    credits: Decimal
    credits_in_doubt: Decimal
    packed: bytes

    @property
    def unit(self) -> str:
        """Its image's folder in the store; empty where it names no SKU."""
        return unit_of(self.sku_id, self.image_id) if self.sku_id else ""

    @property
    def pictures(self) -> list[Picture]:
        """What was made before it failed."""
        return unpack(self.unit, self.packed)


@dataclass(slots=True)
class Letterbox:
    """Changed by `take`, `decided` and `publish` on the watching thread."""

    rows: dict[LetterId, LetterRow] = field(default_factory=dict)
    newest: tuple[LetterRow, ...] = ()
    marks: Marks = field(default_factory=Marks)
    decisions: tuple[Decided, ...] = ()
    """The newest first."""
    ends: dict[Replayed, End] = field(default_factory=dict)
    """Of replayed events, those that have ended again."""
    dropped: int = 0
    _by_unit: dict[str, tuple[LetterId, ...]] = field(default_factory=dict)
    _is_changed: bool = False
    _is_decided: bool = False

    def take(self, record: InRecord) -> LetterRow:
        """Note a record of the dead-letter topic."""
        letter = read_letter(record)
        if letter.origin is not None:
            self.ended(coordinates(letter.origin), letter.replay, End.FAILED)
        row = row_of(letter)
        self.rows[row.at] = row
        if row.unit:
            self._by_unit[row.unit] = (*self._by_unit.get(row.unit, ()), row.at)[-KEPT_PER_IMAGE:]
        while len(self.rows) > MAX_LETTERS:
            self._drop(next(iter(self.rows)))
        self._is_changed = True
        return row

    def decided(self, record: InRecord) -> None:
        """Note a record of the topic of marks."""
        take_marks(self.marks, [record])
        self._is_decided = True

    def publish(self) -> None:
        """Show what was taken."""
        if self._is_changed:
            self._is_changed = False
            self.newest = tuple(sorted(self.rows.values(), key=lambda row: (row.timestamp_ms, row.at), reverse=True))
        if self._is_decided:
            self._is_decided = False
            self.decisions = gathered(self.marks)

    def ended(self, origin: Coordinates, replay: int, end: End) -> None:
        """Note how a replayed event ended; others count elsewhere."""
        if replay > 0:
            self.ends[Replayed(origin, replay)] = end

    def decision_about(self, at: LetterId, written_ms: int = 0) -> Mark | None:
        """What was decided about a letter; `written_ms` is its record time."""
        return self.marks.of(at, written_ms)

    def about(self, unit: str) -> list[LetterRow]:
        """An image's letters, the newest first."""
        return [row for at in reversed(self._by_unit.get(unit, ())) if (row := self.rows.get(at)) is not None]

    def pictures_of(self, unit: str) -> list[Picture]:
        """What an image's letters name."""
        return [picture for row in self.about(unit) for picture in row.pictures]

    def _drop(self, at: LetterId) -> None:
        row = self.rows.pop(at)
        self.dropped += 1
        left = tuple(each for each in self._by_unit.get(row.unit, ()) if each != at)
        if left:
            self._by_unit[row.unit] = left
        else:
            self._by_unit.pop(row.unit, None)


def row_of(letter: Letter) -> LetterRow:
    """The letter, cut to what a list shows. What is a secret in its error is masked."""
    error = masked(letter.error[:MASKED_CHARACTERS])[:MAX_ERROR]
    sku_id, image_id = letter.sku_id[:MAX_WORD], letter.image_id[:MAX_WORD]
    return LetterRow(
        at=LetterId(sys.intern(letter.at.topic), letter.at.partition, letter.at.offset),
        timestamp_ms=letter.timestamp_ms, reason=sys.intern(letter.reason[:MAX_WORD]),
        stage=sys.intern(letter.stage[:MAX_WORD]), sku_id=sku_id, image_id=sys.intern(image_id),
        batch_id=sys.intern(letter.batch_id), error=error, attempts=letter.attempts, replay=letter.replay,
        dialect=letter.dialect, priority=sys.intern(letter.priority[:MAX_WORD]), credits=letter.credits,
        credits_in_doubt=letter.credits_in_doubt,
        packed=pack(unit_of(sku_id, image_id), _assets(letter.value)) if sku_id else b"",
    )  # fmt: skip


def _assets(value: bytes | None) -> Any:
    if not value or b'"assets"' not in value:
        return None
    try:
        found = orjson.loads(value)
    except ValueError:
        return None
    return found.get("assets") if isinstance(found, dict) else None


def reasons_and_stages(rows: Sequence[LetterRow]) -> tuple[list[str], list[str]]:
    """What can be filtered by."""
    return sorted({row.reason for row in rows}), sorted({row.stage for row in rows})
