"""The limiter of one process: contract, running jobs and priorities, decided at once and in memory.

Comes in: `Ask`s from every stage, and what became of the requests. Goes out: `Grant`s, never more than the contract in
any window at the provider. One asyncio loop; no task at rest: a waiter's alarm is the only one, and it goes with the
last waiter.
"""

import asyncio
import math
from fractions import Fraction

from stream.core.clock import Clock
from stream.core.errors import Misconfigured, Throttled
from stream.metrics.port import Recorder
from stream.quota.alarm import Alarm
from stream.quota.line import DEFAULT_FLOOR_EVERY, Line
from stream.quota.port import Ask, AskKind, Grant
from stream.quota.slots import Slots
from stream.quota.window import DEFAULT_ARRIVAL_SECONDS, ChargeId, Contract, Window

LONGEST_THROTTLE_SECONDS = 3600.0
"""`Retry-After` comes from outside: a day of silence is a person's decision, not a header's."""


class MemoryGrant:
    """The right to one request. Whichever of `answered` and `give_back` comes first decides; the rest is ignored."""

    __slots__ = ("_charge", "_is_open", "_job_key", "_quota")

    def __init__(self, quota: "MemoryQuota", charge: ChargeId, job_key: str | None) -> None:
        self._quota = quota
        self._charge = charge
        self._job_key = job_key
        self._is_open = True

    def sending(self) -> None:
        """See `Grant.sending`. Raises RuntimeError after `answered` or `give_back`: one grant is one request."""
        if not self._is_open:
            raise RuntimeError("this grant was used or given back already")
        self._quota.sending(self._charge)

    def answered(self) -> None:
        """See `Grant.answered`."""
        if self._is_open:
            self._is_open = False
            self._quota.answered(self._charge)

    def give_back(self) -> None:
        """See `Grant.give_back`."""
        if self._is_open:
            self._is_open = False
            self._quota.take_back(self, self._charge, self._job_key)


class MemoryQuota:
    """`Quota` for one process. Times are the clock's monotonic seconds."""

    def __init__(
        self,
        contract: Contract,
        *,
        clock: Clock,
        recorder: Recorder,
        share: Fraction | float = 1,
        max_running_jobs: int = 200,
        arrival_seconds: float = DEFAULT_ARRIVAL_SECONDS,
        burst_requests: int | None = None,
        floor_every: int = DEFAULT_FLOOR_EVERY,
        starts_closed: bool = False,
    ) -> None:
        """Split `contract` by hand with `share` (1/N); `max_running_jobs` is this process's own and is not split.

        `arrival_seconds`: a request nobody reports on has arrived so long after `Grant.sending`; keep the connect
        timeout below it. One that is reported on may take longer: it is charged from its answer.
        `starts_closed`: a predecessor may have spent this contract until just now, so nothing is granted until its
        charges have ended. Raises `Misconfigured`.
        """
        if max_running_jobs < 1:
            raise Misconfigured(f"quota.max_running_jobs is {max_running_jobs}: expected at least 1")
        if floor_every < 2:  # noqa: PLR2004 - one of every 1 would be no order at all
            raise Misconfigured(f"quota.floor_every is {floor_every}: expected at least 2")
        self._clock = clock
        self._recorder = recorder
        self._window = Window(contract.shared(share), arrival_seconds=arrival_seconds, burst_requests=burst_requests)
        self._slots = Slots(max_running_jobs)
        self._line = Line(self._slots.fits, floor_every=floor_every)
        self._alarm = Alarm(clock, ring=self._serve, broken=self._fail)
        self._throttled_at = -math.inf
        self._is_closed = False
        recorder.contract(contract.requests)
        if starts_closed:
            self._window.throttle(clock.monotonic(), self._window.longest_charge_seconds)
        self.report()

    async def admit(self, ask: Ask) -> Grant:
        """Wait for a grant; see `Quota.admit`. Raises ValueError for a SUBMIT without a job key."""
        if ask.kind is AskKind.SUBMIT and not ask.job_key:
            raise ValueError("a SUBMIT names the job key whose slot it takes")
        while True:
            grant = await self._wait(ask)
            try:
                # The request cannot have left before this line ran, however long the loop was busy.
                grant.sending()
            except Throttled:
                grant.give_back()
            else:
                return grant

    def adopt(self, job_key: str) -> None:
        """See `Quota.adopt`."""
        self._slots.adopt(job_key)
        self._serve()

    def release_job(self, job_key: str) -> None:
        """See `Quota.release_job`."""
        self._slots.release(job_key)
        self._serve()

    def throttle(self, after_seconds: float) -> None:
        """See `Quota.throttle`. At most an hour at a time; what is no number waits for one window."""
        if math.isnan(after_seconds):
            after_seconds = self._window.contract.window_seconds
        self._throttled_at = self._clock.monotonic()
        self._window.throttle(self._throttled_at, min(max(after_seconds, 0.0), LONGEST_THROTTLE_SECONDS))

    def seconds_since_throttle(self) -> float:
        """See `Quota.seconds_since_throttle`."""
        return self._clock.monotonic() - self._throttled_at

    def close(self) -> None:
        """See `Quota.close`."""
        self._is_closed = True
        self._alarm.clear()

    def report(self) -> None:
        """Tell the recorder the books as of now: charges end while nobody calls."""
        used = self._window.used(self._clock.monotonic())
        contract = self._window.contract
        self._recorder.quota(used, contract.requests, contract.window_seconds, len(self._slots))
        self._recorder.line(len(self._line))

    def sending(self, charge: ChargeId) -> None:
        """For our own grants. Raises `Throttled` when the charge has ended unused, or all requests have (`close`)."""
        now = self._clock.monotonic()
        if self._is_closed:
            raise Throttled("this worker is ending: the next one sends it", after_seconds=0.0)
        if not self._window.sending(charge, now):
            wait_seconds = max(0.0, self._window.next_free(now) - now)
            raise Throttled("the grant ended before its request was sent: ask again", after_seconds=wait_seconds)

    def answered(self, charge: ChargeId) -> None:
        """For our own grants: the request has arrived."""
        self._window.answered(charge, self._clock.monotonic())
        self._serve()

    def take_back(self, grant: MemoryGrant, charge: ChargeId, job_key: str | None) -> None:
        """For our own grants: nothing was sent."""
        self._window.give_back(charge, self._clock.monotonic())
        if job_key is not None:
            self._slots.let_go(job_key, grant)
        self._serve()

    async def _wait(self, ask: Ask) -> Grant:
        future: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._line.join(ask, self._clock.monotonic(), future)
        self._serve()
        try:
            return await future
        except asyncio.CancelledError:
            if future.cancelled() or not future.done():
                self._line.leave()
                self._serve()
            elif future.exception() is None:
                future.result().give_back()  # granted and cancelled in the same turn of the loop
            raise

    def _serve(self) -> None:
        """Grant what can be granted now; set the alarm if only time is missing."""
        if self._is_closed:
            return
        now = self._clock.monotonic()
        while (waiter := self._line.first()) is not None:
            charge = self._window.try_charge(now)
            if charge is None:
                self._alarm.set(self._window.next_free(now))
                break
            self._line.take(waiter)
            job_key = waiter.ask.job_key if waiter.ask.kind is AskKind.SUBMIT else None
            grant = MemoryGrant(self, charge, job_key)
            if job_key is not None:
                self._slots.take(job_key, grant)
            waiter.future.set_result(grant)
            self._recorder.waited(waiter.ask.kind.value, now - waiter.since)
        else:
            self._alarm.clear()
        self.report()

    def _fail(self, error: Exception) -> None:
        for waiter in self._line.everybody():
            waiter.future.set_exception(error)
            self._line.leave()
