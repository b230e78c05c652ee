"""No history of asks, answers, cancellations and throttles breaks the contract or loses a part of it.

The provider of these tests sees only arrivals, which fall anywhere between grant and answer, and its clock is slow.
Answers may be as late as they like. A *stray* arrived later than presumed and was not answered before its charge ended:
from there to its answer nobody knows of it. Strays alone may exceed the contract, and only until they are answered.
"""

import asyncio
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stream.core.errors import Throttled
from stream.events import Priority
from stream.quota.memory import MemoryQuota
from stream.quota.port import Ask, AskKind, Grant
from stream.quota.window import CLOCK_DRIFT, ChargeId, Contract, Window
from tests.unit.quota.simulated import START_SECONDS, LoopClock, Notes, most_in_window, simulated

WINDOW_SECONDS = 6.0
ARRIVAL_SECONDS = 2.0
SLOW_WINDOW_SECONDS = WINDOW_SECONDS * (1 + 0.9 * CLOCK_DRIFT)
"""The provider's window by our clock, when its own runs slower."""
KEPT_SECONDS = WINDOW_SECONDS * (1 + CLOCK_DRIFT)
CHARGED_SECONDS = ARRIVAL_SECONDS + KEPT_SECONDS
"""How long a request is charged that is not answered."""
TOLERANCE_SECONDS = 1e-6
SHARES = st.sampled_from([0.0, 1.0]) | st.floats(0, 1)


@dataclass
class Sent:
    """One charge that is open: when its request left, and where between there and the answer it arrives."""

    charge: ChargeId
    left: float
    share: float

    def arrived(self, answered: float) -> float:
        return self.left + self.share * (answered - self.left)

    def presumed(self) -> float:
        return self.arrived(self.left + ARRIVAL_SECONDS)


def strays(left: float, arrived: float, answered: float) -> bool:
    """Whether nobody could know of the arrival for a while; generous by a rounding of floats."""
    return arrived > left + ARRIVAL_SECONDS and answered >= left + CHARGED_SECONDS - TOLERANCE_SECONDS


class WindowMachine(RuleBasedStateMachine):
    """The pure window against a provider that counts arrivals."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START_SECONDS
        self.open: list[Sent] = []
        self.arrivals: list[float] = []
        self.stray_arrivals: list[float] = []
        self.charged_again: list[float] = []
        self.throttled_until = 0.0

    @initialize(requests=st.integers(1, 12), burst=st.integers(1, 12))
    def sign(self, requests: int, burst: int) -> None:
        self.requests = requests
        self.window = Window(
            Contract(requests, WINDOW_SECONDS), arrival_seconds=ARRIVAL_SECONDS, burst_requests=min(burst, requests)
        )

    @rule(seconds=st.sampled_from([0.001, 0.5, 1.999, 2.0, 6.0, 8.5]) | st.floats(0, 9))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(share=SHARES)
    def charge(self, share: float) -> None:
        free = self.window.next_free(self.now)
        charge = self.window.try_charge(self.now)
        assert (charge is not None) or free > self.now
        if charge is not None:
            assert free <= self.now + TOLERANCE_SECONDS
            assert self.now >= self.throttled_until
            answered = self.arrivals + self.stray_arrivals
            # Once answered, strays count like all others: this request would be the first too many.
            assert sum(arrived >= self.now - SLOW_WINDOW_SECONDS for arrived in answered) < self.requests
            self.open.append(Sent(charge, self.now, share))

    @rule(share=SHARES, count=st.integers(1, 15))
    def charge_as_soon_as_told(self, share: float, count: int) -> None:
        """What `next_free` promises is kept: nobody who comes then is sent away."""
        for _ in range(count):
            self.now = max(self.now, self.window.next_free(self.now)) + TOLERANCE_SECONDS
            self.charge(share)
            assert self.open
            assert self.open[-1].left == self.now

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def leave_late(self, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(self.open))
        if self.window.sending(sent.charge, self.now):
            sent.left = self.now
        else:
            self.open.remove(sent)  # nothing was sent

    @precondition(lambda self: self.open)
    @rule(data=st.data(), twice=st.booleans())
    def answer(self, data: st.DataObject, twice: bool) -> None:  # noqa: FBT001 - drawn
        self.answer_one(data.draw(st.sampled_from(self.open)), twice=twice)

    @precondition(lambda self: self.open)
    @rule(late_seconds=st.floats(0, 5), all_of_them=st.booleans())
    def answer_after_the_charge_ended(self, late_seconds: float, all_of_them: bool) -> None:  # noqa: FBT001 - drawn
        """The network or this process stood still; others may have been granted meanwhile, or are at once."""
        self.now = max(self.now, self.open[0].left + CHARGED_SECONDS + TOLERANCE_SECONDS + late_seconds)
        for sent in self.open[:] if all_of_them else self.open[:1]:
            self.answer_one(sent)

    def answer_one(self, sent: Sent, *, twice: bool = False) -> None:
        self.open.remove(sent)
        arrived = sent.arrived(self.now)
        (self.stray_arrivals if strays(sent.left, arrived, self.now) else self.arrivals).append(arrived)
        if self.now >= sent.left + CHARGED_SECONDS - TOLERANCE_SECONDS:
            self.charged_again.append(self.now + KEPT_SECONDS)
        for _ in range(1 + twice):
            self.window.answered(sent.charge, self.now)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), twice=st.booleans())
    def give_back(self, data: st.DataObject, twice: bool) -> None:  # noqa: FBT001 - drawn
        sent = data.draw(st.sampled_from(self.open))
        self.open.remove(sent)
        for _ in range(1 + twice):
            self.window.give_back(sent.charge, self.now)

    @rule(seconds=st.floats(0, 10))
    def throttle(self, seconds: float) -> None:
        self.window.throttle(self.now, seconds)
        self.throttled_until = max(self.throttled_until, self.now + seconds)

    @invariant()
    def in_contract(self) -> None:
        if hasattr(self, "window"):
            unanswered = [sent.presumed() for sent in self.open]
            answered = [
                sent.presumed() if strays(sent.left, arrived, self.now) else arrived
                for sent in self.open
                for arrived in [sent.arrived(max(sent.left, self.now))]
            ]
            assert most_in_window(self.arrivals + unanswered, SLOW_WINDOW_SECONDS) <= self.requests
            assert most_in_window(self.arrivals + answered, SLOW_WINDOW_SECONDS) <= self.requests
            again = sum(end > self.now for end in self.charged_again)
            assert self.window.used(self.now) <= self.requests + again

    def teardown(self) -> None:
        """Nothing is lost: once all is quiet, one window grants the whole contract again, and not one more."""
        if not hasattr(self, "window"):
            return
        start = max(self.now, self.throttled_until) + self.window.longest_charge_seconds + WINDOW_SECONDS
        assert self.window.used(start) == 0
        now, had = start, 0
        while now <= start + WINDOW_SECONDS:
            charge = self.window.try_charge(now)
            had += charge is not None
            if charge is not None:
                self.window.answered(charge, now)
            now = max(now, self.window.next_free(now)) + TOLERANCE_SECONDS
        assert had == self.requests


TestWindow = WindowMachine.TestCase
TestWindow.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


@dataclass(frozen=True)
class Errand:
    """One caller of the limiter, and what becomes of it."""

    starts: float
    kind: AskKind
    priority: Priority
    stage: int
    gives_up_after: float | None
    claim_seconds: float
    claim_is_lost: bool
    round_trip: float
    arrives_at_share: float
    job_seconds: float
    job: int


ERRANDS = st.builds(
    Errand,
    starts=st.floats(0, 20),
    kind=st.sampled_from([AskKind.SUBMIT, AskKind.SUBMIT, AskKind.POLL, AskKind.DOWNLOAD]),
    priority=st.sampled_from(Priority),
    stage=st.integers(0, 2),
    gives_up_after=st.none() | st.floats(0, 10),
    claim_seconds=st.sampled_from([0.0, 0.0, 0.3, 9.0]),
    claim_is_lost=st.booleans(),
    round_trip=st.sampled_from([0.0, 0.05, 1.9, 5.0, 8.0, 30.0]),
    arrives_at_share=SHARES,
    job_seconds=st.floats(0, 10),
    job=st.integers(0, 10),
)


class Street:
    """Callers, limiter and provider together, in simulated time."""

    def __init__(self, requests: int, running: int) -> None:
        self.running_maximum = running
        self.notes = Notes()
        self.quota = MemoryQuota(
            Contract(requests, WINDOW_SECONDS),
            clock=LoopClock(),
            recorder=self.notes.recorder,
            max_running_jobs=running,
            arrival_seconds=ARRIVAL_SECONDS,
        )
        self.arrivals: list[float] = []
        self.ended = 0

    async def run(self, errand: Errand, number: int) -> None:
        await asyncio.sleep(errand.starts)
        job_key = f"job-{errand.job}-{number % 2}" if errand.kind is AskKind.SUBMIT else ""
        ask = Ask(errand.kind, errand.priority, errand.stage, job_key)
        try:
            async with asyncio.timeout(errand.gives_up_after):
                grant = await self.quota.admit(ask)
        except TimeoutError:
            self.ended += 1
            return
        await self._use(grant, errand)
        if job_key and not errand.claim_is_lost:
            await asyncio.sleep(errand.job_seconds)
            self.quota.release_job(job_key)
        self.ended += 1

    async def _use(self, grant: Grant, errand: Errand) -> None:
        if errand.claim_seconds:
            await asyncio.sleep(errand.claim_seconds)
        if errand.claim_is_lost:
            grant.give_back()
            return
        try:
            grant.sending()
        except Throttled:
            grant.give_back()
            return
        left = LoopClock().monotonic()
        arrives = left + errand.arrives_at_share * errand.round_trip
        if not strays(left, arrives, left + errand.round_trip):
            self.arrivals.append(arrives)
        await asyncio.sleep(errand.round_trip)
        grant.answered()

    async def open(self, errands: list[Errand], throttles: list[tuple[float, float]]) -> None:
        async with asyncio.TaskGroup() as group:
            for number, errand in enumerate(errands):
                group.create_task(self.run(errand, number))
            for at, seconds in throttles:
                asyncio.get_running_loop().call_later(at, self.quota.throttle, seconds)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}


@settings(max_examples=120, deadline=None)
@given(
    requests=st.integers(1, 8),
    running=st.integers(1, 3),
    errands=st.lists(ERRANDS, min_size=1, max_size=40),
    throttles=st.lists(st.tuples(st.floats(0, 20), st.floats(0, 10)), max_size=3),
)
def test_everybody_is_served_in_contract_and_nothing_is_left_over(
    requests: int, running: int, errands: list[Errand], throttles: list[tuple[float, float]]
) -> None:
    """Whoever does not give up is served (a hang raises), whatever the others do, and no task or slot remains."""
    street: Street

    async def programme() -> None:
        nonlocal street
        street = Street(requests, running)
        await street.open(errands, throttles)

    simulated(programme())
    assert street.ended == len(errands)
    assert most_in_window(street.arrivals, SLOW_WINDOW_SECONDS) <= requests
    assert max(jobs for _, _, jobs in street.notes.books) <= running
    street_jobs_left = street.notes.books[-1][2]
    assert street_jobs_left == 0
