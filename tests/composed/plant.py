"""The whole plant: topics, bucket, provider, worker processes, and the hands that break them.

A test asks `plants(...)` for one, sends events, breaks something, waits by condition, and lets the auditor count.
"""

import json
import logging
import random
import secrets
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.composed import photos
from tests.composed.collector import GcProcess
from tests.composed.evidence import Target, contents
from tests.composed.operator import Operator
from tests.composed.provider import API_KEY, Provider
from tests.composed.watcher import Ended, Watcher
from tests.composed.worker import WorkerProcess
from tests.services.clients import Kafka, consumer, create_topic, read_all
from tests.services.s3 import S3Server
from tests.services.waiting import until

# A refused connection is what a test with killed brokers asks for.
_silence = logging.getLogger("tests.composed.plant.client")
_silence.addHandler(logging.NullHandler())
_silence.propagate = False
PARTITIONS = 3
STAGES = ("remove-bg", "upscale", "lifestyle", "thumbnails")
BETWEEN = ("transparent", "upscaled", "lifestyle")
SHIPPED = Path(__file__).parents[2] / "stream" / "pipeline.yaml"
AT_ONCE: dict[str, list[str]] = {"retries-exhausted": [], "job-overdue": []}
RETRIES = ("retry.now", "retry.10s", "retry.1m", "retry.10m")
TOPICS = ("raw", "raw.backfill", *BETWEEN, *RETRIES, "replays", "completed", "dead-letter")
SETTINGS = {
    "SKUSTREAM_INPUT": "url",
    "SKUSTREAM_FETCH_ALLOW": "127.0.0.1",
    "SKUSTREAM_QUOTA_REQUESTS": "1000",
    "SKUSTREAM_QUOTA_WINDOW_SECONDS": "6",
    "SKUSTREAM_QUOTA_STARTS_CLOSED": "false",
    "SKUSTREAM_SESSION_SECONDS": "6",
    "SKUSTREAM_TRANSACTION_TIMEOUT_SECONDS": "5",
    "SKUSTREAM_SUBMIT_TIMEOUT_SECONDS": "4",
    "SKUSTREAM_CLAIM_LEASE_SECONDS": "8",
    "SKUSTREAM_CLAIM_POLL_SECONDS": "0.3",
    "SKUSTREAM_POLL_FIRST_SECONDS": "0.3",
    "SKUSTREAM_IMAGE_THREADS": "1",
    "AWS_REGION": S3Server.region,
    "AWS_ACCESS_KEY_ID": S3Server.access_key,
    "AWS_SECRET_ACCESS_KEY": S3Server.secret_key,
}
"""Every window short; the claim's lease as the settings demand, twice the submit's timeout."""


class Plant:
    """One deployment: its own topics, bucket, provider and workers. Close it, whatever happened."""

    def __init__(
        self, kafka: Kafka, s3: S3Server, folder: Path, prefix: str, *, behaviour: dict[str, Any] | None = None
    ) -> None:
        self.kafka, self.s3, self.folder, self.prefix = kafka, s3, folder, prefix
        self.workers: list[WorkerProcess] = []
        self.operators: list[Operator] = []
        self.bucket = s3.create_bucket(prefix)
        for name in ("raw", *BETWEEN, "completed", "dead-letter"):
            create_topic(kafka, self.topic(name), partitions=PARTITIONS)
        for name in ("raw.backfill", *RETRIES, "replays"):
            create_topic(kafka, self.topic(name))
        self.pipeline()
        self.provider = Provider(folder, behaviour)
        self.watcher = Watcher(kafka, [self.topic("completed"), self.topic("dead-letter")], partitions=PARTITIONS)
        options = {"bootstrap.servers": kafka.bootstrap_servers, "acks": "all", "linger.ms": 0,
                   "message.max.bytes": 64 * 1024 * 1024}  # fmt: skip
        self._producer: Producer | None = Producer(options, logger=_silence)
        self._sent = 0
        self._gc_runs = 0
        self._operators = 0
        self._ends: Consumer | None = None

    # Where things are.

    def topic(self, name: str) -> str:
        """A topic's whole name."""
        return f"{self.prefix}.{name}"

    def target(self) -> Target:
        """What the auditor is told: addresses, nothing else."""
        return Target(
            kafka=self.kafka, prefix=self.prefix, topics=TOPICS,
            s3=self.s3, bucket=self.bucket, store_prefix="assets", provider=self.provider.root, api_key=API_KEY,
            logs=tuple(worker.log for worker in self.workers),
        )  # fmt: skip

    def pipeline(self, **fields: Any) -> str:
        """The path of the shipped pipeline with these fields for each stage.

        By default nothing is postponed: an attempt that was spent for no good reason shows at once, as a letter.
        """
        map_ = yaml.safe_load(SHIPPED.read_text())
        for stage in map_["stages"]:
            stage |= {"retries": AT_ONCE, **fields}
        path = self.folder / "pipeline.yaml"
        path.write_text(yaml.safe_dump(map_))
        return str(path)

    # Hands.

    def worker(self, *stages: str, **settings: str) -> WorkerProcess:
        """A started worker of these stages (default: all); `settings` are environment variables beside our own."""
        own = {
            "PIXELAPI_KEY": API_KEY,
            "PIXELAPI_BASE": self.provider.base_url,
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "SKUSTREAM_TOPIC_PREFIX": self.prefix,
            "SKUSTREAM_PIPELINE": str(self.folder / "pipeline.yaml"),
            **self._store(),
        }
        name = f"worker-{len(self.workers) + 1}"
        worker = WorkerProcess(name, self.folder, {**SETTINGS, **own, **settings}, stages)
        self.workers.append(worker)
        return worker.start()

    def gc(self, *words: str) -> GcProcess:
        """A started `skustream gc --json` on our store, without any grace."""
        self._gc_runs += 1
        name = f"gc-{self._gc_runs}"
        return GcProcess(name, self.folder, {**SETTINGS, **self._store()}, ("--older-than", "0s", *words)).start()

    def dlq(self, *words: str, **settings: str) -> Operator:
        """A started `skustream dlq` of our deployment."""
        self._operators += 1
        own = {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "SKUSTREAM_TOPIC_PREFIX": self.prefix,
            "SKUSTREAM_PIPELINE": str(self.folder / "pipeline.yaml"),
            **self._store(),
        }
        name = f"operator-{self._operators}"
        operator = Operator(name, self.folder, {**SETTINGS, **own, **settings}, words).start()
        self.operators.append(operator)
        return operator

    def count(self, topic: str, *, committed: bool = True) -> int:
        """How many records a topic has, aborted and undecided ones too unless `committed`."""
        isolation = "read_committed" if committed else "read_uncommitted"
        return len(read_all(self.kafka, self.topic(topic), isolation=isolation))

    def end_of(self, topic: str) -> int:
        """Where partition 0 of a topic ends, undecided records included; quick enough to watch somebody write."""
        if self._ends is None:
            self._ends = consumer(self.kafka, "ends", isolation_level="read_uncommitted")
        return int(self._ends.get_watermark_offsets(TopicPartition(self.topic(topic), 0), timeout=10)[1])

    def _store(self) -> dict[str, str]:
        return {"SKUSTREAM_STORE": f"s3://{self.bucket}/assets", "AWS_ENDPOINT_URL": self.s3.endpoint_url}

    def event(self, sku_id: str, **fields: Any) -> dict[str, Any]:
        """A raw-image event of a photo that is drawn now; `colour` chooses which.

        Another version lies at another address: of one address all events would bring the picture drawn last, and two
        versions of the same bytes look to the auditor like one job bought twice.
        """
        self._sent += 1
        name = f"{sku_id}-{fields['version']}.jpg" if "version" in fields else f"{sku_id}.jpg"
        photos.draw(self.provider.photos, name, colour=fields.pop("colour", self._sent))
        return {
            "sku_id": sku_id, "raw_url": f"{self.provider.root}/photos/{name}", "event_id": f"{sku_id}-{self._sent}",
            **fields,
        }  # fmt: skip

    def send(
        self, *events: dict[str, Any] | bytes | None, key: str | None = None, partition: int = -1, to: str = "raw"
    ) -> None:
        """Publish raw records as the PIM does, and wait until they are acknowledged."""
        assert self._producer is not None
        for event in events:
            value = json.dumps(event).encode() if isinstance(event, dict) else event
            named = key or (event["sku_id"] if isinstance(event, dict) else "unreadable")
            self._producer.produce(self.topic(to), key=named, value=value, partition=partition)
        assert self._producer.flush(30) == 0

    def send_new(self, count: int, *, sku: str = "SKU", **fields: Any) -> list[str]:
        """`count` events of new SKUs; their event ids."""
        events = [self.event(f"{sku}-{number}", **fields) for number in range(count)]
        self.send(*events)
        return [event["event_id"] for event in events]

    # Waiting.

    def wait_ended(self, count: int, *, timeout_seconds: float = 150) -> Ended:
        """Return once `count` events have ended. Raises TimeoutError."""
        until(
            lambda: len(self.watcher.look()) >= count,
            timeout_seconds=timeout_seconds,
            what=f"{count} ends",
        )
        return self.watcher.look()

    def wait_events(self, *event_ids: str, timeout_seconds: float = 150) -> Ended:
        """Return once each of these events has ended. Raises TimeoutError."""

        def all_ended() -> bool:
            return set(event_ids) <= self.watcher.look().by_event().keys()

        until(all_ended, timeout_seconds=timeout_seconds, what=f"the ends of {event_ids}")
        return self.watcher.look()

    def bought(self, sku_id: str) -> int:
        """How many jobs the provider took for this SKU."""
        return sum(f"/{sku_id}/" in job["image_url"] for job in self.provider.jobs())

    def wait_jobs(self, count: int, *, timeout_seconds: float = 150, **facts: Any) -> list[dict[str, Any]]:
        """Return once the provider has taken `count` jobs with these facts. Raises TimeoutError."""

        def fitting() -> list[dict[str, Any]]:
            return [job for job in self.provider.jobs() if facts.items() <= job.items()]

        until(lambda: len(fitting()) >= count, timeout_seconds=timeout_seconds, what=f"{count} jobs {facts}")
        return fitting()

    def wait_accepted(self, count: int, *, timeout_seconds: float = 150) -> None:
        """Return once `count` jobs were taken, all their ids are durable and no submit is open. Raises TimeoutError."""

        def durable() -> bool:
            taken = {job["id"] for job in self.provider.jobs()}
            return len(taken) >= count and taken <= self.durable_ids() and not self.provider.open_submits()

        until(durable, timeout_seconds=timeout_seconds, what=f"{count} durable job ids")

    def durable_ids(self) -> set[str]:
        """Every job id in the ledger."""
        return {json.loads(body)["job_id"] for _, body in contents(self.target(), under="_ledger/jobs/")}

    def states(self) -> list[str]:
        """The state of every job in the ledger, as it stands in the store."""
        found = contents(self.target(), under="_ledger/jobs/")
        return [json.loads(body)["state"] for _, body in found]

    def close(self) -> None:
        """End every process."""
        for worker in self.workers:
            if worker.is_running:
                worker.kill()
        for operator in self.operators:
            if operator.is_running:
                operator.kill()
        self.provider.stop()
        self.watcher.close()
        if self._ends is not None:
            self._ends.close()
        self._producer = None

    def diary(self) -> str:
        """The ends of all logs, for the report of a failed test; the workers end with it."""
        for worker in self.workers:
            worker.confess()
        pages = [f"--- {worker.name}\n{worker.last_words()}" for worker in self.workers]
        return "\n".join([*pages, f"--- ends {json.dumps(self.watcher.ended.by_event())}"])


def drawn_lots(seed: int | None = None) -> tuple[random.Random, int]:
    """A generator and its seed; a fresh seed unless one is given, so that every run tries other moments."""
    chosen = secrets.randbelow(2**32) if seed is None else seed
    return random.Random(chosen), chosen
