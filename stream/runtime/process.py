"""One worker process: its stages running side by side, what it says of its health, and how it ends.

Comes in: stations with their workers, from the assembly. Goes out: health for the probes, an exit code.
Stopping: poll no more → let short work finish → leave running jobs to the next owner → deliver → leave the group.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from stream.core.clock import Clock
from stream.core.deadline import Deadline
from stream.runtime.environment import Environment
from stream.runtime.station import Station
from stream.runtime.worker import Worker

log = structlog.get_logger(__name__)

SILENT_SECONDS = 60.0
"""A station that has not turned for so long hangs."""
STALLED_SECONDS = 120.0
"""With lag, room and no pause, so long without a record is a stall, however healthy the group looks (trap 3)."""
TICK_SECONDS = 2.0
SHORT_WORK_SECONDS = 3.0
KAFKA_END_SECONDS = 20.0


YOUNG_OBJECTS = 50_000


def spare_the_collector() -> None:
    """Let Python look for cycles seldom, and never again among what was imported; for the whole process, once.

    At its default (700 objects) it walks through thousands of waiting walks over and over, and cost as much as all our
    own work: 122 µs of CPU per event on the loop, against 74 µs so (4,000 in flight, 5 ms of waiting each).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 10)


@dataclass(frozen=True, slots=True)
class Crew:
    """One stage's two sides: the thread that owns Kafka, and the walks on the loop."""

    stage: str
    station: Station
    worker: Worker


class Process:
    """Started once, stopped once."""

    def __init__(
        self,
        crews: Sequence[Crew],
        environment: Environment,
        clock: Clock,
        *,
        drain: Callable[[Deadline], Awaitable[int]],
        drain_seconds: float,
        on_tick: Callable[[], None],
        beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """`drain` waits for work that must not be cut (submits); `on_tick` is called every other second.

        `beside` runs next to the crews from the start on, and is cancelled first of all at the end.
        """
        self._crews = tuple(crews)
        self._environment = environment
        self._clock = clock
        self._drain = drain
        self._drain_seconds = drain_seconds
        self._on_tick = on_tick
        self._beside = beside
        self._stopping = False
        self._ticker: asyncio.Task[None] | None = None
        self._companion: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join the groups and begin. Raises `Unavailable` when no broker answers."""
        await asyncio.gather(*(asyncio.to_thread(crew.station.open) for crew in self._crews))
        for crew in self._crews:
            crew.station.start()
        self._ticker = asyncio.create_task(self._tick(), name="what is told every other second")
        self._ticker.add_done_callback(_look_at)
        if self._beside is not None:
            self._companion = asyncio.create_task(self._beside(), name="what runs beside the crews")
            self._companion.add_done_callback(_look_at)

    async def stop(self) -> bool:
        """End in order, within the drain time; whether everything ended as it should."""
        self._stopping = True
        self._leave_companion()
        deadline = Deadline.after(self._clock, self._drain_seconds)
        for crew in self._crews:
            crew.station.stop_intake()
        await asyncio.gather(*(crew.worker.stop(SHORT_WORK_SECONDS) for crew in self._crews))
        unfinished = await self._drain(deadline)
        for crew in self._crews:
            crew.station.request_stop()
        remaining = max(deadline.remaining_seconds(), KAFKA_END_SECONDS)
        ended = await asyncio.gather(*(crew.station.join(remaining) for crew in self._crews))
        if self._ticker is not None:
            self._ticker.cancel()
        log.info("stopped", clean=all(ended) and not unfinished, submits_cut_off=unfinished)
        return all(ended) and not unfinished

    def halt(self) -> None:
        """Walk nothing more, at once: before doors close, or what a closing door does would count as a bug (L8)."""
        self._stopping = True
        self._leave_companion()
        for crew in self._crews:
            crew.station.stop_intake()
            crew.worker.halt()

    def _leave_companion(self) -> None:
        """Whoever starts in our place counts on silence from here (decision 0012)."""
        if self._companion is not None:
            self._companion.cancel()

    def live(self) -> list[str]:
        """Why this process should be restarted; empty when it need not."""
        now = self._clock.monotonic()
        reasons: list[str] = []
        for crew in self._crews:
            station = crew.station
            if not station.alive and not self._stopping:
                reasons.append(f"{crew.stage}: the Kafka thread has ended")
            elif station.alive and now - station.last_turn > SILENT_SECONDS:
                reasons.append(f"{crew.stage}: the Kafka thread has not turned for {now - station.last_turn:.0f} s")
            elif station.quiet_since is not None and now - station.quiet_since > STALLED_SECONDS:
                reasons.append(f"{crew.stage}: lag, but no record for {now - station.quiet_since:.0f} s")
        return reasons

    def ready(self) -> list[str]:
        """Why no work should be expected of this process now."""
        reasons = ["stopping"] if self._stopping else []
        reasons += [f"{crew.stage}: not in its group yet" for crew in self._crews if not crew.station.joined]
        reasons += [reason for crew in self._crews for reason in crew.worker.reasons()]
        return reasons + self._environment.reasons()

    async def _tick(self) -> None:
        while True:
            self._on_tick()
            await self._clock.sleep(TICK_SECONDS)


def _look_at(task: "asyncio.Task[None]") -> None:
    """A worker works on without it, and its metrics stand still: that is told, not found out."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("task-broke", what=task.get_name(), exc_info=error)
