"""What may happen to a SKU, and what is gathered of it: pure data, walking from the search to the story.

Comes in: nothing but what was read. Goes out: moments, by event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from stream.events import Origin
from stream.records import StageRecord
from stream.retries import Attempt


class What(StrEnum):
    """What happened. At equal times this order is told: causes before what follows from them."""

    RECEIVED = "received"
    """The event's record in an entry topic."""
    WAITED = "waited"
    """An order waited for the limiter (from then, for so long)."""
    CLAIMED = "claimed"
    """A job was claimed in the ledger, just before it was ordered."""
    ACCEPTED = "accepted"
    """PixelAPI took the job; its id is durable."""
    JOB = "job"
    """What the job came to: settled, failed, blocked, overdue, ambiguous, released, condemned, collected."""
    MADE = "made"
    """Work of this machine was kept: the photo taken in, thumbnails."""
    HANDED_ON = "handed-on"
    """A stage was done with it: the record for the next one."""
    TRIED = "tried"
    """A try that failed, as a later letter or delayed retry remembers it."""
    POSTPONED = "postponed"
    """A delayed retry."""
    UNREADABLE = "unreadable"
    """A record names the SKU and is not what belongs there."""
    LETTER = "letter"
    REPLAYED = "replayed"
    """A person's mark: the letter was put back."""
    DISCARDED = "discarded"
    """A person's mark: the letter was put aside."""
    RE_ENTERED = "re-entered"
    """The replayed record itself."""
    SUPERSEDED = "superseded"
    COMPLETED = "completed"


RANKS: Mapping[What, int] = {what: rank for rank, what in enumerate(What)}


@dataclass(frozen=True, slots=True)
class Moment:
    """`at_ms`: Unix time, by the clock of whoever wrote it down. `where`: topic/partition/offset, or a store's key."""

    at_ms: int
    what: What
    text: str
    where: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The same for machines: plain JSON values."""
    replay: int = 0

    @property
    def order(self) -> tuple[int, int, str]:
        """When it is told."""
        return (self.at_ms, RANKS[self.what], self.where)


@dataclass(slots=True)
class Event:
    """One event of the SKU, as far as it was found."""

    origin: Origin
    image_id: str
    event_id: str = ""
    batch_id: str = ""
    priority: str = ""
    raw_url: str = ""
    source_version: str = ""
    record: StageRecord | None = None
    """The furthest record read of it; job keys are reckoned from it."""
    asset_keys: dict[str, str] = field(default_factory=dict)
    """What was made for it, in whichever walk: store keys, and the assets' names."""
    job_keys: dict[str, str] = field(default_factory=dict)
    """Jobs that a letter named, with their stage."""
    letters: dict[str, int] = field(default_factory=dict)
    """Where they lie, each with its record time."""
    tries: dict[Attempt, Moment] = field(default_factory=dict)
    """What letters and delayed retries remember; the last try of each is what its own line tells."""
    told_tries: set[Attempt] = field(default_factory=set)
    moments: list[Moment] = field(default_factory=list)
    paid: set[str] = field(default_factory=set)
    """Keys of the jobs it paid."""
    reused: dict[str, str] = field(default_factory=dict)
    """Stage or operation, and the event that paid for it."""

    def remember(self, history: tuple[Attempt, ...], where: str, replay: int, stage: str) -> None:
        """Note the tries that a record at `where` tells of."""
        self.told_tries.update(history[-1:])
        for each in history[:-1]:
            facts = {"stage": stage, "word": each.word, "cause": each.cause}
            self.tries.setdefault(
                each, Moment(each.at_ms, What.TRIED, f"{stage}: {each.word}: {each.cause}", where, facts, replay)
            )

    def all_moments(self) -> list[Moment]:
        """In order."""
        tries = [moment for each, moment in self.tries.items() if each not in self.told_tries]
        return sorted([*self.moments, *tries], key=lambda moment: moment.order)

    @property
    def begun_ms(self) -> int:
        """Its first moment."""
        return min((moment.at_ms for moment in self.moments), default=0)


def place_of(topic: str, partition: int, offset: int, index: int = 0) -> str:
    """As a person types it."""
    return f"{topic}/{partition}/{offset}" + (f"/{index}" if index else "")


def origin_text(origin: Origin) -> str:
    """The same of an origin."""
    return place_of(origin.topic, origin.partition, origin.offset, origin.index)
