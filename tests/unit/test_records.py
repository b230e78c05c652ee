"""What walks between the stages: the raw event verbatim, and the one terminal record."""

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.errors import Reason, Rejected
from stream.events import MAX_EVENT_BYTES, OrderKind, Origin, Priority
from stream.records import (
    MAX_RECORD_BYTES,
    Asset,
    StageRecord,
    Status,
    Terminal,
    event_id_of,
    first_record,
    read_stage_record,
    terminal_of,
)

ORIGIN = Origin(topic="product-images.raw", partition=3, offset=41, index=1)
RAW = b'{ "sku_id":"A", "raw_url":"https://pim.example/a.jpg" }\n'


def first(value: bytes = RAW) -> StageRecord:
    return first_record(value, ORIGIN, timestamp_ms=1000, priority=Priority.BACKFILL, started_at=5.5)


def asset(name: str, price: str = "0.02") -> Asset:
    return Asset(
        key=f"A/main/{name}.png",
        url=f"https://cdn.example/A/main/{name}.png",
        content_type="image/png",
        width=10,
        height=20,
        bytes=300,
        sha256="0" * 64,
        credits=Decimal(price),
        seconds=1.5,
    )


def test_a_stage_record_reads_back_with_the_raw_event_byte_for_byte() -> None:
    record = first().with_assets({"transparent": asset("t")}, source_version="etag-1")
    again = read_stage_record(record.encode())
    assert again == record
    assert again.raw.encode() == RAW
    assert (again.source_version, again.priority) == ("etag-1", Priority.BACKFILL)
    assert again.assets["transparent"].credits == Decimal("0.02")


def test_assets_gather_and_the_source_version_stays() -> None:
    record = first().with_assets({"a": asset("a")}, source_version="v").with_assets({"b": asset("b")})
    assert list(record.assets) == ["a", "b"]
    assert record.source_version == "v"
    assert first().assets == {}


def test_a_record_keeps_its_origins_place() -> None:
    place = first().place
    assert (place.kind, place.value, place.origin, place.timestamp_ms) == (OrderKind.OFFSET, 41, ORIGIN, 1000)


def test_any_event_that_is_taken_fits_a_stage_record() -> None:
    """The worst JSON can do to JSON: every byte escaped (L6: every letter must be writable)."""
    filler = b"\n" * (MAX_EVENT_BYTES - len(RAW))
    record = first(RAW + filler).with_assets({f"asset-{n}": asset("x" * 500) for n in range(40)}, source_version="v")
    encoded = record.encode()
    assert len(encoded) <= MAX_RECORD_BYTES
    assert read_stage_record(encoded) == record


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_whatever_the_raw_event_says_comes_back(text: str) -> None:
    value = orjson.dumps({"sku_id": "A", "raw_url": "https://h/x", "attributes": {"note": text}})
    record = first(value).with_assets({}, source_version="v")
    assert read_stage_record(record.encode()).raw.encode() == value


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source_version": None}, "source_version"),
        ({"v": 2}, "v"),
        ({"raw": "{}"}, "sku_id"),
        ({"raw": "not json"}, None),
        ({"origin": {"topic": "t", "partition": 0}}, "origin.offset"),
        ({"origin": {"topic": "t", "partition": 0, "offset": -1}}, "origin.offset"),
        ({"origin": {"topic": "t", "partition": 0, "offset": 2**70}}, "origin.offset"),
        ({"timestamp_ms": 2**63}, "timestamp_ms"),
        ({"replay": -1}, "replay"),
        ({"priority": "urgent"}, "priority"),
        ({"started_at": float("nan")}, "started_at"),
        ({"assets": {"a": {"key": "x"}}}, "assets.a.url"),
    ],
)
def test_stage_topics_are_hostile_until_checked(change: dict[str, Any], field: str | None) -> None:
    good = orjson.loads(first().with_assets({}, source_version="v").encode())
    with pytest.raises(Rejected) as refused:
        read_stage_record(json.dumps({**good, **change}).encode())
    assert refused.value.reason is Reason.INVALID_EVENT
    assert refused.value.field == field


@pytest.mark.parametrize("value", [None, b"", b"[]", b"\xff", b" " * (MAX_RECORD_BYTES + 1)])
def test_what_is_no_record_is_refused(value: bytes | None) -> None:
    with pytest.raises(Rejected):
        read_stage_record(value)


def test_a_first_record_is_refused_like_its_event() -> None:
    with pytest.raises(Rejected, match="no value"):
        first_record(None, ORIGIN, timestamp_ms=0, priority=Priority.LIVE, started_at=0)


def test_a_terminal_record_names_its_origin_and_counts_what_was_paid() -> None:
    record = first().with_assets({"a": asset("a"), "b": asset("b").as_reused(), "c": asset("c", "0.10")})
    record = record.with_assets({}, source_version="v")
    terminal = terminal_of(record, status=Status.COMPLETED, finished_at=9.0)
    told = orjson.loads(terminal.encode())
    assert Terminal.model_validate_json(terminal.encode()) == terminal
    assert told["origin"] == {"topic": "product-images.raw", "partition": 3, "offset": 41, "index": 1}
    assert told["credits"] == "0.12", "decimals travel as text, so that nothing is rounded"
    assert told["assets"]["b"]["credits"] == "0"
    assert (told["sku_id"], told["image_id"], told["status"], told["replay"]) == ("A", "main", "completed", 0)


def test_a_superseded_event_names_its_better() -> None:
    newer = Origin(topic="product-images.raw", partition=3, offset=50)
    terminal = terminal_of(first(), status=Status.SUPERSEDED, finished_at=9.0, superseded_by=newer)
    assert (terminal.superseded_by, terminal.credits) == (newer, Decimal(0))


def test_an_event_without_an_id_is_named_by_its_origin() -> None:
    assert event_id_of(first()) == "product-images.raw-3-41-1"
    assert terminal_of(first(), status=Status.COMPLETED, finished_at=1.0).event_id == "product-images.raw-3-41-1"
    named = first(b'{"sku_id":"A","raw_url":"https://h/x","event_id":"mine"}')
    assert event_id_of(named) == "mine"


NOON_MS = 1_795_348_800_000  # 2026-11-22T12:00:00Z
EARLY = "2026-11-23T11:59:59Z"
LATE = "2026-11-23T12:00:01Z"


def taken(timestamp_ms: int, started_at: float = NOON_MS / 1000, **fields: Any) -> StageRecord:
    value = orjson.dumps({"sku_id": "A", "raw_url": "https://pim.example/a.jpg", **fields})
    return first_record(value, ORIGIN, timestamp_ms=timestamp_ms, priority=Priority.LIVE, started_at=started_at)


@pytest.mark.parametrize("timestamp_ms", [NOON_MS, 0, -1])
def test_an_event_from_the_far_future_is_refused(timestamp_ms: int) -> None:
    """It would stay the newest of its image, and every later event would be superseded (L5)."""
    assert taken(timestamp_ms, occurred_at=EARLY).place.value
    for moment in (LATE, "9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59-14:00"):
        with pytest.raises(Rejected) as refused:
            taken(timestamp_ms, occurred_at=moment)
        assert refused.value.reason is Reason.INVALID_EVENT
        assert refused.value.field == "occurred_at"
        assert "at most a day after Kafka took the record (2026-11-22T12:00:00Z)" in str(refused.value)


def test_kafkas_time_decides_and_not_our_clock() -> None:
    """Read again after a crash, on a machine whose clock is wrong, the record means what it meant."""
    assert taken(NOON_MS, started_at=0.0, occurred_at=EARLY).place.value
    with pytest.raises(Rejected):
        taken(NOON_MS, started_at=NOON_MS, occurred_at=LATE)


def test_where_the_sequence_orders_the_time_is_only_told() -> None:
    assert taken(NOON_MS, sequence=1, occurred_at="9999-12-31T23:59:59Z").place.kind is OrderKind.SEQUENCE
    assert taken(NOON_MS, occurred_at="0001-01-01T00:00:00+00:00").place.value < 0
