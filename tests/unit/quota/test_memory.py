"""The limiter of one process: waiting, cancelling, and what the contract suite cannot see."""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any

import pytest

from stream.core.errors import Misconfigured, Throttled
from stream.events import Priority
from stream.quota.memory import MemoryQuota
from stream.quota.port import Ask, AskKind, Grant
from stream.quota.window import Contract
from tests.unit.quota.simulated import LoopClock, Notes, most_in_window, simulated

POLL = Ask(AskKind.POLL)


def quota_of(requests: int = 60, seconds: float = 60.0, **settings: Any) -> MemoryQuota:
    return MemoryQuota(Contract(requests, seconds), **{"clock": LoopClock(), "recorder": Notes().recorder, **settings})


def submit(key: str) -> Ask:
    return Ask(AskKind.SUBMIT, job_key=key)


async def asked(quota: MemoryQuota, ask: Ask) -> asyncio.Task[Grant]:
    task = asyncio.create_task(quota.admit(ask))
    await asyncio.sleep(0)
    return task


async def tasks_beside_us() -> set[str]:
    await asyncio.sleep(0)
    return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def in_simulated_time(programme: Coroutine[Any, Any, None]) -> None:
    simulated(programme)


def test_an_empty_limiter_grants_at_once_and_rests() -> None:
    async def programme() -> None:
        quota = quota_of()
        start = LoopClock().monotonic()
        (await quota.admit(POLL)).answered()
        assert LoopClock().monotonic() == start
        assert await tasks_beside_us() == set()

    in_simulated_time(programme())


def test_the_alarm_goes_with_the_last_waiter() -> None:
    async def programme() -> None:
        quota = quota_of(1)
        await quota.admit(POLL)
        waiting = [await asked(quota, POLL) for _ in range(2)]
        assert "quota-alarm" in await tasks_beside_us()
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert await tasks_beside_us() == set()

    in_simulated_time(programme())


def test_a_cancelled_wait_takes_nothing() -> None:
    async def programme() -> None:
        quota = quota_of(1, max_running_jobs=1)
        first = await quota.admit(submit("a"))
        waiting = await asked(quota, submit("b"))
        waiting.cancel()
        await asyncio.wait([waiting])
        first.give_back()
        await asyncio.wait_for(quota.admit(submit("c")), 1)

    in_simulated_time(programme())


def test_a_grant_that_meets_its_cancellation_goes_back() -> None:
    """The worst moment: granted, but cancelled before the waiter could pick the grant up."""

    async def programme() -> None:
        quota = quota_of(1, max_running_jobs=1)
        first = await quota.admit(submit("a"))
        waiting = await asked(quota, submit("b"))
        first.give_back()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        await asyncio.wait_for(quota.admit(submit("c")), 1)

    in_simulated_time(programme())


def test_a_grant_offered_to_the_cancelled_reaches_the_next() -> None:
    """Cancelled in the same turn, before the grant: it must pass to whoever stands behind."""

    async def programme() -> None:
        quota = quota_of(1)
        first = await quota.admit(POLL)
        waiting, behind = await asked(quota, POLL), await asked(quota, POLL)
        waiting.cancel()
        first.give_back()
        await asyncio.wait_for(behind, 1)

    in_simulated_time(programme())


def test_ten_thousand_waiters_are_served_in_order() -> None:
    async def programme() -> None:
        quota = quota_of(1000, 6.0)
        served: list[int] = []

        async def wait(number: int) -> None:
            grant = await quota.admit(Ask(AskKind.POLL, stage_index=number % 3))
            served.append(number)
            grant.answered()

        async with asyncio.TaskGroup() as group:
            for number in range(10_000):
                group.create_task(wait(number))
        # Whoever came while the bucket was full was served before the line began.
        waited = served[100:]
        assert waited == sorted(waited, key=lambda number: (-(number % 3), number))
        assert await tasks_beside_us() == set()

    in_simulated_time(programme())


def test_the_first_word_about_a_grant_counts() -> None:
    async def programme() -> None:
        quota = quota_of(1, max_running_jobs=1)
        answered = await quota.admit(submit("a"))
        answered.answered()
        answered.give_back()
        waiting = await asked(quota, submit("b"))
        assert not waiting.done()
        quota.release_job("a")
        start = LoopClock().monotonic()
        returned = await waiting
        assert LoopClock().monotonic() - start > 60
        returned.give_back()
        returned.answered()
        await asyncio.wait_for(quota.admit(submit("c")), 1)

    in_simulated_time(programme())


def test_a_grant_is_one_request() -> None:
    async def programme() -> None:
        grant = await quota_of().admit(POLL)
        grant.sending()
        grant.answered()
        with pytest.raises(RuntimeError, match="already"):
            grant.sending()

    in_simulated_time(programme())


def test_a_grant_that_ended_unused_is_refused_at_the_door() -> None:
    """A claim that took longer than a window: no grant, no call."""

    async def programme() -> None:
        grant = await quota_of(1, 6.0, arrival_seconds=2.0).admit(POLL)
        await asyncio.sleep(10)
        with pytest.raises(Throttled) as refusal:
            grant.sending()
        assert refusal.value.after_seconds == 0

    in_simulated_time(programme())


def test_a_loop_that_stood_still_sends_nothing_on_an_old_grant() -> None:
    """Granted, but the loop was busy for longer than the charge lives: the waiter asks again by itself."""

    async def programme() -> None:
        quota = quota_of(1, 6.0)
        first = await quota.admit(POLL)
        waiting = await asked(quota, POLL)
        first.give_back()
        asyncio.get_running_loop()._jumping.now += 100  # type: ignore[attr-defined]
        grant = await waiting
        grant.sending()
        grant.answered()

    in_simulated_time(programme())


def test_after_a_restart_nothing_is_granted_until_the_predecessors_charges_end() -> None:
    async def programme() -> None:
        quota = quota_of(10, 6.0, starts_closed=True, arrival_seconds=2.0)
        start = LoopClock().monotonic()
        await quota.admit(POLL)
        assert LoopClock().monotonic() - start == pytest.approx(8, abs=0.1)

    in_simulated_time(programme())


@pytest.mark.parametrize(("asked_seconds", "waited_seconds"), [(math.inf, 3600), (math.nan, 60), (-5.0, 0), (7.0, 7)])
def test_a_hostile_retry_after_is_tamed(asked_seconds: float, waited_seconds: float) -> None:
    async def programme() -> None:
        quota = quota_of()
        quota.throttle(asked_seconds)
        start = LoopClock().monotonic()
        await quota.admit(POLL)
        assert LoopClock().monotonic() - start == pytest.approx(waited_seconds, abs=0.01)

    in_simulated_time(programme())


def test_a_broken_clock_fails_the_waiters_instead_of_stranding_them() -> None:
    class Broken(LoopClock):
        async def sleep(self, seconds: float) -> None:
            raise OSError("no time left")

    async def programme() -> None:
        quota = quota_of(1, clock=Broken())
        await quota.admit(POLL)
        waiting = [await asked(quota, POLL) for _ in range(3)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [str(result) for result in results] == ["no time left"] * 3

    in_simulated_time(programme())


def test_the_recorder_hears_waits_and_books() -> None:
    async def programme() -> None:
        notes = Notes()
        quota = quota_of(1, 6.0, recorder=notes.recorder)
        (await quota.admit(submit("a"))).answered()
        await quota.admit(POLL)
        assert [kind for kind, _ in notes.waits] == ["submit", "poll"]
        assert notes.waits[1][1] == pytest.approx(6, abs=0.1)
        assert notes.books[-1] == (1, 1, 1)
        await asyncio.sleep(20)
        quota.report()
        assert notes.books[-1] == (0, 1, 1)

    in_simulated_time(programme())


def test_a_late_answer_keeps_those_waiting_who_were_promised_its_place() -> None:
    """The alarm was set for the charge's presumed end; what rings then must find the charge still alive."""

    async def programme() -> None:
        quota = quota_of(1, 6.0, arrival_seconds=2.0)
        first, start = await quota.admit(POLL), LoopClock().monotonic()
        waiting = await asked(quota, POLL)
        await asyncio.sleep(7)
        first.answered()
        await waiting
        assert LoopClock().monotonic() - start == pytest.approx(13, abs=0.1)

    in_simulated_time(programme())


def test_an_answer_after_its_charge_ended_closes_the_door_again() -> None:
    async def programme() -> None:
        notes = Notes()
        quota = quota_of(1, 6.0, arrival_seconds=2.0, recorder=notes.recorder)
        start = LoopClock().monotonic()
        stalled = await quota.admit(POLL)
        await asyncio.sleep(9)
        (await quota.admit(POLL)).answered()
        await asyncio.sleep(3)
        stalled.answered()
        assert notes.books[-1] == (2, 1, 0)
        await quota.admit(POLL)
        assert LoopClock().monotonic() - start == pytest.approx(18, abs=0.1)
        assert notes.books[-1] == (1, 1, 0)

    in_simulated_time(programme())


def test_settings_that_cannot_work_are_refused() -> None:
    for wrong in ({"max_running_jobs": 0}, {"floor_every": 1}, {"share": 0.001}, {"arrival_seconds": -1}):
        with pytest.raises(Misconfigured, match="quota"):
            quota_of(**wrong)


def test_a_submit_without_a_job_is_a_bug() -> None:
    async def programme() -> None:
        with pytest.raises(ValueError, match="job key"):
            await quota_of().admit(Ask(AskKind.SUBMIT))

    in_simulated_time(programme())


async def used_by_backlog(requests: int, seconds: float, round_trip_seconds: float, windows: int) -> list[float]:
    """Arrivals (at the middle of each round trip) while there is always somebody waiting."""
    quota = quota_of(requests, seconds)
    arrivals: list[float] = []

    async def ask_for_ever() -> None:
        while True:
            grant = await quota.admit(Ask(AskKind.POLL, Priority.LIVE))
            await asyncio.sleep(round_trip_seconds / 2)
            arrivals.append(LoopClock().monotonic())
            await asyncio.sleep(round_trip_seconds / 2)
            grant.answered()

    askers = [asyncio.create_task(ask_for_ever()) for _ in range(20)]
    await asyncio.sleep(seconds * windows)
    for task in askers:
        task.cancel()
    await asyncio.wait(askers)
    return arrivals


@pytest.mark.parametrize(("requests", "target"), [(200, 0.98), (60, 0.95), (5, 0.80)])
@pytest.mark.parametrize("round_trip_seconds", [0.05, 0.2, 0.5])
def test_a_backlog_uses_what_was_paid_for(requests: int, target: float, round_trip_seconds: float) -> None:
    """Simulated time, so exact: the contract's use in steady state, 20 windows, and never above it."""
    arrivals = simulated(used_by_backlog(requests, 60.0, round_trip_seconds, windows=21))
    first_window_over = arrivals[0] + 60
    used = sum(time > first_window_over for time in arrivals) / (requests * 20)
    print(f"contract {requests} per 60 s, round trip {round_trip_seconds} s: {used:.1%} used")  # noqa: T201
    assert used >= target
    assert most_in_window(arrivals, 60.0) <= requests
