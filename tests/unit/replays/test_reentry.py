"""Where a letter goes back in: its own stage or the first, with which bytes, and what is refused in words."""

import json
from dataclasses import replace
from typing import Any

import pytest

from stream.events import Priority
from stream.letters.letter import Dialect, Letter
from stream.records import read_stage_record
from stream.replays.held import Cause, Held
from stream.replays.mending import parse_mends
from stream.replays.reentry import Reentry, Wish, reenter
from tests.unit.replays.made import (
    DOORS,
    ENTERED_MS,
    PIPELINE,
    URL,
    between,
    doors,
    event,
    letter,
    origin,
    stage_record,
)


def held(given: Letter, wish: Wish | None = None) -> Held:
    with pytest.raises(Held) as found:
        reenter(given, wish or Wish(), DOORS)
    return found.value


def mending(*sets: str, from_raw: bool = False) -> Wish:
    return Wish(from_raw=from_raw, mends=parse_mends(list(sets), None))


def back(given: Letter, wish: Wish | None = None) -> Reentry:
    return reenter(given, wish or Wish(), DOORS)


def test_a_letter_goes_back_to_its_own_stage_byte_for_byte_with_the_next_number() -> None:
    given = between(stage_record(replay=1), replay=1)
    found = back(given)
    assert (found.stage, found.value, found.key) == ("upscale", given.value, b"MUG")
    assert (found.origin, found.timestamp_ms, found.replay) == (origin(), ENTERED_MS, 2)
    assert (found.record.priority, found.record.replay) == (Priority.REPLAY, 2)
    assert (found.is_mended, found.is_at_raw) == (False, False)


def test_what_the_letter_bears_of_its_trace_goes_back_with_it_and_nothing_malformed_does() -> None:
    trace = (("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),)
    assert back(letter(headers=(*trace, ("skustream.reason", b"bug")))).trace == trace
    assert back(letter(headers=(("traceparent", b"x" * 9_000),))).trace == ()


def test_from_raw_it_goes_to_the_first_stage_with_the_raw_event_verbatim() -> None:
    raw = b'{"sku_id":  "MUG", "raw_url": "https://photos.example.com/mug.jpg"}'
    found = back(between(stage_record(raw), stage="lifestyle"), Wish(from_raw=True))
    assert (found.stage, found.value, found.is_at_raw) == ("remove-bg", raw, True)
    assert (found.origin, found.timestamp_ms) == (origin(), ENTERED_MS)


def test_of_a_notification_only_the_entry_of_the_origin_goes_back() -> None:
    entries = [
        {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
         "eventTime": "2026-09-21T10:00:00.000Z",
         "s3": {"bucket": {"name": "photos"}, "object": {"key": f"{sku}/main.jpg", "size": 1}}}
        for sku in ("CUP", "MUG")
    ]  # fmt: skip
    value = json.dumps({"Records": entries}).encode()
    given = letter(value, origin=origin(index=1))
    found = back(given)
    assert (found.value, found.origin.index, found.record.event.sku_id) == (value, 1, "MUG")
    mended = back(given, mending("params.upscale.scale=2"))
    assert json.loads(mended.value) == {
        "sku_id": "MUG", "image_id": "main", "raw_url": "s3://photos/MUG/main.jpg",
        "occurred_at": "2026-09-21T10:00:00.000Z", "params": {"upscale": {"scale": 2}},
    }  # fmt: skip
    assert mended.origin == origin(index=1)
    assert held(letter(value, origin=origin(index=2))).cause is Cause.INVALID_EVENT


def test_a_mend_inside_a_stage_record_changes_the_raw_event_alone() -> None:
    given = between()
    found = back(given, mending("params.upscale.scale=2"))
    before, after = read_stage_record(given.value), read_stage_record(found.value)
    assert after.event.params == {"upscale": {"scale": 2}}
    assert after.model_copy(update={"raw": before.raw}) == before
    assert (found.stage, found.origin, found.is_mended) == ("upscale", origin(), True)


def test_a_wrong_event_is_mended_and_keeps_its_origin() -> None:
    wrong = event(colour="red")
    assert held(letter(wrong)).cause is Cause.INVALID_EVENT
    found = back(letter(wrong), mending("colour=null"))
    assert (json.loads(found.value), found.origin) == (json.loads(event()), origin())


def test_another_product_gets_the_key_that_keeps_its_images_together() -> None:
    assert back(letter(), mending("sku_id=CUP")).key == b"CUP"


@pytest.mark.parametrize(
    "typed", ["sku_id=CUP", "raw_url=https://b.example/x.jpg", "version=2", "sequence=9", "image_id=back"]
)
def test_another_identity_makes_sense_only_from_raw(typed: str) -> None:
    found = held(between(), mending(typed))
    assert (found.cause, typed.partition("=")[0] in found.sentence) == (Cause.IDENTITY, True)
    assert back(between(), mending(typed, from_raw=True)).stage == "remove-bg"


def test_what_earlier_stages_have_made_is_not_mended_away() -> None:
    given = between(stage_record(None, "raw", "transparent", "upscaled"), stage="lifestyle")
    assert held(given, mending("params.upscale.scale=2")).cause is Cause.DONE_BEFORE
    assert back(given, mending("params.lifestyle.prompt=on a table")).is_mended


def test_another_photo_is_noticed() -> None:
    assert back(between(), mending("raw_url=https://b.example/x.jpg", from_raw=True)).old_url == URL
    assert back(between(), mending("params.upscale.scale=2", from_raw=True)).old_url is None


@pytest.mark.parametrize("typed", ["raw_url=gopher://x", "params.upscale.scale=3", 'stages=["nothing"]', "sequence=-1"])
def test_an_event_that_a_mend_made_wrong_is_refused(typed: str) -> None:
    assert held(letter(), mending(typed)).cause is Cause.INVALID_EVENT


def test_headers_about_another_event_than_the_value_are_refused() -> None:
    """Its mark would be about the value's event: the letter would never pass for replayed."""
    assert held(between(stage_record(at=origin(8)))).cause is Cause.INVALID_EVENT
    assert held(between(origin_timestamp_ms=ENTERED_MS + 1)).cause is Cause.INVALID_EVENT
    assert back(between(origin_timestamp_ms=0)).timestamp_ms == ENTERED_MS


def test_the_loop_guard_counts_replays() -> None:
    assert back(letter(replay=2)).replay == 3
    assert held(letter(replay=3)).cause is Cause.TOO_OFTEN
    assert reenter(letter(replay=3), Wish(max_replays=4), DOORS).replay == 4


def test_a_foreign_letter_goes_back_from_raw_only_and_only_if_it_is_an_event() -> None:
    given = letter(dialect=Dialect.SPRING, stage="billing", replay=0)
    found = held(given)
    assert (found.cause, "spring" in found.sentence) == (Cause.FOREIGN, True)
    assert back(given, Wish(from_raw=True)).stage == "remove-bg"
    assert held(replace(given, value=b"\0\xff"), Wish(from_raw=True)).cause is Cause.INVALID_EVENT
    nowhere = replace(given, dialect=Dialect.UNKNOWN, origin=None, origin_timestamp_ms=0)
    placed = back(nowhere, Wish(from_raw=True))
    assert (placed.origin.topic, placed.timestamp_ms) == (given.at.topic, given.timestamp_ms)


def test_a_stage_that_the_pipeline_lost_is_told_and_the_raw_event_goes_back() -> None:
    given = between(stage="shadow")
    assert held(given).cause is Cause.STAGE_GONE
    assert back(given, Wish(from_raw=True)).stage == "remove-bg"
    shorter = PIPELINE.model_copy(update={"stages": PIPELINE.stages[1:2]})
    with pytest.raises(Held) as found:
        reenter(between(), Wish(), doors(shorter))
    assert found.value.cause is Cause.STAGE_GONE


def test_without_a_record_time_only_an_event_with_an_order_of_its_own_has_a_place() -> None:
    assert held(letter(origin_timestamp_ms=0)).cause is Cause.NO_PLACE
    assert back(letter(event(sequence=1), origin_timestamp_ms=0)).timestamp_ms == -1
    # Mended it would meet its former self as a rival of the same place.
    assert held(letter(event(sequence=1), origin_timestamp_ms=0), mending("batch_id=x")).cause is Cause.NO_PLACE


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"[]", b"null", b"{}", b"{" * 5_000, b"0" * 5_000_000])
@pytest.mark.parametrize("stage", ["remove-bg", "thumbnails", "\x1b[31m", ""])
@pytest.mark.parametrize(
    "wish", [Wish(), Wish(from_raw=True), mending("batch_id=x"), mending("batch_id=x", from_raw=True)]
)
def test_whatever_a_letter_holds_it_is_held_in_words(value: bytes, stage: str, wish: Wish) -> None:
    found = held(letter(value, stage=stage), wish)
    assert len(str(found)) < 5_000
    assert str(found).isprintable()


def test_a_letter_without_a_value_is_held() -> None:
    nothing: Any = replace(letter(), value=None)
    assert held(nothing).cause is Cause.INVALID_EVENT
