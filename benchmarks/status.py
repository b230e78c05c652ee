"""How long `skustream status` and `skustream explain` take, on a real Kafka.

It is filled with a batch's raw events, the records of its stages, and as many completed records.
Ends are written by the real record builder, as large as the demo's (20 assets), in transactions and compressed as by
a worker, with records of another batch between them. The commands run as a person runs them: a process of its own.

    python -m benchmarks.status --skus 50000
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from stream.broker.link import LinkSettings
from stream.broker.words import record_of
from stream.events import Origin, Priority
from stream.pipeline import default_pipeline
from stream.records import Asset, Status, first_record, terminal_of
from stream.topics import Topics
from tests.services.clients import Kafka, create_topic, read_all
from tests.services.kafka import open_kafka

PARTITIONS = 6
TRANSACTION_RECORDS = 500
PEAK_MB: dict[str, int] = {}
"""Resident memory of each command, by its name."""
COMMAND = [sys.executable, "-c", "from stream.cli.main import main; main()"]


def main() -> None:
    """Fill, submit, end, ask; print what was measured as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--skus", type=int, default=50_000)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kafka = open_kafka()
        try:
            print(json.dumps(measure(kafka, Path(folder), asked.skus), indent=2))  # noqa: T201 - a benchmark tells
        finally:
            kafka.stop()


def measure(kafka: Kafka, folder: Path, skus: int) -> dict[str, Any]:
    """Seconds by step, on this machine."""
    topics = Topics("bench")
    for plan in topics.plans(default_pipeline().topics_between(topics)):
        create_topic(kafka, plan.name, partitions=PARTITIONS)
    environment = {
        **os.environ, "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "SKUSTREAM_TOPIC_PREFIX": topics.prefix,
        "SKUSTREAM_STORE": (folder / "store").as_uri(),
    }  # fmt: skip
    catalog = folder / "catalog.csv"
    rows = (f"SKU-{number},https://photos.example.com/{number}.jpg" for number in range(skus))
    catalog.write_text("sku_id,raw_url\n" + "\n".join(rows) + "\n")
    submit, _ = _timed(["submit", str(catalog), "--batch", "spring"], environment)
    nothing_ended, _ = _timed(["status", "--batch", "spring", "--json"], environment)
    record_bytes = _end_all(kafka, topics)
    all_ended, told = _timed(["status", "--batch", "spring", "--json"], environment)
    assert (told["success"], told["in_progress"]) == (skus, 0)  # noqa: S101 - a figure of something else is none
    start, _ = _timed(["version"], environment, is_json=False)
    explain, told = _timed(["explain", f"SKU-{skus // 2}", "--json"], environment)
    assert told["images"][0]["events"][0]["state"] == "completed"  # noqa: S101 - as above
    return {
        "skus": skus, "completed_record_bytes": record_bytes, "load_average": os.getloadavg()[0],
        "submit_seconds": submit, "status_nothing_ended_seconds": nothing_ended, "status_all_ended_seconds": all_ended,
        "explain_seconds": explain, "peak_mb": dict(PEAK_MB),
        "command_start_seconds": start,
    }  # fmt: skip


def _timed(words: list[str], environment: dict[str, str], *, is_json: bool = True) -> tuple[float, Any]:
    begun = time.monotonic()
    process = subprocess.Popen([*COMMAND, *words], env=environment, stdout=subprocess.PIPE)  # noqa: S603 - ours
    assert process.stdout is not None  # noqa: S101 - asked for above
    said = process.stdout.read()
    _, process.returncode, usage = os.wait4(process.pid, 0)
    if process.returncode:
        raise RuntimeError(f"{words[0]} ended with {process.returncode}")
    PEAK_MB[words[0]] = max(PEAK_MB.get(words[0], 0), usage.ru_maxrss // 1024)
    seconds = round(time.monotonic() - begun, 2)
    return seconds, json.loads(said) if is_json and "--json" in words else None


def _end_all(kafka: Kafka, topics: Topics) -> int:
    """An end for every event, and one of another batch beside each; returns the size of an end in bytes."""
    link = LinkSettings({"bootstrap.servers": kafka.bootstrap_servers}, "bench", (), "ends")
    producer, size = Producer(link.producer()), 0
    producer.init_transactions(30)
    ends = _ends(kafka, topics)
    while True:
        batch = [end for _, end in zip(range(TRANSACTION_RECORDS), ends, strict=False)]
        if not batch:
            return size
        producer.begin_transaction()
        for end, between in batch:
            size = len(end)
            _produce(producer, topics.completed, end)
            _produce(producer, topics.completed, end.replace(b'"spring"', b'"autumn"'))
            for topic in default_pipeline().topics_between(topics):
                _produce(producer, topic, between)
        producer.commit_transaction(30)


def _produce(producer: Producer, topic: str, value: bytes) -> None:
    """Without a key, so that every record is told by its value: the slowest case."""
    while True:
        try:
            producer.produce(topic, value=value)
        except BufferError:
            producer.poll(0.1)
        else:
            return


def _ends(kafka: Kafka, topics: Topics) -> Iterator[tuple[bytes, bytes]]:
    """Each event's end, and its record between two stages."""
    assets = {f"lifestyle-{number}-webp": _asset(number) for number in range(20)}
    for message in read_all(kafka, topics.backfill):
        raw = record_of(message)
        origin = Origin(topic=raw.topic, partition=raw.partition, offset=raw.offset)
        read = first_record(
            raw.value, origin, timestamp_ms=raw.timestamp_ms, priority=Priority.BACKFILL, started_at=0.0
        )
        whole = read.with_assets(assets, source_version='head:etag:"18ea5def9ef779b7-152ff"')
        few = read.with_assets(dict(list(assets.items())[:3]), source_version=whole.source_version)
        yield terminal_of(whole, status=Status.COMPLETED, finished_at=1.0).encode(), few.encode()


def _asset(number: int) -> Asset:
    key = f"SKU-{number}/main/lifestyle-{number}-webp-180f993b83bbaa110e2d.webp"
    return Asset(
        key=key, url=f"https://cdn.example.com/{key}", content_type="image/webp", width=400, height=500, bytes=9722,
        sha256="0" * 64, credits=Decimal(10), seconds=0.41,
    )  # fmt: skip


if __name__ == "__main__":
    main()
