"""Mends: what is typed, what a function does, and that nothing else changes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.errors import Misconfigured
from stream.replays.mending import Mends, Unmendable, changed_identity, parse_mends

RAW = '{"sku_id": "MUG",  "raw_url": "https://a.example/mug.jpg", "sequence": 12345678901234567890}'


def mended(*sets: str, function: Callable[[Any], Any] | None = None, raw: str = RAW) -> dict[str, Any]:
    mends = Mends(parse_mends(list(sets), None).sets, function, "shop:mend" if function else "")
    found: dict[str, Any] = json.loads(mends.apply(raw) or "null")
    return found


def test_values_are_json_where_they_parse_and_words_where_they_do_not() -> None:
    found = mended(
        "params.upscale.scale=2",
        "batch_id=spring",
        "version=2",
        'event_id="7"',
        "params.lifestyle.prompt=a=b",
        "image_id=on sea",
    )
    assert found["params"] == {"upscale": {"scale": 2}, "lifestyle": {"prompt": "a=b"}}
    assert (found["batch_id"], found["version"], found["event_id"], found["image_id"]) == ("spring", "2", "7", "on sea")
    assert found["sequence"] == 12345678901234567890


def test_null_takes_a_field_away() -> None:
    assert "sequence" not in mended("sequence=null")
    assert mended("params.upscale.scale=null")["params"] == {"upscale": {}}


def test_an_empty_event_is_filled() -> None:
    assert mended("sku_id=MUG", "version=2", raw="{}") == {"sku_id": "MUG", "version": "2"}
    assert mended("sku_id=MUG", function=lambda event: {**event, "version": "2"}, raw="{}") == {
        "sku_id": "MUG", "version": "2",
    }  # fmt: skip


def test_an_event_that_nothing_changed_keeps_its_bytes() -> None:
    assert Mends().apply(RAW) == RAW
    assert parse_mends(["sku_id=MUG"], None).apply(RAW) == RAW
    assert Mends(function=lambda event: event, name="shop:mend").apply(RAW) == RAW


def test_a_function_sees_what_was_set_and_may_leave_an_event_out() -> None:
    assert (
        mended("image_id=back", function=lambda event: {**event, "image_id": event["image_id"].upper()})["image_id"]
        == "BACK"
    )
    assert Mends(function=lambda _: None, name="shop:mend").apply(RAW) is None


@pytest.mark.parametrize(
    ("raw", "sets", "function", "says"),
    [
        ("not JSON", ["a=1"], None, "not JSON"),
        ("[" * 100_000, ["a=1"], None, "not JSON"),
        ("[]", ["a=1"], None, "no JSON object"),
        (RAW, ["sku_id.name=1"], None, "sku_id is no object"),
        (RAW, [], lambda _: 1 / 0, "ZeroDivisionError"),
        (RAW, [], lambda _: 1, "returned a int"),
        (RAW, [], lambda _: {"a": object()}, "is not JSON"),
        (RAW, [], lambda _: {"a": float("nan")}, "is not JSON"),
        (RAW, ['image_id="\\ud800"'], None, "is not JSON"),
    ],
)
def test_what_cannot_be_mended_says_why(
    raw: str, sets: list[str], function: Callable[[Any], Any] | None, says: str
) -> None:
    with pytest.raises(Unmendable, match=says):
        Mends(parse_mends(sets, None).sets, function, "shop:mend" if function else "").apply(raw)


@pytest.mark.parametrize("typed", ["", "a", "=1", ".a=1", "a..b=1"])
def test_a_set_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(Misconfigured, match=r"--set: got .*expected key=value"):
        parse_mends([typed], None)


@pytest.mark.parametrize("typed", ["json", "json:nothing", "no.such.module:f", "os.path:sep", "a b:c", ":x", "x:"])
def test_a_function_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(Misconfigured, match="--mend"):
        parse_mends([], typed)


def test_a_function_is_found_by_its_import_path() -> None:
    mends = parse_mends([], "copy:copy")
    assert (mends.apply(RAW), mends.told) == (RAW, "copy:copy")


def test_the_values_set_are_not_told() -> None:
    """They may hold a secret: a presigned URL is one."""
    assert parse_mends(["raw_url=https://a.example/x?X-Amz-Signature=f00"], None).told == "set raw_url"


def test_identity_is_what_names_the_photo_its_image_and_its_place() -> None:
    after = json.dumps({**json.loads(RAW), "sku_id": "CUP", "sequence": 1, "batch_id": "x"})
    assert changed_identity(RAW, after) == ["sku_id", "sequence"]
    assert changed_identity(RAW, RAW) == []


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers() | st.text(max_size=5)), st.integers())
def test_only_what_is_set_changes(event: dict[str, Any], value: int) -> None:
    raw = json.dumps({"x": {"y": 0}, **event})
    found = mended(f"x.y={value}", raw=raw)
    assert found == {**json.loads(raw), "x": {"y": value}}
