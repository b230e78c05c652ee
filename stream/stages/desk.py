"""The desk: every door a stage may use, and the one place for work that must not be cut off half way.

Comes in: doors from the assembly. Goes out: itself, to the stages.
"""

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import structlog

from stream.core.clock import Clock
from stream.core.deadline import Deadline
from stream.core.errors import Resource
from stream.downloads.port import Downloads
from stream.images.inspect import ImageLimits
from stream.images.work import ImageWorkers
from stream.ledger.jobs import Ledger
from stream.ledger.newest import Newest
from stream.ledger.versions import Versions
from stream.metrics.port import Recorder
from stream.objects.port import ObjectStore
from stream.pipeline import Pipeline
from stream.pixelapi.port import PixelApi
from stream.quota.port import Quota
from stream.records import StageRecord
from stream.stages.outage import Outage
from stream.stages.pace import Pace
from stream.stages.reconcile import Reconciliation
from stream.topics import Topics

log = structlog.get_logger(__name__)
Result = TypeVar("Result")


class Unbroken:
    """Work that runs to its end although its walk is cancelled: nothing may come between a POST and the durable id."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Await `work`; cancelling the caller leaves it running to its end."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                task.add_done_callback(_look_at)
            raise

    async def drain(self, deadline: Deadline) -> int:
        """Wait for what runs, until the deadline; returns how many did not end."""
        running = set(self._running)
        if running:
            await asyncio.wait(running, timeout=deadline.remaining_seconds())
        return len(self._running)


def _look_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("abandoned-work-failed", error=str(error))


@dataclass(slots=True)
class Pulse:
    """When PixelAPI last answered anybody here, in monotonic seconds."""

    last_answer: float = 0.0
    barred_at: dict[str, float] = field(default_factory=dict)
    """Jobs whose polls are barred (401, 403 ...), and when last: if others are answered, it is the job's trouble."""


@dataclass(frozen=True, slots=True)
class Desk:
    """All doors, by name. `recovered` tells the runtime that a resource answered (L8)."""

    pipeline: Pipeline
    topics: Topics
    ledger: Ledger
    newest: Newest
    versions: Versions
    quota: Quota
    api: PixelApi
    objects: ObjectStore
    downloads: Downloads
    workers: ImageWorkers
    limits: ImageLimits
    clock: Clock
    recorder: Recorder
    pace: Pace
    prices: Mapping[str, Decimal]
    """Credits per operation, used where an answer names none."""
    claim_poll_seconds: float = 1.0
    recovered: Callable[..., None] = lambda *_: None
    gates: dict[str, Callable[[StageRecord], bool]] = field(default_factory=dict)
    """By stage: whether nothing may be bought for an event now, because too many became letters (the flood stop)."""
    unbroken: Unbroken = field(default_factory=Unbroken)
    pulse: Pulse = field(default_factory=Pulse)
    orders: Outage = field(init=False)
    results: Outage = field(init=False)
    sources: Outage = field(init=False)
    reconciliation: Reconciliation = field(init=False)
    locks: "weakref.WeakValueDictionary[str, asyncio.Lock]" = field(default_factory=weakref.WeakValueDictionary)

    def __post_init__(self) -> None:
        """Each kind of call has its own outages; all stages share one book of prices."""
        for name in ("orders", "results", "sources"):
            object.__setattr__(self, name, Outage(self.clock))
        object.__setattr__(self, "reconciliation", Reconciliation(self.prices, self.recorder))

    def lock(self, job_key: str) -> asyncio.Lock:
        """One at a time per job in this process; between processes the ledger decides."""
        lock = self.locks.get(job_key)
        if lock is None:
            lock = self.locks[job_key] = asyncio.Lock()
        return lock

    def holds_back(self, stage: str, record: StageRecord) -> bool:
        """Whether nothing may be bought for `record` in `stage` now."""
        gate = self.gates.get(stage)
        return gate is not None and gate(record)

    def api_answers(self) -> None:
        """PixelAPI answered a question of ours: key, access and host are in order."""
        self.pulse.last_answer = self.clock.monotonic()
        self.recovered(Resource.API_KEY, Resource.API_ACCESS, Resource.API_CONTRACT)
        if not self.orders.lasts:  # it may answer polls all the while and be too busy for any order
            self.recovered(Resource.API_OUTAGE)

    def api_takes_orders(self, job_key: str) -> None:
        """PixelAPI took an order, or refused it for the picture's sake."""
        self.orders.over(job_key)
        self.api_answers()

    def results_come(self, job_key: str) -> None:
        """A finished result was downloaded."""
        self.results.over(job_key)
        self.recovered(Resource.API_RESULTS)

    def sources_answer(self, url: str) -> None:
        """A photo's host answered, with or without the photo."""
        self.sources.over(url)
        self.recovered(Resource.SOURCES)
