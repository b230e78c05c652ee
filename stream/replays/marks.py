"""What became of a letter by a person's hand: the mark in the compacted topic `replays`, keyed by the letter's place.

Comes in: a decision. Goes out: a mark, written in the same transaction as the record it puts back; and all marks
together, held small: a million of them stay below 200 MB.
"""

import struct
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from stream.events import CLEARLY_MS, FORMAT, Count, FormatVersion, Kept, Origin
from stream.letters.letter import LetterId

MAX_WHY_CHARACTERS = 1_000
MAX_BY_CHARACTERS = 200
MAX_FILTER_CHARACTERS = 2_000
MAX_NAME_CHARACTERS = 249
"""Of a topic, by Kafka's own rule; no stage's name is longer."""

Name = Annotated[str, Field(max_length=MAX_NAME_CHARACTERS)]
Small = Annotated[int, Field(ge=0, le=2**31 - 1)]
Time = Annotated[int, Field(ge=-1, le=2**63 - 1)]
Coordinates = tuple[str, int, int, int]
"""An origin: topic, partition, offset, index."""


class Fate(StrEnum):
    """What was decided."""

    REPLAYED = "replayed"
    DISCARDED = "discarded"


class Mark(Kept):
    """One decision about one letter. `by` and `why` are a person's words; `filter` is how the letters were chosen."""

    v: FormatVersion = FORMAT
    fate: Fate
    topic: Name
    partition: Small
    offset: Count
    at_ms: Time
    by: Annotated[str, Field(max_length=MAX_BY_CHARACTERS)]
    why: Annotated[str, Field(max_length=MAX_WHY_CHARACTERS)] = ""
    filter: Annotated[str, Field(max_length=MAX_FILTER_CHARACTERS)] = ""
    plan_id: Name = ""
    origin: Origin | None = None
    origin_timestamp_ms: Time = 0
    """The origin's record time: a topic made anew counts its offsets from 0 again."""
    letter_timestamp_ms: Time = 0
    """The letter's own record time, for the same reason: at its place another letter may lie by now. 0: not told."""
    replay: Small = 0
    """The number that the replayed event bears from now on."""
    stage: Name = ""
    """Where it re-entered."""

    @property
    def letter(self) -> LetterId:
        """Which letter it is about."""
        return LetterId(self.topic, self.partition, self.offset)


class Entering(Protocol):
    """An event about to be put back: whose letter, and the replay number it would bear from then on."""

    @property
    def at(self) -> LetterId:
        """Where its letter lies."""
        ...

    @property
    def origin(self) -> Origin:
        """Where it entered first."""
        ...

    @property
    def timestamp_ms(self) -> int:
        """The origin's record time; 0 or less where nobody knows."""
        ...

    @property
    def replay(self) -> int:
        """The number of the replay."""
        ...


class Marks:
    """All marks by letter: the latest one counts. Words that many marks share are held once."""

    def __init__(self) -> None:
        """None yet."""
        self._packed: dict[tuple[str, int], dict[int, bytes]] = {}
        self._words: dict[tuple[str, ...], int] = {}
        self._said: list[tuple[str, ...]] = []
        self.unreadable = 0
        """Records of the topic that are no marks: counted, and ignored."""

    def add(self, mark: Mark) -> None:
        """A decision; it replaces an earlier one about the same letter."""
        origin = mark.origin
        words = (mark.by, mark.why, mark.filter, mark.plan_id, mark.stage, origin.topic if origin else "")
        number = self._words.setdefault(words, len(self._said))
        if number == len(self._said):
            self._said.append(words)
        place = (origin.partition, origin.offset, origin.index) if origin else (-1, -1, -1)
        packed = _LAYOUT.pack(
            number, mark.fate is Fate.REPLAYED, mark.at_ms, *place, mark.origin_timestamp_ms,
            mark.letter_timestamp_ms, mark.replay,
        )  # fmt: skip
        self._packed.setdefault((mark.topic, mark.partition), {})[mark.offset] = packed

    def forget(self, letter: LetterId) -> None:
        """Its mark was taken back."""
        self._packed.get((letter.topic, letter.partition), {}).pop(letter.offset, None)

    def of(self, letter: LetterId, written_ms: int = 0) -> Mark | None:
        """What was decided about it. `written_ms`: its record time; a mark of another letter at its place is none.

        A dead-letter topic that was deleted and made anew has the same places again; 0 or less: whichever lies there.
        """
        packed = self._packed.get((letter.topic, letter.partition), {}).get(letter.offset)
        mark = None if packed is None else self._unpacked(letter, packed)
        if mark is None or written_ms <= 0 or mark.letter_timestamp_ms <= 0:
            return mark
        return mark if mark.letter_timestamp_ms == written_ms else None

    def __len__(self) -> int:
        """How many letters are decided about."""
        return sum(map(len, self._packed.values()))

    def __iter__(self) -> Iterator[Mark]:
        """Every mark, letter by letter."""
        for (topic, partition), by_offset in self._packed.items():
            for offset, packed in by_offset.items():
                yield self._unpacked(LetterId(topic, partition, offset), packed)

    def put_back_elsewhere(self, entering: Iterable[Entering]) -> set[LetterId]:
        """Which of these are repeats of a replayed letter: the same event of the same replay number (at-least-once).

        A replay of such a letter would end one (origin, replay number) twice (L1). A replayed letter is its own repeat:
        copied into a topic made anew it may lie at its old place with another time.
        """
        wanted: dict[tuple[Coordinates, int], list[Entering]] = {}
        for each in entering:
            wanted.setdefault((coordinates(each.origin), each.replay), []).append(each)
        found: set[LetterId] = set()
        for mark in self if wanted else ():
            if mark.fate is not Fate.REPLAYED or mark.origin is None:
                continue
            repeats = wanted.get((coordinates(mark.origin), mark.replay), ())
            found.update(each.at for each in repeats if _is_of_one_life(each, mark))
        return found

    def _unpacked(self, letter: LetterId, packed: bytes) -> Mark:
        number, is_replay, at_ms, partition, offset, index, timestamp_ms, written_ms, replay = _LAYOUT.unpack(packed)
        by, why, filter_, plan_id, stage, topic = self._said[number]
        origin = None if offset < 0 else Origin.model_construct(
            topic=topic, partition=partition, offset=offset, index=index
        )  # fmt: skip
        return Mark.model_construct(
            fate=Fate.REPLAYED if is_replay else Fate.DISCARDED, topic=letter.topic, partition=letter.partition,
            offset=letter.offset, at_ms=at_ms, by=by, why=why, filter=filter_, plan_id=plan_id, origin=origin,
            origin_timestamp_ms=timestamp_ms, letter_timestamp_ms=written_ms, replay=replay, stage=stage,
        )  # fmt: skip


_LAYOUT = struct.Struct("<I?qqqqqqi")
"""Which words, whether a replay, when; the origin's partition, offset, index and time; the letter's; the number."""


def coordinates(origin: Origin) -> Coordinates:
    """An origin as a key."""
    return (origin.topic, origin.partition, origin.offset, origin.index)


def _is_of_one_life(entering: Entering, mark: Mark) -> bool:
    """Whether the topic was not made anew between the two origins, as far as their times tell."""
    mine, theirs = entering.timestamp_ms, mark.origin_timestamp_ms
    return mine <= 0 or theirs <= 0 or abs(mine - theirs) < CLEARLY_MS
