"""What walks between the stages: the raw event verbatim plus the assets made so far, and the terminal record.

Comes in: a raw event (first stage) or a stage record's bytes. Goes out: bytes for the next topic, or the terminal one.
"""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr

from stream.core.errors import Reason, Rejected
from stream.events import (
    FORMAT,
    MAX_EVENT_BYTES,
    Count,
    FormatVersion,
    Frozen,
    Kept,
    Origin,
    Place,
    Priority,
    RawEvent,
    check_time,
    read_model,
    read_raw,
)

MAX_RECORD_BYTES = 3 * MAX_EVENT_BYTES
"""A stage record holds the raw event (JSON-escaped, at most twice its size) and the assets made so far."""


class Status(StrEnum):
    """How an event ended in `completed`."""

    COMPLETED = "completed"
    SUPERSEDED = "superseded"


class Asset(Kept):
    """One re-hosted picture. `key` is its place in the store, `url` where the CDN serves it."""

    key: str
    url: str
    content_type: str
    width: Count
    height: Count
    bytes: Count
    sha256: str
    credits: Decimal = Decimal(0)
    """What this event paid for it: zero where it was reused."""
    seconds: float = 0.0
    """From the start of the job to the asset in the store."""

    def as_reused(self) -> Self:
        """The same picture, paid by somebody earlier."""
        return self.model_copy(update={"credits": Decimal(0)})


class StageRecord(Kept):
    """The record between two stages. The raw event travels verbatim, so that any stage's letter holds it."""

    v: FormatVersion = FORMAT
    raw: str
    origin: Origin
    timestamp_ms: Annotated[int, Field(ge=-1, le=2**63 - 1)]
    """The broker's record time; -1 is Kafka's word for none."""
    priority: Priority = Priority.LIVE
    replay: Count = 0
    source_version: str | None = None
    started_at: float
    assets: dict[str, Asset] = Field(default_factory=dict)
    _buy_again: str | None = PrivateAttr(default=None)

    @property
    def buy_again(self) -> str | None:
        """The claim id of an ambiguous job that a person decided to buy again.

        No field: it is read from no topic's JSON, and travels to no further stage.
        """
        return self._buy_again

    @cached_property
    def event(self) -> RawEvent:
        """The raw event, read once."""
        return read_raw(self.raw.encode())

    @property
    def place(self) -> Place:
        """The event's place in its image's order; a retry or replay keeps its origin's."""
        return self.event.place(self.origin, self.timestamp_ms)

    def with_assets(self, made: dict[str, Asset], *, source_version: str | None = None) -> "StageRecord":
        """This record one stage further."""
        update: dict[str, Any] = {"assets": {**self.assets, **made}}
        if source_version is not None:
            update["source_version"] = source_version
        return self.model_copy(update=update)

    def returned(self, *, priority: Priority, replay: int, buy_again: str | None) -> "StageRecord":
        """This record as it comes back from a retry topic: at its old place, with what its note says."""
        back = self.model_copy(update={"priority": priority, "replay": replay})
        back._buy_again = buy_again  # noqa: SLF001 - of the same class
        return back

    def encode(self) -> bytes:
        """The record as JSON bytes."""
        return dump(self)


@dataclass(frozen=True, slots=True)
class Misread:
    """One of a record's events that cannot be read, though the others can; `index` says which."""

    index: int
    error: Rejected


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands in one record of a topic: one event as a rule, several in an S3 notification, or none.

    `ignored` names what is neither an event nor a mistake: a notification that an object was removed.
    """

    events: tuple[StageRecord, ...] = ()
    misread: tuple[Misread, ...] = ()
    ignored: tuple[str, ...] = ()


class Terminal(Kept):
    """The one end of an event in the `completed` topic (L1)."""

    v: FormatVersion = FORMAT
    event_id: str
    sku_id: str
    image_id: str
    batch_id: str | None = None
    status: Status
    replay: int = 0
    priority: Priority = Priority.LIVE
    origin: Origin
    superseded_by: Origin | None = None
    source_version: str | None = None
    assets: dict[str, Asset]
    credits: Decimal
    started_at: float
    finished_at: float

    def encode(self) -> bytes:
        """The record as JSON bytes."""
        return dump(self)


def event_id_of(record: StageRecord) -> str:
    """The id the PIM gave the event; else its origin, `<topic>-<partition>-<offset>-<index>`: never empty."""
    origin = record.origin
    return record.event.event_id or f"{origin.topic}-{origin.partition}-{origin.offset}-{origin.index}"


def terminal_of(
    record: StageRecord, *, status: Status, finished_at: float, superseded_by: Origin | None = None
) -> Terminal:
    """The terminal record of `record`; `superseded_by` names the newer event where one won."""
    event, origin = record.event, record.origin
    return Terminal(
        event_id=event_id_of(record),
        sku_id=event.sku_id,
        image_id=event.image_id,
        batch_id=event.batch_id,
        status=status,
        replay=record.replay,
        priority=record.priority,
        origin=origin,
        superseded_by=superseded_by,
        source_version=record.source_version,
        assets=record.assets,
        credits=sum((asset.credits for asset in record.assets.values()), start=Decimal(0)),
        started_at=record.started_at,
        finished_at=finished_at,
    )


def first_record(
    value: bytes | None, origin: Origin, *, timestamp_ms: int, priority: Priority, started_at: float
) -> StageRecord:
    """A raw topic's record as the first stage's input. Raises `Rejected(invalid-event)`.

    `timestamp_ms`: Kafka's time of the record, 0 or less for none; `started_at`: now, in seconds.
    """
    event = read_raw(value)
    # Kafka's time, not ours: the record must mean the same when it is read again on a machine with another clock.
    check_time(event, timestamp_ms / 1000 if timestamp_ms > 0 else started_at)
    assert value is not None  # noqa: S101 - read_raw refuses None
    record = StageRecord(
        raw=value.decode(), origin=origin, timestamp_ms=timestamp_ms, priority=priority, started_at=started_at
    )
    record.__dict__["event"] = event  # what was just read need not be read again
    return record


def read_stage_record(value: bytes | None) -> StageRecord:
    """A stage topic's bytes. Raises `Rejected(invalid-event)`: topic contents are hostile until checked."""
    record = read_model(StageRecord, value, limit_bytes=MAX_RECORD_BYTES)
    _ = record.event
    if record.source_version is None:
        raise Rejected(
            Reason.INVALID_EVENT, "missing", field="source_version", expected="the version the first stage resolved"
        )
    return record


def fingerprint(event: RawEvent | None, value: bytes | None, *, stage: str, reason: str) -> str:
    """Equal for repeats: the same content failing in the same stage for the same reason (hex, 32 characters).

    `value` stands in where no event could be read in it.
    """
    content = event.content_hash() if event is not None else hashlib.sha256(value or b"").hexdigest()
    return hashlib.sha256(f"{content}\0{stage}\0{reason}".encode(errors="replace")).hexdigest()[:32]


def dump(model: Frozen) -> bytes:
    """A model as JSON bytes; decimals travel as strings, so that nothing is rounded."""
    return model.__pydantic_serializer__.to_json(model)
