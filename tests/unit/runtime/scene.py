"""A worker on a stage of our own: a clock we wind, a handler that does what it is told, deliveries in a list."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson

from stream.broker.port import Committed, InRecord, Partition
from stream.events import Origin, Priority
from stream.ledger.resumes import Resumes
from stream.metrics.silent import SilentRecorder
from stream.objects.memory import MemoryStore
from stream.outcome import Outcome, OutcomeKind
from stream.records import Misread, Reading, StageRecord, first_record
from stream.retries import RetryNote
from stream.runtime.ends import Delivery, End
from stream.runtime.environment import Environment
from stream.runtime.floodgate import FloodGate
from stream.runtime.hearing import Hearing
from stream.runtime.inflight import Lane, LaneLimits, Ticket
from stream.runtime.returns import Returns
from stream.runtime.verdict import RetryPolicy
from stream.runtime.worker import Worker, WorkerParts
from stream.topics import Topics

TOPICS = Topics()
Behaviour = Callable[[StageRecord], Awaitable[None]]


class WoundClock:
    """Time passes only when `pass_time` says so; chance is one half."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def chance(self) -> float:
        return 0.5

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, woken))
        await woken

    @property
    def sleeping(self) -> int:
        return sum(not woken.done() for _, woken in self._sleepers)

    async def pass_time(self, seconds: float) -> None:
        """To every waking on the way in its turn, and `seconds` further in all."""
        end = self.now + seconds
        await settled()
        while due := [at for at, woken in self._sleepers if not woken.done() and at <= end]:
            self.now = max(self.now, min(due))
            for at, woken in self._sleepers:
                if at <= self.now and not woken.done():
                    woken.set_result(None)
            await settled()
        self.now = end


async def settled() -> None:
    """Everything that can go on has gone on: the loop has nothing ready but us, many times over."""
    for _ in range(60):
        await asyncio.sleep(0)


class Actor:
    """A handler that notes who comes, and behaves as told; by default everything succeeds at once."""

    def __init__(self) -> None:
        self.admitting: Behaviour = _fine
        self.handling: Behaviour = _fine
        self.admitted: list[str] = []
        self.started: list[str] = []
        self.ended: list[str] = []
        self.stale: set[str] = set()
        """Events that end as superseded."""
        self.inside: Counter[str] = Counter()
        """Calls of `handle` that run now: what holds job slots."""

    async def admit(self, record: StageRecord) -> None:
        self.admitted.append(record.event.event_id or "")
        await self.admitting(record)

    async def handle(self, record: StageRecord) -> Outcome:
        name = record.event.event_id or ""
        self.started.append(name)
        self.inside[name] += 1
        try:
            await self.handling(record)
        finally:
            self.inside[name] -= 1
        self.ended.append(name)
        kind = OutcomeKind.SUPERSEDED if name in self.stale else OutcomeKind.COMPLETED
        return Outcome(kind, TOPICS.completed, record.event.sku_id.encode(), name.encode())


async def _fine(record: StageRecord) -> None:
    del record


class Heard(SilentRecorder):
    """A recorder that remembers retries, pauses and floods."""

    def __init__(self) -> None:
        self.retries: Counter[str] = Counter()
        self.pauses: list[tuple[str, bool]] = []
        self.floods: list[tuple[str, bool]] = []
        self.receptions: Counter[str] = Counter()
        self.replays = 0

    def received(self, stage: str, topic: str) -> None:
        self.receptions[topic] += 1

    def replayed(self, stage: str) -> None:
        self.replays += 1

    def retried(self, stage: str, cause: str) -> None:
        self.retries[cause] += 1

    def paused(self, resource: str, *, is_paused: bool) -> None:
        self.pauses.append((resource, is_paused))

    def flood_stopped(self, stage: str, reason: str, *, is_stopped: bool) -> None:
        self.floods.append((reason, is_stopped))


class Scene:
    """Everything around one worker."""

    def __init__(self, *, policy: RetryPolicy | None = None, letters: int = 100) -> None:
        self.clock = WoundClock()
        self.heard = Heard()
        self.words = Resumes(MemoryStore(clock=self.clock))
        self.gate = FloodGate("remove-bg", self.clock, self.heard, Hearing("remove-bg", self.words), letters)
        self.environment = Environment(self.clock, self.heard)
        self.actor = Actor()
        self.deliveries: list[Delivery] = []
        self.read: Callable[[InRecord], Reading] = lambda record: Reading((read(record),))
        self.worker = Worker(
            WorkerParts(
                stage="remove-bg",
                handler=self.actor,
                read=lambda record: self.read(record),  # noqa: PLW0108 - tests change it later
                returns=Returns("remove-bg", TOPICS, ("remove-bg", "upscale"), read_returned, self.clock),
                deliver=self.deliveries.append,
                dead_letter_topic=TOPICS.dead_letter,
                gate=self.gate,
                environment=self.environment,
                policy=policy or RetryPolicy(attempts=3, base_seconds=2, cap_seconds=60, bugs_in_a_row=3),
                clock=self.clock,
                recorder=self.heard,
            )
        )
        self._offset = 0

    def lane(self, number: int = 0) -> Lane:
        return Lane(Committed(Partition(TOPICS.raw, number), 0, ""), LaneLimits())

    def bring_together(self, lane: Lane, *events: str, misread: tuple[Misread, ...] = ()) -> Ticket:
        """One record that holds all these events."""
        together = [written(*event.split("/")) for event in events]
        first = self._offset

        def read_all(record: InRecord) -> Reading:
            found = [read(replace(record, value=value), index) for index, value in enumerate(together)]
            return Reading(tuple(found), misread) if record.offset == first else before(record)

        before, self.read = self.read, read_all
        (ticket,) = self.bring(lane, value=b"".join(together))
        return ticket

    def bring(self, lane: Lane, *events: str, value: bytes | None = None) -> list[Ticket]:
        """Events as "sku/event_id" (or one raw `value`), accepted in order."""
        values = [value] if value is not None else [written(*event.split("/")) for event in events]
        tickets = []
        for each in values:
            ticket = lane.admit(arrived(each, self._offset))
            self._offset += 1
            assert ticket is not None
            tickets.append(ticket)
        self.worker.accept(tickets)
        return tickets

    @property
    def delivered(self) -> list[End]:
        """What events ended in, in the order of their delivery."""
        return [end for item in self.deliveries for end in item.ends]

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """What was delivered, in order: (event id, outcome or reason)."""
        return [(item.event_id, item.reason or item.outcome) for item in self.delivered]


def written(sku_id: str, event_id: str, **more: Any) -> bytes:
    return orjson.dumps({"sku_id": sku_id, "event_id": event_id, "raw_url": "https://pim.example/a.jpg", **more})


def arrived(value: bytes | None, offset: int) -> InRecord:
    return InRecord(TOPICS.raw, 0, offset, b"key", value, timestamp_ms=1_000_000 + offset)


def read(record: InRecord, index: int = 0) -> StageRecord:
    """As the first stage reads."""
    origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset, index=index)
    return first_record(record.value, origin, timestamp_ms=record.timestamp_ms, priority=Priority.LIVE, started_at=0.0)


def read_returned(record: InRecord, note: RetryNote) -> Reading:
    """As the first stage reads what comes back."""
    first = first_record(
        record.value, note.origin, timestamp_ms=note.timestamp_ms, priority=note.priority, started_at=0.0
    )  # fmt: skip
    return Reading((first.returned(priority=note.priority, replay=note.replay, buy_again=note.buy_again),))


def headers(end: End) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in end.record.headers if name.startswith("skustream.")}


def scripted(*errors: Exception | None) -> Behaviour:
    """Raise these one after the other; then succeed."""
    left = list(errors)

    async def behave(record: StageRecord) -> None:
        del record
        error = left.pop(0) if left else None
        if error is not None:
            raise error

    return behave
