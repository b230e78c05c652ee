"""The loop's side of a stage: tickets in, walks beside each other, outcomes out. Order is kept within an image only.

Comes in: tickets from the station's thread. Goes out: `Delivery` items for the station to deliver.
A walk is a task per ticket; it waits for the walk before it of the same image, and for nobody else. A record that holds
several events is one walk all the same: what they end in leaves together, or a crash in between would repeat some (L1).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from stream.broker.port import InRecord, OutRecord
from stream.core.clock import Clock
from stream.core.errors import Reason, Rejected
from stream.metrics.port import Recorder
from stream.outcome import Handler
from stream.records import Reading, StageRecord, event_id_of
from stream.runtime.dead_letters import write_letter
from stream.runtime.environment import Environment, Patience
from stream.runtime.inflight import Lane, Ticket
from stream.runtime.verdict import DeadLetter, Pause, RetryAfter, RetryPolicy, Tried, Verdict, decide

log = structlog.get_logger(__name__)
SLICE_TICKETS = 25
"""Walks started at a time, each about 0.1 ms until it first waits; by 100, the loop stood still for 104 to 119 ms."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class End:
    """How one event left this stage: the record it became."""

    record: OutRecord
    outcome: str
    """`forwarded`, `completed`, `superseded`, or `dead-letter`."""
    reason: str = ""
    image: tuple[str, str] | None = None
    event_id: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A ticket whose work is done: one end for each event of its record, delivered together or not at all."""

    ticket: Ticket
    ends: tuple[End, ...]
    ignored: tuple[str, ...] = ()
    """What else stood in the record and asks for nothing, by name."""


class BrokenOff(RuntimeError):
    """A handler ended in a cancellation that nobody here asked for: a bug, and not the end of the walk."""


class Lettered(Exception):
    """The walk ends in a letter."""

    def __init__(self, verdict: DeadLetter, attempts: int) -> None:
        """`attempts`: how many were spent, this one included."""
        self.verdict = verdict
        self.attempts = attempts
        super().__init__(verdict.error)


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker is made of. `read` finds this stage's events in a record, or raises `Rejected`."""

    stage: str
    handler: Handler
    read: Callable[[InRecord], Reading]
    deliver: Callable[[Delivery], None]
    dead_letter_topic: str
    environment: Environment
    policy: RetryPolicy
    clock: Clock
    recorder: Recorder


@dataclass(slots=True, eq=False)
class _Turn:
    """A walk's place in the line of an image: over when its own walk and all before it have ended."""

    image: tuple[str, str]
    before: "_Turn | None"
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def come(self) -> None:
        """Wait for every walk before this one, also behind one that was called off while it waited itself."""
        while self.before is not None:
            await self.before.ended.wait()
            self.before = self.before.before


@dataclass(slots=True)
class _Walks:
    """Tasks by lane, and the last in line of every image."""

    by_lane: dict[Lane, set[asyncio.Task[None]]] = field(default_factory=dict)
    last_of_image: dict[tuple[str, str], _Turn] = field(default_factory=dict)


class Worker:
    """All walks of one stage in this process. Every method runs on the loop."""

    def __init__(self, parts: WorkerParts) -> None:
        """`parts`: see there."""
        self._parts = parts
        self._walks = _Walks()
        self._bugs_in_a_row = 0
        self._stopped = False
        self._arrived: deque[Ticket] = deque()

    @property
    def walking(self) -> int:
        """Walks that have not ended."""
        return sum(len(tasks) for tasks in self._walks.by_lane.values())

    def accept(self, tickets: Iterable[Ticket]) -> None:
        """Start a walk for each ticket, in their order; a backlog in slices, so that the loop never stands still."""
        is_starting = bool(self._arrived)
        self._arrived.extend(tickets)
        if not is_starting:
            self._start_slice()

    def _start_slice(self) -> None:
        try:
            for _ in range(min(SLICE_TICKETS, len(self._arrived))):
                ticket = self._arrived.popleft()
                if not (self._stopped or ticket.lane.dead):
                    self._start(ticket)
        finally:  # whatever broke here must not stop the stage: `accept` counts on a slice that is to come
            if self._arrived:
                asyncio.get_running_loop().call_soon(self._start_slice)

    def abandon(self, lanes: Iterable[Lane]) -> None:
        """These lanes are dead: their walks end. Jobs go on at PixelAPI; the next owner adopts them."""
        for lane in lanes:
            for task in self._walks.by_lane.pop(lane, set()):
                task.cancel()

    async def stop(self, short_seconds: float) -> None:
        """Let short work finish, then end all walks. What runs at PixelAPI is left to the next owner."""
        self._stopped = True
        tasks = {task for tasks in self._walks.by_lane.values() for task in tasks}
        if tasks:
            _, unfinished = await asyncio.wait(tasks, timeout=short_seconds)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    def halt(self) -> None:
        """Call all walks off and start no other one, without waiting: they deliver nothing any more."""
        self._stopped = True
        for tasks in self._walks.by_lane.values():
            for task in tasks:
                task.cancel()

    def _start(self, ticket: Ticket) -> None:
        self._parts.recorder.received(self._parts.stage, ticket.record.topic)
        try:
            reading = self._parts.read(ticket.record)
        except Rejected as error:
            self._parts.deliver(Delivery(ticket, (self._refused(ticket, error),)))
        except Exception:  # noqa: BLE001 - a bug of the reader must not take the rest of the batch with it
            self._spawn(ticket, self._read_again(ticket))
        else:
            self._begin(ticket, reading)

    def _begin(self, ticket: Ticket, reading: Reading) -> None:
        by_image: dict[tuple[str, str], list[StageRecord]] = {}
        for record in reading.events:
            by_image.setdefault(record.event.image, []).append(record)
        turns = [self._line_up(image) for image in by_image]
        self._spawn(ticket, self._walk(ticket, reading, list(zip(turns, by_image.values(), strict=True))), turns)

    def _line_up(self, image: tuple[str, str]) -> _Turn:
        turn = _Turn(image, self._walks.last_of_image.get(image))
        self._walks.last_of_image[image] = turn
        return turn

    def _spawn(self, ticket: Ticket, walk: Coroutine[Any, Any, None], turns: Iterable[_Turn] = ()) -> None:
        task = asyncio.create_task(walk)
        self._walks.by_lane.setdefault(ticket.lane, set()).add(task)
        task.add_done_callback(lambda done: self._ended(done, ticket.lane, turns))

    def _ended(self, task: asyncio.Task[None], lane: Lane, turns: Iterable[_Turn]) -> None:
        tasks = self._walks.by_lane.get(lane)
        if tasks is not None:
            tasks.discard(task)
            if not tasks:
                del self._walks.by_lane[lane]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("walk-broke", stage=self._parts.stage, exc_info=error)
        self._leave(turns)

    def _leave(self, turns: Iterable[_Turn]) -> None:
        for turn in turns:
            turn.ended.set()
            # Called off behind one that still walks, it stays last: who comes next must find that one through it.
            while turn.before is not None and turn.before.ended.is_set():
                turn.before = turn.before.before
            if self._walks.last_of_image.get(turn.image) is turn:
                if turn.before is None:
                    del self._walks.last_of_image[turn.image]
                else:
                    self._walks.last_of_image[turn.image] = turn.before

    async def _read_again(self, ticket: Ticket) -> None:
        async def read() -> Reading:
            return self._parts.read(ticket.record)

        try:
            reading = await self._persist(read)
        except Lettered as end:
            self._parts.deliver(Delivery(ticket, (self._letter(ticket, end),)))
        else:
            self._begin(ticket, reading)

    async def _walk(self, ticket: Ticket, reading: Reading, line: list[tuple[_Turn, list[StageRecord]]]) -> None:
        """One record's walk: its images beside each other, the events of one image one after the other."""
        ends = [self._refused(ticket, each.error, each.index) for each in reading.misread]
        if len(line) == 1:  # nearly always
            ends += await self._walk_image(ticket, *line[0])
        else:
            async with asyncio.TaskGroup() as group:
                walks = [group.create_task(self._walk_image(ticket, *each)) for each in line]
            ends += [end for walk in walks for end in walk.result()]
        self._parts.deliver(Delivery(ticket, tuple(ends), reading.ignored))

    async def _walk_image(self, ticket: Ticket, turn: _Turn, events: list[StageRecord]) -> list[End]:
        refusals = [await self._admit(record) for record in events]
        await turn.come()
        return [
            await self._handle(ticket, record) if refusal is None else self._letter(ticket, refusal, record)
            for record, refusal in zip(events, refusals, strict=True)
        ]

    async def _admit(self, record: StageRecord) -> Lettered | None:
        handler = self._parts.handler
        try:
            await self._persist(lambda: handler.admit(record))
        except Lettered as end:
            return end
        return None

    async def _handle(self, ticket: Ticket, record: StageRecord) -> End:
        handler = self._parts.handler
        try:
            outcome = await self._persist(lambda: handler.handle(record))
        except Lettered as end:
            return self._letter(ticket, end, record)
        self._bugs_in_a_row = 0
        out = OutRecord(outcome.topic, outcome.key, outcome.value)
        return End(out, outcome.kind, image=record.event.image, event_id=event_id_of(record))

    async def _persist(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Call until it succeeds or a verdict ends it. Raises `Lettered`. Waiting holds no job slot and no grant."""
        parts = self._parts
        attempts = 0
        patience = Patience(parts.environment)
        try:
            while True:
                try:
                    result = await call()
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - where every error meets its verdict
                    tried = Tried(attempts, self._bugs_in_a_row)
                    verdict = decide(_fault(error), tried, parts.policy, chance=parts.clock.chance())
                else:
                    patience.got_through()
                    return result
                attempts += await self._act(verdict, patience, attempts)
        finally:
            patience.give_up()

    async def _act(self, verdict: Verdict, patience: Patience, attempts: int) -> int:
        """Carry the verdict out; returns the attempts it spent. Raises `Lettered`."""
        parts = self._parts
        match verdict:
            case DeadLetter():
                if verdict.reason is not Reason.AMBIGUOUS_SUBMIT:  # a lost answer is no sign that anything is back
                    patience.got_through()
                raise Lettered(verdict, attempts + 1)
            case RetryAfter():
                patience.got_through()
                parts.recorder.retried(parts.stage, verdict.cause)
                await parts.clock.sleep(verdict.seconds)
                return int(verdict.spends)
            case Pause():
                parts.recorder.retried(parts.stage, "unavailable")
                await patience.wait(verdict.resource, verdict.detail, verdict.after_seconds)
                return 0

    def _refused(self, ticket: Ticket, error: Rejected, index: int = 0) -> End:
        return self._letter(ticket, Lettered(DeadLetter(error.reason, str(error)), attempts=1), index=index)

    def _letter(self, ticket: Ticket, end: Lettered, record: StageRecord | None = None, *, index: int = 0) -> End:
        """The letter for `record`, or for what cannot be read at `index` of the ticket's record."""
        parts, verdict = self._parts, end.verdict
        if verdict.traceback:
            self._bugs_in_a_row += 1
            log.error("unforeseen-error", stage=parts.stage, error=verdict.error, traceback=verdict.traceback)
        letter = write_letter(
            parts.dead_letter_topic, parts.stage, ticket.record, verdict,
            attempts=end.attempts, read=record, index=index,
        )  # fmt: skip
        image = record.event.image if record else None
        return End(letter, "dead-letter", verdict.reason, image, event_id_of(record) if record else "")


def _fault(error: BaseException) -> Exception:
    """What `decide` judges. Raises `CancelledError` where this walk itself was called off.

    Called off, a walk ends whatever its handler made of that: judged, the error of a clean-up or of a closing door
    would become a letter for an innocent event, or a retry that outlives its lane and keeps `stop` waiting.
    A cancellation from inside the handler would end the walk in silence, and its ticket would stay open.
    """
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise asyncio.CancelledError from error
    if isinstance(error, Exception):
        return error
    broken = BrokenOff("the handler was cancelled from inside")
    broken.__cause__ = error
    return broken
