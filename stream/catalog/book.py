"""The book of one batch: every event of it that was published, and the end each one came to. Pure: asks nobody.

Comes in: records of the entry topics, of `completed` and of `dead-letter`, in any order. Goes out: entries by image.
Topic contents are hostile: what cannot be read is counted and never raised. Cheap on purpose: a record of another batch
is told by its bytes, before anything is decoded.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import orjson
from pydantic_core import from_json

from stream.broker.port import InRecord
from stream.events import CLEARLY_MS, DEFAULT_IMAGE_ID
from stream.records import Status
from stream.retries import PREFIX

MAX_CREDITS = Decimal(10**12)
SMALLEST_CREDIT = -12
"""As a power of ten: written out, 1E-9000000000 has nine gigabytes."""
Image = tuple[str, str]
Coordinates = tuple[str, int, int, int]
"""An origin: topic, partition, offset, index. The identity that ends are counted by (L1)."""


class Fate(StrEnum):
    """How an event ended."""

    SUCCESS = "success"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class End:
    """One end. `credits` were paid by this event for assets; `job_credits` (letters) for the job that failed it."""

    fate: Fate
    replay: int
    timestamp_ms: int
    offset: int
    credits: Decimal
    reason: str = ""
    error: str = ""
    stage: str = ""
    event_id: str = ""
    job_key: str = ""
    job_credits: Decimal = Decimal(0)
    credits_in_doubt: Decimal = Decimal(0)


@dataclass(slots=True)
class Entry:
    """One event of the batch. `arrived`: its place in line, events whose raw record is gone before all others."""

    origin: Coordinates
    image: Image
    arrived: tuple[bool, int, str, int, int]
    end: End | None = None


class Book:
    """What was read of one batch so far."""

    def __init__(self, batch_id: str) -> None:
        """`batch_id`: whose records count."""
        self._batch_id = batch_id
        self._needle = orjson.dumps(batch_id)[1:-1]
        self.entries: dict[tuple[Coordinates, Image], Entry] = {}
        """By image too: a topic made anew brings other events to the same coordinates."""
        self.unreadable = 0
        """Records in `completed` and `dead-letter` that are not what belongs there."""
        self.first_arrival_ms: int | None = None

    def published(self, record: InRecord) -> None:
        """A record of an entry topic. One that cannot be read is the workers' business: it becomes a letter there."""
        fields = self._ours(record.value)
        if fields is None:
            return
        origin = (record.topic, record.partition, record.offset, 0)
        arrived = (True, record.timestamp_ms, record.topic, record.partition, record.offset)
        entry = self._entry(origin, _image(fields), arrived)
        entry.arrived = arrived
        if entry.end is not None and _is_of_a_former_life(entry, entry.end):
            entry.end = None
        known = self.first_arrival_ms
        self.first_arrival_ms = record.timestamp_ms if known is None else min(known, record.timestamp_ms)

    def completed(self, record: InRecord) -> None:
        """A record of the `completed` topic."""
        try:
            self._terminal(record)
        except UNREADABLE:
            self.unreadable += 1

    def letter(self, record: InRecord) -> None:
        """A record of the dead-letter topic. Its value is whatever somebody once published: that is no fault of it."""
        fields = self._ours(record.value)
        if fields is None:
            return
        try:
            ours = ((name, value or b"") for name, value in record.headers if name.startswith(PREFIX))
            told = {name.removeprefix(PREFIX): value.decode() for name, value in ours}
            numbers = (int(told["origin.partition"]), int(told["origin.offset"]), int(told["origin.index"]))
            end = End(
                Fate.FAILED, int(told["replay"]), record.timestamp_ms, record.offset, _paid(record.value),
                reason=told["reason"], error=told["error"], stage=told["stage"], event_id=told.get("event-id", ""),
                job_key=told.get("job-key", ""), job_credits=_credits(told.get("credits", "0")),
                credits_in_doubt=_credits(told.get("credits-in-doubt", "0")),
            )  # fmt: skip
            self._end((told["origin.topic"], *numbers), _image(fields), end)
        except UNREADABLE:
            self.unreadable += 1

    def _terminal(self, record: InRecord) -> None:
        value = record.value or b""
        if not value.startswith(b"{"):
            raise ValueError("no JSON object")
        if self._needle not in value:  # our own writing: no name is spelled with escapes there
            return
        fields = orjson.loads(value)
        if fields["batch_id"] != self._batch_id:
            return
        place = fields["origin"]
        origin = (str(place["topic"]), int(place["partition"]), int(place["offset"]), int(place["index"]))
        fate = Fate.SUCCESS if Status(fields["status"]) is Status.COMPLETED else Fate.SUPERSEDED
        end = End(fate, int(fields["replay"]), record.timestamp_ms, record.offset, _credits(fields["credits"]))
        self._end(origin, (str(fields["sku_id"]), str(fields["image_id"])), end)

    def _ours(self, value: bytes | None) -> dict[str, Any] | None:
        """The event in a raw record or in a letter's value, if it is of this batch."""
        # Told without decoding, unless the name may be spelled with escapes.
        if not value or not (self._needle in value or b"\\" in value):
            return None
        fields = _object(value)
        if _is_stage_record(fields):
            fields = _object(fields["raw"])
        return fields if fields.get("batch_id") == self._batch_id else None

    def _end(self, origin: Coordinates, image: Image, end: End) -> None:
        """The latest end counts: a replay's over the letter's it was made from."""
        entry = self._entry(origin, image, (False, end.timestamp_ms, *origin[:3]))
        if _is_of_a_former_life(entry, end):
            return
        known = entry.end
        if known is None or (end.replay, end.timestamp_ms, end.offset) >= (
            known.replay, known.timestamp_ms, known.offset
        ):  # fmt: skip
            entry.end = end

    def _entry(self, origin: Coordinates, image: Image, arrived: tuple[bool, int, str, int, int]) -> Entry:
        return self.entries.setdefault((origin, image), Entry(origin, image, arrived))


def _is_of_a_former_life(entry: Entry, end: End) -> bool:
    """Nothing ends clearly before it arrives: the entry topic was made anew, and its offsets began again."""
    is_known, arrived_ms = entry.arrived[:2]
    return is_known and 0 < end.timestamp_ms < arrived_ms - CLEARLY_MS


UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError)
"""What reading a record may raise that somebody else wrote."""


def _object(text: bytes | str) -> dict[str, Any]:
    """What the workers accept counts: their own reader, the slower one, has the last word (NaN, 1e999)."""
    try:
        found = orjson.loads(text)
    except ValueError:
        try:
            found = from_json(text)
        except ValueError:
            return {}
    return found if isinstance(found, dict) else {}


def _paid(value: bytes | None) -> Decimal:
    """What the event had paid before it failed: a stage record tells its assets.

    A raw event has none; what a PIM calls so made it a letter, and is an end like any other.
    """
    fields = _object(value or b"")
    if not _is_stage_record(fields):
        return Decimal(0)
    try:
        return sum((_credits(asset["credits"]) for asset in fields["assets"].values()), start=Decimal(0))
    except UNREADABLE:
        return Decimal(0)


def _is_stage_record(fields: dict[str, Any]) -> bool:
    return isinstance(fields.get("raw"), str) and "origin" in fields


def _image(fields: dict[str, Any]) -> Image:
    sku_id, image_id = fields.get("sku_id", fields.get("id")), fields.get("image_id")
    return (str(sku_id), DEFAULT_IMAGE_ID if image_id is None else str(image_id))


def _credits(told: object) -> Decimal:
    amount = Decimal(str(told))
    if not 0 <= amount < MAX_CREDITS or int(amount.as_tuple().exponent) < SMALLEST_CREDIT:
        raise ValueError("no amount of credits")
    return amount
