"""What the topics told, kept small and ready to be shown: batches, images with their pictures, letters, decisions.

Comes in: records, on one thread (`watching`). Goes out: to pages on another one, which never waits for the first: every
value they read is replaced whole and never changed. Topic contents are hostile: what cannot be read is counted.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from stream.broker.port import InRecord
from stream.catalog.book import Book, Entry, Fate
from stream.catalog.notes import BatchNote
from stream.catalog.standing import Standing, latest_of, standing_of
from stream.console.letterbox import Letterbox
from stream.console.pictures import MAX_FIGURE, UNREADABLE, Picture, pack, unit_of, unpack
from stream.letters.dialects import SMALLEST_CREDIT
from stream.objects.keys import read_asset_key
from stream.records import Status
from stream.topics import Topics

MAX_BATCHES = 10_000
"""More different names than this are somebody's mistake; records of further ones count in no batch."""
MAX_ID = 200
STALE_SECONDS = 30.0
"""A batch in progress of which nothing is heard is reckoned anew so often: its finish depends on the time."""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """The latest finished pictures of one image."""

    sku_id: str
    image_id: str
    batch_id: str
    finished_ms: int
    credits: Decimal
    seconds: float
    packed: bytes

    @property
    def unit(self) -> str:
        """Its folder in the store."""
        return unit_of(self.sku_id, self.image_id)

    @property
    def pictures(self) -> list[Picture]:
        """Its pictures, in the order they were made."""
        return unpack(self.unit, self.packed)


@dataclass(frozen=True, slots=True)
class BatchView:
    """One batch as it stands. `entries`: the deciding event of each image, by SKU."""

    batch_id: str
    standing: Standing
    entries: tuple[Entry, ...]
    note: BatchNote | None
    first_ms: int
    """When its first event arrived, or was noted."""


@dataclass(slots=True)
class _Batch:
    book: Book
    is_changed: bool = True
    note: BatchNote | None = None
    reckoned_at: float = 0.0


@dataclass(slots=True)
class Index:
    """Fed by `take` and made visible by `publish`, both on the watching thread; read by everybody."""

    topics: Topics
    images: dict[str, ImageRow] = field(default_factory=dict)
    """By unit."""
    newest: tuple[ImageRow, ...] = ()
    """Every image, the last finished first."""
    batches: Mapping[str, BatchView] = field(default_factory=dict)
    letters: Letterbox = field(default_factory=Letterbox)
    unreadable: int = 0
    _books: dict[str, _Batch] = field(default_factory=dict)
    _has_new_images: bool = False

    def take(self, record: InRecord) -> None:
        """One record of any of the topics."""
        try:
            if record.topic == self.topics.completed:
                self._completed(record)
            elif record.topic == self.topics.dead_letter:
                self._letter(record)
            elif record.topic == self.topics.replays:
                self.letters.decided(record)
            else:
                self._published(record)
        except UNREADABLE:
            self.unreadable += 1

    def publish(self, notes: Mapping[str, BatchNote], *, now: float) -> None:
        """Show what was taken; `now`: Unix seconds."""
        for batch_id in notes.keys() - self._books.keys():
            self._batch(batch_id)
        shown = dict(self.batches)
        for batch_id, batch in list(self._books.items()):
            note = notes.get(batch_id)
            known = shown.get(batch_id)
            is_stale = known is not None and not known.standing.is_done and now - batch.reckoned_at > STALE_SECONDS
            if batch.is_changed or is_stale or note is not batch.note:
                batch.note, batch.is_changed, batch.reckoned_at = note, False, now
                shown[batch_id] = _view(batch_id, batch.book, note, now=now)
        self.batches = shown
        if self._has_new_images:
            self._has_new_images = False
            self.newest = tuple(sorted(self.images.values(), key=lambda row: row.finished_ms, reverse=True))
        self.letters.publish()

    def picture_of(self, key: str) -> Picture | None:
        """The picture at `key`, if a terminal record or a letter names it."""
        name = read_asset_key(key)
        if name is None:
            return None
        row = self.images.get(name.unit)
        known = [] if row is None else row.pictures
        return next((each for each in [*known, *self.letters.pictures_of(name.unit)] if each.key == key), None)

    def _published(self, record: InRecord) -> None:
        batch = self._batch(_batch_id(_object(record.value)))
        if batch is not None:
            batch.book.published(record)

    def _letter(self, record: InRecord) -> None:
        row = self.letters.take(record)
        batch = self._batch(row.batch_id)
        if batch is not None:
            batch.book.letter(record)

    def _completed(self, record: InRecord) -> None:
        fields = _object(record.value)
        batch_id = _batch_id(fields)
        batch = self._batch(batch_id)
        if batch is not None:
            batch.book.completed(record)
        is_completed = Status(fields["status"]) is Status.COMPLETED
        self._replay_ended(fields, Fate.SUCCESS if is_completed else Fate.SUPERSEDED)
        if not is_completed:
            return
        sku_id, image_id = _text(fields["sku_id"]), sys.intern(_text(fields["image_id"]))
        unit = unit_of(sku_id, image_id)
        finished_ms = record.timestamp_ms if record.timestamp_ms > 0 else int(float(fields["finished_at"]) * 1000)
        known = self.images.get(unit)
        if known is not None and known.finished_ms > finished_ms:
            return
        seconds = max(0.0, float(fields["finished_at"]) - float(fields["started_at"]))
        packed = pack(unit, fields["assets"])
        self.images[unit] = ImageRow(
            sku_id, image_id, sys.intern(batch_id), finished_ms, _credits(fields["credits"]), seconds, packed
        )
        self._has_new_images = True

    def _replay_ended(self, fields: Mapping[str, Any], end: Fate) -> None:
        if fields["replay"]:
            place = fields["origin"]
            origin = (str(place["topic"]), int(place["partition"]), int(place["offset"]), int(place["index"]))
            self.letters.ended(origin, int(fields["replay"]), end)

    def _batch(self, batch_id: str) -> _Batch | None:
        if not batch_id:
            return None
        batch = self._books.get(batch_id)
        if batch is None:
            if len(self._books) >= MAX_BATCHES:
                return None
            batch = self._books[batch_id] = _Batch(Book(batch_id))
        batch.is_changed = True
        return batch


def _view(batch_id: str, book: Book, note: BatchNote | None, *, now: float) -> BatchView:
    standing = standing_of(book, batch_id=batch_id, note=note, now=now)
    noted_ms = int(note.submissions[0].at * 1000) if note is not None and note.submissions else 0
    first_ms = book.first_arrival_ms or noted_ms
    return BatchView(batch_id, standing, tuple(latest_of(book)), note, first_ms)


def _object(value: bytes | None) -> dict[str, Any]:
    found = orjson.loads(value or b"")
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - told like any other misreading
    return found


def _batch_id(fields: Mapping[str, Any]) -> str:
    batch_id = fields.get("batch_id")
    return batch_id if isinstance(batch_id, str) and len(batch_id) <= MAX_ID else ""


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_ID:
        raise ValueError("no id")
    return value


_AMOUNTS: dict[str, Decimal] = {}
"""Prices repeat: each amount is held once."""
_MAX_AMOUNTS = 10_000


def _credits(told: object) -> Decimal:
    text = str(told)[:40]
    known = _AMOUNTS.get(text)
    if known is not None:
        return known
    amount = Decimal(text)
    if not 0 <= amount < MAX_FIGURE or int(amount.as_tuple().exponent) < SMALLEST_CREDIT:
        raise ValueError("no amount of credits")
    if len(_AMOUNTS) < _MAX_AMOUNTS:
        _AMOUNTS[text] = amount
    return amount
