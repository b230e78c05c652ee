"""What stages read: their input topics as ever, and from a retry topic the one event its note is about."""

from dataclasses import replace

import orjson
import pytest

from stream.broker.port import InRecord
from stream.core.errors import Reason, Rejected
from stream.events import Origin, Priority
from stream.notifications.pattern import DEFAULT_PATTERN, KeyPattern
from stream.notifications.reading import EntryReader
from stream.records import StageRecord
from stream.retries import RetryNote
from stream.runtime.reading import FirstReader, LaterReader
from tests.unit.runtime.scene import TOPICS, WoundClock, written

ORIGIN = Origin(topic=TOPICS.backfill, partition=2, offset=77)
NOTE = RetryNote(
    stage="s", due_ms=0, origin=ORIGIN, timestamp_ms=900_000, priority=Priority.REPLAY, replay=3, buy_again="claim"
)
FIRST = FirstReader(EntryReader(KeyPattern.parse(DEFAULT_PATTERN)), TOPICS.entries(), WoundClock())
LATER = LaterReader()


def again(value: bytes | None) -> InRecord:
    return InRecord(TOPICS.retry("1m"), 0, 5, b"A", value, timestamp_ms=950_000, headers=NOTE.headers())


def notification(*names: str) -> bytes:
    entries = [
        {
            "eventName": name, "eventTime": "1970-01-01T00:10:00.000Z",
            "s3": {"bucket": {"name": "photos"}, "object": {"key": f"SKU-{number}/main.jpg"}},
        }
        for number, name in enumerate(names)
    ]  # fmt: skip
    return orjson.dumps({"Records": entries})


def stage_record() -> StageRecord:
    raw = written("A", "e1").decode()
    return StageRecord(raw=raw, origin=ORIGIN, timestamp_ms=900_000, source_version="v", started_at=1.0)


def told(record: StageRecord) -> tuple[Origin, int, Priority, int, str | None]:
    return record.origin, record.timestamp_ms, record.priority, record.replay, record.buy_again


def test_the_first_stage_reads_the_raw_event_at_its_old_place() -> None:
    (record,) = FIRST.read_again(again(written("A", "e1")), NOTE).events
    assert told(record) == (ORIGIN, 900_000, Priority.REPLAY, 3, "claim")
    assert record.event.event_id == "e1"


def test_an_entry_topic_is_the_priority() -> None:
    record = InRecord(TOPICS.backfill, 0, 5, b"A", written("A", "e1"), timestamp_ms=950_000)
    (read,) = FIRST.read(record).events
    assert told(read) == (Origin(topic=TOPICS.backfill, partition=0, offset=5), 950_000, Priority.BACKFILL, 0, None)


def test_of_a_notification_only_the_entry_that_the_note_counts_comes_back() -> None:
    value = notification(*["ObjectCreated:Put"] * 3)
    at = ORIGIN.model_copy(update={"index": 2})
    reading = FIRST.read_again(again(value), replace(NOTE, origin=at))
    (record,) = reading.events
    assert (record.origin, record.event.sku_id, record.replay) == (at, "SKU-2", 3)
    assert (reading.misread, reading.ignored) == ((), ())


def test_an_entry_that_was_put_back_as_an_event_of_its_own_keeps_its_place() -> None:
    """A mended one, or one from raw: the value is that event alone, the note still counts it among its record's."""
    at = ORIGIN.model_copy(update={"index": 2})
    (record,) = FIRST.read_again(again(written("A", "e1")), replace(NOTE, origin=at)).events
    assert told(record) == (at, 900_000, Priority.REPLAY, 3, "claim")


@pytest.mark.parametrize(("index", "words"), [(1, "no such event"), (7, "no such event")])
def test_an_entry_that_is_not_there_is_refused(index: int, words: str) -> None:
    value = notification("ObjectCreated:Put", "ObjectRemoved:Delete")
    note = replace(NOTE, origin=ORIGIN.model_copy(update={"index": index}))
    with pytest.raises(Rejected, match=words) as refused:
        FIRST.read_again(again(value), note)
    assert refused.value.reason is Reason.INVALID_EVENT


def test_a_misread_entry_is_refused_for_its_own_fault() -> None:
    value = orjson.dumps({"Records": [{"eventName": "ObjectCreated:Put"}, {"eventName": "ObjectCreated:Put"}]})
    note = replace(NOTE, origin=ORIGIN.model_copy(update={"index": 1}))
    with pytest.raises(Rejected, match=r"Records\.1"):
        FIRST.read_again(again(value), note)


def test_a_later_stage_takes_replay_and_priority_from_the_note() -> None:
    (record,) = LATER.read_again(again(stage_record().encode()), NOTE).events
    assert told(record) == (ORIGIN, 900_000, Priority.REPLAY, 3, "claim")


def test_a_note_of_another_event_is_refused() -> None:
    other = replace(NOTE, origin=ORIGIN.model_copy(update={"offset": 78}))
    with pytest.raises(Rejected, match="the note is about another event") as refused:
        LATER.read_again(again(stage_record().encode()), other)
    assert refused.value.reason is Reason.INVALID_EVENT


@pytest.mark.parametrize("value", [None, b"", b"{", b"\xff"])
@pytest.mark.parametrize("reader", [FIRST, LATER])
def test_what_is_no_event_is_refused(reader: FirstReader | LaterReader, value: bytes | None) -> None:
    with pytest.raises(Rejected):
        reader.read_again(again(value), NOTE)


@pytest.mark.parametrize("name", ["buy_again", "_buy_again"])
def test_a_decision_to_buy_again_is_read_from_no_topics_json_and_travels_no_further(name: str) -> None:
    (record,) = LATER.read_again(again(stage_record().encode()), NOTE).events
    assert record.with_assets({}, source_version="w").buy_again == "claim", "kept within the walk"
    assert b"claim" not in record.encode()
    assert LATER.read(again(record.encode())).events[0].buy_again is None
    smuggled = orjson.dumps({**orjson.loads(record.encode()), name: "claim"})
    assert LATER.read(again(smuggled)).events[0].buy_again is None
