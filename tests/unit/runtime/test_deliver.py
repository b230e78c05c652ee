"""Deliveries against a link that refuses what the test says: nothing is dropped, nobody waits for a stranger (L6)."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import pytest

from stream.broker.port import CommitPoint, Committed, DeliveryAborted, InRecord, LinkBroken, OutRecord, Partition
from stream.metrics.silent import SilentRecorder
from stream.runtime.deliver import HOLD_FIRST_SECONDS, HOLD_LONGEST_SECONDS, Deliverer
from stream.runtime.ends import Delivery, End
from stream.runtime.inflight import Lane, LaneLimits
from stream.runtime.marks import decode
from tests.unit.runtime.scene import WoundClock

LETTERS, DONE = "dead-letter", "completed"
TIMEOUT_SECONDS = 10.0
Refusal = Callable[[OutRecord], str | None]


class Desk:
    """A link that keeps books: what became visible, what was committed, and each call in its turn."""

    def __init__(self, clock: WoundClock, *, transactional: bool = True) -> None:
        self.clock = clock
        self.transactional = transactional
        self.refuses: Refusal = lambda _: None
        self.refusal_seconds = 0.0
        self.commit_errors: list[Exception] = []
        self.abort_errors: list[Exception] = []
        self.tried: list[list[bytes]] = []
        self.visible: list[bytes] = []
        self.points: dict[int, CommitPoint] = {}
        self.aborts = 0
        self._open: list[bytes] = []

    def publish(self, records: Sequence[OutRecord]) -> dict[int, str]:
        self.tried.append([record.value or b"" for record in records])
        failures = {index: cause for index, record in enumerate(records) if (cause := self.refuses(record)) is not None}
        written = [record.value or b"" for index, record in enumerate(records) if index not in failures]
        if failures:
            self.clock.now += self.refusal_seconds
        if self.transactional:
            self._open += written
        else:
            self.visible += written
        return failures

    def commit(self, points: Sequence[CommitPoint]) -> None:
        if self.commit_errors:
            raise self.commit_errors.pop(0)
        self.visible += self._open
        self._open = []
        self.points |= {point.partition.number: point for point in points}

    def abort(self) -> None:
        self.aborts += 1
        if self.abort_errors:
            raise self.abort_errors.pop(0)
        self._open = []

    def poll(self, timeout_seconds: float, max_records: int) -> list[InRecord]:
        raise AssertionError

    def pause(self, partition: Partition) -> None:
        raise AssertionError

    def resume(self, partition: Partition) -> None:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError


class Table:
    """A deliverer with its link and two lanes."""

    def __init__(self, *, transactional: bool = True) -> None:
        self.clock = WoundClock()
        self.link = Desk(self.clock, transactional=transactional)
        self.deliverer = Deliverer("remove-bg", self.clock, SilentRecorder(), interval_seconds=0.0)
        self.lanes = [Lane(Committed(Partition("raw", number), 0, ""), LaneLimits()) for number in range(2)]
        self._next = [0, 0]

    def bring(self, topic: str, names: Iterable[str], *, lane: int = 0) -> None:
        """Outcomes called `names` for `topic`."""
        deliveries = []
        for name in names:
            ticket = self.lanes[lane].admit(InRecord("raw", lane, self._next[lane], b"k", b"v", timestamp_ms=0))
            self._next[lane] += 1
            assert ticket is not None
            deliveries.append(Delivery(ticket, (End(OutRecord(topic, b"k", name.encode()), DONE),)))
        self.deliverer.add(deliveries)

    def bring_together(self, names: dict[str, str], *, lane: int = 0) -> None:
        """One record's outcomes: name to topic."""
        ticket = self.lanes[lane].admit(InRecord("raw", lane, self._next[lane], b"k", b"v", timestamp_ms=0))
        self._next[lane] += 1
        assert ticket is not None
        ends = tuple(End(OutRecord(topic, b"k", name.encode()), DONE) for name, topic in names.items())
        self.deliverer.add([Delivery(ticket, ends)])

    def turn(self, seconds: float = 0.05) -> int:
        """One turn of the station; returns how often it published."""
        before = len(self.link.tried)
        self.deliverer.deliver_due(self.link)
        self.clock.now += seconds
        return len(self.link.tried) - before

    def turns(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.turn()

    @property
    def open(self) -> int:
        return sum(lane.open_tickets for lane in self.lanes)

    def seen(self) -> list[str]:
        return [value.decode() for value in self.link.visible]


def refusing(*topics: str) -> Refusal:
    return lambda record: "MSG_TIMED_OUT" if record.topic in topics else None


def refusing_record(*names: bytes) -> Refusal:
    return lambda record: "MSG_SIZE_TOO_LARGE" if record.value in names else None


def numbered(letter: str, count: int) -> list[str]:
    return [f"{letter}{number}" for number in range(count)]


def test_a_batch_is_one_delivery_and_moves_its_lanes() -> None:
    table = Table()
    table.bring(DONE, numbered("a", 3))
    table.bring(LETTERS, numbered("b", 2), lane=1)
    assert table.turn() == 1
    assert table.seen() == ["a0", "a1", "a2", "b0", "b1"]
    assert table.open == 0
    assert {number: point.offset for number, point in table.link.points.items()} == {0: 3, 1: 2}


def test_outcomes_gather_for_the_interval() -> None:
    table = Table()
    table.deliverer = Deliverer("remove-bg", table.clock, SilentRecorder(), interval_seconds=1.0)
    table.bring(DONE, ["a"])
    assert table.turn(seconds=0.9) == 0
    table.bring(DONE, ["b"])
    assert table.turn(seconds=0.2) == 0
    assert table.turn() == 1
    assert table.seen() == ["a", "b"]


def test_one_dead_topic_costs_one_timeout_a_turn_and_nobody_else_waits() -> None:
    """Forty letters for a partition without a leader; a healthy lane beside them goes on at once."""
    table = Table(transactional=False)
    table.link.refuses, table.link.refusal_seconds = refusing(LETTERS), TIMEOUT_SECONDS
    table.bring(LETTERS, numbered("dead", 40))
    table.turn()
    for number in range(20):
        table.bring(DONE, [f"good{number}"], lane=1)
        before = table.clock.now
        table.turn()
        assert table.clock.now - before <= TIMEOUT_SECONDS + 0.1
        assert table.seen()[-1] == f"good{number}"
    spent = sum(any(value.startswith(b"dead") for value in tried) for tried in table.link.tried)
    assert spent <= 4, "put off per topic, not record by record"
    assert table.link.points[1].offset == 20
    assert table.open == 40


@pytest.mark.parametrize("transactional", [True, False])
def test_fresh_outcomes_for_a_bad_topic_are_set_aside_and_all_go_once_it_is_well(*, transactional: bool) -> None:
    table = Table(transactional=transactional)
    table.link.refuses, table.link.refusal_seconds = refusing(LETTERS), TIMEOUT_SECONDS
    table.bring(LETTERS, numbered("early", 3))
    table.turn()
    table.bring(LETTERS, numbered("late", 50))
    table.bring(DONE, ["good"], lane=1)
    table.turn()
    assert table.seen() == ["good"]
    assert not any(b"late" in b"".join(tried) for tried in table.link.tried)
    table.link.refuses = refusing()
    table.turns(2 * HOLD_LONGEST_SECONDS)
    assert sorted(table.seen()) == sorted(["good", *numbered("early", 3), *numbered("late", 50)])
    assert table.open == 0
    assert table.link.points[0] == CommitPoint(Partition("raw", 0), 53, "")


def test_who_only_waited_goes_on_in_one_batch() -> None:
    """Two thousand set aside must not come one by one when the topic is back."""
    table = Table()
    table.link.refuses = refusing(LETTERS)
    table.bring(LETTERS, numbered("early", 2))
    table.turn()
    table.bring(LETTERS, numbered("late", 300))
    table.turn()
    table.link.refuses = refusing()
    before = len(table.link.tried)
    table.turns(2 * HOLD_LONGEST_SECONDS)
    assert len(table.seen()) == 302
    assert len(table.link.tried) - before <= 5


@pytest.mark.parametrize("poisons", [1, 3])
def test_records_that_never_fit_are_taken_out_and_only_their_lane_waits(poisons: int) -> None:
    """Too large for the topic, for good: every other record of that topic is written, now and later."""
    table = Table()
    table.link.refuses = refusing_record(*(f"poison{number}".encode() for number in range(poisons)))
    table.bring(LETTERS, ["before", *numbered("poison", poisons), "after"])
    table.turns(HOLD_FIRST_SECONDS * 4)
    assert table.seen() == ["before", "after"]
    for number in range(20):
        table.bring(LETTERS, [f"other{number}"], lane=1)
        table.turns(1.0)
    table.turns(HOLD_LONGEST_SECONDS)
    assert sorted(table.seen()) == sorted(["before", "after", *numbered("other", 20)])
    assert table.link.points[1].offset == 20
    point = table.link.points[0]
    assert (point.offset, decode(point.offset, point.metadata)) == (1, [(1 + poisons, 2 + poisons)])
    table.link.refuses = refusing()
    table.turns(2 * HOLD_LONGEST_SECONDS)
    assert table.open == 0


def test_a_held_record_is_asked_ever_more_seldom() -> None:
    table = Table()
    table.link.refuses = refusing(LETTERS)
    table.bring(LETTERS, ["a"])
    tries = [table.clock.now for _ in range(int(200 / 0.05)) if table.turn()]
    waits = [later - sooner for sooner, later in pairwise(tries)]
    assert [round(wait) for wait in waits[:6]] == [1, 2, 4, 8, 16, 30]
    assert all(round(wait) == HOLD_LONGEST_SECONDS for wait in waits[5:])


def test_an_aborted_delivery_comes_again_whole_and_in_order() -> None:
    table = Table()
    table.link.commit_errors = [DeliveryAborted("rebalance"), DeliveryAborted("rebalance")]
    table.bring(DONE, numbered("a", 3))
    table.turn()
    table.bring(DONE, ["a3"])
    assert table.seen() == []
    assert table.open == 4
    assert table.turn() == 0, "a moment's rest between two tries"
    table.turns(1.0)
    assert table.seen() == numbered("a", 4)
    assert [len(tried) for tried in table.link.tried] == [3, 4, 4]
    assert table.open == 0


def test_a_record_that_fails_in_a_transaction_leaves_no_trace_of_the_others_until_they_go_alone() -> None:
    table = Table()
    table.link.refuses = refusing_record(b"a1")
    table.bring(DONE, numbered("a", 3))
    table.turn()
    assert (table.seen(), table.link.aborts) == ([], 1)
    table.turn()
    assert table.seen() == ["a0", "a2"]
    point = table.link.points[0]
    assert (point.offset, decode(point.offset, point.metadata)) == (1, [(2, 3)])


def test_at_least_once_keeps_what_was_written_and_holds_the_rest() -> None:
    table = Table(transactional=False)
    table.link.refuses = refusing_record(b"a1")
    table.bring(DONE, numbered("a", 3))
    table.turn()
    assert table.seen() == ["a0", "a2"]
    assert table.open == 1
    point = table.link.points[0]
    assert (point.offset, decode(point.offset, point.metadata)) == (1, [(2, 3)])
    table.link.refuses = refusing()
    table.turns(HOLD_FIRST_SECONDS + 0.2)
    assert table.seen() == ["a0", "a2", "a1"]
    assert table.link.points[0].offset == 3


def test_at_least_once_repeats_what_was_written_when_its_commit_fails_and_holds_nothing_twice() -> None:
    table = Table(transactional=False)
    table.link.refuses = refusing_record(b"a1")
    table.link.commit_errors = [DeliveryAborted("coordinator moved")]
    table.bring(DONE, numbered("a", 3))
    table.turns(HOLD_FIRST_SECONDS / 2)
    assert table.seen() == ["a0", "a2", "a0", "a2"]
    table.link.refuses = refusing()
    table.turns(HOLD_FIRST_SECONDS * 2)
    assert table.seen() == ["a0", "a2", "a0", "a2", "a1"]
    assert table.open == 0


def test_dead_lanes_are_dropped_from_what_waits_and_from_what_is_held() -> None:
    table = Table()
    table.link.refuses = refusing(LETTERS)
    table.bring(LETTERS, numbered("held", 2), lane=1)
    table.turn()
    table.bring(LETTERS, ["aside"], lane=1)
    table.bring(DONE, ["waiting"], lane=1)
    table.bring(DONE, ["mine"])
    table.lanes[1].dead = True
    table.link.refuses = refusing()
    table.turns(2 * HOLD_LONGEST_SECONDS)
    assert table.seen() == ["mine"]
    assert set(table.link.points) == {0}


def test_a_lane_that_dies_in_an_aborted_delivery_is_not_delivered_again() -> None:
    table = Table()
    table.link.commit_errors = [DeliveryAborted("the group moved on")]
    table.bring(DONE, ["theirs"], lane=1)
    table.bring(DONE, ["mine"])
    table.turn()
    table.lanes[1].dead = True
    table.turns(1.0)
    assert table.seen() == ["mine"]


@pytest.mark.parametrize("where", ["publish", "commit", "abort"])
def test_a_broken_link_is_the_stations_business(where: str) -> None:
    table = Table()
    table.bring(DONE, ["a"])
    broken = LinkBroken("fenced")
    if where == "publish":
        table.link.refuses = _raiser(broken)
    elif where == "commit":
        table.link.commit_errors = [broken]
    else:
        table.link.refuses = refusing_record(b"a")
        table.link.abort_errors = [broken]
    with pytest.raises(LinkBroken):
        table.turn()
    assert table.open == 1
    table.deliverer.clear()
    table.link.refuses = refusing()
    assert table.turn(seconds=60) == table.turn() == 0


def _raiser(error: Exception) -> Refusal:
    def refuse(record: OutRecord) -> str | None:
        raise error

    return refuse


def test_a_revocation_delivers_what_can_be_delivered_and_returns() -> None:
    """Also where nothing can: the next owner makes it anew."""
    table = Table()
    table.link.refuses = refusing(LETTERS)
    table.bring(LETTERS, numbered("stuck", 3))
    table.bring(DONE, numbered("fine", 3))
    table.deliverer.deliver_all(table.link)
    assert table.seen() == numbered("fine", 3)
    table.link.commit_errors = [DeliveryAborted("revoked meanwhile")] * 3
    table.bring(DONE, ["late"])
    table.deliverer.deliver_all(table.link)
    assert table.seen() == numbered("fine", 3)


def test_the_ends_of_one_record_are_never_parted() -> None:
    """L1: what became visible without its offset would be there twice after a crash."""
    table = Table()
    table.link.refuses = refusing_record(b"a1")
    table.bring_together({"a0": DONE, "a1": LETTERS, "a2": DONE})
    table.bring(DONE, ["b"], lane=1)
    table.turn()
    table.turn()
    assert table.seen() == ["b"]
    assert table.open == 1
    table.turns(HOLD_FIRST_SECONDS)
    assert table.link.tried[-1] == [b"a0", b"a1", b"a2"], "tried together"
    assert table.seen() == ["b"]
    table.link.refuses = refusing()
    table.turns(HOLD_LONGEST_SECONDS)
    assert table.seen() == ["b", "a0", "a1", "a2"]
    assert table.open == 0


def test_one_end_for_a_bad_topic_sets_the_whole_record_aside() -> None:
    table = Table()
    table.link.refuses = refusing(LETTERS)
    table.bring(LETTERS, numbered("early", 2), lane=1)
    table.turn()
    table.bring_together({"a0": DONE, "a1": LETTERS})
    table.turn()
    assert table.seen() == []
    assert not any(b"a0" in tried for tried in table.link.tried), "it costs nobody a timeout"
    table.link.refuses = refusing()
    table.turns(2 * HOLD_LONGEST_SECONDS)
    assert sorted(table.seen()) == ["a0", "a1", "early0", "early1"]
    assert table.open == 0


def test_a_record_without_an_end_moves_its_lane_all_the_same() -> None:
    table = Table()
    table.bring_together({})
    table.turn()
    assert (table.seen(), table.open, table.link.points[0].offset) == ([], 0, 1)


class Ages(SilentRecorder):
    """Remembers how old what ended had become."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, float]] = []

    def finished(self, stage: str, outcome: str, priority: str, age_seconds: float) -> None:
        self.told.append((outcome, priority, age_seconds))


def test_an_age_counts_from_the_origin_and_from_the_record_where_that_cannot_be_read() -> None:
    clock, ages = WoundClock(), Ages()
    deliverer = Deliverer("upscale", clock, ages, interval_seconds=0.0)
    lane = Lane(Committed(Partition("transparent", 0), 0, ""), LaneLimits())
    ends = [
        End(OutRecord(DONE, b"k", b"a"), DONE, timestamp_ms=100_000, priority="backfill"),
        End(OutRecord(LETTERS, b"k", b"b"), LETTERS, "invalid-event"),
    ]
    for offset, end in enumerate(ends):
        ticket = lane.admit(InRecord("transparent", 0, offset, b"k", b"v", timestamp_ms=900_000))
        assert ticket is not None
        deliverer.add([Delivery(ticket, (end,))])
    deliverer.deliver_due(Desk(clock))
    assert ages.told == [(DONE, "backfill", 900.0), (LETTERS, "", 100.0)]
