"""The waiting line before the limiter: who is next. Pure order, no clock, no window.

Comes in: asks with their futures. Goes out: the waiter to be granted next, in O(log n).
Order: priority class, then later stages, then requests before submits, then who came first. A class that has been
passed over `floor_every - 1` times is served once, the lowest such class first.
"""

import heapq
from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass, field

from stream.events import Priority
from stream.quota.port import Ask, AskKind, Grant

DEFAULT_FLOOR_EVERY = 10
COMPACT_FROM = 64


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """One `admit` that waits. It has gone when its future is done: granted, or cancelled."""

    ask: Ask
    since: float
    turn: tuple[int, int, int]
    future: Future[Grant]

    @property
    def waits(self) -> bool:
        """Whether a grant would reach anybody."""
        return not self.future.done()


@dataclass(slots=True)
class _Class:
    """The waiters of one priority class. Submits stand apart: without a free slot they must not block the others."""

    passed_over: int = 0
    slotless: list[tuple[tuple[int, int, int], Waiter]] = field(default_factory=list)
    wanting_slot: list[tuple[tuple[int, int, int], Waiter]] = field(default_factory=list)


class Line:
    """Everybody who waits, by class and turn. `fits(job_key)` says whether a submit could have its slot now."""

    def __init__(self, fits: Callable[[str], bool], *, floor_every: int = DEFAULT_FLOOR_EVERY) -> None:
        """`floor_every`: of so many grants one goes to each class that waits; see the module."""
        self._fits = fits
        self._floor_every = floor_every
        self._classes = {priority: _Class() for priority in Priority}  # the enum is in order of rank
        self._joined = 0
        self._waiting = 0
        self._gone = 0

    def __len__(self) -> int:
        return self._waiting

    def join(self, ask: Ask, since: float, future: Future[Grant]) -> Waiter:
        """Stand in line."""
        self._joined += 1
        waiter = Waiter(ask, since, (-ask.stage_index, int(ask.kind is AskKind.SUBMIT), self._joined), future)
        room = self._classes[ask.priority]
        # A job that holds its slot already must not wait for another: with one slot that would be for ever.
        heap = room.slotless if ask.kind is not AskKind.SUBMIT or self._fits(ask.job_key) else room.wanting_slot
        heapq.heappush(heap, (waiter.turn, waiter))
        self._waiting += 1
        return waiter

    def leave(self) -> None:
        """A waiter's future is done without a grant. It is found when it would be next, or swept out in bulk."""
        self._waiting -= 1
        self._gone += 1
        if self._gone > COMPACT_FROM + self._waiting:
            self._sweep()

    def first(self) -> Waiter | None:
        """Who is next; None when nobody waits, or only submits without a slot."""
        ready = [(room, waiter) for room in self._classes.values() if (waiter := self._first_of(room)) is not None]
        for room, waiter in reversed(ready):
            if room.passed_over >= self._floor_every - 1:
                return waiter
        return ready[0][1] if ready else None

    def take(self, waiter: Waiter) -> None:
        """`waiter`, whom `first` has just named, is granted."""
        for priority, room in self._classes.items():
            if priority is waiter.ask.priority:
                room.passed_over = 0
                heapq.heappop(room.slotless if _heads(room.slotless, waiter) else room.wanting_slot)
            else:
                room.passed_over = room.passed_over + 1 if self._first_of(room) is not None else 0
        self._waiting -= 1

    def everybody(self) -> list[Waiter]:
        """All who wait, in no particular order."""
        rooms = self._classes.values()
        return [waiter for room in rooms for _, waiter in (*room.slotless, *room.wanting_slot) if waiter.waits]

    def _first_of(self, room: _Class) -> Waiter | None:
        slotless = self._head(room.slotless)
        while slotless is not None and slotless.ask.kind is AskKind.SUBMIT and not self._fits(slotless.ask.job_key):
            # Its slot was there when it joined and has been given to another since.
            heapq.heappush(room.wanting_slot, heapq.heappop(room.slotless))
            slotless = self._head(room.slotless)
        submit = self._head(room.wanting_slot)
        if submit is not None and not self._fits(submit.ask.job_key):
            submit = None
        if slotless is None or submit is None:
            return slotless or submit
        return min(slotless, submit, key=lambda waiter: waiter.turn)

    def _head(self, heap: list[tuple[tuple[int, int, int], Waiter]]) -> Waiter | None:
        while heap and not heap[0][1].waits:
            heapq.heappop(heap)
            self._gone -= 1
        return heap[0][1] if heap else None

    def _sweep(self) -> None:
        for room in self._classes.values():
            for heap in (room.slotless, room.wanting_slot):
                heap[:] = [entry for entry in heap if entry[1].waits]
                heapq.heapify(heap)
        self._gone = 0


def _heads(heap: list[tuple[tuple[int, int, int], Waiter]], waiter: Waiter) -> bool:
    return bool(heap) and heap[0][1] is waiter
