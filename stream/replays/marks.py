"""What became of a letter by a person's hand: the mark in the compacted topic `replays`, keyed by the letter's place.

Comes in: a decision. Goes out: a mark, written in the same transaction as the record it puts back.
"""

from enum import StrEnum

from pydantic import Field

from stream.events import Frozen, Origin
from stream.letters.letter import LetterId


class Fate(StrEnum):
    """What was decided."""

    REPLAYED = "replayed"
    DISCARDED = "discarded"


class Mark(Frozen):
    """One decision about one letter. `by` and `why` are a person's words; `filter` is how the letters were chosen."""

    v: int = 1
    fate: Fate
    topic: str
    partition: int
    offset: int
    at_ms: int
    by: str
    why: str = ""
    filter: str = ""
    plan_id: str = ""
    origin: Origin | None = None
    replay: int = 0
    """The number that the replayed event bears from now on."""
    stage: str = ""
    """Where it re-entered."""

    @property
    def letter(self) -> LetterId:
        """Which letter it is about."""
        return LetterId(self.topic, self.partition, self.offset)


class Marks(Frozen):
    """All marks by letter: the latest one counts."""

    by_letter: dict[str, Mark] = Field(default_factory=dict)
    """By `str(LetterId)`."""

    def of(self, letter: LetterId) -> Mark | None:
        """What was decided about it."""
        return self.by_letter.get(str(letter))
