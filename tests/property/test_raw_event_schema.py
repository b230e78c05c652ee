"""The contract's schema of a raw event and the model that reads it agree: what one refuses, the other refuses.

Any field of an event may be anything; what `schemas.UNSAID` lists is left out, and tried by itself at the end.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import event as seen
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError, validators

from stream.contract import schemas
from stream.core.errors import Rejected
from stream.events import MAX_EVENT_BYTES, RawEvent, read_raw
from stream.pipeline import default_pipeline

PIPELINE = default_pipeline()


def ecma(_: object, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    """JSON Schema's patterns are ECMA's, where `$` is the very end; Python's lets a newline follow."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError("pattern")


SCHEMA: Draft202012Validator = validators.extend(Draft202012Validator, {"pattern": ecma})(  # type: ignore[no-untyped-call]
    schemas.raw_event(PIPELINE)
)
STAGES = [stage.name for stage in PIPELINE.stages]
GOOD = {"sku_id": "A", "raw_url": "https://h/x.jpg"}


def by_schema(event: object) -> bool:
    return SCHEMA.is_valid(event)


def by_model(event: object) -> bool:
    try:
        PIPELINE.route(read_raw(json.dumps(event).encode()))
    except Rejected:
        return False
    return True


LETTERS = "aZ0-_.é漢 \t\n\x00\x7f\x85\xa0"
"""Printable characters, and controls and blanks, which both sides name; others are unsaid."""
IDS = st.text(LETTERS, max_size=6) | st.sampled_from(["", " a", "a ", "x" * 200, "x" * 201, "漢" * 200])
HOSTS = st.sampled_from(
    [
        *("h", "cdn.example.com", "127.0.0.1", "[::1]", "", "h:8080", "h:", ":80", "u@h", "u:p@h", "@h", "h:x"),
        *("[::1", "h]", "h ", "é.fr"),
    ]
)  # fmt: skip
PATHS = st.text("/?#@:aé %20.[\\\t", max_size=6)
SCHEMES = st.sampled_from(
    ["https://", "http://", "HTTPS://", "s3://", "S3://", "file://", "file:", "ftp://", "https:", "//", ""]
)
BIG_PORT = re.compile(r":[0-9]{5}")
"""Which five figures are no port any more is unsaid."""
URLS = st.builds("{}{}{}".format, SCHEMES, HOSTS, PATHS).filter(lambda url: not BIG_PORT.search(url)) | st.sampled_from(
    ["https://h/" + "x" * 4086, "https://h/" + "x" * 4087, "file:///a", "file:///", "file://h/a", "s3://b/", "s3://b/k"]
)
TIMES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["2026-11-22", "20261122", "2026-W47-7", "0001-01-01", "9999-12-31", "26-11-22"]),
    st.sampled_from(["T", " ", "t", ""]),
    st.sampled_from(
        ["10:00:00", "10:00", "10", "100000", "10:00:00.5", "23:59:59.123456789", "10:00:00.", "10:00:00,5"]
    ),
    st.sampled_from(["Z", "z", "", "+01:00", "-23:59", "+0100", "+01", " Z"]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.just(2**63) | st.text(LETTERS, max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
    max_leaves=4,
)
NUMBERS = st.integers(-2, 2) | st.sampled_from([2**63 - 1, 2**63, 2**64, 10_000, 10_001, 15, 16, 0.5, 500.5])
PARAMS = st.dictionaries(
    st.sampled_from([*STAGES, "upscal", ""]),
    JSON
    | st.fixed_dictionaries(
        {},
        optional={
            "scale": NUMBERS | st.sampled_from([2, 4, "4"]),
            "skip_if_longest_side": NUMBERS | st.none(),
            "prompt": st.sampled_from(["", "a", "x" * 2000, "x" * 2001]) | JSON,
            "widths": st.lists(NUMBERS, max_size=2) | JSON,
            "formats": st.lists(st.sampled_from(["webp", "jpeg", "png"]), max_size=2) | JSON,
            "flatten": st.sampled_from(["#ffffff", "#FFF", "ffffff", "#00ff0g"]),
        },
    ),
    max_size=2,
)
ROUTES = st.sampled_from([None, [], STAGES, STAGES[:2], [*STAGES, STAGES[0]], ["upscal"], [1], "remove-bg"])
"""Chains that hold: which stage finds what it needs is unsaid."""
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "sku_id": IDS | JSON, "id": IDS | JSON, "raw_url": URLS | JSON, "event_id": IDS | JSON, "image_id": IDS | JSON,
    "version": IDS | JSON, "sequence": NUMBERS | JSON, "occurred_at": TIMES | JSON, "batch_id": IDS | JSON,
    "stages": ROUTES, "params": PARAMS | JSON, "attributes": JSON, "skuid": JSON,
}  # fmt: skip


def differing(field: str) -> st.SearchStrategy[dict[str, Any]]:
    """A good event with one field of any kind: that field alone decides."""
    if field == "id":
        return FIELDS["id"].map(lambda value: {"id": value, "raw_url": GOOD["raw_url"]})
    return FIELDS[field].map(lambda value: {**GOOD, field: value})


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_refused_by_both_or_by_neither(field: str) -> None:
    @settings(max_examples=150)
    @given(differing(field))
    def agree(event: dict[str, Any]) -> None:
        assert by_schema(event) == by_model(event), event

    agree()


@settings(max_examples=300)
@given(st.fixed_dictionaries({}, optional=FIELDS) | JSON)
def test_an_event_of_any_fields_is_refused_by_both_or_by_neither(event: Any) -> None:
    taken = by_model(event)
    seen("taken" if taken else "refused")
    assert by_schema(event) == taken


@settings(max_examples=100)
@given(st.fixed_dictionaries({
    "sku_id": st.sampled_from(["A", "é 漢", "x" * 200]),
    "raw_url": st.sampled_from(["https://h/x", "s3://b/k", "file:///a"]),
}, optional={
    "image_id": st.just("side"), "sequence": st.integers(0, 2**63 - 1), "stages": st.just(STAGES[:1]),
    "occurred_at": st.just("2026-11-22T10:00:00.5+01:00"), "params": st.just({"upscale": {"scale": 2}}),
    "attributes": st.dictionaries(st.text(), JSON),
}))  # fmt: skip
def test_good_events_are_taken_by_both(event: dict[str, Any]) -> None:
    assert by_schema(event)
    assert by_model(event)


@pytest.mark.parametrize(
    "fields",
    [
        {"sequence": 1.0},  # JSON Schema calls it an integer
        {"sku_id": "a\u200bb"},  # a format character: no dialect of regular expressions shares its name
        {"occurred_at": "2026-02-30T10:00:00Z"},
        {"raw_url": "https://h:70000/x"},
        {"raw_url": "https://[1.2.3.4.5]/x"},
        {"stages": ["upscale"]},
        {"attributes": {"text": "x" * MAX_EVENT_BYTES}},
    ],
)
def test_what_no_schema_can_say_is_refused_by_the_model_all_the_same(fields: dict[str, Any]) -> None:
    """The list of `UNSAID`: when one of these is refused by the schema as well, the list is too long."""
    event = {**GOOD, **fields}
    assert by_schema(event)
    assert not by_model(event)


def test_every_field_of_the_model_was_tried() -> None:
    assert RawEvent.model_fields.keys() <= FIELDS.keys()
