"""What every limiter promises, whatever holds its books. In real time, against the simulated provider where it counts.

A new limiter joins by adding its opener to `OPENERS`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest

from stream.core.clock import SystemClock
from stream.core.errors import Throttled
from stream.events import Priority
from stream.quota.memory import MemoryQuota
from stream.quota.port import Ask, AskKind, Grant, Quota
from stream.quota.window import Contract
from stream.simulator import Behaviour, RateLimit, Simulator
from stream.simulator.windows import most_in_window
from tests.unit.quota.simulated import Notes

Opener = Callable[[Contract, int], AbstractAsyncContextManager[Quota]]
POLL = Ask(AskKind.POLL)
WIDE = Contract(10_000, 1.0)
SOON_SECONDS = 1.0
"""Longer than it takes to line everybody up, also on a machine under load."""
PRESUMED_SECONDS = 1.0
"""A limiter of these tests presumes that a request nobody reports on has arrived by then."""


@asynccontextmanager
async def memory(contract: Contract, max_running_jobs: int) -> AsyncIterator[Quota]:
    yield MemoryQuota(
        contract,
        clock=SystemClock(),
        recorder=Notes().recorder,
        max_running_jobs=max_running_jobs,
        arrival_seconds=PRESUMED_SECONDS,
    )


OPENERS: list[Opener] = [memory]
every_limiter = pytest.mark.parametrize("opened", OPENERS)


def submit(key: str, priority: Priority = Priority.LIVE, stage: int = 0) -> Ask:
    return Ask(AskKind.SUBMIT, priority, stage, key)


async def asked(quota: Quota, ask: Ask) -> asyncio.Task[Grant]:
    task = asyncio.create_task(quota.admit(ask))
    await asyncio.sleep(0)
    return task


async def served_in_order(quota: Quota, asks: list[Ask]) -> list[Ask]:
    """All stand in line during a throttle; who is served when it ends, in order."""
    served: list[Ask] = []

    async def wait(ask: Ask) -> None:
        grant = await quota.admit(ask)
        served.append(ask)
        grant.answered()

    quota.throttle(SOON_SECONDS)
    async with asyncio.TaskGroup() as group:
        for ask in asks:
            group.create_task(wait(ask))
    return served


async def drive(quota: Quota | None, simulator: Simulator, requests: int) -> list[int]:
    """Send `requests` from 20 callers who always want more; the statuses. Without a limiter nobody waits."""
    statuses: list[int] = []
    headers = {"Authorization": "Bearer pk_test", "User-Agent": "skustream-tests"}

    async def caller(session: aiohttp.ClientSession, share: int) -> None:
        for _ in range(share):
            grant = None if quota is None else await quota.admit(POLL)
            async with session.get(f"{simulator.base_url}/account/balance") as response:
                if grant is not None:
                    grant.answered()
                statuses.append(response.status)

    async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(caller(session, requests // 20))
    return statuses


@every_limiter
async def test_the_provider_never_answers_429(opened: Opener) -> None:
    """L3, counted at the provider: its sliding window, arrivals jittered, and always somebody waiting."""
    rate = RateLimit(requests=30, window_seconds=1.5)
    async with Simulator(Behaviour(rate=rate, arrival_jitter_seconds=0.3)) as simulator:
        async with opened(Contract(30, 1.5), 200) as quota:
            statuses = await drive(quota, simulator, 100)
        arrivals = [request.arrived for request in simulator.book.requests]
    assert statuses == [200] * 100
    assert len(arrivals) == 100
    assert most_in_window(sorted(arrivals), 1.5) <= 30


async def test_without_a_limiter_the_provider_does_answer_429() -> None:
    """The count above can fail: the same callers, unlimited, are refused."""
    async with Simulator(Behaviour(rate=RateLimit(requests=30, window_seconds=1.5))) as simulator:
        assert 429 in await drive(None, simulator, 100)


@every_limiter
async def test_class_then_stage_then_polls_then_who_came_first(opened: Opener) -> None:
    in_order = [
        Ask(AskKind.POLL, stage_index=1),
        submit("a", stage=1),
        POLL,
        Ask(AskKind.ACCOUNT),
        submit("b"),
        Ask(AskKind.POLL, Priority.BACKFILL, 1),
        submit("c", Priority.BACKFILL),
        submit("d", Priority.REPLAY, 2),
    ]
    shuffled = [in_order[place] for place in (7, 4, 2, 6, 0, 3, 5, 1)]
    async with opened(WIDE, 200) as quota:
        assert await served_in_order(quota, shuffled) == in_order


@every_limiter
async def test_no_class_starves(opened: Opener) -> None:
    asks = [Ask(AskKind.POLL, priority) for priority in Priority for _ in range(200)]
    async with opened(WIDE, 200) as quota:
        first = [ask.priority for ask in (await served_in_order(quota, asks))[:100]]
    assert 8 <= first.count(Priority.BACKFILL) <= 12
    assert 8 <= first.count(Priority.REPLAY) <= 12


@every_limiter
async def test_a_submit_without_a_slot_waits_alone_until_one_is_free(opened: Opener) -> None:
    async with opened(WIDE, 1) as quota:
        (await quota.admit(submit("a"))).answered()
        waiting = await asked(quota, submit("b"))
        await quota.admit(POLL)
        assert not waiting.done()
        quota.release_job("a")
        quota.release_job("a")
        await waiting
        third = await asked(quota, submit("c"))
        await quota.admit(POLL)
        assert not third.done()
        third.cancel()


@every_limiter
async def test_adopted_jobs_take_slots_even_beyond_the_maximum(opened: Opener) -> None:
    async with opened(WIDE, 1) as quota:
        for key in ("a", "b", "b"):
            quota.adopt(key)
        waiting = await asked(quota, submit("c"))
        quota.release_job("a")
        await quota.admit(POLL)
        assert not waiting.done()
        quota.release_job("b")
        await waiting


@every_limiter
async def test_what_is_given_back_serves_the_next(opened: Opener) -> None:
    async with opened(Contract(1, 60.0), 1) as quota:
        grant = await quota.admit(submit("a"))
        waiting = await asked(quota, submit("b"))
        grant.give_back()
        grant.answered()
        await asyncio.wait_for(waiting, 5)


@every_limiter
async def test_what_was_answered_cannot_be_given_back(opened: Opener) -> None:
    async with opened(Contract(1, 60.0), 1) as quota:
        grant = await quota.admit(POLL)
        grant.sending()
        grant.answered()
        grant.give_back()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(quota.admit(POLL), SOON_SECONDS)


@every_limiter
@pytest.mark.parametrize("window_seconds", [0.2, 1.5])
async def test_an_answer_later_than_presumed_is_charged_from_then(opened: Opener, window_seconds: float) -> None:
    """The network stalled, and the request may have arrived only now; with 0.2 s its charge has even ended."""
    async with opened(Contract(1, window_seconds), 1) as quota:
        grant = await quota.admit(POLL)
        await asyncio.sleep(1.5 * PRESUMED_SECONDS)
        answered = SystemClock().monotonic()
        grant.answered()
        await quota.admit(POLL)
        assert SystemClock().monotonic() - answered >= window_seconds


@every_limiter
async def test_a_cancelled_wait_takes_nothing(opened: Opener) -> None:
    async with opened(Contract(1, 60.0), 1) as quota:
        grant = await quota.admit(submit("a"))
        waiting = [await asked(quota, submit(key)) for key in "bcd"]
        waiting[0].cancel()
        grant.give_back()
        waiting[1].cancel()
        await asyncio.wait(waiting[:2])
        await asyncio.wait_for(waiting[2], 5)


@every_limiter
async def test_after_its_close_nothing_leaves_that_was_not_sent(opened: Opener) -> None:
    """A submit that was granted, and claims its job in a slow store, must not meet the successor's first window."""
    async with opened(Contract(2, 60.0), 1) as quota:
        sent, unsent = await quota.admit(POLL), await quota.admit(submit("a"))
        sent.sending()
        waiting = await asked(quota, submit("b"))
        quota.close()
        sent.answered()
        with pytest.raises(Throttled):
            unsent.sending()
        unsent.give_back()
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()


@every_limiter
async def test_a_throttle_silences_everybody(opened: Opener) -> None:
    async with opened(WIDE, 200) as quota:
        start = SystemClock().monotonic()
        quota.throttle(0.3)
        quota.throttle(0.1)
        await asyncio.gather(*(quota.admit(Ask(kind, job_key="a")) for kind in AskKind))
        assert SystemClock().monotonic() - start >= 0.3
