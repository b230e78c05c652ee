"""What lies in topics: events as the PIM writes them, records between stages, terminal records, notes, letters, marks.

Headers are frozen as JSON lists of [name, value in Latin-1]: any byte is one character.
"""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from stream.broker.port import Headers, InRecord
from stream.catalog.reading import _written
from stream.core.errors import Reason
from stream.events import Priority, RawEvent, read_raw
from stream.letters.dialects import read_letter
from stream.letters.letter import Dialect, Letter, LetterId
from stream.records import StageRecord, Status, Terminal, dump, first_record, read_stage_record, terminal_of
from stream.replays.book import take_marks
from stream.replays.marks import Fate, Mark, Marks
from stream.retries import Attempt, RetryNote, read_note
from stream.runtime import marks as commit_marks
from stream.runtime.dead_letters import write_letter
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter
from tests.frozen.cases import Case
from tests.frozen.documents import CLAIM, CUTOUT, ENDED_AT, KEY, NEWER, ORIGIN, PHOTO, RECORDED_MS, STARTED_AT

LEAST = {"sku_id": "BAG-701", "raw_url": "https://cdn.example.com/bag-701.jpg"}
MOST = {
    "sku_id": "Ä/7 01", "image_id": "back", "raw_url": "https://cdn.example.com/b%20ag.jpg?x=1", "event_id": "e-1",
    "version": "3", "sequence": 7, "occurred_at": "2026-11-22T10:00:00.123456+01:00", "batch_id": "spring",
    "stages": ["remove-bg", "upscale", "lifestyle"],
    "params": {"upscale": {"scale": 2}, "lifestyle": {"prompt": "On a café table — 木"}},
    "attributes": {"weight": 1.5, "big": 2**70},
}  # fmt: skip


def event(fields: dict[str, Any]) -> RawEvent:
    """As read."""
    return read_raw(json.dumps(fields).encode())


def record(fields: dict[str, Any], **told: Any) -> StageRecord:
    """As the first stage makes it."""
    first = first_record(
        json.dumps(fields).encode(), told.pop("origin", ORIGIN), timestamp_ms=RECORDED_MS,
        priority=told.pop("priority", Priority.LIVE), started_at=STARTED_AT,
    )  # fmt: skip
    return first.model_copy(update=told)


BETWEEN = record(
    MOST, origin=NEWER, priority=Priority.REPLAY, replay=2, source_version="given:3",
    assets={"raw": PHOTO, "transparent": CUTOUT},
)  # fmt: skip
HISTORY = (Attempt(RECORDED_MS, "transient", "503 — busy"), Attempt(RECORDED_MS + 60_000, "job-overdue", "900 s"))
NOTE = RetryNote(
    stage="upscale", due_ms=RECORDED_MS + 600_000, origin=NEWER, timestamp_ms=RECORDED_MS, priority=Priority.BACKFILL,
    replay=1, attempts=6, postponed=2, history=HISTORY, buy_again=CLAIM,
)  # fmt: skip
IN_DOUBT = DeadLetter(
    Reason.AMBIGUOUS_SUBMIT, "the answer to a submit was lost — look it up",
    facts={"job-key": KEY, "job-ids": "first,second", "operation": "remove-bg", "credits": "20.00",
           "credits-in-doubt": "10"},
)  # fmt: skip
FAILED = InRecord(ORIGIN.topic, 4, 1041, b"BAG-701", json.dumps(LEAST).encode(), RECORDED_MS, is_append_time=True)
LETTER = Letter(
    at=LetterId("product-images.dead-letter", 2, 17), timestamp_ms=RECORDED_MS + 70_000, key=FAILED.key,
    value=FAILED.value, headers=(), dialect=Dialect.SKUSTREAM, origin=ORIGIN, origin_timestamp_ms=RECORDED_MS,
    stage="remove-bg", reason="ambiguous-submit", error=IN_DOUBT.error, attempts=2, replay=0, priority="live",
    event_id="product-images.raw-4-1041-0", sku_id="BAG-701", image_id="main", operation="remove-bg", job_key=KEY,
    job_ids=("first", "second"), credits=Decimal("20.00"), credits_in_doubt=Decimal(10),
    fingerprint="564de1a63c60a652857b4d8cc1461f96", history=HISTORY,
)  # fmt: skip

OLD_LETTER = replace(LETTER, origin_timestamp_ms=0, history=())
"""What was not told then."""


def _headers(headers: Headers) -> bytes:
    rows = ",\n ".join(json.dumps([name, (value or b"").decode("latin-1")]) for name, value in headers)
    return f"[{rows}]\n".encode()


def _in_headers(text: bytes) -> Headers:
    return tuple((name, value.encode("latin-1")) for name, value in json.loads(text))


def _letter_written(_: Letter) -> bytes:
    past = Past(attempts=2, history=HISTORY)
    written = write_letter("product-images.dead-letter", "remove-bg", FAILED, IN_DOUBT, past=past, read=record(LEAST))
    assert (written.key, written.value) == (FAILED.key, FAILED.value)
    return _headers(written.headers)


def _letter_read(text: bytes) -> Letter:
    at = LETTER.at
    letter = read_letter(
        InRecord(at.topic, at.partition, at.offset, FAILED.key, FAILED.value, LETTER.timestamp_ms, _in_headers(text))
    )
    return Letter(**{name: getattr(letter, name) for name in Letter.__slots__} | {"headers": ()})


def _mark_read(value: bytes) -> Mark:
    """Through the book, as every reader of the topic does."""
    marks = Marks()
    key = b"product-images.dead-letter/2/17"
    take_marks(marks, [InRecord("product-images.replays", 0, 3, key, value, RECORDED_MS)])
    (found,) = marks
    return found


MARK = Mark(
    v=1, fate=Fate.REPLAYED, topic="product-images.dead-letter", partition=2, offset=17, at_ms=RECORDED_MS + 90_000,
    by="ann", why="the photo is there — now", filter="reason=source-missing", plan_id="1-70-394cab18f135-0f931813399e",
    origin=ORIGIN, origin_timestamp_ms=RECORDED_MS, letter_timestamp_ms=RECORDED_MS + 70_000, replay=1,
    stage="remove-bg",
)  # fmt: skip
DISCARDED = Mark(
    fate=Fate.DISCARDED, topic="product-images.dead-letter", partition=2, offset=17, at_ms=RECORDED_MS, by="bob"
)
COMPLETED = terminal_of(BETWEEN, status=Status.COMPLETED, finished_at=ENDED_AT)
SUPERSEDED = terminal_of(record(LEAST), status=Status.SUPERSEDED, finished_at=ENDED_AT, superseded_by=NEWER)
BASE = 2**40
RANGES = [(BASE + 1, BASE + 2), (BASE + 130, BASE + 20_000), (BASE + 30_000, BASE + 2**30)]

RECORDS = [
    Case("event.least", event(LEAST), None, read_raw),
    Case("event.most", event(MOST), None, read_raw),
    Case("event.submitted", event(MOST), _written, read_raw),
    Case("between.least", record(LEAST, source_version="url:1"), StageRecord.encode, read_stage_record),
    Case("between.most", BETWEEN, StageRecord.encode, read_stage_record),
    Case("end.completed", COMPLETED, Terminal.encode, Terminal.model_validate_json),
    Case("end.superseded", SUPERSEDED, Terminal.encode, Terminal.model_validate_json),
    Case("retry.most", NOTE, lambda note: _headers(note.headers()), lambda text: read_note(_in_headers(text))),
    Case("letter.in-doubt", LETTER, _letter_written, _letter_read, {1: OLD_LETTER}),
    Case("mark.replayed", MARK, dump, _mark_read),
    Case("mark.discarded", DISCARDED, dump, _mark_read),
    Case(
        "commit.marks", RANGES, lambda ranges: commit_marks.encode(BASE, ranges).encode(),
        lambda text: commit_marks.decode(BASE, text.decode()),
    ),
]  # fmt: skip
