"""How fast one full stage is, without its business: decode, admit, 5 ms of asynchronous work, encode, transaction.

Compared within one run to a plain confluent-kafka consume → produce loop on the same broker and the same events, and
for skewed keys to the bound that the hottest key sets. Absolute figures are the machine's; only ratios travel.

    python -m benchmarks.engine --events 20000
"""

import argparse
import asyncio
import bisect
import itertools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import uvloop
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from stream.broker.link import KafkaLink, LinkSettings
from stream.broker.port import InRecord
from stream.core.clock import SystemClock
from stream.events import Origin, Priority
from stream.metrics.silent import SilentRecorder
from stream.outcome import Outcome, OutcomeKind
from stream.records import Reading, StageRecord, first_record
from stream.runtime.environment import Environment
from stream.runtime.inflight import LaneLimits
from stream.runtime.station import Station, StationParts
from stream.runtime.verdict import RetryPolicy
from stream.runtime.worker import Worker, WorkerParts
from tests.services.kafka import open_kafka

PARTITIONS = 4
WORK_SECONDS = 0.005
EVENT_BYTES = 1024
PREFIX = "bench"


@dataclass(frozen=True, slots=True)
class Result:
    """One measured run."""

    name: str
    events: int
    seconds: float

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


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


def uniform_keys(count: int, keys: int) -> list[int]:
    """`count` draws from `keys` equally likely keys."""
    rng = random.Random(1)
    return [rng.randrange(keys) for _ in range(count)]


def zipf_keys(count: int, keys: int) -> list[int]:
    """`count` draws from `keys` keys by Zipf's law with exponent 1."""
    rng = random.Random(2)
    edges = list(itertools.accumulate(1 / rank for rank in range(1, keys + 1)))
    return [bisect.bisect_left(edges, rng.random() * edges[-1]) for _ in range(count)]


def load(servers: str, topic: str, keys: list[int]) -> None:
    """Fill `topic` with one event per key, 1 KB each."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20, "compression.type": "lz4"})
    for number, key in enumerate(keys):
        event: dict[str, Any] = {
            "sku_id": f"SKU-{key}",
            "raw_url": f"https://photos.example/{key}.jpg",
            "sequence": number,
        }
        event["attributes"] = {"text": "x" * (EVENT_BYTES - len(json.dumps(event)) - 30)}
        while True:
            try:
                producer.produce(topic, key=event["sku_id"], value=json.dumps(event))
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def plain_loop(servers: str, source: str, target: str, count: int) -> Result:
    """The ceiling: consume, produce, no transaction, one commit at the end."""
    options = {"bootstrap.servers": servers, "group.id": f"plain-{source}", "auto.offset.reset": "earliest"}
    consumer = Consumer({**options, "enable.auto.commit": False, "fetch.wait.max.ms": 100})
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 5, "compression.type": "lz4", "acks": "all"})
    consumer.subscribe([source])
    seen, started = 0, 0.0
    while seen < count:
        for message in consumer.consume(500, 0.1):
            if message.error() is None:
                started = started or time.monotonic()
                seen += 1
                producer.produce(target, key=message.key(), value=json.dumps(json.loads(message.value() or b"")))
        producer.poll(0)
    producer.flush()
    consumer.commit(asynchronous=False)
    seconds = time.monotonic() - started
    consumer.close()
    return Result("plain consume, produce loop", count, seconds)


async def engine(servers: str, source: str, target: str, count: int, name: str) -> Result:
    """One stage of ours, from the first record polled to the last one committed."""
    clock, recorder = SystemClock(), Counting(count)
    environment = Environment(clock, recorder)
    settings = LinkSettings(
        options={"bootstrap.servers": servers},
        group=f"{name}-{source}",
        topics=(source,),
        instance=f"bench-{time.time_ns()}",
    )
    parts = StationParts(
        stage="bench",
        open_link=partial(KafkaLink, settings),
        paused=environment.is_paused,
        limits=LaneLimits(tickets=1000),
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
            deliver=station.deliver,
            dead_letter_topic=f"{PREFIX}.dead-letter",
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
    seconds = recorder.ended - recorder.started
    station.request_stop()
    await station.join(30)
    return Result(name, count, seconds)


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
        self._left = count
        self._loop = asyncio.get_running_loop()
        self.done = asyncio.Event()
        self.started = self.ended = 0.0

    def received(self, stage: str, topic: str) -> None:
        """The first one starts the clock."""
        self.started = self.started or time.monotonic()

    def committed(self, stage: str, seconds: float, records: int) -> None:
        """The last one stops it."""
        self._left -= records
        if self._left <= 0:
            self.ended = time.monotonic()
            self._loop.call_soon_threadsafe(self.done.set)


def hottest_bound_seconds(keys: list[int]) -> float:
    """Order within a key is kept, so its events follow one another: no engine can be faster than the hottest key."""
    return max(Counter(keys).values()) * WORK_SECONDS


def measure(events: int) -> dict[str, Any]:
    """All runs on one broker. `ratio` entries are what may be compared between machines."""
    cluster = open_kafka()
    try:
        servers = cluster.bootstrap_servers
        uniform, zipf = uniform_keys(events, 10_000), zipf_keys(events // 4, 1_000)
        names = [f"{PREFIX}.{kind}.{time.time_ns()}" for kind in ("uniform", "zipf", "out")]
        admin = AdminClient({"bootstrap.servers": servers})
        for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names]).values():
            future.result()
        load(servers, names[0], uniform)
        load(servers, names[1], zipf)
        plain = plain_loop(servers, names[0], names[2], events)
        ours = uvloop.run(engine(servers, names[0], names[2], events, "skustream, uniform keys"))
        skewed = uvloop.run(engine(servers, names[1], names[2], len(zipf), "skustream, Zipf keys"))
    finally:
        cluster.stop()
    bound = hottest_bound_seconds(zipf)
    return {
        "runs": [{**asdict(run), "events_per_second": round(run.rate)} for run in (plain, ours, skewed)],
        "ratio_to_plain_loop": round(ours.rate / plain.rate, 3),
        "share_of_hottest_key_bound": round(bound / skewed.seconds, 3),
    }


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    figures = measure(parser.parse_args().events)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
