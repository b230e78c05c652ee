"""The start waits for what is late, within one patience, says so, and takes no for an answer."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from stream.core.errors import Misconfigured, Missing, Resource, StreamError, Unavailable
from stream.runtime.start import CalledOff, Start
from tests.unit.runtime.scene import WoundClock

AWAY = Unavailable(Resource.BROKER, "Kafka at k:9092 does not answer: refused")


def failing(*errors: StreamError) -> Callable[[], Awaitable[str]]:
    """Fails so, one time each, then answers; with one error for ever with it."""
    left = list(errors)

    async def ask() -> str:
        if left:
            raise left.pop(0) if len(errors) > 1 else left[0]
        return "found"

    return ask


async def test_what_is_late_is_found_and_readyz_says_why_it_waits() -> None:
    clock = WoundClock()
    start = Start(clock, 60.0)
    assert start.ready() == ["starting"]
    finding = asyncio.create_task(start.found("Kafka", failing(AWAY, Missing("there is no topic raw"))))
    await clock.pass_time(0)
    assert start.ready() == [f"waiting at the start for Kafka: {AWAY}"]
    assert start.live() == []
    await clock.pass_time(1)
    assert start.ready() == ["waiting at the start for Kafka: there is no topic raw"]
    await clock.pass_time(1)
    assert await finding == "found"
    assert start.ready() == ["starting"]


@pytest.mark.parametrize("error", [AWAY, Missing("there is no topic raw")], ids=["away", "missing"])
async def test_patience_is_bounded_and_the_end_names_how_long_and_the_setting(error: StreamError) -> None:
    clock = WoundClock()
    start = Start(clock, 5.0)
    finding = asyncio.create_task(start.found("Kafka", failing(error)))
    await clock.pass_time(4.5)
    assert not finding.done()
    await clock.pass_time(1)
    with pytest.raises(type(error)) as told:
        await finding
    assert str(told.value) == f"{error}; waited 5 s for it (SKUSTREAM_START_WAIT_SECONDS)"
    second = asyncio.create_task(start.found("the store", failing(error)))
    await clock.pass_time(0)
    with pytest.raises(type(error)):  # its patience is one for everything
        await second


@pytest.mark.parametrize(
    "error", [Unavailable(Resource.STORE, "no such bucket", is_refusal=True), Misconfigured("no such option")], ids=str
)
async def test_a_refusal_is_not_waited_for(error: StreamError) -> None:
    with pytest.raises(type(error)) as told:
        await Start(WoundClock(), 60.0).found("it", failing(error))
    assert told.value is error


async def test_a_start_that_is_called_off_ends() -> None:
    clock, called_off = WoundClock(), asyncio.Event()
    finding = asyncio.create_task(Start(clock, 60.0, called_off).found("Kafka", failing(AWAY)))
    await clock.pass_time(2)
    called_off.set()
    await clock.pass_time(1)
    with pytest.raises(CalledOff):
        await finding


async def test_what_has_begun_speaks_for_itself() -> None:
    class Begun:
        def live(self) -> list[str]:
            return ["hangs"]

        def ready(self) -> list[str]:
            return ["not in its group yet"]

    start = Start(WoundClock(), 60.0)
    start.over(Begun())
    assert (start.live(), start.ready()) == (["hangs"], ["not in its group yet"])
