"""What walks end in: a record for each event, and for each ticket the delivery that carries them.

Comes in: finished walks, from the worker. Goes out: to the station, which delivers them.
"""

from dataclasses import dataclass, replace

from stream.broker.port import OutRecord
from stream.records import StageRecord, event_id_of
from stream.runtime.inflight import Ticket
from stream.runtime.turns import Image
from stream.tracing.port import UNTRACED, Walk


@dataclass(frozen=True, slots=True)
class End:
    """How one event left this stage: the record it became."""

    record: OutRecord
    outcome: str
    """`forwarded`, `completed`, `superseded`, `postponed`, or `dead-letter`."""
    reason: str = ""
    """Of a letter, or of one that was put off."""
    image: Image | None = None
    event_id: str = ""
    timestamp_ms: int = -1
    """The origin's record time; -1 where it could not be read, or has none."""
    priority: str = ""
    """Of the event; empty where it could not be read."""
    walk: Walk = UNTRACED
    """Whose end it is, for the trace."""

    @classmethod
    def of(cls, read: StageRecord, record: OutRecord, outcome: str, reason: str = "") -> "End":
        """The end of an event that was read."""
        return cls(record, outcome, reason, read.event.image, event_id_of(read), read.timestamp_ms, read.priority.value)

    def traced(self, walk: Walk) -> "End":
        """The same end, as the end of `walk`: the record goes on in its trace."""
        if walk is UNTRACED:
            return self
        walk.ended(self.outcome, self.reason)
        return replace(self, record=replace(self.record, headers=self.record.headers + walk.headers), walk=walk)


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A ticket whose work is done: one end for each event of its record, delivered together or not at all."""

    ticket: Ticket
    ends: tuple[End, ...]
    ignored: tuple[str, ...] = ()
    """What else stood in the record and asks for nothing, by name."""
