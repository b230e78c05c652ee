"""The only door to time and chance: everything that waits, ages or jitters asks a clock.

Comes in: whoever needs "now", a pause or a random share. Goes out: wall time, monotonic time, a sleep.
"""

import asyncio
import random
import time
from typing import Protocol


class Clock(Protocol):
    """Time and chance as a door, so that tests can own both."""

    def wall(self) -> float:
        """Seconds since the epoch; may jump, so it is written into records and never subtracted for a lease."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards; the only base for durations inside one process."""
        ...

    def chance(self) -> float:
        """A uniform number in [0, 1): the jitter."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Pause the calling task for `seconds`."""
        ...


class SystemClock:
    """The machine's clock and the process's own seeded-by-the-system randomness."""

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def chance(self) -> float:
        """A uniform number in [0, 1)."""
        return random.random()  # noqa: S311 - jitter, not a secret

    async def sleep(self, seconds: float) -> None:
        """Pause the calling task for `seconds`; zero or less yields once."""
        await asyncio.sleep(max(0.0, seconds))
