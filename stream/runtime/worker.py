"""The loop's side of a stage: tickets in, walks beside each other, outcomes out. Order is kept within an image only.

Comes in: tickets from the station's thread. Goes out: `Delivery` items for the station to deliver.
A walk is a task per ticket; it waits for the walk before it of the same image, and for nobody else. A record that holds
several events is one walk all the same: what they end in leaves together, or a crash in between would repeat some (L1).
What comes back from a retry topic waits first, in nobody's line: its place is kept by L5.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from stream.broker.port import InRecord, OutRecord
from stream.core.clock import Clock
from stream.core.errors import Reason, Rejected
from stream.metrics.port import Recorder
from stream.outcome import Handler, OutcomeKind
from stream.records import Reading, StageRecord
from stream.retries import RetryNote
from stream.runtime.dead_letters import write_letter
from stream.runtime.ends import Delivery, End
from stream.runtime.environment import Environment, Patience
from stream.runtime.faults import judged
from stream.runtime.floodgate import FloodGate, Passage
from stream.runtime.inflight import Lane, Ticket
from stream.runtime.past import GivenUp, Past
from stream.runtime.returns import Returns
from stream.runtime.turns import Image, Lines, Turn
from stream.runtime.verdict import DeadLetter, Pause, Postpone, RetryAfter, RetryPolicy, Tried, Verdict, decide
from stream.tracing.port import NoTracing, Tracing, Walk

log = structlog.get_logger(__name__)
SLICE_TICKETS = 25
"""Walks started at a time, each about 0.1 ms until it first waits; by 100, the loop stood still for 104 to 119 ms."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker is made of. `read` finds this stage's events in a record, or raises `Rejected`.

    `returns` does so in a record of a retry topic.
    """

    stage: str
    handler: Handler
    read: Callable[[InRecord], Reading]
    returns: Returns
    deliver: Callable[[Delivery], None]
    dead_letter_topic: str
    gate: FloodGate
    environment: Environment
    policy: RetryPolicy
    clock: Clock
    recorder: Recorder
    tracing: Tracing = field(default_factory=NoTracing)


@dataclass(frozen=True, slots=True, eq=False)
class _Visit:
    """One event of a record, and what it went through."""

    record: StageRecord
    past: Past


class Worker:
    """All walks of one stage in this process. Every method runs on the loop."""

    def __init__(self, parts: WorkerParts) -> None:
        """`parts`: see there."""
        self._parts = parts
        self._walks: dict[Lane, set[asyncio.Task[None]]] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        """Of the walks, those whose retry is not due yet."""
        self._lines = Lines()
        self._bugs_in_a_row = 0
        self._stopped = False
        self._arrived: deque[Ticket] = deque()

    def reasons(self) -> list[str]:
        """Why this stage should be expected to do nothing now; empty while it works."""
        return self._parts.gate.reasons()

    @property
    def walking(self) -> int:
        """Walks that have not ended."""
        return sum(len(tasks) for tasks in self._walks.values())

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
            for task in self._walks.pop(lane, set()):
                task.cancel()

    async def stop(self, short_seconds: float) -> None:
        """Let short work finish, then end all walks. What runs at PixelAPI is left to the next owner."""
        self._stopped = True
        for task in self._waiting:
            task.cancel()
        tasks = {task for tasks in self._walks.values() for task in tasks}
        if tasks:
            _, unfinished = await asyncio.wait(tasks, timeout=short_seconds)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    def halt(self) -> None:
        """Call all walks off and start no other one, without waiting: they deliver nothing any more."""
        self._stopped = True
        for tasks in self._walks.values():
            for task in tasks:
                task.cancel()

    def _start(self, ticket: Ticket) -> None:
        parts, record = self._parts, ticket.record
        if parts.returns.is_foreign(record):
            parts.deliver(Delivery(ticket, ()))
            return
        parts.recorder.received(parts.stage, record.topic)
        if parts.returns.is_replay(record):
            parts.recorder.replayed(parts.stage)
        try:
            note = parts.returns.note(record)
        except Rejected as error:
            parts.deliver(Delivery(ticket, (self._refused(ticket, error),)))
            return
        seconds = 0.0 if note is None else parts.returns.wait_seconds(record, note)
        if seconds > 0:
            self._waiting.add(self._spawn(ticket, self._wait(ticket, note, seconds)))
        else:
            self._open(ticket, note)

    async def _wait(self, ticket: Ticket, note: RetryNote | None, seconds: float) -> None:
        """Until a retry is due. Nothing of its value was read yet: a full lane of these is no more than their bytes."""
        await self._parts.clock.sleep(seconds)
        self._open(ticket, note)

    def _open(self, ticket: Ticket, note: RetryNote | None) -> None:
        try:
            reading = self._read(ticket.record, note)
        except Rejected as error:
            self._parts.deliver(Delivery(ticket, (self._refused(ticket, error, note),)))
        except Exception:  # noqa: BLE001 - a bug of the reader must not take the rest of the batch with it
            self._spawn(ticket, self._read_again(ticket, note))
        else:
            self._begin(ticket, reading, note)

    def _read(self, record: InRecord, note: RetryNote | None) -> Reading:
        return self._parts.read(record) if note is None else self._parts.returns.reading(record, note)

    def _begin(self, ticket: Ticket, reading: Reading, note: RetryNote | None) -> None:
        by_image: dict[Image, list[_Visit]] = {}
        for record in reading.events:
            by_image.setdefault(record.event.image, []).append(_Visit(record, Past.of(note)))
        turns = [self._lines.join(image) for image in by_image]
        self._spawn(ticket, self._walk(ticket, reading, list(zip(turns, by_image.values(), strict=True))), turns)

    def _spawn(self, ticket: Ticket, walk: Coroutine[Any, Any, None], turns: Iterable[Turn] = ()) -> asyncio.Task[None]:
        task = asyncio.create_task(walk)
        self._walks.setdefault(ticket.lane, set()).add(task)
        task.add_done_callback(lambda done: self._ended(done, ticket.lane, turns))
        return task

    def _ended(self, task: asyncio.Task[None], lane: Lane, turns: Iterable[Turn]) -> None:
        self._waiting.discard(task)
        tasks = self._walks.get(lane)
        if tasks is not None:
            tasks.discard(task)
            if not tasks:
                del self._walks[lane]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("walk-broke", stage=self._parts.stage, exc_info=error)
        self._lines.leave(turns)

    async def _read_again(self, ticket: Ticket, note: RetryNote | None) -> None:
        async def read() -> Reading:
            return self._read(ticket.record, note)

        past = Past.of(note)
        with self._parts.gate.passage(None) as passage:
            while True:
                try:
                    reading = await self._persist(read, past, passage)
                except GivenUp as end:
                    if await passage.may_write(end.letter.reason):
                        with self._traced(ticket) as walk:
                            letter = self._give_up(ticket, end).traced(walk)
                        self._parts.deliver(Delivery(ticket, (letter,)))
                        return
                else:
                    break
        self._begin(ticket, reading, note)

    async def _walk(self, ticket: Ticket, reading: Reading, line: list[tuple[Turn, list[_Visit]]]) -> None:
        """One record's walk: its images beside each other, the events of one image one after the other."""
        ends = [self._refused(ticket, each.error, index=each.index) for each in reading.misread]
        if len(line) == 1:  # nearly always
            ends += await self._walk_image(ticket, *line[0])
        else:
            async with asyncio.TaskGroup() as group:
                walks = [group.create_task(self._walk_image(ticket, *each)) for each in line]
            ends += [end for walk in walks for end in walk.result()]
        self._parts.deliver(Delivery(ticket, tuple(ends), reading.ignored))

    async def _walk_image(self, ticket: Ticket, turn: Turn, visits: list[_Visit]) -> list[End]:
        refusals = [await self._admit(visit) for visit in visits]
        await turn.come()
        return [await self._end(ticket, *each) for each in zip(visits, refusals, strict=True)]

    def _traced(self, ticket: Ticket, read: StageRecord | None = None) -> AbstractContextManager[Walk]:
        parts, record = self._parts, ticket.record
        return parts.tracing.walk(parts.stage, record, read, returned=parts.returns.returned(record))

    async def _end(self, ticket: Ticket, visit: _Visit, refusal: GivenUp | None) -> End:
        with self._traced(ticket, visit.record) as walk:
            return (await self._end_of(ticket, visit, refusal)).traced(walk)

    async def _end_of(self, ticket: Ticket, visit: _Visit, refusal: GivenUp | None) -> End:
        """What the event ends in here. Whoever had to wait for leave to write a letter walks again before it does."""
        with self._parts.gate.passage(visit.record) as passage:
            while True:
                end = refusal or await self._handle(visit, passage)
                if isinstance(end, End):
                    return end
                if isinstance(end.verdict, Postpone):
                    passage.put_off(end.letter.reason)
                elif not await passage.may_write(end.letter.reason):
                    refusal = await self._admit(visit)
                    continue
                return self._give_up(ticket, end, visit.record)

    async def _admit(self, visit: _Visit) -> GivenUp | None:
        handler = self._parts.handler
        try:
            await self._persist(lambda: handler.admit(visit.record), visit.past)
        except GivenUp as end:
            return end
        return None

    async def _handle(self, visit: _Visit, passage: Passage) -> End | GivenUp:
        handler, record = self._parts.handler, visit.record
        try:
            outcome = await self._persist(lambda: handler.handle(record), visit.past, passage)
        except GivenUp as end:
            return end
        self._bugs_in_a_row = 0
        if outcome.kind is not OutcomeKind.SUPERSEDED:  # that proves nothing of the stage
            passage.succeeded()
        out = OutRecord(outcome.topic, outcome.key, outcome.value)
        return End.of(record, out, outcome.kind)

    async def _persist(
        self, call: Callable[[], Awaitable[Result]], past: Past, passage: Passage | None = None
    ) -> Result:
        """Call until it succeeds or a verdict ends it. Raises `GivenUp`. Waiting holds no job slot and no grant."""
        parts = self._parts
        attempts = 0
        patience = Patience(parts.environment)
        try:
            while True:
                if passage is not None and passage.must_wait:
                    patience.step_aside()  # who stands at the gate finds out nothing for those who lack something
                    await passage.enter()
                try:
                    result = await call()
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - where every error meets its verdict
                    tried = Tried(attempts, self._bugs_in_a_row, past.postponed)
                    verdict = decide(judged(error), tried, parts.policy, chance=parts.clock.chance())
                else:
                    patience.got_through()
                    return result
                attempts += await self._act(verdict, patience, past)
        finally:
            patience.give_up()

    async def _act(self, verdict: Verdict, patience: Patience, past: Past) -> int:
        """Carry the verdict out; returns the attempts it spent. Raises `GivenUp`."""
        parts = self._parts
        match verdict:
            case DeadLetter() | Postpone():
                end = GivenUp(verdict, past)
                if end.letter.reason is not Reason.AMBIGUOUS_SUBMIT:  # a lost answer is no sign that anything is back
                    patience.got_through()
                past.failed(parts.clock, end.letter.reason, end.letter.error)
                raise end
            case RetryAfter():
                patience.got_through()
                parts.recorder.retried(parts.stage, verdict.cause)
                parts.tracing.noted("retry", cause=verdict.cause)
                if verdict.spends:
                    past.failed(parts.clock, verdict.cause, verdict.error)
                await parts.clock.sleep(verdict.seconds)
                return int(verdict.spends)
            case Pause():
                parts.recorder.retried(parts.stage, "unavailable")
                parts.tracing.noted("pause", resource=verdict.resource.value)
                await patience.wait(verdict.resource, verdict.detail, verdict.after_seconds)
                return 0

    def _refused(self, ticket: Ticket, error: Rejected, note: RetryNote | None = None, *, index: int = 0) -> End:
        past = Past.of(note)
        past.failed(self._parts.clock, error.reason, str(error))
        with self._traced(ticket) as walk:
            return self._give_up(ticket, GivenUp(DeadLetter(error.reason, str(error)), past), index=index).traced(walk)

    def _give_up(self, ticket: Ticket, end: GivenUp, record: StageRecord | None = None, *, index: int = 0) -> End:
        """What becomes of `record`, or of what cannot be read at `index` of the ticket's record: it cannot wait."""
        if (traceback := end.letter.traceback) != "":
            self._bugs_in_a_row += 1
            log.error("unforeseen-error", stage=self._parts.stage, error=end.letter.error, traceback=traceback)
        if isinstance(end.verdict, Postpone) and record is not None:
            return self._postpone(ticket, end.verdict, end.past, record)
        return self._letter(ticket, end, record, index)

    def _postpone(self, ticket: Ticket, verdict: Postpone, past: Past, record: StageRecord) -> End:
        parts = self._parts
        again = parts.returns.postponed(ticket.record, record, past, verdict.delay)
        return End.of(record, again, "postponed", verdict.letter.reason)

    def _letter(self, ticket: Ticket, end: GivenUp, record: StageRecord | None, index: int) -> End:
        parts = self._parts
        letter = write_letter(
            parts.dead_letter_topic, parts.stage, ticket.record, end.letter, past=end.past, read=record, index=index
        )
        if record is None:
            return End(letter, "dead-letter", end.letter.reason)
        return End.of(record, letter, "dead-letter", end.letter.reason)
