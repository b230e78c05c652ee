"""How ends are counted: pure, from records in any order."""

import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from stream.broker.port import InRecord
from stream.catalog.book import Book
from stream.catalog.notes import BatchNote, Submission, SubmitState
from stream.catalog.standing import Standing, seconds_left, standing_of
from stream.events import Priority, read_raw

RAW, COMPLETED, LETTERS = "shop.raw", "shop.completed", "shop.dead-letter"
NOW = 1_800_000_000.0


def raw(offset: int, sku_id: str = "A", *, topic: str = RAW, time_ms: int | None = None, **fields: Any) -> InRecord:
    value = orjson.dumps({"sku_id": sku_id, "raw_url": "https://x/y", "batch_id": "spring", **fields})
    return InRecord(topic, 0, offset, b"", value, timestamp_ms=offset if time_ms is None else time_ms)


def end(of: InRecord, status: str = "completed", *, replay: int = 0, paid: str = "10", at_ms: int = 0) -> InRecord:
    event = orjson.loads(of.value or b"")
    fields = {
        "sku_id": event["sku_id"], "image_id": event.get("image_id", "main"), "batch_id": event["batch_id"],
        "status": status, "replay": replay, "credits": paid,
        "origin": {"topic": of.topic, "partition": 0, "offset": of.offset, "index": 0},
    }  # fmt: skip
    return InRecord(COMPLETED, 0, of.offset, b"", orjson.dumps(fields), timestamp_ms=at_ms)


def letter(of: InRecord, **facts: str) -> InRecord:
    told = {
        "origin.topic": of.topic, "origin.partition": "0", "origin.offset": str(of.offset), "origin.index": "0",
        "stage": "upscale", "reason": "job-failed", "error": "no", "replay": "0",
        **{name.replace("_", "-"): text for name, text in facts.items()},
    }  # fmt: skip
    headers = tuple((f"skustream.{name}", text.encode()) for name, text in told.items())
    return InRecord(LETTERS, 0, of.offset, b"", of.value, timestamp_ms=of.timestamp_ms, headers=headers)


def standing(*records: InRecord, images: int = 0, state: SubmitState = SubmitState.SENT) -> Standing:
    book = Book("spring")
    for record in records:
        if record.topic == COMPLETED:
            book.completed(record)
        elif record.topic == LETTERS:
            book.letter(record)
        else:
            book.published(record)
    submission = Submission(
        id="1",
        at=NOW,
        by="me",
        source="c.csv",
        topic=RAW,
        priority=Priority.LIVE,
        rows=images,
        events=images,
        state=state,
    )
    note = (
        BatchNote(batch_id="spring", images=images, starts=(), submissions=(submission,), nonce="") if images else None
    )
    return standing_of(book, batch_id="spring", note=note, now=NOW)


def counts(told: Standing) -> tuple[int, int, int, int, int]:
    assert told.total == told.success + told.failed + told.superseded + told.in_progress + told.unsent
    return told.total, told.success, told.failed, told.superseded, told.in_progress


def test_an_image_is_sku_and_image_id() -> None:
    one, two = raw(0), raw(1, image_id="side")
    assert counts(standing(one, two, raw(2, "B"), end(one))) == (3, 1, 0, 0, 2)


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_reading_does_not_matter(seed: int) -> None:
    first, second = raw(0), raw(1)
    records = [
        first,
        second,
        raw(2, "B"),
        end(first, "superseded"),
        letter(second),
        end(second, replay=1),
        end(raw(2, "B")),
    ]
    random.Random(seed).shuffle(records)
    assert counts(standing(*records)) == (2, 2, 0, 0, 0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("completed", None, (1, 0, 0, 0, 1)),
        ("superseded", None, (1, 0, 0, 0, 1)),
        ("superseded", "completed", (1, 1, 0, 0, 0)),
        ("completed", "superseded", (1, 1, 0, 0, 0)),
        ("superseded", "superseded", (1, 0, 0, 1, 0)),
        ("letter", "completed", (1, 1, 0, 0, 0)),
        ("completed", "letter", (1, 0, 1, 0, 0)),
        ("letter", "superseded", (1, 0, 1, 0, 0)),
        (None, "completed", (1, 1, 0, 0, 0)),
    ],
)
def test_of_two_events_of_an_image_the_latest_that_was_not_superseded_decides(
    first: str | None, second: str | None, expected: tuple[int, ...]
) -> None:
    events = raw(0), raw(1)
    ends = [
        letter(event) if fate == "letter" else end(event, fate)
        for event, fate in zip(events, (first, second), strict=True)
        if fate is not None
    ]
    assert counts(standing(*events, *ends)) == expected


def test_the_brokers_time_orders_topics_and_the_offset_one_partition() -> None:
    early, late = raw(9, topic="shop.raw.backfill", time_ms=100), raw(0, time_ms=200)
    assert counts(standing(early, late, end(late), letter(early))) == (1, 1, 0, 0, 0)


def test_within_a_partition_the_offset_decides_whatever_clock_the_producer_had() -> None:
    """L5 compares so: the letter is the newest event's end, and its image has failed."""
    first, second = raw(5, time_ms=31_000), raw(6, time_ms=1_000)
    assert counts(standing(first, second, end(first), letter(second))) == (1, 0, 1, 0, 0)


@pytest.mark.parametrize("seed", range(6))
def test_the_ends_of_an_entry_topics_former_life_are_nobodys(seed: int) -> None:
    """Made anew and submitted again: the same coordinates, and `completed` still holds what once stood there."""
    hour_ms = 3_600_000
    same, other = raw(0, time_ms=hour_ms), raw(1, "B", time_ms=hour_ms)
    records = [same, other, end(same, at_ms=1_000), end(raw(1, "C"), at_ms=1_000)]
    random.Random(seed).shuffle(records)
    assert counts(standing(*records)) == (3, 1, 0, 0, 2), "C had its end; what came anew is in progress"
    records.append(end(same, at_ms=hour_ms + 5_000))
    random.Random(seed).shuffle(records)
    assert counts(standing(*records)) == (3, 2, 0, 0, 1)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "9" * 400])
def test_whatever_number_the_workers_accept_the_event_is_counted(number: str) -> None:
    """Not counted, `status` said done while it was bought, and never told that it failed."""
    text = f'{{"sku_id": "A", "raw_url": "https://x/y", "batch_id": "spring", "attributes": {{"n": {number}}}}}'
    read_raw(text.encode())
    event = replace(raw(0), value=text.encode())
    assert counts(standing(event)) == (1, 0, 0, 0, 1)
    told = replace(letter(raw(0)), value=text.encode())
    assert counts(standing(event, told)) == (1, 0, 1, 0, 0)


def test_two_submits_side_by_side_are_both_waited_for() -> None:
    def submission(source: str, state: SubmitState, at: float) -> Submission:
        return Submission(
            id=source, at=at, by="me", source=source, topic=RAW, priority=Priority.LIVE, rows=3, events=3, state=state
        )

    large, small = submission("large.csv", SubmitState.SENDING, 1.0), submission("small.csv", SubmitState.SENT, 2.0)
    note = BatchNote(batch_id="spring", images=3, starts=(), submissions=(large, small), nonce="")
    assert note.is_sending
    assert not standing_of(Book("spring"), batch_id="spring", note=note, now=NOW).is_done
    again = submission("large.csv", SubmitState.SENT, 3.0)
    assert not note.model_copy(update={"submissions": (large, small, again)}).is_sending, "the first was killed"


def test_a_catalog_sent_again_is_not_done_by_the_ends_of_its_first_submit() -> None:
    """All its images are known already: what is still to come shows in the events alone."""
    first = Submission(
        id="1", at=NOW, by="me", source="c.csv", topic=RAW, priority=Priority.LIVE, rows=1, events=1,
        state=SubmitState.SENT, acknowledged=1,
    )  # fmt: skip
    second = first.model_copy(update={"id": "2", "state": SubmitState.SENDING, "acknowledged": 0})
    note = BatchNote(batch_id="spring", images=1, starts=(), submissions=(first, second), nonce="")
    book = Book("spring")
    book.published(raw(0))
    book.letter(letter(raw(0)))
    assert not standing_of(book, batch_id="spring", note=note, now=NOW).is_done
    book.published(raw(1))
    book.completed(end(raw(1)))
    assert standing_of(book, batch_id="spring", note=note, now=NOW).is_done, "all was sent, though it was killed then"


def test_credits_are_summed_exactly_and_a_failed_job_is_counted_once() -> None:
    a, again, b = raw(0), raw(1), raw(2, "B")
    job = {"job_key": "k", "credits": "0.3"}
    told = standing(a, again, b, letter(a, **job), letter(again, **job), end(b, paid="0.1"))
    assert told.credits == Decimal("0.4")
    # Bought in the end: the asset's credits hold the failed attempts'.
    told = standing(a, again, b, letter(a, **job), end(again, paid="0.5"), end(b, paid="0.1"))
    assert told.credits == Decimal("0.6")


@pytest.mark.parametrize("assets", [{"hero": {"url": "x"}}, {"hero": {"credits": "100"}}, {"hero": 1}, [], "x"])
def test_a_raw_event_with_assets_of_its_own_ends_as_a_letter_that_cost_nothing(assets: object) -> None:
    """No field of ours: such an event is refused, and its letter is an end."""
    event = raw(0, assets=assets)
    told = standing(event, letter(event, reason="invalid-event"))
    assert (counts(told), told.credits) == ((1, 0, 1, 0, 0), Decimal(0))


def test_an_amount_that_nobody_ever_paid_is_none() -> None:
    """Written out it would have nine gigabytes."""
    event = raw(0)
    assert counts(standing(event, end(event, paid="1E-9000000000"))) == (1, 0, 0, 0, 1)


def test_what_was_noted_and_never_seen_is_unsent_and_watched_for_only_while_it_is_being_sent() -> None:
    one = raw(0)
    sending = standing(one, end(one), images=3, state=SubmitState.SENDING)
    assert (counts(sending), sending.unsent, sending.is_done) == ((3, 1, 0, 0, 0), 2, False)
    assert standing(one, end(one), images=3).is_done
    assert not standing(one, images=1).is_done


def test_other_batches_and_look_alikes_do_not_count() -> None:
    other = raw(0, batch_id="spring-2")
    quoting = raw(1, batch_id=None, attributes={"note": "spring"})
    assert counts(standing(other, quoting, end(other), letter(other))) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("batch", ["spring/2026", 'a"b', "frühling", "a\\b", "😀"])
def test_a_name_is_found_however_it_is_spelled(batch: str) -> None:
    import json  # noqa: PLC0415 - the other encoder

    event = {"sku_id": "A", "raw_url": "https://x/y", "batch_id": batch}
    for text in (orjson.dumps(event), json.dumps(event).encode(), json.dumps(event).replace("/", "\\/").encode()):
        book = Book(batch)
        book.published(InRecord(RAW, 0, 0, b"", text, timestamp_ms=0))
        assert len(book.entries) == 1


def test_the_finish_is_told_from_the_pace_of_the_last_minutes() -> None:
    assert seconds_left(0, [], begun=None, now=NOW) == 0
    assert seconds_left(5, [], begun=NOW - 60, now=NOW) is None
    assert seconds_left(30, [NOW - 10] * 60, begun=NOW - 60, now=NOW) == pytest.approx(30)
    # What ended an hour ago says nothing about now.
    assert seconds_left(5, [NOW - 3600] * 100, begun=NOW - 7200, now=NOW) is None
    assert seconds_left(30, [NOW - 3600] * 100 + [NOW - 100] * 30, begun=NOW - 7200, now=NOW) == pytest.approx(300)
    # The broker's clock may be ahead of ours.
    assert seconds_left(1, [NOW + 50], begun=NOW, now=NOW) == pytest.approx(50)
