"""The index: whatever lies in the topics it takes, keeps little of it, and shows the latest."""

import gc
import hashlib
import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from stream.broker.port import InRecord
from stream.console import letterbox
from stream.console.index import Index
from stream.console.pictures import Picture, pack, unit_of, unpack
from stream.topics import Topics

TOPICS = Topics("shop")
HASH = "0123456789abcdef0123"
ORIGIN = {"topic": "shop.raw", "partition": 0, "offset": 0, "index": 0}


def terminal(sku: str = "A", *, at_ms: int = 1_000, status: str = "completed", **fields: Any) -> InRecord:
    value = {
        "sku_id": sku, "image_id": "main", "batch_id": "spring", "status": status, "replay": 0, "credits": "10",
        "origin": {**ORIGIN, "offset": at_ms}, "started_at": 1.0,
        "finished_at": 2.5, "assets": {"transparent": facts(f"{sku}/main/transparent-{HASH}.png")}, **fields,
    }  # fmt: skip
    return InRecord(TOPICS.completed, 0, at_ms, b"", json.dumps(value).encode(), timestamp_ms=at_ms)


def facts(key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "width": 10, "height": 20, "bytes": 30, "credits": "10", "seconds": 1.5, **more}


def taken(*records: InRecord) -> Index:
    index = Index(TOPICS)
    for record in records:
        index.take(record)
    index.publish({}, now=10.0)
    return index


def test_pictures_are_kept_as_they_were_told() -> None:
    (row,) = taken(terminal()).newest
    key = f"A/main/transparent-{HASH}.png"
    assert row.pictures == [Picture("transparent", key, 10, 20, 30, Decimal(10), 1.5)]
    assert (row.credits, row.seconds, row.batch_id) == (Decimal(10), 1.5, "spring")


def test_the_latest_finished_pictures_count_and_superseded_ones_do_not() -> None:
    later = terminal(at_ms=3_000, credits="7")
    index = taken(later, terminal(at_ms=2_000), terminal(at_ms=4_000, status="superseded", credits="9"))
    assert [row.credits for row in index.newest] == [Decimal(7)]
    assert [row.sku_id for row in taken(terminal("A", at_ms=1), terminal("B", at_ms=2)).newest] == ["B", "A"]


HOSTILE_FACTS: list[object] = [
    None, 1, [], {}, facts("B/main/transparent-0123456789abcdef0123.png"), facts("../x.png"), facts("A/main/x.png"),
    facts(f"A/main/transparent-{HASH}.html"), facts(f"A/main/transparent-{HASH}.svg"),
    facts(f"A/main/transparent-{HASH}.png", width=-1), facts(f"A/main/transparent-{HASH}.png", bytes=2**70),
    facts(f"A/main/transparent-{HASH}.png", width="<b>"), facts(f"A/main/transparent-{HASH}.png", credits="NaN"),
    facts(f"A/main/transparent-{HASH}.png", credits="-1"),
    facts(f"A/main/transparent-{HASH}.png", credits="1E-9000000000"),  # nine gigabytes, written out
    facts(f"A/main/transparent-{HASH}.png", credits=[]),
    facts(f"A/main/transparent-{HASH}.png", seconds="soon"), {"key": ["A"]},
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE_FACTS)
def test_what_is_no_picture_of_the_image_is_left_out(hostile: object) -> None:
    unit = unit_of("A", "main")
    good = facts(f"A/main/raw-{HASH}.jpg")
    assert [each.name for each in unpack(unit, pack(unit, {"bad": hostile, "raw": good}))] == ["raw"]
    assert unpack(unit, pack(unit, hostile)) == []


HOSTILE_VALUES: list[bytes | None] = [
    None, b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 5_000, b'{"status":"completed"}',
    json.dumps({"status": "completed", "sku_id": 1, "image_id": None}).encode(),
    json.dumps({"batch_id": "x" * 10_000, "status": "?"}).encode(), b'{"batch_id": {"a": 1}, "status": []}',
]  # fmt: skip


@pytest.mark.parametrize("topic", [TOPICS.raw, TOPICS.backfill, TOPICS.completed, TOPICS.dead_letter, TOPICS.replays])
@pytest.mark.parametrize("value", HOSTILE_VALUES)
def test_nothing_that_lies_in_a_topic_stops_the_reading(topic: str, value: bytes | None) -> None:
    index = taken(InRecord(topic, 0, 0, b"\xff", value, timestamp_ms=-1, headers=(("x", None),)), terminal())
    assert [row.sku_id for row in index.newest] == ["A"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"credits": "NaN"},
        {"credits": "1E-9000000000"},
        {"credits": "-5"},
        {"finished_at": "x"},
        {"sku_id": "x" * 300},
        {"replay": "x"},
    ],
)
def test_a_record_with_a_wrong_figure_is_counted_and_shows_nothing(wrong: dict[str, Any]) -> None:
    index = taken(terminal(**wrong))
    assert index.newest == ()
    assert index.unreadable == 1


def test_more_letters_than_are_kept_push_the_oldest_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letterbox, "MAX_LETTERS", 3)
    one = InRecord(TOPICS.dead_letter, 0, 0, b"", b'{"sku_id": "A", "raw_url": "x"}', timestamp_ms=1)
    index = taken(*(replace(one, offset=number, timestamp_ms=number) for number in range(5)))
    assert [row.at.offset for row in index.letters.newest] == [4, 3, 2]
    assert index.letters.dropped == 2
    assert len(index.letters.about("A/main")) == 3


def test_an_image_with_twenty_pictures_costs_three_kilobytes_at_most() -> None:
    """50,000 of them, with their batch, stay well below 200 MB."""
    count, names = (
        1_000,
        [f"{source}-{width}-{kind}" for source in "ab" for width in range(5) for kind in ("webp", "jpg")],
    )

    def records(number: int) -> Iterator[InRecord]:
        sku = f"SKU-{number:06}-COBALT"
        value = json.dumps({"sku_id": sku, "raw_url": f"https://x.example.com/{sku}.jpg", "batch_id": "spring"})
        yield InRecord(TOPICS.raw, 0, number, b"", value.encode(), timestamp_ms=1_000)
        hashed = hashlib.sha256(sku.encode()).hexdigest()[:20]
        assets = {name: facts(f"{sku}/main/{name}-{hashed}.jpg", bytes=number * 7_919) for name in names}
        yield terminal(sku, at_ms=2_000 + number, assets=assets, origin={**ORIGIN, "offset": number})

    tracemalloc.start()
    try:
        index = taken(*(record for number in range(count) for record in records(number)))
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(index.newest) == len(index.batches["spring"].entries) == count
    assert used / count < 3_000
