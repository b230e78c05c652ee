"""One wake-up call: the only thing in the quota that lets time pass, and only while somebody waits.

Comes in: a moment. Goes out: a call of `ring` at that moment or earlier; whoever is rung sets the alarm anew.
"""

import asyncio
from collections.abc import Callable

from stream.core.clock import Clock

SHORTEST_SECONDS = 0.001
"""Rounding must never make a wait of nothing, and so a busy loop."""


class Alarm:
    """At most one task, sleeping on the clock. `broken` hears of an error that would otherwise strand all waiters."""

    def __init__(self, clock: Clock, *, ring: Callable[[], None], broken: Callable[[Exception], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._broken = broken
        self._task: asyncio.Task[None] | None = None
        self._at = 0.0

    @property
    def is_set(self) -> bool:
        """Whether a task sleeps."""
        return self._task is not None

    def set(self, at: float) -> None:
        """Ring at `at` (monotonic seconds) at the latest; an earlier ring that is set stays."""
        if self._task is not None:
            if self._at <= at:
                return
            self.clear()
        self._at = at
        self._task = asyncio.get_running_loop().create_task(self._sleep(at), name="quota-alarm")

    def clear(self) -> None:
        """Nobody waits any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _sleep(self, at: float) -> None:
        try:
            await self._clock.sleep(max(SHORTEST_SECONDS, at - self._clock.monotonic()))
            self._task = None
            self._ring()
        except Exception as error:  # noqa: BLE001 - handed to every waiter, none of whom could wake otherwise
            self._task = None
            self._broken(error)
