"""Whatever stands in a raw or stage topic is an event or `Rejected`; an event's keys stay short and in their place."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import strategies as st

from stream.core.errors import Reason, Rejected
from stream.events import DEFAULT_IMAGE_ID, Origin, Priority, RawEvent, read_raw
from stream.objects import keys
from stream.pipeline import default_pipeline
from stream.records import StageRecord, Status, first_record, read_stage_record, terminal_of
from tests.fuzz.conftest import Fuzz
from tests.fuzz.fuzzer import mutated
from tests.hostile import events

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

PIPELINE = default_pipeline()
ORIGIN = Origin(topic="product-images.raw", partition=3, offset=41)
NOW = 1_795_348_800.0
LONGEST_KEY_BYTES = 1_024
"""Of S3; and a folder's file names have 255 at most."""
LONGEST_NAME_BYTES = 255
TEXTS = [
    *events.NAMES, *events.INSIDE, "https://h/a.jpg", "https://[::1", "2026-11-22T10:00:00Z", "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00", "remove-bg", "upscale", "\u202e", "\u200d", "\x7f", "A" * 201, "\U0010ffff",
]  # fmt: skip
WORDS = tuple(
    text.encode() for text in (*RawEvent.model_fields, "id", "\\ud800", "\\u0000", "1e999", "NaN", "[[[[", "}")
)

texts = st.sampled_from(TEXTS) | st.text(max_size=30)
numbers = st.integers() | st.floats() | st.sampled_from([2**63 - 1, 2**63, -1, 10**400])
names = st.sampled_from([*RawEvent.model_fields, "id", "scale", "prompt", "widths", "upscale", "lifestyle"]) | texts
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
wholes = st.builds(lambda fields: events.event(**fields), st.dictionaries(names, values, max_size=6))
samples = wholes | st.sampled_from(
    [value or b"" for value, _, _ in events.RECORDS.values() if len(value or b"") < 5_000]
)


def refused(error: Rejected) -> None:
    assert error.reason is Reason.INVALID_EVENT
    assert len(str(error)) < 1_000
    assert str(error).isprintable()


def told(event: RawEvent) -> None:
    """An event can be hashed, placed, routed, and named in the store."""
    assert event.content_hash() == event.content_hash()
    event.place(ORIGIN, 0)
    try:
        PIPELINE.route(event)
    except Rejected as error:
        refused(error)
    made = [
        keys.asset_key(event.sku_id, event.image_id, "lifestyle-1600-webp", "a" * 20, "webp"),
        keys.manifest_key(event.sku_id, event.image_id), keys.newest_path(event.sku_id, event.image_id),
        keys.version_path("o", event.sku_id, event.image_id),
    ]  # fmt: skip
    for key in made:
        parts = key.split("/")
        assert len(key.encode()) < LONGEST_KEY_BYTES - 200, "the store's own prefix comes before it"
        assert all(0 < len(part.encode()) <= LONGEST_NAME_BYTES and part.strip(".") for part in parts)


def test_raw_events(fuzz: Fuzz[bytes]) -> None:
    def check(value: bytes) -> None:
        try:
            record = first_record(value, ORIGIN, timestamp_ms=0, priority=Priority.LIVE, started_at=NOW)
        except Rejected as error:
            refused(error)
            return
        told(record.event)
        assert record.raw.encode() == value
        further = record.with_assets({}, source_version="v")
        assert read_stage_record(further.encode()) == further
        end = terminal_of(further, status=Status.COMPLETED, finished_at=NOW)
        assert orjson.loads(end.encode())["sku_id"] == record.event.sku_id

    fuzz(mutated(samples, WORDS), check)


def test_stage_records(fuzz: Fuzz[bytes]) -> None:
    good = first_record(events.event(), ORIGIN, timestamp_ms=5, priority=Priority.LIVE, started_at=NOW)
    fields: dict[str, Any] = orjson.loads(good.with_assets({}, source_version="v").encode())
    changed = st.dictionaries(st.sampled_from(list(StageRecord.model_fields)), values, max_size=3)
    records = changed.map(lambda change: json.dumps({**fields, **change}).encode())

    def check(value: bytes) -> None:
        try:
            record = read_stage_record(value)
        except Rejected as error:
            refused(error)
            return
        told(record.event)
        assert read_stage_record(record.encode()) == record

    fuzz(mutated(records, WORDS), check)


def test_two_images_never_share_a_place(fuzz: Fuzz[tuple[tuple[str, str], tuple[str, str]]]) -> None:
    """All ids that an event may carry, and those that look alike on some file system."""
    ids = st.builds(_ids, texts, texts).filter(lambda unit: unit is not None)

    def check(units: tuple[tuple[str, str], tuple[str, str]]) -> None:
        one, other = units
        for make in (keys.newest_path, keys.manifest_key):
            assert (make(*one) == make(*other)) == (one == other)

    fuzz(st.tuples(ids, ids), check)


def _ids(sku: str, image: str) -> tuple[str, str] | None:
    try:
        return read_raw(events.event(sku_id=sku, image_id=image or DEFAULT_IMAGE_ID)).image
    except Rejected:
        return None
