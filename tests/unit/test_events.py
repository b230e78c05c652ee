"""The PIM's letter: every refusal names the field, the value and what was expected, whatever was sent."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.errors import Reason, Rejected
from stream.events import CLEARLY_MS, MAX_EVENT_BYTES, OrderKind, Origin, Place, RawEvent, read_raw

GOOD: dict[str, Any] = {"sku_id": "A-1", "raw_url": "https://pim.example/a.jpg"}
START = b'{"sku_id":"A","raw_url":"https://h/x.jpg",'
TIME = "an ISO 8601 time with its zone, e.g. 2026-11-22T10:00:00Z"
PRINTABLE = "printable characters without blanks at the ends"


def read(**fields: Any) -> RawEvent:
    return read_raw(orjson.dumps({**GOOD, **fields}))


def refusal(value: bytes | None) -> Rejected:
    with pytest.raises(Rejected) as refused:
        read_raw(value)
    assert refused.value.reason is Reason.INVALID_EVENT
    assert len(str(refused.value)) < 1000, "a person reads this in a header"
    assert str(refused.value).isprintable()
    return refused.value


def test_the_articles_two_fields_are_enough() -> None:
    event = read_raw(b'{"id": "A-1", "raw_url": "s3://photos/a.jpg"}')
    assert event.image == ("A-1", "main")
    assert event.stages is None


def test_every_field_is_read() -> None:
    event = read(
        event_id="e", image_id="back", version="v1", sequence=3, occurred_at="2026-11-22T10:00:00+01:00",
        batch_id="b", stages=["upscale"], params={"upscale": {"scale": 2}}, attributes={"colour": "red"},
    )  # fmt: skip
    assert event.image == ("A-1", "back")
    assert event.stages == ("upscale",)
    assert event.params == {"upscale": {"scale": 2}}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"sku_id": ""}, "sku_id: wrong value; got ''; expected at least 1 character"),
        ({"sku_id": None}, "sku_id: null; expected a valid string"),
        ({"sku_id": 5}, "sku_id: wrong value; got 5; expected a valid string"),
        ({"sku_id": " A"}, f"sku_id: wrong value; got ' A'; expected {PRINTABLE}"),
        ({"sku_id": "A\x00"}, f"sku_id: wrong value; got 'A\\x00'; expected {PRINTABLE}"),
        ({"image_id": "A\u202eB"}, f"image_id: wrong value; got 'A\\u202eB'; expected {PRINTABLE}"),
        ({"event_id": "A\nB"}, f"event_id: wrong value; got 'A\\nB'; expected {PRINTABLE}"),
        ({"id": "B"}, "id: unknown field; got 'B'; expected sku_id or id, not both"),
        ({"raw_url": "ftp://h/x"}, "raw_url: wrong value; got 'ftp://h/x'; expected an https:// or s3:// URL"),
        ({"raw_url": "photo.jpg"}, "raw_url: wrong value; got 'photo.jpg'; expected an https:// or s3:// URL"),
        ({"raw_url": "https:///x"}, "raw_url: wrong value; got 'https:///x'; expected a URL with a host"),
        ({"raw_url": "https://[::1"}, "raw_url: wrong value; got 'https://[::1'; expected a well-formed URL"),
        ({"raw_url": "https://[::1]0"}, "raw_url: wrong value; got 'https://[::1]0'; expected a well-formed URL"),
        ({"raw_url": "https://h:70000/"}, "raw_url: wrong value; got 'https://h:70000/'; expected a well-formed URL"),
        ({"raw_url": "s3://b"}, "raw_url: wrong value; got 's3://b'; expected s3://bucket/key, with a key"),
        (
            {"raw_url": "https://h/a b"},
            "raw_url: wrong value; got 'https://h/a b'; expected a URL without blanks or control characters",
        ),
        (
            {"raw_url": "file://h/x"},
            "raw_url: wrong value; got 'file://h/x'; expected file:///absolute/path, without a host",
        ),
        ({"raw_url": "file:x"}, "raw_url: wrong value; got 'file:x'; expected file:///absolute/path, without a host"),
        ({"sequence": "1"}, "sequence: wrong value; got '1'; expected a valid integer"),
        ({"sequence": 1.0}, "sequence: wrong value; got 1.0; expected a valid integer"),
        ({"sequence": True}, "sequence: wrong value; got True; expected a valid integer"),
        ({"sequence": -1}, "sequence: wrong value; got -1; expected greater than or equal to 0"),
        (
            {"occurred_at": "2026-11-22T10:00:00"},
            f"occurred_at: wrong value; got '2026-11-22T10:00:00'; expected {TIME}",
        ),
        ({"occurred_at": "yesterday"}, f"occurred_at: wrong value; got 'yesterday'; expected {TIME}"),
        ({"occurred_at": "10000-01-01T00:00Z"}, f"occurred_at: wrong value; got '10000-01-01T00:00Z'; expected {TIME}"),
        ({"occurred_at": "20261122T100000Z"}, f"occurred_at: wrong value; got '20261122T100000Z'; expected {TIME}"),
        ({"occurred_at": 1700000000}, f"occurred_at: wrong value; got 1700000000; expected {TIME}"),
        ({"stages": "upscale"}, "stages: wrong value; got 'upscale'; expected a valid array"),
        ({"stages": [1]}, "stages.0: wrong value; got 1; expected a valid string"),
        ({"params": {"upscale": 4}}, "params.upscale: wrong value; got 4; expected an object"),
        ({"attributes": []}, "attributes: wrong value; got []; expected an object"),
        ({"skuid": "x"}, "skuid: unknown field; got 'x'; expected sku_id (perhaps)"),
        ({"sku_id": 1, "raw_url": 2}, "sku_id: wrong value (and 1 more); got 1; expected a valid string"),
    ],
)
def test_a_refusal_names_field_value_and_expectation(fields: dict[str, Any], sentence: str) -> None:
    assert str(refusal(orjson.dumps({**GOOD, **fields}))) == sentence


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "the record has no value; expected a JSON object"),
        (b"[]", "not an object; expected a JSON object"),
        (b"null", "not an object; expected a JSON object"),
        (b'{"sku_id": "A"}', "raw_url: missing; expected a value"),
        (b'{"raw_url": "https://h/x"}', "sku_id: missing; expected a value"),
        (b" " * (MAX_EVENT_BYTES + 1), "1000001 bytes; expected at most 1000000 bytes"),
    ],
)
def test_what_is_no_event_at_all_is_told(value: bytes | None, sentence: str) -> None:
    assert str(refusal(value)) == sentence


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"not json",
        START[:-1] + b"} trailing",
        b"\xef\xbb\xbf" + START[:-1] + b"}",
        b'{"sku_id":"\xff","raw_url":"https://h/x"}',
        b'{"sku_id":"\xed\xa0\x80","raw_url":"https://h/x"}',
        b'{"sku_id":"\\ud800","raw_url":"https://h/x"}',
        START + b'"attributes":{"a":"\\udfff"}}',
        START + b'"attributes":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        START + b'"params":{"a":{"b":' + b"9" * 5000 + b"}}}",
    ],
)
def test_broken_json_is_refused_whatever_is_broken(value: bytes) -> None:
    """Lone surrogates among them: they could never be encoded as a key later."""
    assert "not JSON" in str(refusal(value))


def test_the_limit_itself_is_taken() -> None:
    event = orjson.dumps(GOOD)
    assert read_raw(event + b" " * (MAX_EVENT_BYTES - len(event))).sku_id == "A-1"


@pytest.mark.parametrize("length", [200, 201])
def test_ids_are_bounded(length: int) -> None:
    if length <= 200:
        assert read(sku_id="x" * length).sku_id
    else:
        assert "at most 200 characters" in str(refusal(orjson.dumps({**GOOD, "sku_id": "x" * length})))


def test_a_huge_sequence_is_refused_and_the_largest_taken() -> None:
    assert read(sequence=2**63 - 1).sequence == 2**63 - 1
    assert "less than or equal to" in str(refusal(START + b'"sequence":' + b"9" * 40 + b"}"))


def test_the_name_of_a_field_is_hostile_too() -> None:
    """A megabyte of name, or one that turns the line around: the message stays short and readable."""
    assert refusal(orjson.dumps({**GOOD, "z" * 900_000: 1})).field == "z" * 100 + "…"
    assert refusal(orjson.dumps({**GOOD, "a\u202e\n": 1})).field == "a??"
    assert "sku_id" in str(refusal(orjson.dumps({**GOOD, "é": 1})))


@pytest.mark.parametrize("url", ["https://user:hunter2@h/x", "https://hunter2@h/x", "ftp://h/x?signature=hunter2"])
def test_a_refused_url_does_not_tell_its_secrets(url: str) -> None:
    assert "hunter2" not in str(refusal(orjson.dumps({**GOOD, "raw_url": url})))


def test_a_key_given_twice_counts_as_its_last_value() -> None:
    """JSON leaves it open; every reader of ours uses this one parser, so all agree."""
    assert read_raw(START + b'"sku_id":"B"}').sku_id == "B"


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: START + tail))
def test_any_bytes_are_an_event_or_refused(value: bytes) -> None:
    try:
        event = read_raw(value)
    except Rejected as refused:
        assert refused.reason is Reason.INVALID_EVENT  # noqa: PT017 - both ends are fine
    else:
        event.content_hash()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from(sorted(RawEvent.model_fields)), JSON_VALUES)
def test_any_json_in_any_field_is_an_event_or_refused(field: str, value: Any) -> None:
    try:
        # orjson writes neither NaN nor long integers
        event = read_raw(json.dumps({**GOOD, field: value}).encode())
    except Rejected:
        return
    event.content_hash()
    event.place(Origin(topic="t", partition=0, offset=0), 0)


def test_every_value_json_may_hold_can_be_hashed() -> None:
    """Numbers beyond 64 bits, NaN, and lists as deep as the parser lets through."""
    for odd in (b"9" * 400, b"1e400", b"NaN", b"[" * 180 + b"]" * 180, b'"\\u0000"'):
        event = read_raw(START + b'"params":{"upscale":{"scale":' + odd + b"}}}")
        assert len(event.content_hash()) == 32


# Content: what makes a re-sent event the same.


@pytest.mark.parametrize(
    "change",
    [{"event_id": "x"}, {"batch_id": "b"}, {"attributes": {"a": 1}}, {"sequence": 5}, {"params": {}}],
)
def test_what_is_asked_for_stays_the_same(change: dict[str, Any]) -> None:
    assert read(**change).content_hash() == read().content_hash()


@pytest.mark.parametrize(
    "change",
    [
        {"sku_id": "B"},
        {"image_id": "back"},
        {"raw_url": "https://pim.example/b.jpg"},
        {"version": "2"},
        {"stages": ["upscale"]},
        {"params": {"upscale": {"scale": 2}}},
    ],
)
def test_what_is_asked_for_changes(change: dict[str, Any]) -> None:
    assert read(**change).content_hash() != read().content_hash()


def test_a_version_stands_for_the_photo_so_that_a_presigned_url_may_change() -> None:
    one, other = (read(version="7", raw_url=f"https://pim.example/a.jpg?sig={n}") for n in range(2))
    assert one.content_hash() == other.content_hash()


def test_the_order_of_keys_does_not_count() -> None:
    one, other = read(params={"a": {"x": 1, "y": 2}}), read(params={"a": {"y": 2, "x": 1}})
    assert one.content_hash() == other.content_hash()


# Places: L5.


def origin(offset: int, *, partition: int = 0, index: int = 0, topic: str = "raw") -> Origin:
    return Origin(topic=topic, partition=partition, offset=offset, index=index)


def test_a_place_is_the_sequence_else_the_time_else_the_offset() -> None:
    at = "1970-01-01T00:00:01.000002Z"
    kinds = [
        read(sequence=7, occurred_at=at).place(origin(3), 0),
        read(occurred_at=at).place(origin(3), 0),
        read().place(origin(3), 0),
    ]
    assert [(place.kind, place.value) for place in kinds] == [
        (OrderKind.SEQUENCE, 7),
        (OrderKind.OCCURRED_AT, 1_000_002),
        (OrderKind.OFFSET, 3),
    ]


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("9999-12-31T23:59:59.999999-23:59", 253402387139999999),
        ("0001-01-01T00:00:00+23:59", -62135683140000000),
        ("2026-11-22T10:00:00.123457Z", 1795341600123457),
    ],
)
def test_times_at_the_edges_are_exact(text: str, micros: int) -> None:
    assert read(occurred_at=text).place(origin(0), 0).value == micros


def test_one_moment_in_two_zones_is_one_place() -> None:
    one = read(occurred_at="2026-11-22T10:00:00Z").place(origin(1), 0)
    other = read(occurred_at="2026-11-22T11:00:00+01:00").place(origin(2), 0)
    assert one.compare(other) == 0


@given(st.integers(0, 9), st.integers(0, 9))
def test_numbers_order_by_themselves(mine: int, theirs: int) -> None:
    order = read(sequence=mine).place(origin(100 - mine), 0).compare(read(sequence=theirs).place(origin(theirs), 9))
    assert order == (mine > theirs) - (mine < theirs)


PLACES = st.builds(
    lambda partition, offset, index: Place(
        kind=OrderKind.OFFSET,
        value=offset,
        origin=origin(offset, partition=partition, index=index),
        timestamp_ms=offset // 3 * (partition + 1),
    ),
    st.integers(0, 2),
    st.integers(0, 12),
    st.integers(0, 1),
)


@given(PLACES, PLACES, PLACES)
def test_origins_are_in_one_order_where_the_brokers_time_never_runs_back(one: Place, two: Place, three: Place) -> None:
    """LogAppendTime: a total order, also over partitions."""
    assert one.compare(two) == -two.compare(one)
    assert (one.compare(two) == 0) == (one == two)
    if one.compare(two) <= 0 and two.compare(three) <= 0:
        assert one.compare(three) <= 0


def test_within_a_partition_the_offset_decides_and_between_them_the_brokers_time() -> None:
    late_clock = read().place(origin(4), 9000)
    assert read().place(origin(5), 1000).compare(late_clock) > 0
    assert read().place(origin(999, partition=1), 1000).compare(late_clock) < 0
    assert read().place(origin(0, topic="raw.backfill"), 9001).compare(late_clock) > 0
    assert read().place(origin(4, index=1), 0).compare(late_clock) > 0


def test_a_topic_made_anew_orders_by_the_brokers_time() -> None:
    """Its offsets began again: what was written long after is newer, though its offset is small."""
    before = read().place(origin(90_000), 1_000_000)
    after = read().place(origin(3), 1_000_000 + CLEARLY_MS)
    assert after.compare(before) > 0
    assert before.compare(after) < 0
    assert after.compare(read().place(origin(2), 1_000_000 + CLEARLY_MS)) > 0
    assert after.compare(read().place(origin(3), 1_000_000 + CLEARLY_MS)) == 0
    again = read().place(origin(90_000), 1_000_000 + CLEARLY_MS)
    assert (again.compare(before), before.compare(again)) == (1, -1), "the very same offset, in another life"


@given(st.integers(0, 50), st.integers(0, 50), st.integers(-2 * CLEARLY_MS, 2 * CLEARLY_MS))
def test_within_a_partition_the_offset_decides_unless_the_time_clearly_contradicts(
    mine: int, known: int, later_ms: int
) -> None:
    place, other = read().place(origin(mine), 10**12 + later_ms), read().place(origin(known), 10**12)
    assert place.compare(other) == -other.compare(place)
    if mine == known and abs(later_ms) < CLEARLY_MS:
        assert place.compare(other) == 0
    elif mine != known and (abs(later_ms) < CLEARLY_MS or (later_ms > 0) == (mine > known)):
        assert (place.compare(other) > 0) == (mine > known)
    else:
        assert (place.compare(other) > 0) == (later_ms > 0)


def test_clearly_is_longer_than_clocks_and_batching_are_off() -> None:
    """CreateTime of two producers in one partition: minutes apart the wrong way round, and the offset still decides."""
    assert CLEARLY_MS >= 5 * 60_000
    late_clock = read().place(origin(10), CLEARLY_MS - 1)
    assert read().place(origin(11), 0).compare(late_clock) > 0


@pytest.mark.parametrize(
    ("mine", "known"),
    [({"sequence": 1}, {}), ({}, {"sequence": 1}), ({"occurred_at": "2026-11-22T10:00:00Z"}, {"sequence": 1})],
)
def test_kinds_are_never_compared(mine: dict[str, Any], known: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as refused:
        read(**mine).place(origin(1), 0).compare(read(**known).place(origin(2), 0))
    assert refused.value.reason is Reason.ORDER_KIND
    assert refused.value.expected
