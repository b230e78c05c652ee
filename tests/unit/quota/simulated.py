"""An event loop whose time jumps to the next timer when nobody has anything to do: hours of waiting in milliseconds.

A loop in which everybody waits and no timer is left would hang for ever, and raises instead.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from stream.metrics.port import Recorder

Result = TypeVar("Result")
START_SECONDS = 1_000_000.0  # as after two weeks of uptime: sums of floats are as coarse as in production


class _Jumping(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = START_SECONDS

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise RuntimeError("everybody waits, and nothing is left that could wake anybody")
        if not events and timeout:
            self.now += timeout
        return events


class SimulatedLoop(asyncio.SelectorEventLoop):
    """asyncio as it is, but for the time."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class LoopClock:
    """The running loop's time as a `Clock`."""

    def wall(self) -> float:
        return self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def chance(self) -> float:
        return 0.5

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class Notes:
    """As much of a recorder as the limiter talks to."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, float]] = []
        self.books: list[tuple[int, int, int]] = []
        self.waiting = 0

    @property
    def recorder(self) -> Recorder:
        return cast("Recorder", self)

    def waited(self, kind: str, seconds: float) -> None:
        self.waits.append((kind, seconds))

    def contract(self, requests: int) -> None:
        assert requests > 0

    def line(self, waiting_asks: int) -> None:
        self.waiting = waiting_asks

    def quota(self, used_requests: int, limit_requests: int, window_seconds: float, running_jobs: int) -> None:
        assert window_seconds > 0
        self.books.append((used_requests, limit_requests, running_jobs))


def simulated(programme: Coroutine[Any, Any, Result]) -> Result:
    """Run `programme` in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(programme)


def most_in_window(arrivals: list[float], window_seconds: float) -> int:
    """The largest number of arrivals in any window, both its ends included, wherever it starts."""
    times = sorted(arrivals)
    most = first = 0
    for last, now in enumerate(times):
        while now - times[first] > window_seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
