"""A deployment without workers: real topics, a folder store, and ends written by the real record builders."""

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from typer.testing import CliRunner, Result

from stream.broker.port import InRecord, OutRecord
from stream.broker.words import record_of
from stream.cli.main import app
from stream.core.errors import Reason
from stream.events import Origin, Priority
from stream.records import Asset, StageRecord, Status, first_record, terminal_of
from stream.runtime.dead_letters import write_letter
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter
from stream.topics import Topics
from tests.composed.worker import command
from tests.services import leash
from tests.services.clients import Kafka, create_topic, read_all, transactional_producer, wait_decided
from tests.services.waiting import until

PARTITIONS = 2


def asset(name: str, paid: str) -> Asset:
    return Asset(
        key=name, url=f"https://cdn.example.com/{name}", content_type="image/png", width=1, height=1, bytes=1,
        sha256="0", credits=Decimal(paid),
    )  # fmt: skip


@dataclass
class Deployment:
    """`run` types a command; `raw` reads what was published; `end` writes ends as workers do, in transactions."""

    kafka: Kafka
    folder: Path
    prefix: str

    def __post_init__(self) -> None:
        self.topics = Topics(self.prefix)
        for name in (*self.topics.entries(), self.topics.completed, self.topics.dead_letter):
            create_topic(self.kafka, name, partitions=PARTITIONS)
        self._producer = transactional_producer(self.kafka, f"{self.prefix}-ends")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "SKUSTREAM_TOPIC_PREFIX": self.prefix,
            "SKUSTREAM_STORE": (self.folder / "store").as_uri(),
            "TERM": "dumb",
        }

    def catalog(self, skus: Sequence[str], name: str = "catalog.csv") -> str:
        path = self.folder / name
        path.write_text("sku_id,raw_url\n" + "".join(f"{sku},https://photos.example.com/{sku}.jpg\n" for sku in skus))
        return str(path)

    def run(self, *words: str, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, list(words), prog_name="skustream", env=self.environment, input=stdin)

    def interrupt(self, *words: str, after_records: int) -> tuple[int, str]:
        """Ctrl-C to a process of its own, once so many records are in the topic: exit code, and what it said."""
        slow = {"SKUSTREAM_KAFKA_QUEUE_BUFFERING_MAX_MESSAGES": "1"}  # every row waits for the one before
        said = self.folder / "said.log"
        with said.open("wb") as log:
            process = leash.start([*command(), *words], log=log, env={**os.environ, **self.environment, **slow})
        until(lambda: len(self.raw()) >= after_records, timeout_seconds=150, what="the first rows in the topic")
        code = leash.reap(process, signal.SIGINT, timeout_seconds=150)
        return code, said.read_text()

    def status(self, batch: str, *words: str) -> dict[str, Any]:
        result = self.run("status", "--batch", batch, "--json", *words)
        assert result.exit_code == 0, result.output
        told: dict[str, Any] = json.loads(result.stdout)
        return told

    def raw(self, topic: str | None = None) -> list[InRecord]:
        return [record_of(message) for message in read_all(self.kafka, topic or self.topics.backfill)]

    def read(self, record: InRecord, *, paid: str | None = None, replay: int = 0) -> StageRecord:
        origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
        read = first_record(
            record.value, origin, timestamp_ms=record.timestamp_ms, priority=Priority.BACKFILL, started_at=0.0
        )
        assets = {} if paid is None else {"transparent": asset("transparent", paid)}
        return read.model_copy(update={"replay": replay}).with_assets(assets, source_version="v")

    def terminal(
        self, record: InRecord, status: Status = Status.COMPLETED, *, paid: str = "70", replay: int = 0
    ) -> OutRecord:
        read = self.read(record, paid=paid, replay=replay)
        end = terminal_of(read, status=status, finished_at=1.0)
        return OutRecord(self.topics.completed, key=record.key, value=end.encode())

    def letter(
        self, record: InRecord, reason: Reason = Reason.JOB_FAILED, *, paid: str | None = None, **facts: str
    ) -> OutRecord:
        """Of the first stage (the value is the raw record), or of the second where something was `paid` before."""
        read = self.read(record, paid=paid)
        failed = record
        if paid is not None:
            failed = InRecord(self.topics.asset("transparent"), 0, 0, record.key, read.encode(), 0)
        told = {name.replace("_", "-"): fact for name, fact in facts.items()}
        verdict = DeadLetter(reason, "it went wrong\n\x1b[31mred", facts=told)
        return write_letter(self.topics.dead_letter, "upscale", failed, verdict, past=Past(attempts=1), read=read)

    def publish(self, *records: OutRecord, abort: bool = False) -> None:
        self._producer.begin_transaction()
        for record in records:
            self._producer.produce(record.topic, key=record.key, value=record.value, headers=list(record.headers))
        if abort:
            assert self._producer.flush(30) == 0
            self._producer.abort_transaction(30)
        else:
            self._producer.commit_transaction(30)
        for topic in {record.topic for record in records}:
            wait_decided(self.kafka, topic)

    def limit(self, topic: str, max_message_bytes: int) -> None:
        """From now on the broker refuses larger records there."""
        change = ConfigEntry("max.message.bytes", str(max_message_bytes), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[change])
        for answer in self.kafka.admin().incremental_alter_configs([resource]).values():
            answer.result(30)

    def forget(self, topic: str) -> None:
        """What retention would do: everything in the topic so far is gone."""
        everything = [TopicPartition(topic, number, OFFSET_END) for number in range(PARTITIONS)]
        for answer in self.kafka.admin().delete_records(everything).values():
            answer.result(30)
