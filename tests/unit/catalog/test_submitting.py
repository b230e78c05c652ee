"""Which rows a sample holds, and what a note keeps."""

import random
from typing import Any

from stream.broker.port import Partition
from stream.catalog.notes import KEPT_SUBMISSIONS, BatchNotes, Submission, SubmitState
from stream.catalog.rows import Row
from stream.catalog.submitting import sample
from stream.events import Priority
from stream.objects.memory import MemoryStore
from stream.objects.port import MAX_DOCUMENT_BYTES

ROWS = [Row(number + 2, f"SKU-{number}", "main", b"") for number in range(1_000)]


def test_a_sample_is_the_same_at_each_call_in_any_order_of_the_file_and_in_the_files_order() -> None:
    drawn = sample(ROWS, 100, batch_id="spring")
    shuffled = list(ROWS)
    random.Random(1).shuffle(shuffled)
    assert {row.sku_id for row in sample(shuffled, 100, batch_id="spring")} == {row.sku_id for row in drawn}
    assert [row.line for row in drawn] == sorted(row.line for row in drawn)
    assert len(drawn) == 100


def test_a_larger_sample_contains_a_smaller_one_and_other_batches_draw_others() -> None:
    small, large = ({row.sku_id for row in sample(ROWS, count, batch_id="spring")} for count in (50, 200))
    assert small < large
    assert small != {row.sku_id for row in sample(ROWS, 50, batch_id="autumn")}
    assert sample(ROWS, 5_000, batch_id="spring") == ROWS


def test_a_sample_is_spread_over_the_file() -> None:
    tenths = [sum(row.line // 100 == part for row in sample(ROWS, 200, batch_id="spring")) for part in range(10)]
    assert min(tenths) > 5


def submission(number: int, **fields: Any) -> Submission:
    told = {"by": "me", "source": "c.csv", "topic": "raw", "priority": Priority.LIVE, "rows": 10, "events": 10}
    return Submission(id=str(number), at=float(number), **{**told, **fields})


async def test_a_note_keeps_the_first_starts_the_most_images_and_the_latest_submissions() -> None:
    notes = BatchNotes(MemoryStore())
    assert await notes.find("spring") is None
    many = {Partition("raw", number): 5 for number in range(3_000)}
    await notes.open("spring", submission(0), images=100, starts=many)
    for number in range(1, KEPT_SUBMISSIONS + 50):
        await notes.open("spring", submission(number, source="x" * 200), images=10, starts={})
    await notes.close("spring", str(KEPT_SUBMISSIONS), SubmitState.SENT, acknowledged=10)
    note = await notes.find("spring")
    assert note is not None
    assert (note.images, len(note.submissions), note.start_of(Partition("raw", 7))) == (100, KEPT_SUBMISSIONS, 5)
    assert note.start_of(Partition("raw", 4_000)) == 0
    assert {each.id: each.state for each in note.submissions}[str(KEPT_SUBMISSIONS)] is SubmitState.SENT
    assert len(note.model_dump_json()) < MAX_DOCUMENT_BYTES
