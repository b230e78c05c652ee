"""The balance is asked for seldom, behind everybody else, and whatever comes of it disturbs nobody."""

import asyncio
from decimal import Decimal
from typing import cast

import pytest

from stream.core.errors import Resource, StreamError, Throttled, Transient, Unavailable
from stream.events import Priority
from stream.metrics.silent import SilentRecorder
from stream.pixelapi.port import Balance, PixelApi
from stream.quota.memory import MemoryQuota
from stream.quota.port import Ask, AskKind
from stream.quota.window import Contract
from stream.runtime.balance import BalanceWatch
from tests.unit.quota.simulated import LoopClock, simulated

HOUR = 3600.0


class Account(SilentRecorder):
    """What is asked, and what is recorded of it: the HTTP side of it is proved against the simulator."""

    def __init__(self, *answers: Balance | StreamError) -> None:
        self.answers = list(answers)
        self.asked: list[float] = []
        self.told: list[Decimal] = []

    async def balance_now(self) -> Balance:
        self.asked.append(LoopClock().monotonic())
        answer = self.answers.pop(0) if self.answers else Balance(Decimal(7), None)
        if isinstance(answer, StreamError):
            raise answer
        return answer

    def balance(self, left_credits: Decimal) -> None:
        self.told.append(left_credits)

    @property
    def api(self) -> PixelApi:
        class Api:
            balance = staticmethod(self.balance_now)

        return cast("PixelApi", Api())


async def watched(account: Account, quota: MemoryQuota, every: float, request_seconds: float, seconds: float) -> None:
    """Let the watch run for so long."""
    watch = BalanceWatch(
        account.api, quota, LoopClock(), account, every_seconds=every, request_seconds=request_seconds
    )  # fmt: skip
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(("every", "request_seconds", "asked"), [(900.0, 1.0, 4), (900.0, 60.0, 1), (10.0, 0.001, 360)])
def test_it_is_asked_as_often_as_said_and_never_more_than_once_in_a_hundred_requests(
    every: float, request_seconds: float, asked: int
) -> None:
    async def programme() -> None:
        account = Account()
        quota = MemoryQuota(Contract(60, 60.0), clock=LoopClock(), recorder=account)
        await watched(account, quota, every, request_seconds, HOUR + 5)
        assert len(account.asked) == asked
        assert {round(b - a) for a, b in zip(account.asked, account.asked[1:], strict=False)} <= {round(every)}
        assert account.told == [Decimal(7)] * asked

    simulated(programme())


@pytest.mark.parametrize(
    "answer",
    [
        Throttled("429", after_seconds=1), Transient("502"), Unavailable(Resource.API_KEY, "401"),
        Unavailable(Resource.API_OUTAGE, "nobody there"), Balance(None, "scale"),
    ],
    ids=str,
)  # fmt: skip
def test_no_answer_ends_the_watch_and_the_next_one_is_recorded(answer: Balance | StreamError) -> None:
    async def programme() -> None:
        account = Account(answer)
        quota = MemoryQuota(Contract(60, 60.0), clock=LoopClock(), recorder=account)
        await watched(account, quota, 900, 1, 1000)
        assert len(account.asked) == 2
        assert account.told == [Decimal(7)]

    simulated(programme())


def test_it_stands_behind_everybody_who_waits() -> None:
    """A backfill's submit that comes after it goes first."""

    async def programme() -> None:
        account = Account()
        quota = MemoryQuota(Contract(1, 10.0), clock=LoopClock(), recorder=account, arrival_seconds=0)
        (await quota.admit(Ask(AskKind.POLL))).answered()
        task = asyncio.create_task(watched(account, quota, 1.0, 0.01, 25))
        await asyncio.sleep(5)
        submit = Ask(AskKind.SUBMIT, Priority.BACKFILL, job_key="job")
        grant = await quota.admit(submit)
        assert account.asked == []
        grant.answered()
        await task
        assert len(account.asked) == 1

    simulated(programme())
