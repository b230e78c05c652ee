"""A lane against a model: whatever is admitted, delivered, committed, crashed and re-read, in any order.

The log is a list of offsets with holes; the model knows which of them are finished (delivered and committed) and
which walks a crash threw away. Deliveries and commits are one step, as they are one transaction in the station.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stream.broker.port import CommitPoint, Committed, InRecord, Partition
from stream.runtime.inflight import Lane, LaneLimits, Ticket
from stream.runtime.marks import BODY_LIMIT_BYTES, MAX_TEXT_BYTES, UnreadableMarks, decode, encode
from stream.runtime.station import POLL_RECORDS

HOME = Partition("product-images.raw", 3)
HOLES = st.one_of(st.just(0), st.just(0), st.integers(0, 3), st.integers(0, 300), st.integers(0, 2**27))


def record(offset: int) -> InRecord:
    return InRecord(HOME.topic, HOME.number, offset, b"sku", b"{}", timestamp_ms=0)


def covered(point: CommitPoint) -> Any:
    """Whether an offset counts as finished after a restart from `point`."""
    ranges = decode(point.offset, point.metadata)
    return lambda offset: offset < point.offset or any(start <= offset < end for start, end in ranges)


class LaneMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.log: list[int] = []
        self.finished: set[int] = set()
        self.open: dict[int, Ticket] = {}
        self.read = 0
        """How many records of the log this lane has read."""
        self.committed = CommitPoint(HOME, 0, "")
        self.known = False
        """Whether the group has committed anything."""
        self.limits = LaneLimits()

    @initialize(first=st.integers(0, 2**40), limit=st.integers(1, 40))
    def a_log_begins(self, first: int, limit: int) -> None:
        self.log = [first]
        self.limits = LaneLimits(tickets=limit)
        self.born()

    def born(self) -> None:
        offset = self.committed.offset if self.known else None
        self.lane = Lane(Committed(HOME, offset, self.committed.metadata if self.known else ""), self.limits)
        assert self.lane.damaged is None
        self.open = {}
        self.read = 0 if offset is None else sum(known < offset for known in self.log)

    @rule(holes=st.lists(HOLES, min_size=1, max_size=12))
    def records_are_published(self, holes: list[int]) -> None:
        for hole in holes:
            self.log.append(self.log[-1] + 1 + hole)

    @rule(count=st.one_of(st.integers(1, 3), st.integers(1, POLL_RECORDS)))
    def a_poll_is_admitted(self, count: int) -> None:
        if self.lane.full:
            return
        for offset in self.log[self.read : self.read + count]:
            ticket = self.lane.admit(record(offset))
            assert (ticket is None) == (offset in self.finished), "a finished record came back, or an open one did not"
            if ticket is not None:
                self.open[offset] = ticket
            self.read += 1

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def some_outcomes_are_delivered(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.open)), unique=True, min_size=1))
        tickets = [self.open.pop(offset) for offset in chosen]
        point = self.lane.point(tickets)
        assert point is not None
        self.lane.settle(tickets)
        self.finished.update(chosen)
        assert self.lane.point() == point, "what is committed with the delivery is what stands after it"
        self.committed, self.known = point, True

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def a_delivery_aborts(self, data: st.DataObject) -> None:
        """Asking for the point changes nothing: the same tickets are delivered again, or not."""
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.open)), unique=True, min_size=1))
        before = self.lane.point()
        self.lane.point([self.open[offset] for offset in chosen])
        assert self.lane.point() == before

    @rule()
    def the_process_dies_and_the_next_one_starts(self) -> None:
        self.lane.dead = True
        self.born()

    @invariant()
    def committed_never_passes_an_unfinished_record(self) -> None:
        done = covered(self.committed)
        for offset in self.log:
            assert done(offset) == (offset in self.finished)

    @invariant()
    def the_marks_fit_and_their_bound_holds(self) -> None:
        point = self.lane.point() if self.log else None
        if point is None:
            return
        assert len(point.metadata.encode()) <= MAX_TEXT_BYTES
        assert body_bytes(point) <= self.lane._marks_bound()

    @invariant()
    def the_head_is_the_lowest_open_record(self) -> None:
        if not self.log:
            return
        assert self.lane.open_tickets == len(self.open)
        oldest = self.lane.oldest
        assert (oldest.record.offset if oldest else None) == min(self.open, default=None)

    def teardown(self) -> None:
        """Nothing is lost: whoever goes on reading and delivering gets to the end of the log."""
        if not self.log:
            return
        while self.read < len(self.log) or self.open:
            assert self.open or not self.lane.full, "a lane with nothing open must read on"
            self.a_poll_is_admitted(POLL_RECORDS)
            tickets = list(self.open.values())
            if tickets:
                self.committed = self.lane.point(tickets) or self.committed
                self.known = True
                self.lane.settle(tickets)
                self.finished.update(self.open)
                self.open.clear()
        assert self.finished == set(self.log)
        self.committed_never_passes_an_unfinished_record()


def body_bytes(point: CommitPoint) -> int:
    """How long the body behind the text is."""
    return max(0, len(point.metadata.removeprefix("1:").rstrip("=")) * 3 // 4 - 4)


TestLane = LaneMachine.TestCase
TestLane.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


def read_on(lane: Lane, offsets: list[int]) -> list[Ticket]:
    return [ticket for offset in offsets if (ticket := lane.admit(record(offset))) is not None]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10), st.sampled_from([0, 1, 62, 126, 127, 200, 2**14, 2**21]), st.integers(2, 4))
def test_the_worst_pattern_never_passes_the_limit_and_never_jams(head: int, hole: int, every: int) -> None:
    """Every second (third ...) record finishes; the process dies whenever the lane is full, several times over."""
    step = hole + 1
    committed = Committed(HOME, head, "")
    finished: set[int] = set()
    for _ in range(6):
        lane = Lane(committed, LaneLimits(tickets=10_000))
        assert lane.damaged is None
        position = head + -(-((committed.offset or 0) - head) // step) * step
        while not lane.full:
            offsets = [position + index * step for index in range(POLL_RECORDS)]
            position = offsets[-1] + step
            tickets = read_on(lane, offsets)
            assert not finished & {ticket.record.offset for ticket in tickets}
            done = [ticket for ticket in tickets if ticket.record.offset // step % every == 0]
            point = lane.point(done)
            assert point is not None
            lane.settle(done)
            finished |= {ticket.record.offset for ticket in done}
            assert body_bytes(point) <= lane._marks_bound()
            assert len(point.metadata) <= MAX_TEXT_BYTES
            committed = Committed(HOME, point.offset, point.metadata)


def test_a_long_run_behind_one_slow_head_is_one_range() -> None:
    """So that a head of minutes costs no more marks than a head of seconds; holes in the run make no difference."""
    lane = Lane(Committed(HOME, 0, ""), LaneLimits())
    tickets = read_on(lane, list(range(0, 2000, 5)))
    point = lane.point(tickets[1:])
    assert point is not None
    assert decode(point.offset, point.metadata) == [(5, 1996)]


def test_a_range_may_be_read_again_piece_by_piece() -> None:
    lane = Lane(Committed(HOME, 0, encode(0, [(1, 9)])), LaneLimits())
    head = lane.admit(record(0))
    assert head is not None
    for offset in (1, 2, 5):
        assert lane.admit(record(offset)) is None
        point = lane.point()
        assert point is not None
        assert covered(point)(8)
        assert body_bytes(point) <= lane._marks_bound()
    assert lane.point([head]) == CommitPoint(HOME, 6, encode(6, [(6, 9)]))


def test_a_lane_born_with_more_marks_than_its_limit_reads_on() -> None:
    """Its marks grow shorter only by reading; full and with nothing open it would stand still for ever."""
    ranges = [(base, base + 1) for base in range(2, 2 + 254 * 900, 254)]
    text = encode(0, ranges)
    lane = Lane(Committed(HOME, 0, text), LaneLimits(marks_bytes=400))
    assert not lane.full
    assert lane.admit(record(0)) is not None
    assert lane.full


@given(st.integers(0, 2**40), st.binary(min_size=1, max_size=60), st.data())
def test_damaged_metadata_skips_no_record(base: int, noise: bytes, data: st.DataObject) -> None:
    """Flipped, cut, or of another offset: all is read again, or exactly what was finished is skipped."""
    text = encode(base, [(base + 2, base + 4), (base + 9, base + 10)])
    position = data.draw(st.integers(0, len(text) - 1))
    damaged = data.draw(
        st.sampled_from(
            [
                text[:position],
                text[:position] + noise.decode("latin-1") + text[position:],
                noise.decode("latin-1"),
                encode(base + 1, [(base + 2, base + 30)]),
                text.swapcase(),
                "0:" + text[2:],
            ]
        )
    )
    lane = Lane(Committed(HOME, base, damaged), LaneLimits())
    skipped = {offset for offset in range(base, base + 40) if lane.admit(record(offset)) is None}
    try:
        decode(base, damaged)
    except UnreadableMarks:
        assert lane.damaged
        assert skipped == set()
    else:
        assert skipped == (set() if damaged == "" else {base + 2, base + 3, base + 9})


def test_a_first_ever_lane_starts_where_the_log_does() -> None:
    lane = Lane(Committed(HOME, None, ""), LaneLimits())
    assert lane.point() is None
    ticket = lane.admit(record(41))
    assert ticket is not None
    assert lane.point() == CommitPoint(HOME, 41, "")
    assert lane.point([ticket]) == CommitPoint(HOME, 42, "")


def test_records_come_in_order_and_tickets_settle_once() -> None:
    lane = Lane(Committed(HOME, 5, ""), LaneLimits())
    ticket = lane.admit(record(5))
    assert ticket is not None
    with pytest.raises(ValueError, match="offset 4"):
        lane.admit(record(4))
    lane.settle([ticket])
    with pytest.raises(ValueError, match="is not open"):
        lane.settle([ticket])


def test_a_topic_made_anew_is_read_from_its_beginning() -> None:
    """What was committed, and the marks beyond it, belong to records that are gone."""
    lane = Lane(Committed(HOME, 5, encode(5, [(6, 9)])), LaneLimits())
    tickets = [lane.admit(record(offset)) for offset in (0, 1, 6)]
    assert all(tickets)
    assert lane.damaged is not None
    assert "begins again at 0" in lane.damaged
    assert lane.point() == CommitPoint(HOME, 0, "")


@given(st.lists(HOLES, min_size=1, max_size=12), st.integers(0, 3), st.data())
def test_lag_is_nothing_only_when_all_was_read_and_ended(
    holes: list[int], markers_behind: int, data: st.DataObject
) -> None:
    """Transaction markers stand between records and behind the last one: they are no records, nobody brings them."""
    lane = Lane(Committed(HOME, 0, ""), LaneLimits())
    log = [sum(holes[: index + 1]) + index for index in range(len(holes))]
    end = log[-1] + 1 + markers_behind
    told = data.draw(st.integers(0, end))  # the end of a moment ago, as the statistics tell it
    tickets = read_on(lane, log[: data.draw(st.integers(0, len(log)))])
    all_read = len(tickets) == len(log)
    if all_read:
        lane.drained_at = end
    done = data.draw(st.lists(st.sampled_from(tickets), unique=True)) if tickets else []
    lane.settle(done)
    point = lane.point()
    assert point is not None
    if all_read and len(done) == len(log):
        assert lane.lag(end) == lane.lag(told) == 0
        assert lane.lag(end + 5) == end + 5 - point.offset, "more was written since: not read yet"
    else:
        assert lane.lag(end) == end - point.offset > 0
    assert lane.lag(None) is None


def test_the_lag_of_a_lane_that_knows_no_position_is_unknown() -> None:
    lane = Lane(Committed(HOME, None, ""), LaneLimits())
    assert lane.lag(7) is None
    lane = Lane(Committed(HOME, 7, ""), LaneLimits())
    assert lane.lag(5) == 0
    assert lane.lag(9) == 2
    lane.drained_at = 9
    assert lane.lag(9) == 0


def test_a_full_lane_reopens_only_well_below_its_limit() -> None:
    """So that it does not pause and resume with every record."""
    lane = Lane(Committed(HOME, 0, ""), LaneLimits(tickets=8))
    tickets = read_on(lane, list(range(8)))
    assert lane.full
    lane.paused = True
    lane.settle(tickets[:2])
    assert lane.full
    lane.settle(tickets[2:3])
    assert not lane.full


def test_bytes_fill_a_lane_too() -> None:
    big = InRecord(HOME.topic, HOME.number, 0, None, b"x" * 5000, timestamp_ms=0)
    lane = Lane(Committed(HOME, 0, ""), LaneLimits(record_bytes=5000))
    ticket = lane.admit(big)
    assert ticket is not None
    assert (lane.full, lane.brimful) == (True, True)
    lane.settle([ticket])
    assert (lane.full, lane.brimful) == (False, False)


def test_a_lane_full_of_tickets_can_take_one_more() -> None:
    """A stage that is stopped may need somebody new."""
    lane = Lane(Committed(HOME, 0, ""), LaneLimits(tickets=2))
    read_on(lane, [0, 1])
    assert lane.full
    assert not lane.brimful


def test_the_default_limit_leaves_room_for_one_more_poll() -> None:
    assert LaneLimits().marks_bytes + POLL_RECORDS * 5 <= BODY_LIMIT_BYTES
