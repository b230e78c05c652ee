"""When failures stop being one event's bad luck: several different ones in a row, and none that got through (L8).

Comes in: calls that failed for a passing fault, and those that went through. Goes out: whether events should wait.
One picture that makes a provider stumble must not stop a fleet: it goes on spending attempts as soon as others get
through. An outage must not use up anybody's attempts: while it lasts, events wait, and one at a time tries.
"""

from collections import OrderedDict
from dataclasses import dataclass

from stream.core.clock import Clock

BUSY_IN_A_ROW = 2
"""So many 503 one after the other, whoever asked: the provider says of itself that it cannot serve."""
KEYS_IN_A_ROW = 3
"""So many different keys failed for any passing fault, and none went through in between."""
FIRST_TRY_SECONDS = 5.0
LONGEST_TRY_SECONDS = 60.0
"""How often somebody may try while it lasts: each try may cost its event a letter, so ever more seldom."""
KEPT_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class _Failure:
    at: float
    was_at_fault: bool
    """It failed while others got through, now or before: it is no sign of an outage."""


class Outage:
    """One per kind of call and process; belongs to the loop. A key is whatever fails on its own: a job, a photo."""

    def __init__(self, clock: Clock) -> None:
        """All is well."""
        self._clock = clock
        self._busy_in_a_row = 0
        self._in_a_row: set[str] = set()
        self._failed: OrderedDict[str, _Failure] = OrderedDict()
        self._last_success = float("-inf")
        self._next_try = 0.0
        self._try_seconds = FIRST_TRY_SECONDS

    @property
    def lasts(self) -> bool:
        """Whether events should wait instead of spending attempts."""
        return self._busy_in_a_row >= BUSY_IN_A_ROW or len(self._in_a_row) >= KEYS_IN_A_ROW

    def may_try(self) -> bool:
        """Whether this caller may go ahead: always while all is well, else one every few seconds."""
        now = self._clock.monotonic()
        if self.lasts and now < self._next_try:
            return False
        self._next_try = now + self._try_seconds
        if self.lasts:
            self._try_seconds = min(self._try_seconds * 2, LONGEST_TRY_SECONDS)
        return True

    def failed(self, key: str, *, says_busy: bool = False) -> bool:
        """A call failed for a passing fault; whether its event should wait instead of spending an attempt.

        A key that failed before, while others got through since, is at fault itself; not so where the other side says
        that it is busy, which is no word about what was asked.
        """
        before = self._failed.pop(key, None)
        is_its_own_fault = not says_busy and before is not None and self._last_success > before.at
        was_at_fault = is_its_own_fault or (before is not None and before.was_at_fault)
        self._failed[key] = _Failure(self._clock.monotonic(), was_at_fault)
        if len(self._failed) > KEPT_KEYS:
            self._failed.popitem(last=False)
        if not was_at_fault:  # three bad pictures that are tried again and again make no outage for the others
            self._in_a_row.add(key)
        self._busy_in_a_row = self._busy_in_a_row + 1 if says_busy else 0
        return self.lasts and not is_its_own_fault

    def over(self, key: str | None = None) -> None:
        """A call went through."""
        self._last_success = self._clock.monotonic()
        self._busy_in_a_row = 0
        self._in_a_row.clear()
        self._try_seconds = FIRST_TRY_SECONDS
        if key is not None:
            self._failed.pop(key, None)
