"""Letters (L6): the input byte for byte, and headers that always fit."""

import pytest

from stream.broker.port import InRecord, OutRecord
from stream.core.errors import Reason
from stream.events import Origin
from stream.letters.dialects import read_letter
from stream.letters.letter import Dialect
from stream.records import fingerprint
from stream.retries import Attempt, decode_history
from stream.runtime.dead_letters import write_letter
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter
from stream.topics import LETTER_HEADERS_MAX_BYTES
from tests.unit.runtime.scene import WoundClock, arrived, read, written

VERDICT = DeadLetter(Reason.BUG, "KeyError: 'x'", traceback="Traceback ...", facts={"job-key": "abc", "job-id": "7"})
CLOCK_MS = 1_795_341_600_000
"""Beyond what UTF-8 reads as text."""
TWICE = Past(attempts=2, history=(Attempt(5, "transient", "busy"), Attempt(6, "bug", "KeyError")))


def test_a_letter_says_where_it_came_from_and_why() -> None:
    record = arrived(written("A", "e1"), 41)
    letter = write_letter("dlq", "upscale", record, VERDICT, past=TWICE, read=read(record))
    assert (letter.topic, letter.key, letter.value) == ("dlq", record.key, record.value)
    assert ours(letter) == {
        "skustream.fingerprint": fingerprint(read(record).event, record.value, stage="upscale", reason="bug"),
        "skustream.origin.topic": "product-images.raw",
        "skustream.origin.partition": "0",
        "skustream.origin.offset": "41",
        "skustream.origin.index": "0",
        "skustream.origin.timestamp": "1000041",
        "skustream.stage": "upscale",
        "skustream.reason": "bug",
        "skustream.error": "KeyError: 'x'",
        "skustream.attempts": "2",
        "skustream.replay": "0",
        "skustream.input.topic": "product-images.raw",
        "skustream.input.partition": "0",
        "skustream.input.offset": "41",
        "skustream.history": '[[5,"transient","busy"],[6,"bug","KeyError"]]',
        "skustream.event-id": "e1",
        "skustream.sku-id": "A",
        "skustream.image-id": "main",
        "skustream.priority": "live",
        "skustream.job-key": "abc",
        "skustream.job-id": "7",
        "skustream.traceback": "Traceback ...",
    }


def ours(letter: OutRecord) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in letter.headers if name.startswith("skustream.")}


def test_it_says_the_same_to_those_who_know_kafka_connect_or_spring() -> None:
    record = InRecord("shop.raw", 5, 1041, b"A", b"{}", CLOCK_MS, is_append_time=True)
    letter = write_letter("shop.dead-letter", "upscale", record, VERDICT, past=TWICE, read=None)
    assert {name: value for name, value in letter.headers if not name.startswith("skustream.")} == {
        "__connect.errors.topic": b"shop.raw",
        "__connect.errors.partition": b"5",
        "__connect.errors.offset": b"1041",
        "__connect.errors.connector.name": b"skustream",
        "__connect.errors.task.id": b"0",
        "__connect.errors.stage": b"upscale",
        "__connect.errors.class.name": b"stream.runtime.worker.Worker",
        "__connect.errors.exception.class.name": b"skustream.bug",
        "__connect.errors.exception.message": b"KeyError: 'x'",
        "__connect.errors.exception.stacktrace": b"Traceback ...",
        "kafka_dlt-original-topic": b"shop.raw",
        "kafka_dlt-original-partition": bytes.fromhex("00000005"),
        "kafka_dlt-original-offset": bytes.fromhex("0000000000000411"),
        "kafka_dlt-original-timestamp": CLOCK_MS.to_bytes(8, "big"),
        "kafka_dlt-original-timestamp-type": b"LogAppendTime",
        "kafka_dlt-original-consumer-group": b"shop.upscale",
        "kafka_dlt-exception-fqcn": b"skustream.bug",
        "kafka_dlt-exception-message": b"KeyError: 'x'",
        "kafka_dlt-exception-stacktrace": b"Traceback ...",
    }


@pytest.mark.parametrize("dialect", [Dialect.CONNECT, Dialect.SPRING])
def test_a_reader_of_those_alone_learns_the_same(dialect: Dialect) -> None:
    record = InRecord("shop.raw", 5, 1041, b"A", written("A", "e1"), CLOCK_MS)
    letter = write_letter("shop.dead-letter", "upscale", record, VERDICT, past=TWICE, read=None)
    prefix = {Dialect.CONNECT: "__connect.", Dialect.SPRING: "kafka_dlt-"}[dialect]
    kept = tuple((name, value) for name, value in letter.headers if name.startswith(prefix))
    told = read_letter(InRecord("shop.dead-letter", 0, 0, letter.key, letter.value, 1, kept))
    assert told.dialect is dialect
    assert told.origin == Origin(topic="shop.raw", partition=5, offset=1041)
    assert (told.reason, told.error, told.traceback) == ("skustream.bug", "KeyError: 'x'", "Traceback ...")
    assert told.stage in {"skustream:upscale", "shop.upscale"}


def test_without_a_time_and_at_the_last_place_the_binary_ones_are_whole() -> None:
    record = InRecord("t", 2**31 - 1, 2**63 - 1, None, None, timestamp_ms=0)
    letter = write_letter("dlq", "upscale", record, VERDICT, past=TWICE, read=None)
    told = dict(letter.headers)
    assert told["kafka_dlt-original-partition"] == bytes.fromhex("7fffffff")
    assert told["kafka_dlt-original-offset"] == bytes.fromhex("7fffffffffffffff")
    assert told["kafka_dlt-original-timestamp"] == b"\xff" * 8
    assert told["kafka_dlt-original-timestamp-type"] == b"NoTimestampType"
    assert "kafka_dlt-original-consumer-group" not in told


def test_repeats_of_an_event_bear_one_fingerprint() -> None:
    prints = set()
    for event_id, offset in (("e1", 1), ("e2", 2)):
        record = arrived(written("A", event_id), offset)
        letter = write_letter("dlq", "upscale", record, VERDICT, past=TWICE, read=read(record))
        prints.add(ours(letter)["skustream.fingerprint"])
        bare = InRecord("dlq", 0, 0, letter.key, letter.value, 1, (("skustream.stage", b"upscale"),
                                                                   ("skustream.reason", b"bug")))  # fmt: skip
        prints.add(read_letter(bare).fingerprint)
    assert len(prints) == 1


@pytest.mark.parametrize("value", [None, b"", b"\xff\x00", b"x" * 100_000])
def test_the_value_travels_byte_for_byte(value: bytes | None) -> None:
    record = InRecord("t", 1, 2, None, value, timestamp_ms=0)
    letter = write_letter("dlq", "upscale", record, VERDICT, past=TWICE, read=None)
    assert letter.value == value
    assert letter.key is None


@pytest.mark.parametrize("letter", ["x", "é", "🧢", "\ud800"])
def test_the_headers_always_fit(letter: str) -> None:
    """What is long is cut, the traceback last; the facts a person needs are always there."""
    huge = DeadLetter(
        Reason.BUG, letter * 50_000, traceback=letter * 50_000, facts={f"fact-{n}": letter * 50_000 for n in range(8)}
    )
    long = Past(attempts=10**9)
    for _ in range(12):
        long.failed(WoundClock(), letter * 500, letter * 500)
    record = arrived(written("A" * 200, "é" * 200, image_id="🧢" * 200), 2**62)
    written_letter = write_letter("t" * 249, "s" * 49, record, huge, past=long, read=read(record))
    size = sum(len(name.encode()) + len(value or b"") + 10 for name, value in written_letter.headers)
    assert size <= LETTER_HEADERS_MAX_BYTES
    names = [name for name, _ in written_letter.headers]
    assert {"skustream.reason", "skustream.error", "skustream.event-id", "skustream.fact-7"} <= set(names)
    assert "skustream.traceback" in names
    assert {"kafka_dlt-original-offset", "__connect.errors.exception.class.name"} <= set(names)
    told = dict(written_letter.headers)
    assert len(told["kafka_dlt-original-offset"] or b"") == 8
    traces = {"kafka_dlt-exception-stacktrace", "__connect.errors.exception.stacktrace"}
    assert not traces & set(names), "a trace twice or thrice, where one is cut already"
    told = dict(written_letter.headers)
    assert decode_history((told["skustream.history"] or b"").decode()), "never cut in the middle"
    assert len(names) == len(set(names))
