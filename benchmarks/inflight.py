"""Many jobs in flight: one worker process, 2,000 jobs of 20 s at PixelAPI at once.

A real worker with its Kafka and the simulator, each in a process of its own, begins with a backlog of 2,000 events of
the upscale stage and room for all. The store is a folder: on two cores an S3 server beside them took 25 to 70 jobs a
second, each of which reads or writes it eight times, and 2,000 never ran at once.

Memory and stalls are told by the process itself; how late it polls is counted outside, at the provider: from 20 s after
a job was taken (when its first poll is due) to that poll's arrival. So the ways there and back count as lateness too.

    python -m benchmarks.inflight
"""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyvips
from confluent_kafka import Producer

from benchmarks import figures
from benchmarks.figures import Figure, Size, step
from stream.core.clock import SystemClock
from stream.events import Origin
from stream.metrics.silent import SilentRecorder
from stream.objects.choose import open_store
from stream.objects.options import StoreOptions
from stream.records import Asset, StageRecord
from stream.retries import RETRY_DELAYS
from tests.composed.provider import API_KEY, Provider
from tests.services.clients import Kafka, create_topic
from tests.services.kafka import open_kafka
from tests.services.waiting import free_ports, until

STAGE, INPUT, OUTPUT = "upscale", "transparent", "upscaled"
RETRIES = tuple(f"retry.{delay}" for delay in RETRY_DELAYS)
PARTITIONS = 4
REQUESTS_PER_SECOND = 400
"""The contract, wide enough for what two cores do: at 150 the polls waited for their grants, as their submits had."""
PATIENCE_SECONDS = 240.0
LOOK_EVERY_SECONDS = 0.5
SOURCE_KEY, SIDE = "bench/source.png", 64


@dataclass(frozen=True, slots=True)
class Scale:
    """How many jobs, and how long each takes."""

    jobs: int
    seconds: float


SCALES = {Size.FULL: Scale(2000, 20.0), Size.SMALL: Scale(20, 0.5)}


def measure(size: Size) -> list[Figure]:
    """One backlog from its first submit to its last commit."""
    kafka = open_kafka()
    try:
        return measure_scale(kafka, SCALES[size])
    finally:
        kafka.stop()


def measure_scale(kafka: Kafka, scale: Scale) -> list[Figure]:
    """The same of any scale; the first figure is the worker's peak memory in MB."""
    with tempfile.TemporaryDirectory(prefix="skustream-bench-") as folder:
        latency = {"minimum_seconds": scale.seconds, "maximum_seconds": scale.seconds}
        provider = Provider(Path(folder), {"default_latency": latency, "balance_credits": 10_000_000})
        try:
            return _measure(kafka, Path(folder) / "store", provider, scale)
        finally:
            provider.stop()


def _measure(kafka: Kafka, store: Path, provider: Provider, scale: Scale) -> list[Figure]:
    prefix = f"bench{time.time_ns()}"
    for name in ("raw", "raw.backfill", INPUT, OUTPUT, "lifestyle", "completed", "dead-letter", *RETRIES):
        create_topic(kafka, f"{prefix}.{name}", partitions=PARTITIONS)
    source = asyncio.run(_put_source(store, provider.photos))
    _send(kafka, f"{prefix}.{INPUT}", source, scale.jobs)
    environment = {**os.environ, **_settings(kafka, store, provider, prefix, scale)}
    command = [sys.executable, "-m", "benchmarks.inflight_worker", STAGE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as worker:  # noqa: S603
        try:
            most = _watch(provider, worker, scale.jobs)
        finally:
            worker.send_signal(signal.SIGTERM)
            told = worker.communicate(timeout=60)[0]
    return _told(json.loads(told), most, _late_seconds(provider.ledger(), scale.seconds), scale)


def _watch(provider: Provider, worker: "subprocess.Popen[str]", jobs: int) -> int:
    """Return when every job was fetched: how many ran at once at the most."""
    most = 0

    def all_home() -> bool:
        nonlocal most
        if worker.poll() is not None:
            raise RuntimeError("the worker died")
        running = provider.open_now()[1]
        most = max(most, running)
        totals = provider.summary()
        time.sleep(LOOK_EVERY_SECONDS)  # asking costs the provider time
        step(f"{totals['submits_accepted']} of {jobs} jobs taken, {running} run, {totals['downloads']} fetched")
        return bool(totals["downloads"] >= jobs)

    until(all_home, timeout_seconds=PATIENCE_SECONDS, what="all results fetched")
    return most


def _late_seconds(ledger: dict[str, Any], job_seconds: float) -> list[float]:
    """How late each job's first poll arrived, sorted."""
    due = {job["id"]: job["submitted_at"] + job_seconds for job in ledger["jobs"]}
    late: dict[str, float] = {}
    for request in ledger["requests"]:
        job_id = request["path"].rpartition("/")[2]
        if request["step"] == "poll" and job_id in due:
            late.setdefault(job_id, request["arrived_at"] - due[job_id])
    return sorted(late.values())


def _told(worker: dict[str, float], most: int, late: list[float], scale: Scale) -> list[Figure]:
    p99 = late[int(len(late) * 0.99)] if late else None
    return [
        Figure("memory of the process, peak", worker["peak_mb"], "MB", at_most=300),
        Figure("longest stall of the loop", 1000 * worker["longest_stall_seconds"], "ms", at_most=100),
        Figure("poll lateness, p99", None if p99 is None else 1000 * p99, "ms", at_most=250),
        Figure("poll lateness, median", None if not late else 1000 * late[len(late) // 2], "ms"),
        Figure(f"jobs of {scale.seconds:g} s at once", float(most), at_least=0.95 * scale.jobs),
    ]


def _settings(kafka: Kafka, store: Path, provider: Provider, prefix: str, scale: Scale) -> dict[str, str]:
    return {
        "PIXELAPI_KEY": API_KEY,
        "PIXELAPI_BASE": provider.base_url,
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "SKUSTREAM_TOPIC_PREFIX": prefix,
        "SKUSTREAM_STORE": f"file://{store}",
        "SKUSTREAM_INPUT": "upload",
        "SKUSTREAM_SPOOL_DIR": str(store.with_name("spool")),
        "SKUSTREAM_FETCH_ALLOW": "127.0.0.1",
        "SKUSTREAM_HTTP_PORT": str(free_ports(1)[0]),
        "SKUSTREAM_QUOTA_REQUESTS": str(2 * REQUESTS_PER_SECOND),
        "SKUSTREAM_QUOTA_WINDOW_SECONDS": "2",
        "SKUSTREAM_QUOTA_STARTS_CLOSED": "false",
        "SKUSTREAM_MAX_RUNNING_JOBS": str(scale.jobs),
        "SKUSTREAM_LANE_TICKETS": str(scale.jobs),
        # What a worker has learned after its first jobs: when they are done.
        "SKUSTREAM_POLL_FIRST_SECONDS": str(scale.seconds),
        "SKUSTREAM_LOG_FORMAT": "json",
    }


async def _put_source(store_folder: Path, folder: Path) -> Asset:
    """The one picture that every job begins with, in the store."""
    path = folder / "source.png"
    pyvips.Image.black(SIDE, SIDE, bands=4).linear([1] * 4, [90, 120, 150, 255]).cast("uchar").pngsave(str(path))
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    store = await open_store(f"file://{store_folder}", StoreOptions(), recorder=SilentRecorder(), clock=SystemClock())
    await store.put_file(SOURCE_KEY, path, content_type="image/png", sha256=sha256)
    url = store.public_url(SOURCE_KEY)
    await store.aclose()
    return Asset(
        key=SOURCE_KEY, url=url, content_type="image/png", width=SIDE, height=SIDE, bytes=len(content), sha256=sha256
    )


def _send(kafka: Kafka, topic: str, source: Asset, count: int) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "acks": "all"})
    for number in range(count):
        raw = json.dumps({"sku_id": f"SKU-{number}", "raw_url": "https://photos.example/1.jpg", "version": "1"})
        record = StageRecord(
            raw=raw, origin=Origin(topic="bench.raw", partition=0, offset=number),
            timestamp_ms=int(time.time() * 1000), source_version="1", started_at=time.time(), assets={INPUT: source},
        )  # fmt: skip
        producer.produce(topic, key=f"SKU-{number}", value=record.encode())
    producer.flush()


if __name__ == "__main__":
    sys.exit(figures.run(__doc__, measure))
