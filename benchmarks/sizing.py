"""What one SKU costs in CPU, store and topics, and what a worker holds in memory: the figures behind docs/sizing.md.

One real worker with all stages, a real Kafka, an S3 server and the simulator, each a process of its own; the photos are
the demo's. Seconds of CPU are the worker's own, so that a busy machine changes little. Bytes in topics are keys, values
and headers as they are read: on disk they are compressed (lz4), and multiplied by the replication factor.

    python -m benchmarks.sizing --skus 60
    python -m benchmarks.sizing --skus 24 --side 1024
    python -m benchmarks.sizing --jobs 0 100 500 1000
"""

import argparse
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyvips

from benchmarks import inflight
from benchmarks.figures import step
from tests.composed.evidence import contents
from tests.composed.plant import TOPICS, Plant
from tests.composed.worker import WorkerProcess
from tests.services.clients import Kafka, read_all
from tests.services.kafka import open_kafka
from tests.services.s3 import S3Server

JOB_SECONDS = 20.0
IDLE_SECONDS = 20.0
PATIENCE_SECONDS = 900.0
BROKEN = "broken"
"""In the name of the photo that the simulator fails on purpose."""
THUMBNAIL = re.compile(r"-\d+-(webp|jpeg)-[0-9a-fx]+\.")


def main() -> None:
    """Print what was measured as JSON."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--skus", type=int, default=0, help="so many SKUs through all stages")
    options.add_argument("--side", type=int, default=640, help="the longest side of their photos in pixels")
    options.add_argument(
        "--jobs", type=int, nargs="*", default=[], help="jobs of 20 s at once, one run for each figure"
    )
    asked = options.parse_args()
    told: dict[str, Any] = {"load_average_before": os.getloadavg()[0]}
    kafka = open_kafka()
    try:
        if asked.skus:
            told["a_sku"] = _with_plant(kafka, lambda plant: _skus(plant, asked.skus, asked.side))
        for jobs in asked.jobs:
            figures = inflight.measure_scale(kafka, inflight.Scale(jobs, JOB_SECONDS))
            told[f"memory_mb_with_{jobs}_jobs"] = figures[0].measured
    finally:
        kafka.stop()
    told["load_average_after"] = os.getloadavg()[0]
    sys.stdout.write(json.dumps(told, indent=2) + "\n")


def _with_plant(kafka: Kafka, measure: Callable[[Plant], dict[str, Any]]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, S3Server() as s3:
        latency = {"minimum_seconds": 0.5, "maximum_seconds": 1.5}
        behaviour = {"default_latency": latency, "balance_credits": 10_000_000}
        plant = Plant(kafka, s3, Path(folder), f"size{secrets.token_hex(4)}", behaviour=behaviour)
        try:
            return measure(plant)
        finally:
            plant.close()


def _photos(folder: Path, side: int) -> list[Path]:
    """The demo's, enlarged."""
    drawing = [sys.executable, "-m", "stream.demo.photos", "--out", str(folder)]
    subprocess.run(drawing, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    files = sorted(path for path in folder.iterdir() if BROKEN not in path.name and path.suffix == ".jpg")
    for path in files:
        photo = pyvips.Image.new_from_file(str(path)).copy_memory()
        photo.resize(side / max(photo.width, photo.height)).jpegsave(str(path), Q=90)
    return files


def _skus(plant: Plant, count: int, side: int) -> dict[str, Any]:
    """So many SKUs, the photos by turns."""
    files = _photos(plant.provider.photos, side)
    worker = plant.worker().wait_ready()
    before = _cpu_seconds(worker)
    time.sleep(IDLE_SECONDS)
    idle = _cpu_seconds(worker) - before
    step(f"idle: {idle:.2f} s of CPU in {IDLE_SECONDS:g} s")
    before, began = _cpu_seconds(worker), time.monotonic()
    events = [
        {"sku_id": f"SKU-{number}", "raw_url": f"{plant.provider.root}/photos/{files[number % len(files)].name}"}
        for number in range(count)
    ]
    plant.send(*events)
    plant.wait_ended(count, timeout_seconds=PATIENCE_SECONDS)
    busy, seconds = _cpu_seconds(worker) - before, time.monotonic() - began
    return {
        "skus": count, "side": side, "seconds": round(seconds, 1), "completed": len(plant.watcher.ended.completed),
        "cpu_seconds_per_sku": round((busy - idle * seconds / IDLE_SECONDS) / count, 3),
        "cpu_seconds_per_idle_hour": round(idle * 3600 / IDLE_SECONDS, 1), "peak_memory_mb": _peak_mb(worker),
        "photo_bytes": round(sum(each.stat().st_size for each in files) / len(files)),
        "requests_per_sku": round(plant.provider.summary()["requests"] / count, 1),
        "store": _per_sku(_stored(plant), count), "topics": _per_sku(_published(plant), count),
    }  # fmt: skip


def _stored(plant: Plant) -> dict[str, list[int]]:
    """Sizes of all objects by what they are."""
    found: dict[str, list[int]] = {}
    for key, body in contents(plant.target()):
        found.setdefault(_kind(key), []).append(len(body))
    return found


def _kind(key: str) -> str:
    if key.startswith("_"):
        return "/".join(key.split("/")[:2])
    name = key.rpartition("/")[2]
    if name == "manifest.json":
        return name
    return "thumbnails" if THUMBNAIL.search(name) else name.partition("-")[0]


def _published(plant: Plant) -> dict[str, list[int]]:
    """Sizes of all records by topic: keys, values, headers."""
    sizes = {}
    for name in TOPICS:
        messages: list[Any] = read_all(plant.kafka, plant.topic(name))
        sizes[name] = [
            len(each.key() or b"") + len(each.value() or b"") + sum(len(n) + len(v) for n, v in each.headers() or [])
            for each in messages
        ]
    return sizes


def _per_sku(sizes: Mapping[str, list[int]], count: int) -> dict[str, dict[str, float]]:
    total: Counter[str] = Counter()
    told = {}
    for name, each in sorted(sizes.items()):
        if each:
            told[name] = {"count": round(len(each) / count, 2), "bytes": round(sum(each) / count)}
            total["count"] += len(each)
            total["bytes"] += sum(each)
    return {**told, "all": {"count": round(total["count"] / count, 2), "bytes": round(total["bytes"] / count)}}


def _cpu_seconds(worker: WorkerProcess) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(worker: WorkerProcess) -> float:
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text(), re.MULTILINE)
    assert found  # noqa: S101 - Linux
    return round(int(found[1]) / 1024)


if __name__ == "__main__":
    main()
