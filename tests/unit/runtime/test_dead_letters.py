"""Letters (L6): the input byte for byte, and headers that always fit."""

import pytest

from stream.broker.port import InRecord
from stream.core.errors import Reason
from stream.retries import Attempt, decode_history
from stream.runtime.dead_letters import write_letter
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter
from stream.topics import LETTER_HEADERS_MAX_BYTES
from tests.unit.runtime.scene import arrived, read, written

VERDICT = DeadLetter(Reason.BUG, "KeyError: 'x'", traceback="Traceback ...", facts={"job-key": "abc", "job-id": "7"})
TWICE = Past(attempts=2, history=(Attempt(5, "transient", "busy"), Attempt(6, "bug", "KeyError")))


def test_a_letter_says_where_it_came_from_and_why() -> None:
    record = arrived(written("A", "e1"), 41)
    letter = write_letter("dlq", "upscale", record, VERDICT, past=TWICE, read=read(record))
    assert (letter.topic, letter.key, letter.value) == ("dlq", record.key, record.value)
    assert {name: (value or b"").decode() for name, value in letter.headers} == {
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
        long.failed(Attempt(2**62, letter * 500, letter * 500))
    record = arrived(written("A" * 200, "é" * 200, image_id="🧢" * 200), 2**62)
    written_letter = write_letter("t" * 249, "s" * 49, record, huge, past=long, read=read(record))
    size = sum(len(name.encode()) + len(value or b"") + 10 for name, value in written_letter.headers)
    assert size <= LETTER_HEADERS_MAX_BYTES
    names = [name for name, _ in written_letter.headers]
    assert {"skustream.reason", "skustream.error", "skustream.event-id", "skustream.fact-7"} <= set(names)
    assert "skustream.traceback" in names
    told = dict(written_letter.headers)
    assert decode_history((told["skustream.history"] or b"").decode()), "never cut in the middle"
    assert len(names) == len(set(names))
