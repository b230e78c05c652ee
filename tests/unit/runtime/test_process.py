"""What runs beside the crews: from the start, and not a moment longer than intake."""

import asyncio

from structlog.testing import capture_logs

from stream.core.clock import SystemClock
from stream.core.deadline import Deadline
from stream.metrics.silent import SilentRecorder
from stream.runtime.environment import Environment
from stream.runtime.process import Process


async def test_what_runs_beside_ends_before_anything_is_waited_for() -> None:
    """A successor counts on silence from SIGTERM on, and draining may take long."""
    told: list[str] = []

    async def beside() -> None:
        told.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            told.append("ended")

    async def drain(_: Deadline) -> int:
        await asyncio.sleep(0)
        told.append("drained")
        return 0

    clock = SystemClock()
    process = Process(
        [], Environment(clock, SilentRecorder()), clock, drain=drain, drain_seconds=1, on_tick=lambda: None,
        beside=beside,
    )  # fmt: skip
    await process.start()
    await asyncio.sleep(0)
    assert told == ["begun"]
    assert await process.stop()
    assert told == ["begun", "ended", "drained"]


async def test_what_breaks_beside_the_crews_is_told_at_once_and_stops_nobody() -> None:
    """Else its metrics only stand still: nobody waits for these tasks."""

    async def beside() -> None:
        raise ZeroDivisionError

    async def drain(_: Deadline) -> int:
        await asyncio.sleep(0)
        return 0

    def report() -> None:
        raise LookupError

    clock = SystemClock()
    process = Process(
        [], Environment(clock, SilentRecorder()), clock, drain=drain, drain_seconds=1, on_tick=report, beside=beside
    )
    with capture_logs() as lines:
        await process.start()
        for _ in range(5):  # both break in their first turn, and are told of in the next
            await asyncio.sleep(0)
    assert [line["log_level"] for line in lines] == ["critical"] * 2
    assert {type(line["exc_info"]) for line in lines} == {ZeroDivisionError, LookupError}
    assert await process.stop()
