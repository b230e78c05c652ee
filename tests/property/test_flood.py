"""The flood stop: no more letters than the budget allows, nobody stopped by a bad catalog, nobody waiting for ever."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core.errors import Reason
from stream.core.reasons import CARDS
from stream.ledger.resumes import Resumes
from stream.metrics.silent import SilentRecorder
from stream.objects.memory import MemoryStore
from stream.runtime.flood import COUNTED, FIRST_PROBE_SECONDS, LONGEST_PROBE_SECONDS, Budget, SlowStart
from stream.runtime.floodgate import FloodGate
from stream.runtime.hearing import Hearing
from tests.unit.runtime.scene import WoundClock, settled

REASONS = st.sampled_from(Reason)
SUCCESS = None


@given(st.integers(1, 6), st.lists(st.one_of(st.just(SUCCESS), REASONS), max_size=80))
def test_letters_are_the_budget_and_one_for_two_successes(letters: int, happened: list[Reason | None]) -> None:
    budget = Budget(letters)
    written: Counter[Reason] = Counter()
    refused: Counter[Reason] = Counter()
    successes = 0
    for what in happened:
        if what is SUCCESS:
            budget.earn()
            successes += 1
        elif budget.spend(what):
            written[what] += 1
        else:
            refused[what] += 1
    for reason in COUNTED:
        assert written[reason] <= letters + successes // 2
        assert written[reason] + refused[reason] <= letters or written[reason] >= letters, "none is refused too early"
    assert not refused.keys() - set(COUNTED), "a bad catalog must not stop anyone"


@given(st.integers(1, 5), st.integers(0, 40), st.integers(0, 40))
def test_successes_earn_no_more_than_the_budget(letters: int, spent: int, successes: int) -> None:
    budget = Budget(letters)
    for _ in range(spent):
        budget.spend(Reason.JOB_FAILED)
    for _ in range(successes):
        budget.earn()
    left = letters - min(spent, letters)
    assert budget.left(Reason.JOB_FAILED) == min(letters, left + successes // 2)
    assert budget.left(Reason.BUG) == letters, "each reason has its own"


@given(st.lists(st.tuples(st.sampled_from(["time", "go", "good", "bad", "word"]), st.integers(0, 400)), max_size=60))
def test_a_stopped_stage_tries_ever_more_seldom_and_never_ceases_to(steps: list[tuple[str, int]]) -> None:
    start, now = SlowStart(), 0.0
    start.begin(now)
    walking: list[int] = []
    for step, number in steps:
        if step == "time":
            now += number
        elif step == "go" and start.has_room(now, len(walking)):
            walking.append(start.let_through(now))
        elif step in {"good", "bad"} and walking:
            (start.succeeded if step == "good" else start.failed)(now, walking.pop(number % len(walking)))
        elif step == "word":
            start.resumed(now, 5)
        assert start.width >= 1
        assert start.due(len(walking)) <= now + LONGEST_PROBE_SECONDS
    failed_at = now
    start.failed(now, start.let_through(now))
    assert start.due(0) >= failed_at + FIRST_PROBE_SECONDS


@dataclass(slots=True)
class Stage:
    """A gate and events at it, each handled by `fault`: what it is at the moment decides."""

    letters: int
    clock: WoundClock = field(default_factory=WoundClock)
    fault: Reason | None = None
    written: Counter[Reason] = field(default_factory=Counter)
    successes: int = 0
    tries: int = 0
    resumed: int = 0
    walks: set["asyncio.Task[None]"] = field(default_factory=set)
    gate: FloodGate = field(init=False)
    words: Resumes = field(init=False)

    def __post_init__(self) -> None:
        self.words = Resumes(MemoryStore(clock=self.clock))
        self.gate = FloodGate("upscale", self.clock, SilentRecorder(), Hearing("upscale", self.words), self.letters)

    def bring(self) -> None:
        walk = asyncio.create_task(self._walk())
        self.walks.add(walk)
        walk.add_done_callback(self.walks.discard)

    async def _walk(self) -> None:
        with self.gate.passage(None) as passage:
            while True:
                await passage.enter()
                self.tries += 1
                await self.clock.sleep(1)
                if self.fault is None:
                    passage.succeeded()
                    self.successes += 1
                    return
                if await passage.may_write(self.fault):
                    self.written[self.fault] += 1
                    return

    async def act(self, step: str, number: int) -> None:
        if step == "bring":
            for _ in range(number % 9):
                self.bring()
        elif step == "fault":
            self.fault = tuple(Reason)[number % len(Reason)]
        elif step == "mend":
            self.fault = None
        elif step == "revoke" and self.walks:
            list(self.walks)[number % len(self.walks)].cancel()
        elif step == "time":
            await self.clock.pass_time(number)
        elif step == "word":
            await self.words.tell("upscale", None, by="me", why="")
            self.resumed += 1
        await settled()


STEPS = st.tuples(st.sampled_from(["bring", "bring", "fault", "mend", "revoke", "time", "word"]), st.integers(0, 400))


@settings(max_examples=60)
@given(st.integers(1, 4), st.lists(STEPS, max_size=25))
def test_no_flood_passes_the_gate_and_nobody_waits_there_for_ever(letters: int, steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        stage = Stage(letters)
        for step in steps:
            await stage.act(*step)
            for reason in COUNTED:
                assert stage.written[reason] <= letters * (1 + stage.resumed) + stage.successes // 2
        stage.fault = None
        for _ in range(30):  # what was remembered (a failed job, say) is not: here walking again always tells
            stage.bring()  # the wicket's
            await stage.clock.pass_time(LONGEST_PROBE_SECONDS)
        assert not stage.walks
        assert not stage.gate.is_shut
        assert stage.gate.reasons() == []

    asyncio.run(play())


def test_every_reason_that_is_not_malformed_is_counted() -> None:
    assert {reason for reason in Reason if not CARDS[reason].is_malformed} == set(COUNTED)
