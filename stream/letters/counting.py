"""Letters counted by stage and reason: how many, how many different events, since when, what they cost.

Comes in: letters, one after the other. Goes out: a `Group` for each pair and one for all. Memory: 24 bytes at most for
each different event, and as many for each job.
"""

import hashlib
from array import array
from dataclasses import dataclass, field
from decimal import Decimal

from stream.letters.filters import State
from stream.letters.letter import Letter

MAX_GROUPS = 500
OTHERS = "(others)"
"""Where more pairs than that come: foreign topics may have a class of exception for each letter."""


class Seen:
    """Texts met before: 64 bits of each in an open table, 12 to 24 bytes a text. A set would take a hundred."""

    def __init__(self) -> None:
        """None yet."""
        self._table = array("Q", bytes(8 * 1024))
        self._count = 0

    def is_new(self, text: str) -> bool:
        """Whether it was not met before; it is met now."""
        digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()
        number = int.from_bytes(digest, "big") or 1
        place = self._place(number)
        if self._table[place]:
            return False
        self._table[place] = number
        self._count += 1
        if self._count * 3 > len(self._table) * 2:
            self._grow()
        return True

    def _place(self, number: int) -> int:
        """Where it lies, or the free place where it would."""
        table, mask = self._table, len(self._table) - 1
        place = number & mask
        while table[place] not in {0, number}:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old, self._table = self._table, array("Q", bytes(16 * len(self._table)))
        for number in old:
            if number:
                self._table[self._place(number)] = number


@dataclass(slots=True)
class Group:
    """What was counted. Times in Unix ms, 0 for none."""

    stage: str
    reason: str
    letters: int = 0
    distinct: int = 0
    """Different events: repeats of one that failed the same way count once."""
    oldest_ms: int = 0
    newest_ms: int = 0
    credits: Decimal = Decimal(0)
    """What the failed jobs cost, each job once."""
    credits_in_doubt: Decimal = Decimal(0)
    states: dict[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))

    def add(self, letter: Letter, state: State, *, is_new: bool, is_new_job: bool) -> None:
        """One more."""
        self.letters += 1
        self.distinct += is_new
        self.states[state] += 1
        if is_new_job:
            self.credits += letter.credits
            self.credits_in_doubt += letter.credits_in_doubt
        if letter.timestamp_ms > 0:
            self.oldest_ms = min(self.oldest_ms or letter.timestamp_ms, letter.timestamp_ms)
            self.newest_ms = max(self.newest_ms, letter.timestamp_ms)


class Tally:
    """All groups, as far as they were counted."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self.total = Group("", "")
        self._groups: dict[tuple[str, str], Group] = {}
        self._events = Seen()
        self._jobs = Seen()

    def add(self, letter: Letter, state: State) -> None:
        """One more letter."""
        is_new = self._events.is_new(letter.fingerprint)
        is_new_job = not letter.job_key or self._jobs.is_new(letter.job_key)
        for group in (self.total, self._group(letter)):
            group.add(letter, state, is_new=is_new, is_new_job=is_new_job)

    def groups(self) -> list[Group]:
        """The most frequent first."""
        return sorted(self._groups.values(), key=lambda group: (-group.letters, group.stage, group.reason))

    def _group(self, letter: Letter) -> Group:
        pair = (letter.stage, letter.reason)
        if pair not in self._groups and len(self._groups) >= MAX_GROUPS:
            pair = (OTHERS, OTHERS)
        return self._groups.setdefault(pair, Group(*pair))
