"""The turnstile: how many requests came, and whether one more is in contract.

Arrival times (monotonic seconds) come in; admissions go out. Pure arithmetic, no clock of its own.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.simulator.behaviour import RateLimit


@dataclass(frozen=True, slots=True)
class Admission:
    """`remaining` requests are left; room for another (or a new window) comes in `reset_seconds`."""

    allowed: bool
    remaining: int
    reset_seconds: float


class Turnstile:
    """Exact counts over a log of arrivals: a sliding log or fixed windows, whichever the contract says now."""

    def __init__(self) -> None:
        self._counted: deque[float] = deque()

    def forget(self) -> None:
        """Nobody has come yet."""
        self._counted.clear()

    def admit(self, now: float, rate: RateLimit, *, counts: bool = True) -> Admission:
        """Judge an arrival at `now`. One that does not count is always let in and leaves no trace."""
        if rate.requests is None:
            return Admission(allowed=True, remaining=0, reset_seconds=0.0)
        while self._counted and self._is_past(self._counted[0], now, rate):
            self._counted.popleft()
        allowed = not counts or len(self._counted) < rate.requests
        if counts and (allowed or rate.count_refused):
            self._counted.append(now)
        remaining = max(rate.requests - len(self._counted), 0)
        return Admission(allowed=allowed, remaining=remaining, reset_seconds=self._reset_seconds(now, rate))

    @staticmethod
    def _is_past(earlier: float, now: float, rate: RateLimit) -> bool:
        if rate.window == "fixed":
            return earlier // rate.window_seconds < now // rate.window_seconds
        # Half open: a request exactly one window old no longer counts.
        return now - earlier >= rate.window_seconds

    def _reset_seconds(self, now: float, rate: RateLimit) -> float:
        if rate.window == "fixed":
            return rate.window_seconds - now % rate.window_seconds
        if not self._counted:
            return 0.0
        # With refusals counted more than the limit may be in the log: wait until one less than the limit is left.
        first = max(len(self._counted) - max(rate.requests or 1, 1), 0)
        return max(self._counted[first] + rate.window_seconds - now, 0.0)


def most_in_window(times: Sequence[float], window_seconds: float) -> int:
    """The largest number of `times` (sorted) in any half-open window of this length, wherever it starts. Exact."""
    most = first = 0
    for last, now in enumerate(times):
        while now - times[first] >= window_seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
