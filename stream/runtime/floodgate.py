"""The gate of one stage: who may write a letter, and who has to wait because too many were written (the flood stop).

Comes in: every event of the stage, on the loop. Goes out: leave to walk, leave to write a letter; `is_shut` and
`needs_news` for the station.
A stage is stopped while an event waits for leave to write its letter. Then nobody else begins to walk or buys anything:
all stand in line with their tickets, so nothing is lost, and a revoked lane is handed over as ever. Few at a time are
let through to see whether the cause is gone; a success earns letters, and a person's word brings all of them. Whoever
waited for a letter walks again before it is written.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import structlog

from stream.core.clock import Clock
from stream.core.errors import Reason
from stream.core.reasons import CARDS
from stream.events import Origin
from stream.metrics.port import Recorder
from stream.records import StageRecord
from stream.runtime.flood import LETTERS, Budget, SlowStart
from stream.runtime.hearing import Hearing
from stream.runtime.waking import woken

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
"""How often a stopped stage looks for a person's word in the store."""
SLICE_PASSAGES = 25
"""Let go at a time when the stop is over, so that the loop never stands still."""

Identity = tuple[Origin, int]
"""An event as the laws count it: origin and replay number."""


class Passage:
    """One event at the gate, from its first step to its end; `with` it, or the gate would count on it for ever."""

    __slots__ = ("_gate", "identity", "woken")

    def __init__(self, gate: "FloodGate", identity: Identity | None) -> None:
        """`identity`: None for a record that could not be read."""
        self._gate = gate
        self.identity = identity
        self.woken: asyncio.Event
        """Made by the first wait: nearly no event ever waits."""

    def __enter__(self) -> Self:
        """Arrive."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Gone, whatever the end was."""
        self._gate.left(self)

    @property
    def must_wait(self) -> bool:
        """Whether `enter` would wait now."""
        return self._gate.holds(self)

    async def enter(self) -> None:
        """Before every try: returns at once unless the stage is stopped and this event was not let through."""
        while self._gate.holds(self):
            await self._gate.stand(self, None)

    async def may_write(self, reason: Reason) -> bool:
        """Whether the letter may be written now. If not, this returns once the event is to walk again: ask then."""
        if self._gate.wants(self, reason):
            return True
        await self._gate.stand(self, reason)
        return False

    def succeeded(self) -> None:
        """The event did what this stage is there for."""
        self._gate.succeeded(self)

    def put_off(self, reason: Reason) -> None:
        """The event failed, and leaves for a retry topic: no letter yet, and no good news."""
        self._gate.put_off(self, reason)


Line = OrderedDict[Passage, None]


@dataclass(slots=True, eq=False)
class _Stop:
    """One spell of letters of a reason that have to wait."""

    since: float
    waiting: set[Passage] = field(default_factory=set)
    """Who has no leave yet, in line or walking again."""
    line: Line = field(default_factory=OrderedDict)
    again: int = 0
    """Walking again on the strength of a letter that is left."""


class FloodGate:
    """One per stage and process. `is_shut` may be read from any thread; everything else belongs to the loop."""

    def __init__(self, stage: str, clock: Clock, recorder: Recorder, hearing: Hearing, letters: int = LETTERS) -> None:
        """`letters`: of each reason before the stage stops."""
        self._stage = stage
        self._clock = clock
        self._recorder = recorder
        self._hearing = hearing
        self._letters = letters
        self._budget = Budget(letters)
        self._start = SlowStart()
        self._stops: dict[Reason, _Stop] = {}
        self._fresh: Line = OrderedDict()
        """Who has not tried since the stop."""
        self._rounds: dict[Passage, int] = {}
        """Let through to see whether the cause is gone, and in which round."""
        self._again: dict[Passage, _Stop] = {}
        """Let through because there is a letter left for it."""
        self._watch: Passage | None = None
        """Whoever of those in line keeps the time for all."""
        self._next_look = 0.0
        self._turn = 0
        self._is_releasing = False
        self.is_shut = False
        """Whether the station should bring nobody new."""
        self.needs_news = False
        """Whether only somebody new can find out that the cause is gone, and none is here."""

    # What the worker and the counter ask.

    def passage(self, record: StageRecord | None) -> Passage:
        """One event's way through this stage; None for a record that could not be read."""
        return Passage(self, None if record is None else (record.origin, record.replay))

    def holds_back(self, record: StageRecord) -> bool:
        """Whether nothing may be bought for `record` now: the stage is stopped, and it is none of those let through."""
        if not self._stops:
            return False
        identity = (record.origin, record.replay)
        return all(passage.identity != identity for passage in (*self._rounds, *self._again))

    def reasons(self) -> list[str]:
        """Sentences for `/readyz`."""
        return [
            f"{self._stage} is stopped: {len(stop.waiting)} events wait to become letters ({reason}); "
            f"{self._way_out(reason)}"
            for reason, stop in self._stops.items()
        ]

    # What a passage asks.

    def holds(self, passage: Passage) -> bool:
        """Whether it may not walk now."""
        return bool(self._stops) and passage not in self._rounds and passage not in self._again

    def wants(self, passage: Passage, reason: Reason) -> bool:
        """Whether its letter may be written. If not, it counts among those who wait from now on."""
        self.put_off(passage, reason)
        self._walked(passage)
        may = self._budget.spend(reason)
        if may:
            self._waits_no_more(passage)
        else:
            self._wait_for(passage, reason)
        self._changed()
        return may

    def put_off(self, passage: Passage, reason: Reason) -> None:
        """It failed; malformed input tells nothing of whether the cause is gone."""
        if (round_ := self._rounds.get(passage)) is not None and not CARDS[reason].is_malformed:
            self._start.failed(self._clock.monotonic(), round_)

    def succeeded(self, passage: Passage) -> None:
        """Half a letter more for all."""
        self._budget.earn()
        if (round_ := self._rounds.get(passage)) is not None:
            self._start.succeeded(self._clock.monotonic(), round_)
        self.left(passage)

    def left(self, passage: Passage) -> None:
        """It is gone, or called off."""
        self._walked(passage)
        if self._stops:
            self._waits_no_more(passage)
            self._changed()

    async def stand(self, passage: Passage, reason: Reason | None) -> None:
        """Wait in line, among the fresh or for a letter of `reason`, until let through or until the stop is over."""
        line = self._fresh if reason is None else self._stops[reason].line
        line[passage] = None
        passage.woken = asyncio.Event()
        self._watch = self._watch or passage
        self._changed()
        try:
            while passage in line:
                if self._watch is passage:
                    await self._keep_watch(passage)
                else:
                    await passage.woken.wait()
                    passage.woken.clear()
        finally:
            line.pop(passage, None)
            if self._watch is passage:
                self._watch = next(self._in_line(), None)
            self._changed()

    # Who goes next.

    def _changed(self) -> None:
        self._call()
        if self._watch is not None:
            self._watch.woken.set()

    def _call(self) -> None:
        """Let through whoever may go now. Called after whatever may have changed that, and by the watch in time."""
        for reason, stop in self._stops.items():
            while stop.line and self._budget.left(reason) > stop.again:
                self._again[_next_of(stop.line)] = stop
                stop.again += 1
        now = self._clock.monotonic()
        while self._has_room(now) and (lines := self._probing()):
            self._turn += 1
            self._rounds[_next_of(lines[self._turn % len(lines)])] = self._start.let_through(now)
        if self._fresh and not self._stops and not self._is_releasing:
            self._release()
        self.is_shut = bool(self._stops) and (bool(self._fresh) or not self._has_room(now))
        self.needs_news = bool(self._stops) and not self.is_shut and not self._probing()

    def _has_room(self, now: float) -> bool:
        return self._start.has_room(now, len(self._rounds))

    def _probing(self) -> list[Line]:
        """Who could find out something: the fresh ones, and those whom not only the ledger would answer."""
        if not self._stops:
            return []
        lines = [stop.line for reason, stop in self._stops.items() if not CARDS[reason].is_remembered]
        return [line for line in (self._fresh, *lines) if line]

    def _release(self) -> None:
        """The stop is over: everybody goes, a slice at a time."""
        self._is_releasing = not self._stops
        if self._is_releasing:
            for _ in range(min(SLICE_PASSAGES, len(self._fresh))):
                _next_of(self._fresh)
            self._is_releasing = bool(self._fresh)
        if self._is_releasing:
            asyncio.get_running_loop().call_soon(self._release)

    def _in_line(self) -> Iterator[Passage]:
        for stop in self._stops.values():
            yield from stop.line
        yield from self._fresh

    # Who waits for a letter.

    def _wait_for(self, passage: Passage, reason: Reason) -> None:
        now = self._clock.monotonic()
        if not self._stops:
            self._start.begin(now)
            self._rounds.clear()  # of a stop before: they go on, and need leave to buy like everybody else
            self._next_look = now
        stop = self._stops.get(reason)
        if stop is None:
            stop = self._stops[reason] = _Stop(now)
            self._hearing.began(reason)
            log.error(
                "flood-stopped", stage=self._stage, reason=reason, letters=self._letters, way_out=self._way_out(reason)
            )
            self._recorder.flood_stopped(self._stage, reason, is_stopped=True)
        stop.waiting.add(passage)
        self._waits_no_more(passage, but=stop)

    def _waits_no_more(self, passage: Passage, but: _Stop | None = None) -> None:
        for reason, stop in list(self._stops.items()):
            if stop is but:
                continue
            stop.waiting.discard(passage)
            if not stop.waiting:
                del self._stops[reason]
                log.warning("flood-over", stage=self._stage, reason=reason)
                self._recorder.flood_stopped(self._stage, reason, is_stopped=False)

    def _walked(self, passage: Passage) -> None:
        self._rounds.pop(passage, None)
        stop = self._again.pop(passage, None)
        if stop is not None:
            stop.again -= 1

    def _way_out(self, reason: Reason) -> str:
        return (
            f"it goes on by itself once events succeed, or when a person says so: "
            f"skustream dlq resume --stage {self._stage} --reason {reason} --why ..."
        )

    # The watch.

    async def _keep_watch(self, passage: Passage) -> None:
        """Until something is due: a probe, or a look for a person's word."""
        due = self._next_look
        if self._probing():
            due = min(due, self._start.due(len(self._rounds)))
        seconds = due - self._clock.monotonic()
        if seconds > 0:
            await woken(passage.woken, self._clock, seconds)
        passage.woken.clear()
        now = self._clock.monotonic()
        if self._stops and now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            await self._look()
        self._call()

    async def _look(self) -> None:
        followed: set[Reason] = set()
        for reason, stop in list(self._stops.items()):
            word = await self._hearing.newer(reason, self._clock.monotonic() - stop.since)
            if word is not None:
                log.warning("flood-resumed", stage=self._stage, reason=reason, by=word.by, why=word.why)
                self._budget.refill([reason])
                followed.add(reason)
        # Still stopped for another reason, the stage would buy for so many new ones what fails for that.
        if followed and followed >= self._stops.keys():
            self._start.resumed(self._clock.monotonic(), self._letters)


def _next_of(line: Line) -> Passage:
    passage, _ = line.popitem(last=False)
    passage.woken.set()
    return passage
