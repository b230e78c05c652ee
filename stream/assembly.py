"""Settings in, a running worker process out. With `doors` the only files that know concrete classes.

Read both to see what a worker is made of; change a part there and nowhere else.
"""

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from stream.broker.link import KafkaLink, LinkSettings
from stream.broker.port import LinkListener
from stream.broker.refusals import demand, meet
from stream.broker.rights import demand_rights
from stream.core.clock import Clock, SystemClock
from stream.core.deadline import Deadline
from stream.doors import (
    downloads_of,
    endpoints_of,
    entry_reader_of,
    open_api,
    prices_of,
    quota_of,
    store_of,
    tracing_of,
)
from stream.images.inspect import ImageLimits
from stream.images.loading import harden
from stream.images.work import ImageWorkers
from stream.ledger.jobs import Ledger
from stream.ledger.newest import Newest
from stream.ledger.resumes import Resumes
from stream.ledger.versions import Versions
from stream.metrics.catalogue import Known
from stream.metrics.port import Recorder
from stream.metrics.prometheus import PrometheusRecorder
from stream.metrics.server import HealthServer
from stream.pipeline import Pipeline, Stage, load_pipeline
from stream.roles import Kind, Role, grants
from stream.runtime.balance import BalanceWatch
from stream.runtime.environment import Environment
from stream.runtime.floodgate import FloodGate
from stream.runtime.hearing import Hearing
from stream.runtime.inflight import LaneLimits
from stream.runtime.process import Crew, Process, spare_the_collector
from stream.runtime.reading import FirstReader, LaterReader, Reader
from stream.runtime.replicas import Replicas, Share
from stream.runtime.returns import Returns
from stream.runtime.start import CalledOff, Start
from stream.runtime.station import Station, StationParts
from stream.runtime.verdict import RetryPolicy
from stream.runtime.worker import Worker, WorkerParts
from stream.settings import Delivery as DeliveryMode
from stream.settings import Settings
from stream.stages.desk import Desk
from stream.stages.handler import StageHandler
from stream.stages.pace import Pace
from stream.topics import Topics
from stream.tracing.port import Doors, Tracing

log = structlog.get_logger(__name__)

MEET_SECONDS, RIGHTS_SECONDS = 5.0, 20.0
EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130


async def run_worker(settings: Settings, stages: Sequence[str]) -> int:
    """Run until told to stop: the first TERM or INT drains, the second ends at once. Returns the exit code.

    Raises `Misconfigured` and `Unavailable` when it cannot start.
    """
    spare_the_collector()
    stop = asyncio.Event()
    task = asyncio.current_task()
    told: list[int] = []

    def tell(number: int) -> None:
        told.append(number)
        if len(told) == 1:
            stop.set()
        elif task is not None:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, tell, number)
    try:
        async with open_worker(settings, stages, called_off=stop) as worker:
            await stop.wait()
            return EXIT_OK if await worker.process.stop() else EXIT_FAILED
    except CalledOff:
        log.info("stopped", clean=True, submits_cut_off=0)
        return EXIT_OK
    except asyncio.CancelledError:
        log.error("stopped-at-once", way_out="running jobs are in the ledger; the next worker adopts them")  # noqa: TRY400
        return EXIT_INTERRUPTED


@dataclass(frozen=True, slots=True)
class OpenWorker:
    """A started process, and where its `/metrics`, `/livez` and `/readyz` are."""

    process: Process
    health_url: str


@asynccontextmanager
async def open_worker(
    settings: Settings, stages: Sequence[str], *, called_off: asyncio.Event | None = None
) -> AsyncIterator[OpenWorker]:
    """A started process with its health server. Whoever opens it calls `process.stop()`.

    What is late (the store, Kafka, its topics) is waited for first, while `/readyz` says so. Raises `Misconfigured`,
    `Unavailable`; `CalledOff` when `called_off` is set meanwhile.
    """
    settings.need_all()
    pipeline = load_pipeline(settings.pipeline)
    chosen = [pipeline.stages[pipeline.index(name)] for name in stages] or list(pipeline.stages)
    topics = Topics(settings.topic_prefix)
    clock = SystemClock()
    recorder = PrometheusRecorder(Known.of(pipeline, topics, [stage.name for stage in chosen]), clock)
    environment = Environment(clock, recorder)
    start = Start(clock, settings.start_wait_seconds, called_off)
    async with AsyncExitStack() as stack:
        health = HealthServer(
            recorder, live=start.live, ready=start.ready, host=settings.http_host, port=settings.http_port
        )
        await health.start()
        stack.push_async_callback(health.stop)
        tracing = tracing_of(settings, topics, clock, recorder)
        stack.push_async_callback(tracing.aclose)  # first in, last out: every other door may still tell a step
        desk = await _open_desk(settings, pipeline, topics, environment, clock, recorder, tracing, stack)
        await _wait_for_doors(start, desk, chosen, settings)
        crews = [_crew(stage, desk, settings, environment, tracing) for stage in chosen]
        process = Process(
            crews,
            environment,
            clock,
            drain=partial(_drain, desk),
            drain_seconds=settings.drain_seconds,
            on_tick=_reports(crews, desk, settings, environment),
            beside=_balance_watch(chosen, desk, settings),
        )
        stack.callback(process.halt)  # first of all at the end, for whoever did not call `process.stop()`
        await process.start()
        start.over(process)
        log.info(
            "started", stages=[stage.name for stage in chosen], health=f"http://{health.host}:{health.port}",
            store=settings.store, delivery=settings.delivery.value,
        )  # fmt: skip
        yield OpenWorker(process, f"http://{health.host}:{health.port}")


def _demand_rights(settings: Settings, pipeline: Pipeline, topics: Topics, stages: Sequence[str]) -> None:
    """What a worker would only find out when its first event came. Ids for transactions are tried by the links."""
    wanted = [
        replace(each, operations=tuple(one for one in each.operations if one in {"Read", "Write"}))
        for each in grants(Role.WORKER, topics, pipeline, stages)
        if each.kind is not Kind.TRANSACTIONAL_ID
    ]
    demand_rights(settings.kafka_client(), wanted, timeout_seconds=RIGHTS_SECONDS)


async def _open_desk(
    settings: Settings,
    pipeline: Pipeline,
    topics: Topics,
    environment: Environment,
    clock: Clock,
    recorder: Recorder,
    tracing: Tracing,
    stack: AsyncExitStack,
) -> Desk:
    harden()
    objects = await store_of(settings, clock, recorder)
    stack.push_async_callback(objects.aclose)
    quota = quota_of(settings, clock, recorder)
    api = open_api(settings, clock, recorder, on_throttle=quota.throttle, own_endpoints=endpoints_of(pipeline))
    stack.push_async_callback(api.aclose)
    downloads = downloads_of(settings, clock, recorder)
    stack.push_async_callback(downloads.aclose)
    workers = ImageWorkers(settings.image_threads)
    stack.push_async_callback(workers.aclose)
    watched = tracing.watched(Doors(quota, api, objects, downloads))
    return Desk(
        pipeline=pipeline,
        topics=topics,
        ledger=Ledger(objects, clock=clock, lease_seconds=settings.claim_lease_seconds),
        newest=Newest(objects),
        versions=Versions(objects),
        quota=watched.quota,
        api=watched.api,
        objects=watched.objects,
        downloads=watched.downloads,
        workers=workers,
        limits=ImageLimits(max_pixels=settings.max_pixels, max_bytes=settings.max_download_bytes),
        clock=clock,
        recorder=recorder,
        pace=Pace(settings.poll_first_seconds),
        prices=prices_of(settings, pipeline),
        claim_poll_seconds=settings.claim_poll_seconds,
        recovered=environment.recovered,
    )


async def _drain(desk: Desk, deadline: Deadline) -> int:
    """What is at the counter ends there; what has not been sent by now is left to the next owner (decision 0026)."""
    desk.quota.close()
    return await desk.unbroken.drain(deadline)


async def _wait_for_doors(start: Start, desk: Desk, stages: Sequence[Stage], settings: Settings) -> None:
    """The store with its conditional writes, Kafka, and every topic that these stages read or write."""
    needed = {name for stage in stages for name in desk.pipeline.touches(stage.name, desk.topics)}

    def meet_topics() -> None:
        there = meet(settings.kafka_client(), timeout_seconds=MEET_SECONDS)
        _demand_rights(
            settings, desk.pipeline, desk.topics, [stage.name for stage in stages]
        )  # a hidden one looks missing
        demand(sorted(needed), there.topics)

    await start.found("the store", desk.objects.probe)
    await start.found("Kafka and its topics", lambda: asyncio.to_thread(meet_topics))


def _crew(stage: Stage, desk: Desk, settings: Settings, environment: Environment, tracing: Tracing) -> Crew:
    """One stage's thread and walks, tied to each other."""
    hearing = Hearing(stage.name, Resumes(desk.objects))
    gate = FloodGate(stage.name, desk.clock, desk.recorder, hearing, settings.flood_letters)
    desk.gates[stage.name] = gate.holds_back
    reader = _reader(desk, stage, settings)
    names = tuple(each.name for each in desk.pipeline.stages)
    returns = Returns(stage.name, desk.topics, names, reader.read_again, desk.clock)
    parts = StationParts(
        stage=stage.name,
        open_link=partial(_open_link, _link_settings(stage, desk, settings)),
        paused=lambda: environment.is_paused() or gate.is_shut,
        needs_news=lambda: gate.needs_news,
        limits=LaneLimits(tickets=settings.lane_tickets),
        commit_interval_seconds=settings.commit_interval_seconds,
        clock=desk.clock,
        recorder=desk.recorder,
        is_news=returns.is_news,
    )
    station = Station(parts, asyncio.get_running_loop())
    worker = Worker(
        WorkerParts(
            stage=stage.name,
            handler=StageHandler(stage, desk),
            read=reader.read,
            returns=returns,
            deliver=station.deliver,
            dead_letter_topic=desk.topics.dead_letter,
            gate=gate,
            environment=environment,
            policy=RetryPolicy(
                attempts=settings.retry_attempts,
                base_seconds=settings.retry_base_seconds,
                cap_seconds=settings.retry_cap_seconds,
                retries=stage.retry_plan,
            ),
            clock=desk.clock,
            recorder=desk.recorder,
            tracing=tracing,
        )
    )
    station.attach(worker)
    return Crew(stage.name, station, worker)


def _reports(crews: Sequence[Crew], desk: Desk, settings: Settings, environment: Environment) -> Callable[[], None]:
    """What is told every other second: the limiter's books, and how many workers would be of use."""
    share = Share(settings.share_requests, settings.quota_requests, settings.quota_window_seconds)
    replicas = Replicas(
        crews, desk.pipeline, desk.topics, share, environment=environment, quota=desk.quota, recorder=desk.recorder
    )

    def report() -> None:
        desk.quota.report()
        replicas.report()

    return report


def _balance_watch(
    stages: Sequence[Stage], desk: Desk, settings: Settings
) -> Callable[[], Coroutine[Any, Any, None]] | None:
    """Who asks for the balance; nobody where nothing is bought, or nobody should."""
    if not settings.balance_seconds or all(stage.local for stage in stages):
        return None
    watch = BalanceWatch(
        desk.api, desk.quota, desk.clock, desk.recorder, every_seconds=settings.balance_seconds,
        request_seconds=settings.quota_window_seconds / settings.share_requests,
    )  # fmt: skip
    return watch.run


def _open_link(settings: LinkSettings, listener: LinkListener) -> KafkaLink:
    return KafkaLink(settings, listener)


def _link_settings(stage: Stage, desk: Desk, settings: Settings) -> LinkSettings:
    return LinkSettings(
        options=settings.kafka_client(),
        group=desk.topics.group(stage.name),
        topics=desk.pipeline.reads(stage.name, desk.topics),
        instance=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        transactional=settings.delivery is DeliveryMode.EXACTLY_ONCE,
        session_seconds=settings.session_seconds,
        transaction_timeout_seconds=settings.transaction_timeout_seconds,
    )


def _reader(desk: Desk, stage: Stage, settings: Settings) -> Reader:
    """How this stage reads its records: the first one what the PIM wrote, the others what we wrote."""
    if desk.pipeline.index(stage.name) > 0:
        return LaterReader()
    return FirstReader(entry_reader_of(settings), desk.topics.entries(), desk.clock)
