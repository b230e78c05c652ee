"""Notifications read as events: the shapes as they are sent, each entry by itself, and never an event from nothing."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.errors import Reason, Rejected
from stream.events import OrderKind, Origin, Priority
from stream.notifications.entry import Own
from stream.notifications.pattern import KeyPattern
from stream.notifications.reading import EntryReader
from stream.notifications.s3 import MAX_ENTRIES, MAX_NOTIFICATION_BYTES
from stream.records import Reading

SHAPES = Path(__file__).parent / "shapes"
SEAWEEDFS: dict[str, str] = json.loads((SHAPES / "seaweedfs.json").read_text())
TIMESTAMP_MS = 1_795_400_000_000
ORIGIN = Origin(topic="product-images.raw", partition=3, offset=41)
READER = EntryReader(KeyPattern.parse("**/{sku}/{image}.*"), frozenset({"photos"}), Own("assets", "shop"))


def reading(value: bytes | None, reader: EntryReader = READER) -> Reading:
    return reader.read(value, ORIGIN, timestamp_ms=TIMESTAMP_MS, priority=Priority.BACKFILL, started_at=5.5)


def entry(key: str = "MUG/front.jpg", *, name: str = "ObjectCreated:Put", **changed: Any) -> dict[str, Any]:
    told = {"bucket": {"name": "photos"}, "object": {"key": quote_plus(key, safe="/")}}
    return {"eventName": name, "eventTime": "2026-11-22T10:00:00.000Z", "s3": told, **changed}


def together(*entries: object) -> bytes:
    return orjson.dumps({"Records": entries})


def test_what_aws_sends() -> None:
    found = reading((SHAPES / "aws.json").read_bytes())
    (record,) = found.events
    assert record.event.image == ("MUG 1", "front é +.v2")
    assert unquote(record.event.raw_url) == "s3://shop-photos/incoming/MUG 1/front é +.v2.jpg"
    assert record.event.raw_url.isascii()
    assert (record.place.kind, record.place.value) == (OrderKind.OCCURRED_AT, 1795341600123000)
    assert (record.origin, record.priority, record.timestamp_ms) == (ORIGIN, Priority.BACKFILL, TIMESTAMP_MS)
    assert record.event.version is None, "what lies there when it is read is what counts"
    assert found.ignored == ("ObjectRemoved:Delete",)
    assert reading((SHAPES / "aws-test.json").read_bytes()) == Reading(ignored=("TestEvent",))


def test_what_minio_sends() -> None:
    (record,) = reading((SHAPES / "minio.json").read_bytes()).events
    assert record.event.image == ("MUG-1", "front side")
    assert record.event.raw_url == "s3://shop-photos/MUG-1/front%20side.jpg"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("created", "MUG-1/front.jpg"),
        ("replaced", "MUG-1/front.jpg"),
        ("multipart", "MUG-1/big.jpg"),
        ("blank-plus-and-accent", "MUG-1/red flower+é.jpg"),
    ],
)
def test_what_seaweedfs_sends_of_new_objects(name: str, key: str) -> None:
    (record,) = reading(bytes.fromhex(SEAWEEDFS[name])).events
    assert unquote(record.event.raw_url) == f"s3://photos/{key}"
    assert record.place.kind is OrderKind.OCCURRED_AT


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("removed", "removed"), ("folder", "folder"), ("bucket", "folder"), ("part-of-an-upload", "part-of-an-upload"),
    ],
)  # fmt: skip
def test_what_seaweedfs_sends_of_everything_else(name: str, why: str) -> None:
    assert reading(bytes.fromhex(SEAWEEDFS[name])) == Reading(ignored=(why,))


def test_a_filer_tells_of_all_its_buckets_and_is_heard_about_the_sources_only() -> None:
    value = bytes.fromhex(SEAWEEDFS["created"])
    assert reading(value, EntryReader(READER.pattern)) == Reading(ignored=("other-bucket",))


def test_entries_are_events_of_their_own_and_a_bad_one_stops_no_other() -> None:
    bad = [
        entry("no-folder.jpg"), entry(s3={"bucket": {"name": "photos"}}), 7, {}, entry(eventTime="yesterday"),
        entry(" MUG/front.jpg"), entry(s3={"bucket": {"name": "../x"}, "object": {"key": "MUG/front.jpg"}}),
        entry(s3={"bucket": {"name": "photos"}, "object": {"key": "MUG/%FF.jpg"}}), entry("MUG/" + "x" * 300 + ".jpg"),
    ]  # fmt: skip
    found = reading(together(entry("A/1.jpg"), *bad, entry("A/1.jpg"), entry("A/f/"), entry("B/2.jpg")))
    assert [(record.origin.index, record.event.image) for record in found.events] == [
        (0, ("A", "1")), (10, ("A", "1")), (12, ("B", "2")),
    ]  # fmt: skip
    assert found.ignored == ("folder",)
    assert [each.index for each in found.misread] == list(range(1, 10))
    assert all(each.error.reason is Reason.INVALID_EVENT for each in found.misread)
    words = [str(each.error) for each in found.misread]
    assert all(f"Records.{each.index}" in str(each.error) for each in found.misread), words
    assert words[0] == (
        "Records.1.s3.object.key: the key does not fit the pattern; got 'no-folder.jpg'; "
        "expected **/{sku}/{image}.* (SKUSTREAM_NOTIFICATION_PATTERN)"
    )
    assert words[1].startswith("Records.2.s3.object: missing")
    assert "yesterday" in words[4]


def test_events_of_several_entries_travel_on_like_any_other() -> None:
    record = reading(together(entry("A/1.jpg"), entry("B/2.jpg"))).events[1]
    again = type(record).model_validate_json(record.with_assets({}, source_version="v").encode())
    assert again.event == record.event
    assert again.origin == ORIGIN.model_copy(update={"index": 1})


def test_our_own_assets_start_no_work() -> None:
    """A store beside the photos would feed itself for ever."""
    ours = entry("shop/MUG/main/transparent-abc.png", s3={
        "bucket": {"name": "assets"}, "object": {"key": "shop/MUG/main/transparent-abc.png"},
    })  # fmt: skip
    beside = {**ours, "s3": {"bucket": {"name": "assets"}, "object": {"key": "shopping/MUG/main.png"}}}
    found = reading(together(ours, beside))
    assert found.ignored == ("own-asset",)
    assert [record.origin.index for record in found.events] == [1]
    assert Own("assets", "").holds("assets", "anything")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (orjson.dumps({"Records": "all"}), "Records: not a list; expected a list of S3 event entries"),
        (together(*[entry()] * (MAX_ENTRIES + 1)), f"Records: 101 entries; expected at most {MAX_ENTRIES} entries"),
        (together(entry("x" * MAX_NOTIFICATION_BYTES)), f"expected at most {MAX_NOTIFICATION_BYTES} bytes"),
        (b'{"Records": [', "not JSON"),
        (b'["Records"]', "not an object"),
        (b"\x12\x03abc", "not JSON"),
        (b"\x0a\x00", "not JSON"),
        (None, "the record has no value"),
    ],
)
def test_what_is_neither_an_event_nor_a_notification_is_refused_whole(value: bytes | None, words: str) -> None:
    with pytest.raises(Rejected) as caught:
        reading(value)
    assert caught.value.reason is Reason.INVALID_EVENT
    assert words in str(caught.value)


def test_an_empty_notification_asks_for_nothing() -> None:
    assert reading(together()) == Reading(ignored=("no-entries",))


def test_the_pims_own_events_are_read_as_ever() -> None:
    for value in (
        b'{"sku_id": "A", "raw_url": "https://pim.example/a.jpg"}',
        b'\n{"sku_id": "A", "raw_url": "https://pim.example/a.jpg", "attributes": {"Records": ["s3:TestEvent"]}}',
    ):
        (record,) = reading(value).events
        assert (record.raw.encode(), record.origin) == (value, ORIGIN)


KEYS = st.text(min_size=1, max_size=60).filter(lambda text: max(text) < "\ud800" or max(text) > "\udfff")


@given(st.lists(st.one_of(
    KEYS.map(entry),
    st.recursive(st.none() | st.booleans() | st.text(max_size=5) | st.integers(0, 9), lambda inner: st.lists(inner)
                 | st.dictionaries(st.sampled_from(["eventName", "s3", "eventTime", "bucket", "object"]), inner)),
), max_size=8))  # fmt: skip
def test_every_entry_has_exactly_one_end_in_the_reading(entries: list[Any]) -> None:
    """An event, a letter, or nothing to do: never two, never none (L1)."""
    found = reading(together(*entries))
    places = [record.origin.index for record in found.events] + [each.index for each in found.misread]
    assert len(places) == len(set(places))
    assert len(places) + len(found.ignored) == max(1, len(entries))
    for record in found.events:
        told = unquote(record.event.raw_url.removeprefix("s3://photos/"), errors="strict")
        assert quote_plus(told, safe="/") == entries[record.origin.index]["s3"]["object"]["key"]


@given(st.binary(max_size=200) | st.sampled_from(sorted(SEAWEEDFS.values())).map(bytes.fromhex), st.data())
def test_any_bytes_are_read_or_refused(value: bytes, data: st.DataObject) -> None:
    """Also a real record with a byte changed or its end cut off."""
    if value:
        at = data.draw(st.integers(0, len(value) - 1))
        value = data.draw(st.sampled_from([value, value[:at], value[:at] + b"\xff" + value[at + 1 :]]))
    try:
        found = reading(value)
    except Rejected:
        return  # one letter
    assert len(found.events) + len(found.misread) + len(found.ignored) == 1
