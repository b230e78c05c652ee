"""The main job in one command: a made catalog through the real pipeline, on parts that need no installation.

Comes in: a folder. Goes out: finished assets, a contact sheet, a summary. Embedded broker (at-least-once), simulated
PixelAPI, local store; everything else is what `skustream run` runs. What is counted is read from the topics and from
the simulator's books, not from the worker's memory.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from confluent_kafka import Producer
from pydantic import SecretStr
from rich.console import Console

from stream.assembly import open_worker
from stream.broker.embedded import EmbeddedBroker
from stream.core.clock import Clock, SystemClock
from stream.demo.ends import Ends, Watcher
from stream.demo.photos import BROKEN_SKU, LATE_SKU, CatalogPhoto, catalog, render_in_child
from stream.demo.progress import Board
from stream.demo.report import SkuRow, Summary, write_report, write_summary_json
from stream.demo.rows import summary_of
from stream.demo.serving import Serving, tell_serving, write_settings
from stream.demo.tell import tell
from stream.logs import configure
from stream.pipeline import default_pipeline
from stream.settings import Delivery, Settings
from stream.simulator import Behaviour, Fault, FaultKind, Latency, Operation, RateLimit, Simulator, Step
from stream.topics import Topics

API_KEY = "pk_demo_only_for_the_simulator"
BATCH_ID = "demo"
LIMIT_SECONDS = 600.0
CONTRACT = (120, 6.0)
"""Requests per window (seconds) that the simulated plan allows; the worker is told the same."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`out`: the folder for everything that is made. `count`: how many photos; all when None."""

    out: Path
    serve: bool = False
    count: int | None = None
    command: str = "skustream"
    """How the person at the terminal calls this program."""


async def run_demo(options: DemoOptions) -> int:
    """Run the demo and report. Returns the exit code: 0 when every event came to an end, 1 otherwise."""
    console = Console()
    out = options.out.absolute()
    (out / "photos").mkdir(parents=True, exist_ok=True)
    is_first = not (out / "store" / "_ledger").exists()
    clock = SystemClock()
    started = clock.monotonic()
    with Board(console) as board:
        photos = _chosen(catalog(), options.count)
        async with _running(out, is_first=is_first) as site:
            ends = await _walk(site, photos, board, out / "photos", clock)
            books = await _books(site.simulator)
            summary, rows = summary_of(ends, photos, out, books, seconds=clock.monotonic() - started)
            await asyncio.to_thread(_write, out, summary, rows)
            board.stop()
            tell(console, summary, out, "" if options.serve else options.command)
            if options.serve:
                await _serve(console, site, ends, out, options.command)
    return 0 if summary.total == len(photos) else 1


@dataclass(frozen=True, slots=True)
class _Site:
    """What runs while the demo runs."""

    bootstrap_servers: str
    simulator: Simulator
    topics: Topics
    health_url: str
    settings: Settings


@asynccontextmanager
async def _running(out: Path, *, is_first: bool) -> AsyncIterator[_Site]:
    topics = Topics()
    simulator = Simulator(behaviour=_behaviour(is_first=is_first), api_key=API_KEY, photos=out / "photos")
    with EmbeddedBroker() as broker, (out / "worker.log").open("a") as log_file:
        configure("json", "info", secrets=[API_KEY], stream=log_file)
        broker.create_topics(plan.name for plan in topics.plans(default_pipeline().topics_between(topics)))
        async with simulator:
            settings = _settings(out, broker.bootstrap_servers, simulator)
            async with open_worker(settings, []) as worker:
                try:
                    yield _Site(broker.bootstrap_servers, simulator, topics, worker.health_url, settings)
                finally:
                    await worker.process.stop()


def _settings(out: Path, bootstrap_servers: str, simulator: Simulator) -> Settings:
    return Settings(
        pixelapi_key=SecretStr(API_KEY),
        pixelapi_base=simulator.base_url,
        kafka_bootstrap_servers=bootstrap_servers,
        kafka={"fetch.wait.max.ms": "10"},
        delivery=Delivery.AT_LEAST_ONCE,
        store=f"file://{out / 'store'}",
        fetch_allow=("127.0.0.1",),
        quota_requests=CONTRACT[0],
        quota_window_seconds=CONTRACT[1],
        quota_starts_closed=False,
        session_seconds=6.0,
        spool_dir=out / "spool",
        poll_first_seconds=0.6,
        image_threads=os.cpu_count() or 2,
        http_port=0,
    )


def _behaviour(*, is_first: bool) -> Behaviour:
    """A provider on an ordinary day; some faults strike the first run, one photo never succeeds."""
    broken = Fault(kind=FaultKind.FAILED, match={"picture": BROKEN_SKU}, message="subject could not be separated")
    faults = (
        broken,
        Fault(kind=FaultKind.ERROR, at=Step.SUBMIT, status=429, match={"nth": 5}),
        Fault(kind=FaultKind.ERROR, at=Step.SUBMIT, status=429, match={"nth": 21}),
        Fault(kind=FaultKind.BUSY, at=Step.SUBMIT, status=503, seconds=2, match={"nth": 12}),
    )
    return Behaviour(
        seed=7,
        rate=RateLimit(requests=CONTRACT[0], window_seconds=CONTRACT[1]),
        latency={
            Operation.REMOVE_BACKGROUND: Latency(minimum_seconds=0.3, maximum_seconds=0.9),
            Operation.UPSCALE: Latency(minimum_seconds=0.8, maximum_seconds=2.0),
            Operation.REPLACE_BACKGROUND: Latency(minimum_seconds=0.5, maximum_seconds=1.5),
        },
        arrival_jitter_seconds=0.02,
        faults=faults if is_first else (broken,),
    )


def _chosen(photos: list[CatalogPhoto], count: int | None) -> list[CatalogPhoto]:
    """`count` photos: the one that fails always among them, and of three or more the one that comes late."""
    if count is None or count >= len(photos):
        return photos
    wanted = (BROKEN_SKU,) if count < 3 else (BROKEN_SKU, LATE_SKU)  # noqa: PLR2004 - one of two shall succeed
    failing = [photo for photo in photos if photo.sku_id in wanted]
    sound = [photo for photo in photos if photo.sku_id not in {BROKEN_SKU, LATE_SKU}]
    return sound[: count - len(failing)] + failing


async def _walk(site: _Site, photos: list[CatalogPhoto], board: Board, folder: Path, clock: Clock) -> Ends:
    """Draw the photos, publish an event as each one is there, and follow all of them to their ends."""
    watcher = Watcher(site.bootstrap_servers, site.topics, {photo.sku_id for photo in photos})
    pim = _Pim(site, photos, clock)

    def drawn(done: int, total: int) -> None:
        board.drawn(done, total)
        pim.publish_drawn(done)

    try:
        async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as tasks:
            tasks.create_task(render_in_child(folder, progress=drawn))
            while not watcher.ends.is_complete:
                await asyncio.to_thread(watcher.look)
                board.seen(watcher.ends)
    except TimeoutError:
        board.note(f"stopped waiting after {LIMIT_SECONDS:.0f} s; worker.log says what happened")
    finally:
        watcher.close()
    return watcher.ends


class _Pim:
    """Publishes one raw-image event per photo, as a PIM would."""

    def __init__(self, site: _Site, photos: list[CatalogPhoto], clock: Clock) -> None:
        self._root = site.simulator.base_url.removesuffix("/v1")
        self._topic = site.topics.raw
        self._occurred_at = f"{datetime.fromtimestamp(clock.wall(), UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        options = {"bootstrap.servers": site.bootstrap_servers, "linger.ms": 5}
        self._producer = Producer(options, logger=logging.getLogger("librdkafka"))
        wanted = {photo.sku_id for photo in photos}
        self._queue = [photo if photo.sku_id in wanted else None for photo in catalog()]

    def publish_drawn(self, done: int) -> None:
        """The first `done` photos of the catalog are on the shelf."""
        while self._queue and len(self._queue) > len(catalog()) - done:
            photo = self._queue.pop(0)
            if photo is not None:
                event = {
                    "sku_id": photo.sku_id,
                    "raw_url": f"{self._root}/photos/{photo.published_name}",
                    "batch_id": BATCH_ID,
                    # The next run's broker counts offsets from 0 again: only a time tells that its events are newer.
                    "occurred_at": self._occurred_at,
                }
                self._producer.produce(self._topic, key=photo.sku_id, value=orjson.dumps(event))
        if self._queue:
            self._producer.poll(0)
        else:
            self._producer.flush(10)


async def _books(simulator: Simulator) -> dict[str, Any]:
    """The simulated provider's own count of requests and submits."""
    url = simulator.base_url.removesuffix("/v1") + "/_sim/summary"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        books: dict[str, Any] = await answer.json()
        return books


def _write(out: Path, summary: Summary, rows: list[SkuRow]) -> None:
    write_report(out / "report.html", summary, rows)
    write_summary_json(out / "summary.json", summary)


async def _serve(console: Console, site: _Site, ends: Ends, out: Path, command: str) -> None:
    """Stay up until Ctrl-C, for a second terminal."""
    file = await asyncio.to_thread(write_settings, site.settings, out)
    tell_serving(console, Serving(command, file, site.health_url, BATCH_ID, out / "photos", ends.letters))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    await stop.wait()
