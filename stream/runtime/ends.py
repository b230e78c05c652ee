"""What walks end in: a record for each event, and for each ticket the delivery that carries them.

Comes in: finished walks, from the worker. Goes out: to the station, which delivers them.
"""

from dataclasses import dataclass

from stream.broker.port import OutRecord
from stream.runtime.inflight import Ticket
from stream.runtime.turns import Image


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


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A ticket whose work is done: one end for each event of its record, delivered together or not at all."""

    ticket: Ticket
    ends: tuple[End, ...]
    ignored: tuple[str, ...] = ()
    """What else stood in the record and asks for nothing, by name."""
