"""How a stage reads its input: the first one what the PIM wrote, the others what we wrote, and each what comes back.

Comes in: records of the input topics, or of a retry topic with their notes. Goes out: a `Reading`, or `Rejected`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from stream.broker.port import InRecord
from stream.core.clock import Clock
from stream.core.errors import Reason, Rejected
from stream.events import Origin, Priority
from stream.notifications.reading import EntryReader
from stream.records import Reading, StageRecord, read_stage_record
from stream.retries import RetryNote


class Reader(Protocol):
    """One stage's."""

    def read(self, record: InRecord) -> Reading:
        """The events in a record of an input topic. Raises `Rejected(invalid-event)`."""
        ...

    def read_again(self, record: InRecord, note: RetryNote) -> Reading:
        """The one event that a retry record is about, at its old place. Raises `Rejected(invalid-event)`."""
        ...


@dataclass(frozen=True, slots=True)
class FirstReader:
    """Of the entry topics; `priorities` by topic."""

    entries: EntryReader
    priorities: Mapping[str, Priority]
    clock: Clock

    def read(self, record: InRecord) -> Reading:
        """See `Reader`."""
        origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
        return self._read(record, origin, record.timestamp_ms, self.priorities.get(record.topic, Priority.LIVE))

    def read_again(self, record: InRecord, note: RetryNote) -> Reading:
        """See `Reader`. Of an S3 notification, the entry that the note's origin counts.

        Put back mended or from raw it is an event of its own, and keeps its place among those entries all the same.
        """
        index = note.origin.index
        origin = note.origin.model_copy(update={"index": 0})
        found = self._read(record, origin, note.timestamp_ms, note.priority)
        for event in found.events:
            if event.origin.index == index:
                return Reading((_returned(event, note),))
            if event.raw.encode() == record.value:
                return Reading((_returned(event.model_copy(update={"origin": note.origin}), note),))
        for misread in found.misread:
            if misread.index == index:
                raise misread.error
        raise Rejected(
            Reason.INVALID_EVENT, "no such event in the record", field="skustream.origin.index", value=index,
            expected="the place of an event among the record's entries",
        )  # fmt: skip

    def _read(self, record: InRecord, origin: Origin, timestamp_ms: int, priority: Priority) -> Reading:
        return self.entries.read(
            record.value, origin, timestamp_ms=timestamp_ms, priority=priority, started_at=self.clock.wall()
        )


class LaterReader:
    """Of the topics between stages."""

    def read(self, record: InRecord) -> Reading:
        """See `Reader`."""
        return Reading((read_stage_record(record.value),))

    def read_again(self, record: InRecord, note: RetryNote) -> Reading:
        """See `Reader`. The value knows its own origin: a note of another event is a mistake."""
        read = read_stage_record(record.value)
        if read.origin != note.origin:
            raise Rejected(
                Reason.INVALID_EVENT, "the note is about another event", field="origin", value=read.origin.model_dump(),
                expected=str(note.origin),
            )  # fmt: skip
        return Reading((_returned(read, note),))


def _returned(read: StageRecord, note: RetryNote) -> StageRecord:
    return read.returned(priority=note.priority, replay=note.replay, buy_again=note.buy_again)
