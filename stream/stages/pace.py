"""When to ask after a job: when the operation's learned duration says it is due, not every second. Polls cost requests.

Comes in: durations of finished jobs. Goes out: how long to wait before the first and every further poll.
"""

from collections import deque
from statistics import quantiles

KEPT_DURATIONS = 50
ENOUGH_DURATIONS = 5
UNKNOWN_FIRST_SECONDS = 1.0
SHORTEST_SECONDS = 0.2
LONGEST_SECONDS = 15.0
GROWTH = 1.5


class Pace:
    """Learned per operation, in memory: a restart learns it again from the first few jobs."""

    def __init__(self, first_seconds: float | None = None) -> None:
        """`first_seconds` fixes the wait before the first poll instead of learning it."""
        self._fixed = first_seconds
        self._durations: dict[str, deque[float]] = {}

    def finished(self, operation: str, seconds: float) -> None:
        """A job of `operation` was seen finished `seconds` after its submit."""
        self._durations.setdefault(operation, deque(maxlen=KEPT_DURATIONS)).append(seconds)

    def first_seconds(self, operation: str) -> float:
        """From the submit to the first poll: a little after most jobs are done."""
        if self._fixed is not None:
            return self._fixed
        known = self._durations.get(operation)
        if known is None or len(known) < ENOUGH_DURATIONS:
            return UNKNOWN_FIRST_SECONDS
        return min(max(quantiles(known, n=10)[5], SHORTEST_SECONDS), LONGEST_SECONDS * 4)

    def next_seconds(self, operation: str, polls: int) -> float:
        """Until the next poll, after `polls` of them found the job running."""
        step = max(self.first_seconds(operation) / 4, SHORTEST_SECONDS)
        return float(min(step * GROWTH ** min(polls, 16), LONGEST_SECONDS))
