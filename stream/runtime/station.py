"""The thread's side of a stage: it owns the link, the lanes and every delivery. Nobody else touches Kafka.

Comes in: records from the link, finished walks from the loop. Goes out: tickets to the loop, deliveries to Kafka.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from stream.broker.port import Committed, InRecord, Link, LinkBroken, LinkFactory, Partition
from stream.core.clock import Clock
from stream.core.errors import Misconfigured, Unavailable
from stream.metrics.port import Recorder
from stream.runtime.deliver import Deliverer
from stream.runtime.ends import Delivery
from stream.runtime.inflight import Lane, LaneLimits, Ticket
from stream.runtime.wicket import Lives, Wicket

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.05
BUSY_POLL_SECONDS = 0.01
"""While a lane is full: it waits for deliveries, and they must not wait for records."""
POLL_RECORDS = 200
POLLS_A_TURN = 10
REOPEN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class StationParts:
    """What a station is made of. `paused` and `needs_news` may be asked from any thread."""

    stage: str
    open_link: LinkFactory
    paused: Callable[[], bool]
    limits: LaneLimits
    commit_interval_seconds: float
    clock: Clock
    recorder: Recorder
    is_news: Callable[[InRecord], bool] = lambda _: True
    """Whether a record may find out that others could go on; one that only passes by does not use up the wicket."""
    needs_news: Callable[[], bool] = lambda: False
    """Whether only somebody new can find out that everybody could go on: the wicket leads into full lanes, too."""


class Walks(Protocol):
    """Where tickets go: the worker, on the loop."""

    def accept(self, tickets: Iterable[Ticket]) -> None:
        """Start walks."""
        ...

    def abandon(self, lanes: Iterable[Lane]) -> None:
        """End the walks of dead lanes."""
        ...


class Station:
    """One thread per stage: `attach`, `open`, `start`, then `stop_intake`, `request_stop`, `join`."""

    def __init__(self, parts: StationParts, loop: asyncio.AbstractEventLoop) -> None:
        """`loop`: where the walks are."""
        self._parts = parts
        self._loop = loop
        self._inbox: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._lanes: dict[Partition, Lane] = {}
        self._deliverer = Deliverer(parts.stage, parts.clock, parts.recorder, parts.commit_interval_seconds)
        self._link: Link | None = None
        self._walks: Walks
        self._thread = threading.Thread(target=self._run, name=f"station-{parts.stage}", daemon=True)
        self._wicket = Wicket(parts.clock)
        self._lives = Lives()
        self._intake = True
        self._ending = threading.Event()
        self.last_turn = parts.clock.monotonic()
        """Monotonic time of the thread's last turn: liveness."""
        self.quiet_since: float | None = None
        """Since when a lane with room and lag has brought no record: its age is a stall. None: not known yet."""
        self.lags: Mapping[Partition, int] = {}
        """Lag by partition as last told, made anew each time: any thread may look."""
        self.joined = False
        """Whether the group has given this member an answer: readiness."""

    def attach(self, walks: Walks) -> None:
        """Say who walks; once, before `open`."""
        self._walks = walks

    def open(self) -> None:
        """Connect for the first time, on the caller's thread. Raises `Unavailable`, `Misconfigured`."""
        self._link = self._parts.open_link(self)

    def start(self) -> None:
        """Begin polling."""
        self._thread.start()

    def deliver(self, delivery: Delivery) -> None:
        """From the loop: this walk is done."""
        self._inbox.put(delivery)

    def stop_intake(self) -> None:
        """Poll no new records; deliveries go on."""
        self._intake = False

    def request_stop(self) -> None:
        """Deliver what is finished, leave the group, end the thread."""
        self._ending.set()

    async def join(self, timeout_seconds: float) -> bool:
        """Wait for the thread's end; False when it did not end in time."""
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join, timeout_seconds)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    # The link's listener: called inside poll and close, on this station's thread.

    def assigned(self, committed: Sequence[Committed]) -> None:
        """Lanes are born."""
        self.joined = True
        for start in committed:
            lane = Lane(start, self._parts.limits)
            lane.quiet_since = self._parts.clock.monotonic()
            self._lanes[start.partition] = lane
            self._tell_damage(lane)
        if committed:
            self._parts.recorder.rebalanced(self._parts.stage, "assigned")
            log.info("partitions-assigned", stage=self._parts.stage, partitions=_names(c.partition for c in committed))

    def revoked(self, partitions: Sequence[Partition], *, lost: bool) -> None:
        """Lanes die; what is finished is delivered first, unless they are lost already."""
        if not partitions:
            return
        self._parts.recorder.rebalanced(self._parts.stage, "lost" if lost else "revoked")
        log.info("partitions-revoked", stage=self._parts.stage, lost=lost, partitions=_names(partitions))
        if not lost and self._link is not None:
            self._collect()
            self._deliverer.deliver_all(self._link)
        for partition in partitions:
            self._parts.recorder.lag(self._parts.stage, partition.topic, partition.number, None)
        self.lags = {partition: lag for partition, lag in self.lags.items() if partition not in partitions}
        self._bury([lane for p in partitions if (lane := self._lanes.pop(p, None)) is not None])

    def drained(self, partition: Partition, end: int) -> None:
        """A lane has read everything that is there."""
        lane = self._lanes.get(partition)
        if lane is not None:
            lane.drained_at = end

    def ends(self, offsets: Mapping[Partition, int]) -> None:
        """Lag, and since when a lane that could be read was not."""
        now = self._parts.clock.monotonic()
        quiet = now
        lags: dict[Partition, int] = {}
        for partition, lane in self._lanes.items():
            records = lane.lag(offsets.get(partition))
            if records is not None:
                lags[partition] = records
                self._parts.recorder.lag(self._parts.stage, partition.topic, partition.number, records)
            if not records or lane.open_tickets or lane.paused:
                lane.quiet_since = now
            quiet = min(quiet, lane.quiet_since)
        self.quiet_since = quiet
        self.lags = lags

    # The thread.

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - whatever broke: what is committed is the truth, start from there
                self._reopen(error)
        self._finish()

    def _turn(self) -> None:
        link = self._link
        if link is None:
            raise LinkBroken("never opened")
        self.last_turn = self._parts.clock.monotonic()
        self._take_in(link)
        self._collect()
        self._deliverer.deliver_due(link)
        self._hold_or_let_in(link)

    def _take_in(self, link: Link) -> None:
        """Poll once, and on while whole batches come: a turn with a commit in it is long."""
        timeout_seconds = BUSY_POLL_SECONDS if any(lane.paused for lane in self._lanes.values()) else POLL_SECONDS
        for _ in range(POLLS_A_TURN):
            limit = 1 if self._wicket.is_open else POLL_RECORDS
            records = link.poll(timeout_seconds, limit)
            if not records:
                return
            if self._wicket.is_open and any(map(self._parts.is_news, records)):
                self._wicket.passed()
            self._admit(records)
            if len(records) < limit:
                return
            self._hold_or_let_in(link)
            timeout_seconds = 0.0

    def _admit(self, records: list[InRecord]) -> None:
        tickets: list[Ticket] = []
        for record in records:
            lane = self._lanes.get(Partition(record.topic, record.partition))
            if lane is None:
                continue
            ticket = lane.admit(record)
            lane.quiet_since = self.last_turn
            self._tell_damage(lane)
            if ticket is not None:
                tickets.append(ticket)
        if tickets:
            self._on_loop(self._walks.accept, tickets)

    def _tell_damage(self, lane: Lane) -> None:
        if lane.damaged is not None:
            partition = f"{lane.partition.topic}/{lane.partition.number}"
            log.error("committed-position-unusable", stage=self._parts.stage, partition=partition, cause=lane.damaged)
            lane.damaged = None

    def _collect(self) -> None:
        found: list[Delivery] = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._inbox.get_nowait())
        if found:
            self._deliverer.add(found)

    def _hold_or_let_in(self, link: Link) -> None:
        paused, needs_news = self._parts.paused(), self._parts.needs_news()
        if not (paused or needs_news):
            self._wicket.passed()  # nobody needs it any more, and what only passes by would never shut it
        beside = (paused or needs_news) and self._wicket.lets_in()
        closed = not self._intake or (paused and not beside)
        for partition, lane in self._lanes.items():
            wanted = closed or (lane.brimful if beside and needs_news else lane.full)
            if wanted != lane.paused:
                (link.pause if wanted else link.resume)(partition)
                lane.paused = wanted
        open_lanes = list(self._lanes.values())
        self._parts.recorder.in_flight(self._parts.stage, sum(lane.open_tickets for lane in open_lanes))
        heads = [lane.oldest.record.timestamp_ms for lane in open_lanes if lane.oldest is not None]
        self._parts.recorder.oldest_open(self._parts.stage, min(heads) / 1000 if heads else None)

    def _bury(self, lanes: list[Lane]) -> None:
        for lane in lanes:
            lane.dead = True
        self._deliverer.forget_dead()
        if lanes:
            self._on_loop(self._walks.abandon, lanes)

    def _on_loop(self, call: Callable[..., None], argument: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            self._loop.call_soon_threadsafe(call, argument)

    def _reopen(self, cause: Exception) -> None:
        """Start again from what is committed: nothing in memory is trusted after a broken link."""
        expected = isinstance(cause, LinkBroken | Unavailable)
        log.error("link-broken", stage=self._parts.stage, cause=str(cause), exc_info=None if expected else cause)
        self._parts.recorder.aborted(self._parts.stage, "broken")
        link, self._link = self._link, None
        self._drop_everything()
        if link is not None:
            link.close()
        self.last_turn = self._parts.clock.monotonic()
        self._ending.wait(self._lives.rest_seconds(self.last_turn))
        while not self._ending.is_set() and self._link is None:
            self.last_turn = self._parts.clock.monotonic()
            try:
                self._link = self._parts.open_link(self)
            except (Unavailable, Misconfigured) as error:  # wrong now: a certificate is being changed
                log.error("broker-unavailable", stage=self._parts.stage, cause=str(error))  # noqa: TRY400 - expected
                self._ending.wait(REOPEN_SECONDS)

    def _drop_everything(self) -> None:
        lanes = list(self._lanes.values())
        self._lanes.clear()
        self.lags = {}
        self.quiet_since = None
        self._bury(lanes)
        self._collect()
        self._deliverer.clear()

    def _finish(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        try:
            self._collect()
            self._deliverer.deliver_all(link)
            self._link = link  # what ends while the group is left may still be delivered
        except Exception as error:  # noqa: BLE001 - whatever it is, the group must be left, or the hand-over waits
            log.warning("last-delivery-failed", stage=self._parts.stage, cause=str(error))
        finally:
            link.close()


def _names(partitions: Iterable[Partition]) -> list[str]:
    return [f"{partition.topic}/{partition.number}" for partition in partitions]
