"""The engine: one full stage without its business: decode, admit, 5 ms of waiting, encode, transaction, commit.

In each round, one after the other on the same broker and the same events: a plain confluent-kafka loop, ours, and
Pyrallel Consumer where it can be had. For skewed keys ours is held against the hottest key, whose events follow one
another: nobody can be faster than so many naps in a row, and those are taken in the same run.

    python -m benchmarks.engine
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import uvloop

from benchmarks import figures, load, peers
from benchmarks.figures import Figure, Size, step
from stream.broker.link import KafkaLink, LinkSettings
from stream.broker.port import InRecord
from stream.core.clock import SystemClock
from stream.events import Origin, Priority
from stream.ledger.resumes import Resumes
from stream.metrics.silent import SilentRecorder
from stream.objects.memory import MemoryStore
from stream.outcome import Outcome, OutcomeKind
from stream.records import Reading, StageRecord, first_record
from stream.runtime.environment import Environment
from stream.runtime.floodgate import FloodGate
from stream.runtime.hearing import Hearing
from stream.runtime.inflight import LaneLimits
from stream.runtime.process import spare_the_collector
from stream.runtime.returns import Returns
from stream.runtime.station import Station, StationParts
from stream.runtime.verdict import RetryPolicy
from stream.runtime.worker import Worker, WorkerParts
from stream.topics import Topics
from tests.services.clients import Kafka, create_topic
from tests.services.kafka import open_kafka

WORK_SECONDS = 0.005
LANE_TICKETS = 1000
JOIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How many events, how often."""

    uniform: int
    zipf: int
    rounds: int


SCALES = {Size.FULL: Scale(20_000, 20_000, 3), Size.SMALL: Scale(400, 400, 1)}


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run."""

    events: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def cpu_micros(self) -> float:
        """CPU microseconds per event."""
        return self.cpu_seconds / self.events * 1e6


class Napping:
    """A handler that does nothing but wait 5 ms: the engine alone is measured."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    async def admit(self, record: StageRecord) -> None:
        """Nothing to note."""

    async def handle(self, record: StageRecord) -> Outcome:
        """Wait, then pass the record on."""
        await asyncio.sleep(WORK_SECONDS)
        return Outcome(OutcomeKind.FORWARDED, self._topic, record.event.sku_id.encode(), record.encode())


async def engine(servers: str, source: str, target: str, count: int) -> Run:
    """One stage of ours, from the first record polled to the last one committed."""
    clock, recorder = SystemClock(), Counting(count)
    environment = Environment(clock, recorder)
    settings = LinkSettings(
        options={"bootstrap.servers": servers},
        group=f"ours-{time.time_ns()}",
        topics=(source,),
        instance=f"bench-{time.time_ns()}",
    )
    parts = StationParts(
        stage="bench",
        open_link=partial(KafkaLink, settings),
        paused=environment.is_paused,
        limits=LaneLimits(tickets=LANE_TICKETS),
        commit_interval_seconds=0.1,
        clock=clock,
        recorder=recorder,
    )
    station = Station(parts, asyncio.get_running_loop())
    worker = Worker(
        WorkerParts(
            stage="bench",
            handler=Napping(target),
            read=_reader(clock),
            returns=Returns("bench", Topics("bench"), ("bench",), lambda *_: Reading(), clock),
            deliver=station.deliver,
            dead_letter_topic="bench.dead-letter",
            gate=FloodGate("bench", clock, recorder, Hearing("bench", Resumes(MemoryStore()))),
            environment=environment,
            policy=RetryPolicy(),
            clock=clock,
            recorder=recorder,
        )
    )
    station.attach(worker)
    await asyncio.to_thread(station.open)
    station.start()
    await recorder.done.wait()
    station.request_stop()
    await station.join(JOIN_SECONDS)
    return recorder.run


def _reader(clock: SystemClock) -> Callable[[InRecord], Reading]:
    def read(record: InRecord) -> Reading:
        origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
        event = first_record(
            record.value, origin, timestamp_ms=record.timestamp_ms, priority=Priority.LIVE, started_at=clock.wall()
        )
        return Reading((event,))

    return read


class Counting(SilentRecorder):
    """Knows when the first record came and the last one was committed."""

    def __init__(self, count: int) -> None:
        self._count = self._left = count
        self._loop = asyncio.get_running_loop()
        self._began = self._cpu = 0.0
        self.done = asyncio.Event()
        self.run: Run

    def received(self, stage: str, topic: str) -> None:
        """The first one starts the clock."""
        if not self._began:
            self._began, self._cpu = time.monotonic(), time.process_time()

    def committed(self, stage: str, seconds: float, records: int) -> None:
        """The last one stops it."""
        self._left -= records
        if self._left <= 0:
            self.run = Run(self._count, time.monotonic() - self._began, time.process_time() - self._cpu)
            self._loop.call_soon_threadsafe(self.done.set)


def measure(size: Size) -> list[Figure]:
    """All rounds on one broker."""
    spare_the_collector()  # as a worker does when it starts
    cluster = open_kafka()
    try:
        return [*_uniform(cluster, size), *_zipf(cluster, SCALES[size])]
    finally:
        cluster.stop()


def _uniform(kafka: Kafka, size: Size) -> list[Figure]:
    scale = SCALES[size]
    servers, count = kafka.bootstrap_servers, scale.uniform
    source, target = _topics(kafka, "uniform")
    load.fill(servers, source, load.uniform_keys(count, 10_000))
    plain: list[Run] = []
    ours: list[Run] = []
    theirs: list[Run] = []
    missing = ""
    for number in range(scale.rounds):
        step(f"round {number + 1} of {scale.rounds}: plain loop, ours, Pyrallel Consumer")
        plain.append(Run(count, *load.plain_loop(servers, source, target, count)))
        ours.append(uvloop.run(engine(servers, source, target, count)))
        try:
            theirs.append(pyrallel(servers, source, count, size))
        except peers.PeerMissing as error:
            missing = str(error)
    share = median(mine.rate / loop.rate for mine, loop in zip(ours, plain, strict=True))
    ratio = median(mine.rate / its.rate for mine, its in zip(ours, theirs, strict=True)) if theirs else None
    return [
        Figure("uniform keys, against Pyrallel Consumer 1.0", ratio, "times", at_least=3, note=missing),
        Figure("uniform keys, share of a plain loop", 100 * share, "%", at_least=15),
        Figure("events per second, ours", median(run.rate for run in ours), "/s"),
        Figure("events per second, plain loop", median(run.rate for run in plain), "/s"),
        *([Figure("events per second, Pyrallel Consumer", median(run.rate for run in theirs), "/s")] if theirs else []),
        Figure("CPU per event, ours", median(run.cpu_micros for run in ours), "µs"),
        Figure("CPU per event, plain loop", median(run.cpu_micros for run in plain), "µs"),
        *(
            [Figure("CPU per event, Pyrallel Consumer", median(run.cpu_micros for run in theirs), "µs")]
            if theirs
            else []
        ),
    ]


def _zipf(kafka: Kafka, scale: Scale) -> list[Figure]:
    servers, keys = kafka.bootstrap_servers, load.zipf_keys(scale.zipf, 1_000)
    source, target = _topics(kafka, "zipf")
    load.fill(servers, source, keys)
    hottest = max(Counter(keys).values())
    step(f"Zipf: {hottest} of {len(keys)} events are of the hottest key")
    ours = uvloop.run(engine(servers, source, target, len(keys)))
    naps_seconds = uvloop.run(naps(hottest))
    return [
        Figure(
            "Zipf keys, share of the hottest key's bound", 100 * naps_seconds / ours.seconds, "%", at_least=90,
            note=f"{hottest} naps in a row: {naps_seconds:.2f} s; ours: {ours.seconds:.2f} s",
        ),
        Figure("the same, with naps of 5 ms to the dot", 100 * hottest * WORK_SECONDS / ours.seconds, "%"),
    ]  # fmt: skip


def _topics(kafka: Kafka, kind: str) -> tuple[str, str]:
    """A source and a target of their own."""
    stem = f"bench.{kind}.{time.time_ns()}"
    return (
        create_topic(kafka, stem, partitions=load.PARTITIONS),
        create_topic(kafka, f"{stem}.out", partitions=load.PARTITIONS),
    )


async def naps(count: int) -> float:
    """Seconds that `count` pieces of our work take one after the other, with nothing around them."""
    began = time.monotonic()
    for _ in range(count):
        await asyncio.sleep(WORK_SECONDS)
    return time.monotonic() - began


def pyrallel(servers: str, source: str, count: int, size: Size) -> Run:
    """Pyrallel Consumer on the same events. Raises PeerMissing."""
    script = str(Path(__file__).with_name("pyrallel_peer.py"))
    python = str(peers.python_with(peers.PYRALLEL, size))
    asked = [python, script, servers, source, f"pyrallel-{time.time_ns()}", str(count)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    if done.returncode:
        raise peers.PeerMissing(f"Pyrallel Consumer broke: {done.stderr.strip()[-200:]}")
    return Run(count, **json.loads(done.stdout))


if __name__ == "__main__":
    sys.exit(figures.run(__doc__, measure))
