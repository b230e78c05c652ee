"""`skustream dlq` on a real Kafka, by the installed command: transactions, offsets by time, hostile letters, memory."""

import base64
import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest
from confluent_kafka import Producer

from benchmarks import letters as bench
from stream.broker.port import OutRecord
from stream.core.errors import Reason
from stream.topics import Topics
from tests.composed.worker import command
from tests.services import leash
from tests.services.clients import create_topic, transactional_producer, wait_decided
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.waiting import until
from tests.unit.letters.posted import event, posted

pytestmark = pytest.mark.kafka
Kafka = KafkaCluster | ExistingKafka
MEGABYTE = 1_000_000
TRANSACTION_LETTERS = 2_500
"""Well within a transaction's ten seconds, on a busy machine too."""
HOSTILE = b"<script>alert(1)</script>\x1b[2J\xe2\x80\xae\xff\x00"


@dataclass
class Office:
    """A dead-letter topic, those who write into it, and the command as a person types it."""

    kafka: Kafka
    topics: Topics

    def __post_init__(self) -> None:
        large = {"max.message.bytes": str(8 * MEGABYTE)}
        create_topic(self.kafka, self.topics.dead_letter, partitions=2, settings=large)
        create_topic(self.kafka, self.topics.replays, settings={"cleanup.policy": "compact"})

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ, "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers, "TERM": "dumb",
            "SKUSTREAM_TOPIC_PREFIX": self.topics.prefix,
        }  # fmt: skip

    def dlq(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command(), "dlq", *words], env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )

    def listed(self, *words: str) -> list[dict[str, object]]:
        done = self.dlq("list", "--json", "--limit", "0", *words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def post(self, *records: OutRecord, timestamp_ms: int = 0, abort: bool = False) -> None:
        """As a worker does, in a transaction."""
        producer = transactional_producer(self.kafka, f"{self.topics.prefix}-writer")
        producer.begin_transaction()
        for record in records:
            producer.produce(
                record.topic, key=record.key, value=record.value, headers=list(record.headers), timestamp=timestamp_ms
            )
        if abort:
            assert producer.flush(30) == 0
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
        wait_decided(self.kafka, self.topics.dead_letter)

    def letter(self, sku: str, reason: Reason = Reason.SOURCE_MISSING) -> OutRecord:
        return posted(event(sku, batch_id="autumn"), reason, topic=self.topics.dead_letter)

    def throw_in(self, *records: OutRecord) -> None:
        """What anybody may write there, however large."""
        options = {"bootstrap.servers": self.kafka.bootstrap_servers, "message.max.bytes": 8 * MEGABYTE}
        producer = Producer(options)
        for record in records:
            producer.produce(record.topic, key=record.key, value=record.value, headers=list(record.headers))
        assert producer.flush(60) == 0


@pytest.fixture
def office(kafka: Kafka, prefix: str) -> Office:
    return Office(kafka, Topics(prefix))


def test_letters_of_transactions_that_were_taken_back_are_none(office: Office) -> None:
    office.post(office.letter("A"), office.letter("B", Reason.BUG))
    office.post(office.letter("C"), abort=True)
    office.post(office.letter("D"))
    assert sorted(str(row["sku_id"]) for row in office.listed()) == ["A", "B", "D"]
    counted = json.loads(office.dlq("stats", "--json").stdout)
    assert (counted["letters"], counted["open"]) == (3, 3)
    (newest,) = [
        json.loads(line) for line in office.dlq("list", "--json", "--newest", "--limit", "1").stdout.splitlines()
    ]
    assert newest["sku_id"] == "D"


def test_letters_are_found_by_time(office: Office) -> None:
    office.post(office.letter("OLD"), timestamp_ms=1_700_000_000_000)
    office.post(office.letter("NEW"))
    done = office.dlq("list", "--json", "--since", "1h")
    assert [json.loads(line)["sku_id"] for line in done.stdout.splitlines()] == ["NEW"]
    assert done.stderr == ""
    assert [row["sku_id"] for row in office.listed("--until", "2024-01-01")] == ["OLD"]
    assert office.dlq("list", "--since", "2100-01-01").stderr.startswith(
        f"skustream: {office.topics.dead_letter} holds no letters since then"
    )


def test_hostile_letters_are_shown_and_do_no_harm(office: Office, tmp_path: Path) -> None:
    topic = office.topics.dead_letter
    office.throw_in(
        OutRecord(topic, None, None),
        OutRecord(topic, HOSTILE, HOSTILE, (("skustream.reason", HOSTILE), ("\x1b[31m", None))),
        OutRecord(topic, b"k", os.urandom(5 * MEGABYTE)),
        OutRecord(topic, b"k", b'{"sku_id":"' + b"x" * 5 * MEGABYTE),
        OutRecord(topic, b"k", b'{"sku_id": "=1+1\\u001b[2J", "id": "x"}', (("skustream.sku-id", HOSTILE),)),
        OutRecord(topic, b"k", b"1", tuple(("skustream.attempts", b"9" * 5_000) for _ in range(500))),
    )
    rows = office.listed()
    assert len(rows) == 6
    for row in rows:
        done = office.dlq("show", str(row["letter"]))
        assert done.returncode == 0, done.stderr
        assert all(character.isprintable() or character == "\n" for character in done.stdout)
        assert len(done.stdout) < MEGABYTE
        assert json.loads(office.dlq("show", str(row["letter"]), "--json").stdout)["letter"] == row["letter"]
    path = tmp_path / "all.jsonl"
    assert office.dlq("export", "--output", str(path), "--exact").returncode == 0
    sizes = [len(base64.b64decode(json.loads(line)["value_base64"] or "")) for line in path.read_text().splitlines()]
    assert sorted(sizes)[-2:] == [5 * MEGABYTE, 5 * MEGABYTE + 11]
    for words in (("list",), ("stats",), ("list", "--where", "contains(error, 'x')")):
        assert office.dlq(*words).returncode == 0


def test_watching_shows_what_comes_until_ctrl_c(office: Office, tmp_path: Path) -> None:
    office.post(office.letter("BEFORE"))
    said = tmp_path / "said"
    with said.open("wb") as log:
        words = [*command(), "dlq", "watch", "--json", "--interval-seconds", "0.1", "--reason", "bug"]
        process = leash.start(words, log=log, env=office.environment)
    try:
        # What comes before it listens is not told: so letters come until one is.
        def told() -> list[str]:
            office.post(office.letter("OTHER"), office.letter("COMES", Reason.BUG))
            return [json.loads(line)["sku_id"] for line in said.read_text().splitlines()]

        until(lambda: bool(told()), timeout_seconds=150, what="a letter that came")
        assert set(told()) == {"COMES"}
    finally:
        code = leash.reap(process, signal.SIGINT, timeout_seconds=150)
    assert code == 130, said.read_text()


@pytest.fixture
def post_many(office: Office) -> Callable[[int], None]:
    """So many letters of some 2.5 KB, by the benchmark's own writer."""

    def post(count: int) -> None:
        letters = bench.written(office.topics, count)
        while batch := list(islice(letters, TRANSACTION_LETTERS)):
            office.post(*batch)

    return post


def test_memory_does_not_grow_with_the_letters(office: Office, post_many: Callable[[int], None]) -> None:
    """Counted as the peak of the process. 15,000 letters are 37 MB in the topic, and three times that as objects."""
    post_many(1_000)
    few = bench.run(("stats", "--json"), office.environment)
    post_many(15_000)
    for words in (("stats", "--json"), ("list", "--limit", "0"), ("export", "--output", "-")):
        assert bench.run(words, office.environment).peak_mb < few.peak_mb + 30


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_a_hundred_thousand_letters_stay_below_200_mb(office: Office, post_many: Callable[[int], None]) -> None:
    post_many(100_000)
    for words in (
        ("stats",),
        ("list", "--limit", "0"),
        ("list", "--where", "attempts > `9`"),
        ("export", "--output", "-"),
    ):
        assert bench.run(words, office.environment).peak_mb < bench.MAX_MEMORY_MB
