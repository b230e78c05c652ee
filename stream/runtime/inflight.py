"""Lanes and tickets: what is open, what is finished, and what may be committed. Pure, no I/O, one thread.

Comes in: records in offset order, and tickets whose outcomes were delivered. Goes out: tickets, commit points.
A lane is born when its partition is assigned and dead when it is revoked; a dead lane's tickets settle nothing.
Offsets have holes (transaction markers, compaction): everything is counted by tickets, never by differences of offsets.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from stream.broker.port import CommitPoint, Committed, InRecord, Partition
from stream.runtime.marks import BODY_LIMIT_BYTES, Range, UnreadableMarks, decode, encode, varint

RESUME_SHARE = 0.75
"""A full lane takes records again below this share of its limits, so that it does not flap."""


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much one lane may hold open. `marks_bytes` leaves room for one more poll: 200 records, 5 bytes each."""

    tickets: int = 500
    record_bytes: int = 32 * 1024 * 1024
    marks_bytes: int = BODY_LIMIT_BYTES * 2 // 3


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """One record being worked on, bound to the lane (and so to the assignment) it was admitted in."""

    lane: "Lane"
    record: InRecord


class Lane:
    """One assignment of one partition."""

    def __init__(self, committed: Committed, limits: LaneLimits) -> None:
        """Continues where `committed` says. `damaged` is set when its metadata was unreadable (and is ignored)."""
        self.partition: Partition = committed.partition
        self.dead = False
        self.paused = False
        self.damaged: str | None = None
        self.drained_at = -1
        """The end as the reader met it: below it nothing is left to read, only markers of transactions."""
        self.quiet_since = 0.0
        """For the station: when this lane last brought a record, or had no reason to."""
        self._limits = limits
        self._next = committed.offset
        self._has_admitted = False
        self._window: deque[tuple[int, int]] = deque()
        """From the lowest open ticket on: offset, and the bytes it may cost in the marks."""
        self._window_cost = 0
        self._open: dict[int, Ticket] = {}
        self._open_bytes = 0
        self._ahead: list[Range] = []
        """Finished before our time and not read again yet."""
        if committed.offset is not None:
            try:
                self._ahead = decode(committed.offset, committed.metadata)
            except UnreadableMarks as error:
                self.damaged = str(error)

    @property
    def open_tickets(self) -> int:
        """Tickets not finished."""
        return len(self._open)

    def lag(self, end: int | None) -> int | None:
        """Records from what may be committed to `end`; 0 when all was read and nothing is open; None when unknown."""
        point = self.point()
        if point is None or end is None:
            return None
        if not self._open and self.drained_at >= end:
            return 0
        return max(0, end - point.offset)

    @property
    def oldest(self) -> Ticket | None:
        """The open ticket with the lowest offset: the head that everything waits for."""
        return self._open[self._window[0][0]] if self._window else None

    @property
    def full(self) -> bool:
        """Whether no more should be polled; with hysteresis while `paused`.

        A lane with nothing open is never full, whatever it inherited in marks: only reading on makes those shorter.
        """
        if not self._open:
            return False
        return self.open_tickets >= self._limits.tickets * self._share or self.brimful

    @property
    def brimful(self) -> bool:
        """Whether not even one more may come into a full lane: its bytes or its marks are at their limit."""
        if not self._open:
            return False
        return (
            self._open_bytes >= self._limits.record_bytes * self._share
            or self._marks_bound() >= self._limits.marks_bytes * self._share
        )

    @property
    def _share(self) -> float:
        return RESUME_SHARE if self.paused else 1.0

    def admit(self, record: InRecord) -> Ticket | None:
        """A ticket for `record`, or None when it was finished before our time."""
        if self._next is not None and record.offset < self._next:
            self._begin_again(record.offset)
        previous = self._next if self._next is not None else record.offset
        self._next = record.offset + 1
        self._has_admitted = True
        done = self._is_ahead(record.offset)
        if done and not self._window:
            return None
        cost = len(varint(record.offset - previous + 1)) + 1
        self._window.append((record.offset, cost))
        self._window_cost += cost
        if done:
            return None
        ticket = Ticket(self, record)
        self._open[record.offset] = ticket
        self._open_bytes += record.size_bytes
        return ticket

    def _begin_again(self, offset: int) -> None:
        """The committed offset is past the end, so the client was sent back: the topic was made anew.

        Only a lane that has admitted nothing yet may find that out; later it would be a fault of the client.
        """
        if self._has_admitted:
            raise ValueError(f"offset {offset} of {self.partition} after {self._next}")
        self.damaged = f"committed offset {self._next} is gone, the partition begins again at {offset}"
        self._next = offset
        self._ahead = []

    def point(self, finishing: Collection[Ticket] = ()) -> CommitPoint | None:
        """What may be committed once `finishing` is delivered; None while nothing was read or committed."""
        if self._next is None:
            return None
        leaving = {ticket.record.offset for ticket in finishing}
        base: int | None = None
        ranges: list[Range] = []
        fresh = True
        for offset, _ in self._window:
            if offset in self._open and offset not in leaving:
                base = offset if base is None else base
                fresh = True
            elif base is not None:
                if fresh:
                    ranges.append((offset, offset + 1))
                else:
                    ranges[-1] = (ranges[-1][0], offset + 1)
                fresh = False
        base = self._next if base is None else base
        ranges += [(max(start, base), end) for start, end in self._ahead if end > base]
        return CommitPoint(self.partition, base, encode(base, ranges))

    def settle(self, delivered: Collection[Ticket]) -> None:
        """These tickets' outcomes are delivered and committed. Raises ValueError for a ticket that is not open.

        A dead lane is not asked: whoever delivers drops the tickets of dead lanes first (`Deliverer.forget_dead`).
        """
        for ticket in delivered:
            offset = ticket.record.offset
            if self._open.pop(offset, None) is None:
                raise ValueError(f"offset {offset} of {self.partition} is not open")
            self._open_bytes -= ticket.record.size_bytes
        while self._window and self._window[0][0] not in self._open:
            self._window_cost -= self._window.popleft()[1]

    def _is_ahead(self, offset: int) -> bool:
        while self._ahead and self._ahead[0][1] <= offset:
            self._ahead.pop(0)
        if self._ahead and self._ahead[0][0] <= offset:
            end = self._ahead[0][1]
            self._ahead[0:1] = [(offset + 1, end)] if offset + 1 < end else []
            return True
        return False

    def _marks_bound(self) -> int:
        """The most bytes the marks could need, whatever finishes next. Never too small, and cheap.

        A number of two summands never needs more bytes than the summands apart, so distances are paid piece by piece:
        one record of the window pays its own step and one length, an inherited range its distance and its length.
        """
        ahead = 0
        previous = self._next or 0
        for start, end in self._ahead:
            ahead += len(varint(start - previous)) + len(varint(end - start))
            previous = end
        return self._window_cost + ahead
