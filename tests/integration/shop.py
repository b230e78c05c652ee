"""Stages with their real doors and no Kafka: the simulator, a folder store on a web server, workers on one loop.

Comes in: events by SKU. Goes out: what the workers would deliver, and the provider's books. The workers' clock runs
faster than ours, so that pauses, probes and retries pass quickly; HTTP and the provider's jobs take their real time.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from pydantic import SecretStr

from stream import assembly
from stream.broker.port import Committed, InRecord, Partition
from stream.core.clock import SystemClock
from stream.events import Origin, Priority
from stream.ledger.resumes import Resumes
from stream.metrics.silent import SilentRecorder
from stream.pipeline import Stage, load_pipeline
from stream.quota.memory import MemoryQuota
from stream.quota.window import Contract
from stream.retries import RetryNote
from stream.runtime.ends import Delivery, End
from stream.runtime.environment import Environment
from stream.runtime.floodgate import FloodGate
from stream.runtime.hearing import Hearing
from stream.runtime.inflight import Lane, LaneLimits
from stream.runtime.returns import Returns
from stream.runtime.verdict import RetryPolicy
from stream.runtime.worker import Worker, WorkerParts
from stream.settings import Settings
from stream.simulator import Behaviour, Simulator
from stream.stages.desk import Desk
from stream.stages.handler import StageHandler
from stream.topics import Topics
from stream.tracing.port import NoTracing
from tests.simulator import drawn

PATIENCE_SECONDS = 120.0
HASTE = 20.0
TIMESTAMP_MS = 1_000_000
PIPELINE = """
version: 1
stages:
  - {{name: remove-bg, operation: remove-bg, needs: raw, makes: transparent, deadline_seconds: {deadline_seconds}}}
"""


class HastyClock(SystemClock):
    """Durations pass twenty times as fast; the time of day is ours, as the store's is."""

    def monotonic(self) -> float:
        return super().monotonic() * HASTE

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / HASTE)


class Heard(SilentRecorder):
    """Counts what sent walks round again, and what they cost."""

    def __init__(self) -> None:
        self.retries: Counter[str] = Counter()
        self.credits: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.mismatches: Counter[str] = Counter()

    def credited(self, operation: str, cause: str, amount_credits: Decimal) -> None:
        assert amount_credits >= 0, "counters never fall"
        self.credits[cause] += amount_credits

    def price_differed(self, operation: str) -> None:
        self.mismatches[operation] += 1

    def retried(self, stage: str, cause: str) -> None:
        self.retries[cause] += 1


async def until(condition: Callable[[], object], what: str) -> None:
    """Return once `condition()` holds. Raises TimeoutError naming `what`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {PATIENCE_SECONDS:g} s")
        await asyncio.sleep(0.01)


class Worktable:
    """One worker process's share: a desk and the first stage's walks."""

    def __init__(self, desk: Desk, stage: Stage, settings: Settings, environment: Environment, heard: Heard) -> None:
        self.desk = desk
        self.environment = environment
        self.heard = heard
        self.handler = StageHandler(stage, desk)
        self._stage = stage.name
        reader = assembly._reader(desk, stage, settings)
        self.read, self.read_again = reader.read, reader.read_again
        self.delivered: list[End] = []
        self._home = Partition(desk.topics.raw, 0)
        hearing = Hearing(stage.name, Resumes(desk.objects))
        gate = FloodGate(stage.name, desk.clock, heard, hearing, settings.flood_letters)
        desk.gates[stage.name] = gate.holds_back
        self._worker = Worker(
            WorkerParts(
                stage=stage.name,
                handler=self.handler,
                read=self.read,
                returns=Returns(stage.name, desk.topics, (stage.name,), self.read_again, desk.clock),
                deliver=self._hear,
                dead_letter_topic=desk.topics.dead_letter,
                gate=gate,
                environment=environment,
                policy=RetryPolicy(attempts=4, base_seconds=0.5, cap_seconds=2.0),
                clock=desk.clock,
                recorder=heard,
            )
        )

    def take(self, *records: InRecord) -> None:
        """As from the station; each call has a lane of its own, so that any event may come again."""
        lane = Lane(Committed(self._home, None, ""), LaneLimits())
        tickets = [lane.admit(record) for record in records]
        self._worker.accept([ticket for ticket in tickets if ticket is not None])

    def replay(self, record: InRecord, *, buy_again: str | None = None, replay: int = 1) -> None:
        """A person's replay of `record`, as it comes through the retry topic."""
        self.take(self.replayed(record, buy_again=buy_again, replay=replay))

    def replayed(self, record: InRecord, *, buy_again: str | None = None, replay: int = 1) -> InRecord:
        """The retry record of a person's replay."""
        origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
        note = RetryNote(
            stage=self._stage, due_ms=0, origin=origin, timestamp_ms=record.timestamp_ms, priority=Priority.REPLAY,
            replay=replay, buy_again=buy_again,
        )  # fmt: skip
        return replace(record, topic=self.desk.topics.retry("now"), headers=note.headers())

    async def claim_of(self, record: InRecord) -> str:
        """The claim id of the job that a letter is about."""
        keys = [self.letter_of(end)["job-key"] for end in self.delivered if end.record.value == record.value]
        entry = await self.desk.ledger.look(keys[-1])
        assert entry is not None
        return entry.record.claim

    @staticmethod
    def letter_of(end: End) -> dict[str, str]:
        """A letter's headers, ours alone."""
        ours = ((name, value or b"") for name, value in end.record.headers if name.startswith("skustream."))
        return {name.removeprefix("skustream."): value.decode() for name, value in ours}

    def _hear(self, delivery: Delivery) -> None:
        self.delivered += delivery.ends

    async def ended(self, count: int) -> dict[str, str]:
        """Wait for `count` ends: SKU to outcome, or to the letter's reason."""
        await until(lambda: len(self.delivered) >= count, f"{count} events ended, so far {self.ends()}")
        return self.ends()

    def ends(self) -> dict[str, str]:
        return {item.image[0]: item.reason or item.outcome for item in self.delivered if item.image is not None}

    def forwarded(self, sku_id: str) -> dict[str, Any]:
        """The record that left for the next stage, or ended the event."""
        item = next(item for item in self.delivered if item.image is not None and item.image[0] == sku_id)
        fields: dict[str, Any] = orjson.loads(item.record.value or b"")
        return fields

    def letter(self, sku_id: str) -> dict[str, str]:
        """The headers of the letter for `sku_id`."""
        item = next(item for item in self.delivered if item.image is not None and item.image[0] == sku_id)
        return self.letter_of(item)

    async def vanish(self) -> None:
        """Its walks are called off; what must not be cut runs on."""
        await self._worker.stop(0)


class Shop:
    """A provider, a store and photos; `counter` opens worker processes over them."""

    def __init__(self, simulator: Simulator, folder: Path, store_url: str, *, deadline_seconds: float) -> None:
        self.simulator = simulator
        self.photos = folder / "photos"
        self._folder = folder
        self._store_url = store_url
        self._opened = 0
        self._offset = 0
        self._pipeline = folder / "pipeline.yaml"
        self._pipeline.write_text(PIPELINE.format(deadline_seconds=deadline_seconds * HASTE))

    def event(self, sku_id: str, **fields: Any) -> InRecord:
        """An event whose photo the simulator serves; with a version, unless told otherwise."""
        url = f"{self.simulator.origin}/photos/{sku_id}.jpg"
        (self.photos / f"{sku_id}.jpg").write_bytes(drawn.jpeg())
        told = {"sku_id": sku_id, "raw_url": url, "version": "1"} | fields
        value = orjson.dumps({name: field for name, field in told.items() if field is not None})
        self._offset += 1
        return InRecord(Topics().raw, 0, self._offset, sku_id.encode(), value, timestamp_ms=TIMESTAMP_MS)

    @asynccontextmanager
    async def counter(self) -> AsyncIterator[Worktable]:
        """Another worker process, with memories of its own."""
        self._opened += 1
        settings = Settings(
            pixelapi_key=SecretStr("pk_test"),
            pixelapi_base=self.simulator.base_url,
            input="url",
            cdn_base_url=self._store_url,
            store=(self._folder / "store").as_uri(),
            spool_dir=self._folder / f"spool-{self._opened}",
            pipeline=self._pipeline,
            fetch_allow=("127.0.0.1",),
            quota_requests=100_000,
            quota_starts_closed=False,
            submit_timeout_seconds=3.0,
            claim_lease_seconds=6.0,
            claim_poll_seconds=1.0,
            poll_first_seconds=0.2,
        )
        pipeline, topics, clock, heard = load_pipeline(settings.pipeline), Topics(), HastyClock(), Heard()
        environment = Environment(clock, heard)
        async with AsyncExitStack() as stack:
            hasty = await assembly._open_desk(settings, pipeline, topics, environment, clock, heard, NoTracing(), stack)
            # A grant is good for a second or two: at this haste a busy machine would use up every one.
            contract = Contract(settings.quota_requests, settings.quota_window_seconds)
            desk = replace(hasty, quota=MemoryQuota(contract, clock=SystemClock(), recorder=heard))
            opened = Worktable(desk, pipeline.stages[0], settings, environment, heard)
            stack.push_async_callback(opened.vanish)
            yield opened

    # What the provider says.

    def behave(self, **fields: Any) -> None:
        """From now on."""
        self.simulator.behaviour = self.simulator.behaviour.changed(fields)

    def jobs(self) -> Counter[str]:
        """Jobs ever taken, by SKU."""
        jobs = self.simulator.book.jobs.values()
        return Counter((job.image_url or "").removeprefix(self._store_url).split("/")[1] for job in jobs)

    def asked(self, path: str, *, method: str = "GET") -> int:
        """Requests to the API host below `path`."""
        return sum(each.method == method and path in each.path for each in self.simulator.book.requests)

    def downloads(self) -> int:
        return sum(request.step == "download" for request in self.simulator.book.open_requests)


@asynccontextmanager
async def open_shop(folder: Path, *, deadline_seconds: float = 60.0, **behaviour: Any) -> AsyncIterator[Shop]:
    """A shop whose provider behaves as told."""
    for name in ("photos", "store"):
        (folder / name).mkdir()
    application = web.Application()
    application.router.add_static("/", folder / "store")
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        store_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with Simulator(Behaviour.model_validate(behaviour), photos=folder / "photos") as simulator:
            yield Shop(simulator, folder, store_url, deadline_seconds=deadline_seconds)
    finally:
        await runner.cleanup()
