"""The contract's arithmetic: a bucket paces, a log of charges is the ceiling. Pure: no clock, no I/O, no waiting.

Comes in: `now` in monotonic seconds and what became of each request. Goes out: a charge, or the moment to ask again.
Why a charge lives as long as it does: `docs/decisions/0006-sliding-window.md`.
"""

import heapq
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import NewType

from stream.core.errors import Misconfigured

ChargeId = NewType("ChargeId", int)

CLOCK_DRIFT = 0.001
"""Share by which the provider's clock may run slower than ours: both may be slewed by 500 ppm, one each way."""
DEFAULT_ARRIVAL_SECONDS = 5.0
"""The line's connect timeout stays below it, so that a request nobody reports on has left, or never will."""
DEFAULT_BURST_SHARE = 0.1
SHARE_DENOMINATOR = 1_000_000
ENOUGH = 1 - 1e-9
"""A bucket filled to here holds one token: adding floats must not cost an extra turn."""
COMPACT_FROM = 64


@dataclass(frozen=True, slots=True)
class Contract:
    """At most `requests` in any window of `window_seconds`. Raises `Misconfigured`."""

    requests: int = 60
    window_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.requests < 1:
            raise Misconfigured(f"quota.requests is {self.requests}: a contract allows at least 1 request per window")
        if not (math.isfinite(self.window_seconds) and self.window_seconds > 0):
            raise Misconfigured(f"quota.window_seconds is {self.window_seconds}: expected a finite number above 0")

    def shared(self, share: Fraction | float) -> "Contract":
        """This process's part of the contract, rounded down. Raises `Misconfigured` where nothing is left of it."""
        if not 0 < share <= 1:  # also refuses NaN
            raise Misconfigured(f"quota.share is {share}: expected a number above 0 and at most 1, e.g. 1/4")
        # A float 1/3 means a third, not the nearest binary fraction below it.
        exact = Fraction(share).limit_denominator(SHARE_DENOMINATOR)
        requests = math.floor(self.requests * exact)
        if requests < 1:
            raise Misconfigured(
                f"quota.share is {share}: of {self.requests} requests per {self.window_seconds:g} s that leaves less "
                "than one; run fewer workers, or use the fleet quota"
            )
        return Contract(requests, self.window_seconds)


class Bucket:
    """Paces: `per_second` tokens drip in, at most `capacity` lie ready. Starts full."""

    def __init__(self, capacity: int, per_second: float) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._tokens = float(capacity)
        self._as_of = -math.inf

    def level(self, now: float) -> float:
        """Tokens ready at `now`."""
        if now <= self._as_of:
            return self._tokens
        return min(self._capacity, self._tokens + (now - self._as_of) * self._per_second)

    def take(self, now: float) -> bool:
        """Take one token, if one is ready."""
        level = self.level(now)
        if level < ENOUGH:
            return False
        self._tokens, self._as_of = level - 1, max(now, self._as_of)
        return True

    def put_back(self, now: float) -> None:
        """A taken token was not used."""
        limit = 1 if now < self._as_of else self._capacity  # during a throttle none are saved up for a burst
        self._tokens, self._as_of = max(self._tokens, min(limit, self.level(now) + 1)), max(now, self._as_of)

    def start_again(self, at: float) -> None:
        """At `at` at most one token is ready, so that a pause is not followed by a burst. Never adds a token."""
        self._tokens, self._as_of = min(1.0, self.level(at)), at

    def next_free(self, now: float) -> float:
        """When the next token is ready: `now` or later."""
        missing = 1 - self.level(now)
        return now if missing <= 1 - ENOUGH else max(now, self._as_of) + missing / self._per_second


class Window:
    """Nothing is charged beyond the contract, and a charge outlives every window its request can be in.

    So at most `contract.requests` *arrive* in any window, wherever it starts, although arrivals are never seen. Only an
    answer that comes after its charge has ended makes more charges alive than that; nobody is charged until they ended.
    """

    def __init__(
        self,
        contract: Contract,
        *,
        arrival_seconds: float = DEFAULT_ARRIVAL_SECONDS,
        burst_requests: int | None = None,
    ) -> None:
        """`arrival_seconds`: an unanswered request has arrived by then. `burst_requests`: default 10 %, at least 1."""
        if not (math.isfinite(arrival_seconds) and arrival_seconds >= 0):
            raise Misconfigured(f"quota.arrival_seconds is {arrival_seconds}: expected a finite number, 0 or more")
        if burst_requests is None:
            burst_requests = max(1, math.floor(contract.requests * DEFAULT_BURST_SHARE))
        if not 1 <= burst_requests <= contract.requests:
            raise Misconfigured(f"quota.burst_requests is {burst_requests}: expected 1 to {contract.requests}")
        self.contract = contract
        self._arrival_seconds = arrival_seconds
        self._kept_seconds = contract.window_seconds * (1 + CLOCK_DRIFT)
        self._bucket = Bucket(burst_requests, contract.requests / contract.window_seconds)
        self._ends: dict[ChargeId, float] = {}
        self._by_end: list[tuple[float, ChargeId]] = []  # may hold outdated ends: `_ends` is the truth
        self._closed_until = -math.inf
        self._last_id = 0

    @property
    def longest_charge_seconds(self) -> float:
        """How long a charge lives whose request is never answered."""
        return self._arrival_seconds + self._kept_seconds

    def used(self, now: float) -> int:
        """Charges alive at `now`."""
        self._forget_ended(now)
        return len(self._ends)

    def try_charge(self, now: float) -> ChargeId | None:
        """One request may be sent now and is charged; None when not before `next_free`."""
        if now < self._closed_until or self.used(now) >= self.contract.requests or not self._bucket.take(now):
            return None
        self._last_id += 1
        charge = ChargeId(self._last_id)
        self._end(charge, now + self.longest_charge_seconds)
        return charge

    def sending(self, charge: ChargeId, now: float) -> bool:
        """The request leaves now and no earlier: it arrives within `arrival_seconds` from here.

        False when the charge has ended meanwhile: nothing may be sent on it.
        """
        self._forget_ended(now)
        end = self._ends.get(charge)
        if end is not None and end < now + self.longest_charge_seconds:
            self._end(charge, now + self.longest_charge_seconds)
        return end is not None

    def answered(self, charge: ChargeId, now: float) -> None:
        """The request has arrived by now, and maybe only now: charged from here, also when its charge had ended.

        Once for each charge, and never after `give_back`: an ended charge is not remembered.
        """
        self._end(charge, now + self._kept_seconds)

    def give_back(self, charge: ChargeId, now: float) -> None:
        """Nothing was sent: the charge is free again, and so is its token. Idempotent."""
        if self._ends.pop(charge, None) is not None:
            self._bucket.put_back(now)

    def throttle(self, now: float, after_seconds: float) -> None:
        """No charge before `now + after_seconds`, nor before the end of an earlier throttle; then paced, no burst."""
        self._closed_until = max(self._closed_until, now + after_seconds)
        self._bucket.start_again(max(now, self._closed_until))

    def next_free(self, now: float) -> float:
        """The earliest moment (`now` or later) a charge can succeed, if nothing is answered or given back before."""
        free = max(self._closed_until, self._bucket.next_free(now))
        too_many = self.used(now) - self.contract.requests
        if too_many == 0:
            free = max(free, self._first_end())
        elif too_many > 0:  # answers came after their charges had ended: as many must end before one is free
            free = max(free, heapq.nsmallest(too_many + 1, self._ends.values())[-1])
        return free

    def _end(self, charge: ChargeId, at: float) -> None:
        self._ends[charge] = at
        heapq.heappush(self._by_end, (at, charge))
        if len(self._by_end) > COMPACT_FROM + 4 * len(self._ends):
            self._by_end = [(end, one) for one, end in self._ends.items()]
            heapq.heapify(self._by_end)

    def _forget_ended(self, now: float) -> None:
        while self._by_end and self._by_end[0][0] <= now:
            end, charge = heapq.heappop(self._by_end)
            if self._ends.get(charge) == end:
                del self._ends[charge]

    def _first_end(self) -> float:
        while True:
            end, charge = self._by_end[0]
            if self._ends.get(charge) == end:
                return end
            heapq.heappop(self._by_end)
