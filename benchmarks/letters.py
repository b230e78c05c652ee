"""How quickly letters are found: a real Kafka with 100,000 of them, and the commands as a person runs them.

Letters are written by the real writer, some 1 KB of event and all headers, over 6 partitions, compressed as by a
worker; every tenth event is a repeat. Each command is a process of its own: the time to its first row, to its end, and
its peak memory.

    python -m benchmarks.letters
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import Producer

from benchmarks import figures
from benchmarks.figures import Figure, Size, step
from stream.broker.link import LinkSettings
from stream.broker.port import InRecord, OutRecord
from stream.core.errors import Reason
from stream.events import Origin, Priority
from stream.records import first_record
from stream.retries import Attempt
from stream.runtime.dead_letters import write_letter
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter
from stream.topics import Topics
from tests.services.clients import Kafka, create_topic
from tests.services.kafka import open_kafka

PARTITIONS = 6
TRANSACTION_RECORDS = 500
LETTERS, SMALL = 100_000, 2_000
FRONT_DOOR = """
import atexit, os, re, sys
from stream.cli.main import main
def tell():
    with open("/proc/self/status") as status:
        peak_kb = re.search("VmHWM:\\s+(\\d+)", status.read())[1]
    os.write(int(os.environ["TELL_FD"]), f"{peak_kb} {sum(os.times()[:2])}".encode())
atexit.register(tell)
main()
"""
"""The command, that tells its peak itself: `ru_maxrss` of a child begins with its parent's."""
COMMAND = [sys.executable, "-c", FRONT_DOOR, "dlq"]
ERROR = "raw_url: https://photos.example.com/{0}.jpg answered 404; got 'https://photos.example.com/{0}.jpg'"
MAX_MEMORY_MB = 200
RARE = 1_000
"""Every so many-th letter is of another reason: what a filter looks for."""


@dataclass(frozen=True, slots=True)
class Run:
    """One command: seconds to its first line and to its end, CPU of it, peak memory, how many lines, the last one."""

    first_seconds: float
    seconds: float
    cpu_seconds: float
    peak_mb: float
    lines: int
    last: str


def measure(size: Size) -> list[Figure]:
    """All figures, on a Kafka of its own or the one that KAFKA_BOOTSTRAP_SERVERS names."""
    kafka = open_kafka()
    try:
        return find(kafka, LETTERS if size is Size.FULL else SMALL)
    finally:
        kafka.stop()


def find(kafka: Kafka, count: int) -> list[Figure]:
    """Write so many, look for them."""
    topics = Topics(f"bench-{os.getpid()}")
    for name in (topics.dead_letter, topics.replays):
        create_topic(kafka, name, partitions=PARTITIONS)
    step(f"{count:,} letters are written")
    _fill(kafka, topics, count)
    environment = {
        **os.environ, "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "SKUSTREAM_TOPIC_PREFIX": topics.prefix,
    }  # fmt: skip
    step("letters are looked for")
    filtered = run(("list", "--reason", "job-failed", "--limit", "0"), environment)
    where = run(("list", "--where", "contains(error, 'nowhere')", "--limit", "0"), environment)
    stats = run(("stats", "--json"), environment)
    export = run(("export", "--output", "-"), environment)
    assert filtered.lines == -(-count // RARE)  # noqa: S101 - a figure of something else is none
    assert export.lines == count  # noqa: S101
    note = f"{count:,} letters, load {os.getloadavg()[0]:.1f}"
    peak = max(each.peak_mb for each in (filtered, where, stats, export))
    return [
        Figure("filtered list, first row", filtered.first_seconds, "s", note=note),
        Figure(
            "filtered list, all rows",
            filtered.seconds,
            "s",
            note=f"{filtered.lines:,} rows, CPU {filtered.cpu_seconds:.1f} s",
        ),
        Figure("list --where, none found", where.seconds, "s", note=f"CPU {where.cpu_seconds:.1f} s"),
        Figure("stats", stats.seconds, "s", note=f"CPU {stats.cpu_seconds:.1f} s"),
        Figure("export", export.seconds, "s", note=f"CPU {export.cpu_seconds:.1f} s"),
        Figure("peak memory of the largest", peak, "MB", at_most=MAX_MEMORY_MB),
    ]


def run(words: tuple[str, ...], environment: Mapping[str, str]) -> Run:
    """One command to its end. Raises RuntimeError when it fails."""
    begun = time.monotonic()
    first, lines, last = 0.0, 0, b""
    told, telling = os.pipe()
    with subprocess.Popen(  # noqa: S603
        [*COMMAND, *words], env={**environment, "TELL_FD": str(telling)}, stdout=subprocess.PIPE, pass_fds=(telling,)
    ) as process:
        os.close(telling)
        assert process.stdout is not None  # noqa: S101 - asked for above
        for line in process.stdout:
            first = first or time.monotonic() - begun
            lines, last = lines + 1, line
    with os.fdopen(told) as words_told:
        peak_kb, cpu_seconds = (words_told.read() or "0 0").split()
    if process.returncode:
        raise RuntimeError(f"skustream dlq {' '.join(words)} ended with {process.returncode}")
    return Run(first, time.monotonic() - begun, float(cpu_seconds), int(peak_kb) / 1024, lines, last.decode())


def _fill(kafka: Kafka, topics: Topics, count: int) -> None:
    link = LinkSettings({"bootstrap.servers": kafka.bootstrap_servers}, "bench", (), f"{topics.prefix}-letters")
    producer = Producer(link.producer())
    producer.init_transactions(30)
    letters = written(topics, count)
    while batch := [letter for _, letter in zip(range(TRANSACTION_RECORDS), letters, strict=False)]:
        producer.begin_transaction()
        for number, letter in enumerate(batch):
            producer.produce(
                letter.topic, key=letter.key, value=letter.value, headers=list(letter.headers),
                partition=number % PARTITIONS,
            )  # fmt: skip
        producer.commit_transaction(30)


def written(topics: Topics, count: int) -> Iterator[OutRecord]:
    """Letters as a worker writes them."""
    for number in range(count):
        sku = f"SKU-{number - number % 10 // 9}"  # the last of each ten repeats the one before
        value = json.dumps({
            "sku_id": sku, "raw_url": f"https://photos.example.com/{sku}.jpg", "batch_id": "autumn",
            "attributes": {"text": "x" * 700},
        }).encode()  # fmt: skip
        record = InRecord(topics.raw, number % PARTITIONS, number, sku.encode(), value, 1_795_860_000_000 + number)
        origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
        read = first_record(
            value, origin, timestamp_ms=record.timestamp_ms, priority=Priority.LIVE, started_at=1_795_860_000.0
        )
        reason = Reason.SOURCE_MISSING if number % RARE else Reason.JOB_FAILED
        error = ERROR.format(sku)
        past = Past(attempts=1, history=(Attempt(record.timestamp_ms, reason.value, error),))
        verdict = DeadLetter(reason, error, facts={"job-key": f"{number:032x}", "credits": "10"})
        yield write_letter(topics.dead_letter, "remove-bg", record, verdict, past=past, read=read)


if __name__ == "__main__":
    sys.exit(figures.run(__doc__, measure))
