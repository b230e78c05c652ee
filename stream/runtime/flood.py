"""How many letters a stage may write, and how carefully it goes on where it may write no more. Pure: no I/O, no clock.

Comes in: letters wanted, successes, a person's word. Goes out: whether a letter may be written; how many walks may try.
A provider that fails every job would turn a whole catalog into letters, and buy it to the last photo (trap 11).
"""

from collections.abc import Iterable

from stream.core.errors import Reason
from stream.core.reasons import CARDS

LETTERS = 100
"""Letters of one reason that a stage may write at once."""
FIRST_PROBE_SECONDS = 10.0
LONGEST_PROBE_SECONDS = 300.0
"""How seldom a stopped stage tries at the most: each try may buy a job that fails."""

COUNTED = tuple(reason for reason, card in CARDS.items() if not card.is_malformed)
"""Reasons whose letters are counted. A bad catalog is its sender's trouble and must not stop anyone."""


class Budget:
    """One stage's letters: so many of each reason, and one more for every two successes since, up to so many again."""

    def __init__(self, letters: int = LETTERS) -> None:
        """`letters`: how many of each reason, at least one."""
        self._full = 2 * letters
        self._missing: dict[Reason, int] = {}
        """Half letters that were spent and not earned back; nothing for a reason that is full."""

    def left(self, reason: Reason) -> int:
        """Whole letters of `reason` that may be written now."""
        return (self._full - self._missing.get(reason, 0)) // 2

    def spend(self, reason: Reason) -> bool:
        """Whether a letter may be written; one that may is counted. Malformed input always may, and costs nothing."""
        if CARDS[reason].is_malformed:
            return True
        if not self.left(reason):
            return False
        self._missing[reason] = self._missing.get(reason, 0) + 2
        return True

    def earn(self) -> None:
        """An event of the stage succeeded: half a letter of each reason."""
        if self._missing:  # nearly never
            self._missing = {reason: halves - 1 for reason, halves in self._missing.items() if halves > 1}

    def refill(self, reasons: Iterable[Reason]) -> None:
        """A person looked, and lets the stage go on: all letters of `reasons` again."""
        for reason in reasons:
            self._missing.pop(reason, None)


class SlowStart:
    """How many walks a stopped stage lets through: one now and then, and one more with every one that succeeds.

    The first that fails closes again, for longer each time. So a stage whose cause has gone is at its whole speed
    within a few jobs' time, and one that is still broken costs a job now and then. Times are monotonic seconds.
    """

    def __init__(self) -> None:
        """Nothing was stopped yet."""
        self.width = 1
        """Walks that may be under way together."""
        self._round = 0
        self._due = 0.0
        self._late = 0.0
        self._interval_seconds = FIRST_PROBE_SECONDS

    def begin(self, now: float) -> None:
        """The stage is stopped: the first probe is due a while later."""
        self._interval_seconds = FIRST_PROBE_SECONDS
        self._close(now)

    def has_room(self, now: float, walking: int) -> bool:
        """Whether one more may go, while `walking` are under way; one that takes too long keeps nobody waiting."""
        return now >= self.due(walking)

    def due(self, walking: int) -> float:
        """From when on there is room if nothing else happens."""
        return self._due if walking < self.width else max(self._due, self._late)

    def let_through(self, now: float) -> int:
        """One more goes: the number of its round, to be told with what became of it."""
        self._late = now + LONGEST_PROBE_SECONDS
        return self._round

    def succeeded(self, now: float, round_: int) -> None:
        """One let through in `round_` succeeded: the next two go at once."""
        if round_ == self._round:
            self.width += 1
            self._due = now
            self._interval_seconds = FIRST_PROBE_SECONDS

    def failed(self, now: float, round_: int) -> None:
        """One let through in `round_` failed. Those of the same round that fail after it tell nothing new."""
        if round_ == self._round:
            self._close(now)

    def resumed(self, now: float, width: int) -> None:
        """A person lets the stage go on: `width` at once."""
        self._round += 1
        self.width = width
        self._due = now
        self._interval_seconds = FIRST_PROBE_SECONDS

    def _close(self, now: float) -> None:
        self._round += 1
        self.width = 1
        self._due = now + self._interval_seconds
        self._interval_seconds = min(self._interval_seconds * 2, LONGEST_PROBE_SECONDS)
