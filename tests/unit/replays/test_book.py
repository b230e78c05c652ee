"""Marks read back from the compacted topic: the latest counts, and what is no mark is counted and ignored."""

import sys
import tracemalloc
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.broker.port import InRecord
from stream.events import Origin
from stream.letters.letter import LetterId
from stream.replays.book import letter_of, parse_letter_id, take_marks
from stream.replays.marks import Fate, Mark, Marks
from tests.unit.replays.marked import LETTERS, mark, origin, record_of


def test_a_mark_comes_back_as_it_was_written() -> None:
    written = [
        mark(1, why="the CDN was down", filter="reason=job-overdue", plan_id="p1", stage="upscale", replay=2,
             origin=origin(7, index=3), origin_timestamp_ms=5, letter_timestamp_ms=9),
        mark(2, fate=Fate.DISCARDED, why="never sold"),
    ]  # fmt: skip
    marks = Marks()
    take_marks(marks, [record_of(each) for each in written])
    assert [marks.of(each.letter) for each in written] == written
    assert (len(marks), marks.unreadable, sorted(marks, key=lambda each: each.offset)) == (2, 0, written)
    assert marks.of(LetterId(LETTERS, 1, 1)) is None


def test_a_mark_of_a_later_version_that_added_a_field_counts() -> None:
    newer = record_of(mark(1))
    told = (newer.value or b"").replace(b'{"v":1', b'{"colour":"red","v":1')
    marks = Marks()
    take_marks(marks, [InRecord(newer.topic, 0, 0, newer.key, told, 0)])
    assert marks.of(mark(1).letter) == mark(1)


def test_the_latest_mark_of_a_letter_counts_and_one_taken_back_counts_no_more() -> None:
    marks = Marks()
    first, second, other = mark(1), mark(1, fate=Fate.DISCARDED), mark(2)
    gone = InRecord("product-images.replays", 0, 3, str(other.letter).encode(), None, 0)
    take_marks(marks, [record_of(first), record_of(other), record_of(second), gone])
    assert (marks.of(first.letter), marks.of(other.letter), len(marks)) == (second, None, 1)


def test_a_mark_is_about_the_letter_that_lay_there_then() -> None:
    """A dead-letter topic made anew has the same places again: its letters are others."""
    marks = Marks()
    marks.add(mark(1, fate=Fate.DISCARDED, letter_timestamp_ms=5_000))
    marks.add(mark(2))
    at = mark(1).letter
    assert marks.of(at, 5_000) == marks.of(at) == marks.of(at, -1) is not None
    assert marks.of(at, 9_000) is None
    assert marks.of(mark(2).letter, 9_000) == mark(2), "a mark that tells no time is about whichever lies there"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"{}"),
        (b"\xff", b"{}"),
        (b"no/letter", b"{}"),
        (b"a/1/1", b"not JSON"),
        (b"a/1/1", b"[" * 40_000),
        (b"a/1/1", b"{}"),
        (b"a/1/1", record_of(mark(1)).value),
        (b"a" * 1_000 + b"/1/1", record_of(mark(1)).value),
        (str(mark(1).letter).encode(), (record_of(mark(1)).value or b"").replace(b"anna", b"a" * 300)),
        (str(mark(1).letter).encode(), (record_of(mark(1)).value or b"").replace(b'"v":1', b'"v":2')),
    ],
)  # fmt: skip
def test_what_is_no_mark_is_counted_and_ignored(key: bytes | None, value: bytes) -> None:
    marks = Marks()
    take_marks(marks, [InRecord("product-images.replays", 0, 0, key, value, 0)])
    assert (len(marks), marks.unreadable) == (0, 1)


@pytest.mark.parametrize("text", ["", "a", "a/1", "/1/2", "a/1/-2", "a/01/2", "a/1/2 ", "a/x/1", "a/1/" + "9" * 30])
def test_a_letter_id_that_is_none_is_refused(text: str) -> None:
    assert letter_of(text.encode()) is None
    with pytest.raises(ValueError, match="topic/partition/offset"):
        parse_letter_id(text)


@given(st.from_regex(r"[a-zA-Z0-9._-]{1,249}", fullmatch=True), st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1))
def test_a_letter_id_reads_back(topic: str, partition: int, offset: int) -> None:
    told = LetterId(topic, partition, offset)
    assert parse_letter_id(str(told)) == told


def test_a_repeat_of_a_replayed_letter_is_known_by_origin_and_replay_number() -> None:
    """At-least-once deliveries write a letter twice: one of the two is replayed, not both."""
    marks = Marks()
    marks.add(mark(1, origin=origin(7), replay=1, origin_timestamp_ms=1_000_000))
    repeat = Entering(2, origin(7), 1_000_001)
    itself = Entering(1, origin(7), 1_000_000)
    failed_again = Entering(3, origin(7), 1_000_000, replay=2)
    another_entry = Entering(4, origin(7, index=1), 1_000_000)
    of_a_topic_made_anew = Entering(5, origin(7), 9_000_000)
    given_ = [itself, repeat, failed_again, another_entry, of_a_topic_made_anew]
    assert marks.put_back_elsewhere(given_) == {itself.at, repeat.at}


def test_a_discarded_letter_says_nothing_about_its_repeats() -> None:
    marks = Marks()
    marks.add(mark(1, fate=Fate.DISCARDED, origin=origin(7), replay=0))
    assert marks.put_back_elsewhere([Entering(2, origin(7), replay=0)]) == set()


@dataclass(frozen=True)
class Entering:
    offset: int
    origin: Origin
    timestamp_ms: int = 0
    replay: int = 1

    @property
    def at(self) -> LetterId:
        return LetterId(LETTERS, 0, self.offset)


def test_a_million_marks_would_stay_below_200_mb() -> None:
    """Measured on a fiftieth of them."""
    share = 20_000
    tracemalloc.start()
    marks = Marks()
    for offset in range(share):
        marks.add(_like_the_tools(offset))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sys.getsizeof(marks) < held
    assert held / share * 1_000_000 < 200e6


def _like_the_tools(offset: int) -> Mark:
    return mark(
        100_000 + offset, at_ms=1_800_000_000_000 + offset, origin=origin(200_000 + offset), replay=1, plan_id="abc",
        origin_timestamp_ms=1_700_000_000_000 + offset, letter_timestamp_ms=1_750_000_000_000 + offset,
        stage="upscale", filter="reason=retries-exhausted",
    )  # fmt: skip
