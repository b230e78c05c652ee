"""What is found of a SKU among everybody's records, and what is made of hostile ones. Pure, in any order."""

import random
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.broker.port import InRecord
from stream.events import Origin
from stream.explain import gathering
from stream.explain import search as rooms
from stream.explain.moments import Event, What
from stream.explain.search import Search
from stream.records import Status
from tests.unit.explain.told import BUCKET, START_MS, TOPICS, ended, handed_on, letter, origin, raw, retry, search


def found(*records: InRecord, sku_id: str = "SHOE-1", **options: object) -> Search:
    looking = search(sku_id, **options)
    for record in random.sample(records, len(records)):
        looking.look(record)
    return looking


def the_event(looking: Search) -> Event:
    (event,) = looking.gathered.events.values()
    return event


def test_every_topic_adds_its_moment_to_the_event_it_is_about() -> None:
    event = raw(event_id="e1", version="1", batch_id="spring")
    looking = found(
        event, handed_on(event, after_ms=100), retry(event, after_ms=200), letter(event, after_ms=300),
        retry(event, after_ms=400, delay="now", replay=1), ended(event, after_ms=500, replay=1),
        raw("SHOE-2", offset=1),
    )  # fmt: skip
    told = the_event(looking)
    assert [moment.what for moment in sorted(told.moments, key=lambda moment: moment.order)] == [
        What.RECEIVED, What.HANDED_ON, What.POSTPONED, What.LETTER, What.RE_ENTERED, What.COMPLETED,
    ]  # fmt: skip
    assert (told.origin, told.event_id, told.batch_id, told.source_version) == (
        origin(event),
        "e1",
        "spring",
        "given:1",
    )
    assert told.letters.keys() == {"product-images.dead-letter/0/0"}
    assert set(told.asset_keys.values()) == {"raw", "transparent", "upscaled"}


def test_no_secret_and_nothing_unprintable_is_told() -> None:
    event = raw("SHOE-1")
    told = the_event(found(event, letter(event, after_ms=1)))
    text = repr([(moment.text, moment.facts) for moment in told.moments])
    assert "secret" not in text
    assert "u:p" not in text
    assert "https://***@api.example.com/x?***" in text


@pytest.mark.parametrize(
    "value",
    [
        b'{"sku_id": "\\u0053HOE-1", "raw_url": "https://x.example.com/a"}',
        b'{"id": "SHOE-1", "raw_url": "https://x.example.com/a"}',
    ],
)
def test_a_sku_is_found_however_json_spells_it_and_whatever_the_key_is(value: bytes) -> None:
    for key in (b"elsewhere", None):
        assert the_event(found(InRecord(TOPICS.raw, 0, 0, key, value, START_MS))).image_id == "main"


def test_a_sku_with_a_slash_or_quotes_is_found() -> None:
    for sku_id in ('A/"B"\\', "Ünïcode 😀"):
        escaped = orjson.dumps({"sku_id": sku_id, "raw_url": "https://x.example.com/a"}).replace(b"/", b"\\/")
        assert the_event(found(InRecord(TOPICS.raw, 0, 0, None, escaped, START_MS), sku_id=sku_id)).moments


def test_a_notification_is_read_as_its_event() -> None:
    entry = {
        "eventName": "ObjectCreated:Put", "eventTime": "2026-11-18T06:00:00Z",
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": "SHOE+1/back.jpg"}},
    }  # fmt: skip
    other = {**entry, "s3": {"bucket": {"name": BUCKET}, "object": {"key": "BAG/front.jpg"}}}
    record = InRecord(TOPICS.raw, 0, 5, None, orjson.dumps({"Records": [other, entry]}), START_MS)
    looking = found(record, sku_id="SHOE 1")
    assert (the_event(looking).origin.index, the_event(looking).image_id) == (1, "back")


def test_another_sku_that_contains_the_name_is_not_told() -> None:
    event = raw("SHOE-10")
    assert not found(
        event, handed_on(event, after_ms=1), letter(event, after_ms=2), ended(event, after_ms=3)
    ).gathered.events


def test_one_image_only_and_the_others_are_known_by_name() -> None:
    looking = found(raw(image_id="front"), raw(image_id="back", offset=1), image_id="back")
    assert [event.image_id for event in looking.gathered.events.values()] == ["back"]
    assert looking.gathered.images == {"front", "back"}


def test_nothing_before_since() -> None:
    event = raw()
    looking = found(event, ended(event, after_ms=5_000), since_ms=START_MS + 1)
    assert [moment.what for moment in the_event(looking).moments] == [What.COMPLETED]


def test_a_superseded_event_says_by_whom() -> None:
    event = raw()
    by = Origin(topic=TOPICS.raw, partition=0, offset=7)
    (moment,) = the_event(found(ended(event, after_ms=1, status=Status.SUPERSEDED, by=by))).moments
    assert moment.facts["superseded_by"] == "product-images.raw/0/7"
    assert moment.text.startswith("by product-images.raw/0/7")


def test_what_names_the_sku_and_cannot_be_read_is_told_in_a_line() -> None:
    wrong = raw(raw_url="ftp://x", offset=3)
    (moment,) = the_event(found(wrong)).moments
    assert (moment.what, moment.where) == (What.UNREADABLE, "product-images.raw/0/3")
    no_note = replace(retry(raw(), after_ms=1), headers=())
    assert [each.what for each in the_event(found(no_note)).moments] == [What.UNREADABLE]


def test_near_matches_are_kept_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MAX_SIMILAR", 3)
    looking = found(*(raw(f"SHOE-{number}", offset=number) for number in range(10, 20)), raw("BAG-1"), sku_id="SHOE-1")
    assert len(looking.similar) == 3
    assert b"BAG-1" not in looking.similar


def test_memory_is_bounded_however_often_a_sku_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MAX_EVENTS", 5)
    monkeypatch.setattr(gathering, "MAX_MOMENTS", 4)
    monkeypatch.setattr(gathering, "MAX_HELD_BYTES", 300)
    looking = search()
    for number in range(20):
        looking.look(raw(offset=number))
    assert (len(looking.gathered.events), looking.gathered.is_complete) == (5, False)
    held = [event.record for event in looking.gathered.events.values() if event.record]
    assert 0 < sum(len(record.raw) for record in held) <= 300
    for number in range(20):
        looking.look(retry(raw(offset=19), after_ms=number))
    last = looking.gathered.events[origin(raw(offset=19)), "main"]
    assert len(last.moments) == 4
    assert min(moment.at_ms for moment in last.moments) == START_MS + 16


@given(
    st.sampled_from(
        [TOPICS.raw, TOPICS.asset("transparent"), TOPICS.completed, TOPICS.dead_letter, TOPICS.retry("1m")]
    ),
    st.binary() | st.sampled_from([b'{"raw":"{}","origin":1}', b'{"sku_id":"SHOE-1","raw":"x","origin":{}}', b"[1]"]),
    st.lists(st.tuples(st.sampled_from(["skustream.stage", "skustream.reason", "skustream.due"]), st.binary())),
)
def test_no_record_of_anybody_ends_the_search(topic: str, value: bytes, headers: list[tuple[str, bytes]]) -> None:
    search().look(InRecord(topic, 0, 0, b"SHOE-1", value, START_MS, tuple(headers)))
