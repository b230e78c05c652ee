"""Deliveries: outcomes and offsets in one transaction, by time or size; what cannot be written is held, never dropped.

Comes in: finished walks. Goes out: records in topics, offsets committed, lanes moved on.
What the events of one record end in is never parted: one transaction, held together, and tried together.
On an abort everything is delivered again with fresh group metadata; a record that keeps failing is taken out and
only its own lane waits for it (L6). Deliveries of dead lanes are dropped: the next owner makes them anew.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from stream.broker.port import CommitPoint, DeliveryAborted, Link
from stream.core.clock import Clock
from stream.metrics.port import Recorder
from stream.runtime.ends import Delivery, End
from stream.runtime.inflight import Lane, Ticket

log = structlog.get_logger(__name__)

MAX_BATCH = 2_000
MAX_BATCH_BYTES = 8 * 1024 * 1024
ABORT_WAIT_SECONDS = 0.2
HOLD_FIRST_SECONDS = 1.0
HOLD_LONGEST_SECONDS = 30.0


BAD_TOPIC_RECORDS = 2
"""So many different records of one topic failed, and none of it got through since: the topic, not a record."""


@dataclass(slots=True, eq=False)
class _Held:
    delivery: Delivery
    topic: str
    """Which one could not be written."""
    due: float
    interval_seconds: float
    tries: int = 0
    """How often it failed itself; 0: it only waits for its topic."""
    is_suspect: bool = False
    """It failed, and nothing got through to its topic since."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """The first record of a delivery that could not be written."""

    topic: str
    cause: str


class Deliverer:
    """One per station, on its thread."""

    def __init__(self, stage: str, clock: Clock, recorder: Recorder, interval_seconds: float) -> None:
        """`interval_seconds`: how long outcomes may gather before they are delivered."""
        self._stage = stage
        self._clock = clock
        self._recorder = recorder
        self._interval_seconds = interval_seconds
        self._pending: list[Delivery] = []
        self._held: list[_Held] = []
        self._due = 0.0

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Outcomes to deliver, in their order."""
        was_empty = not self._pending
        self._pending += deliveries
        if was_empty and self._pending:
            self._due = max(self._due, self._clock.monotonic() + self._interval_seconds)

    def forget_dead(self) -> None:
        """Drop what belongs to dead lanes."""
        self._pending = [item for item in self._pending if not item.ticket.lane.dead]
        self._held = [held for held in self._held if not held.delivery.ticket.lane.dead]

    def clear(self) -> None:
        """Drop everything: the link broke, and some of it may be delivered already."""
        self._pending.clear()
        self._held.clear()

    def deliver_due(self, link: Link) -> None:
        """Deliver what is due: a batch of fresh outcomes, and each held one alone. Raises `LinkBroken`."""
        self.forget_dead()
        now = self._clock.monotonic()
        if self._pending and (now >= self._due or len(self._pending) >= MAX_BATCH):
            self.deliver_batch(link)
        due = [held for held in self._held if held.due <= now]
        if due:  # one a turn: a topic that cannot be written may take its whole timeout to say so
            self._try_held(link, min(due, key=lambda held: held.tries))

    def deliver_all(self, link: Link) -> None:
        """Deliver everything that can be delivered now: a revocation, or the end. Raises `LinkBroken`."""
        self.forget_dead()
        while before := len(self._pending):
            self.deliver_batch(link)
            if len(self._pending) >= before:
                return

    def deliver_batch(self, link: Link) -> None:
        """One delivery of the oldest outcomes, now. Raises `LinkBroken`."""
        if self._held:
            self._set_aside()
        batch = self._take_batch()
        if not batch:
            return
        try:
            failures = _publish(link, batch)
            if failures and link.transactional:
                link.abort()
                self._recorder.aborted(self._stage, "record")
                self._hold(batch, failures)
                self._pending = [item for index, item in enumerate(batch) if index not in failures] + self._pending
                return
            self._hold(batch, failures)
            self._commit(link, [item for index, item in enumerate(batch) if index not in failures])
        except DeliveryAborted as abort:
            link.abort()
            log.warning("delivery-aborted", stage=self._stage, cause=str(abort), records=len(batch))
            self._recorder.aborted(self._stage, "group")
            held = {id(item.delivery) for item in self._held}
            self._pending = [item for item in batch if id(item) not in held] + self._pending
            self._due = self._clock.monotonic() + ABORT_WAIT_SECONDS

    def _take_batch(self) -> list[Delivery]:
        total = count = 0
        for item in self._pending[:MAX_BATCH]:
            total += sum(len(end.record.value or b"") for end in item.ends)
            if count and total > MAX_BATCH_BYTES:
                break
            count += 1
        batch, self._pending = self._pending[:count], self._pending[count:]
        return batch

    def _commit(self, link: Link, delivered: list[Delivery]) -> None:
        if not delivered:
            return
        started = self._clock.monotonic()
        by_lane: dict[Lane, list[Ticket]] = {}
        for item in delivered:
            by_lane.setdefault(item.ticket.lane, []).append(item.ticket)
        link.commit(_points(by_lane))
        for lane, tickets in by_lane.items():
            lane.settle(tickets)
        if self._held:
            self._got_through(delivered)
        self._recorder.committed(self._stage, self._clock.monotonic() - started, len(delivered))
        self._tell(delivered)

    def _hold(self, batch: list[Delivery], failures: dict[int, _Failure]) -> None:
        for index, failure in failures.items():
            due = self._clock.monotonic() + HOLD_FIRST_SECONDS
            self._held.append(_Held(batch[index], failure.topic, due, HOLD_FIRST_SECONDS, tries=1, is_suspect=True))
            log.error("record-not-written", stage=self._stage, topic=failure.topic, cause=failure.cause)

    def _try_held(self, link: Link, held: _Held) -> None:
        try:
            failures = _publish(link, [held.delivery])
            if not failures:
                self._commit(link, [held.delivery])
                return
            link.abort()
            held.topic, cause = failures[0].topic, failures[0].cause
        except DeliveryAborted as abort:
            link.abort()
            cause = str(abort)
        self._put_off(held)
        log.error("record-still-not-written", stage=self._stage, topic=held.topic, cause=cause)

    def _put_off(self, tried: _Held) -> None:
        """It failed again; where its topic is at fault, the others that wait for it need not try before it does."""
        tried.tries += 1
        tried.is_suspect = True
        tried.interval_seconds = min(tried.interval_seconds * 2, HOLD_LONGEST_SECONDS)
        tried.due = self._clock.monotonic() + tried.interval_seconds
        if tried.topic in self._bad_topics():
            for held in self._held:
                if held.topic == tried.topic:
                    held.interval_seconds = tried.interval_seconds
                    held.due = max(held.due, tried.due)

    def _bad_topics(self) -> set[str]:
        suspects = Counter(held.topic for held in self._held if held.is_suspect)
        return {topic for topic, count in suspects.items() if count >= BAD_TOPIC_RECORDS}

    def _set_aside(self) -> None:
        """What goes to a bad topic waits with those that wait for it already, and costs nobody a timeout."""
        bad = self._bad_topics()
        fresh, self._pending = self._pending, []
        for item in fresh:
            topic = next((end.record.topic for end in item.ends if end.record.topic in bad), None)
            if topic is None:
                self._pending.append(item)
            else:
                waiting = [held for held in self._held if held.topic == topic]
                self._held.append(_Held(item, topic, min(held.due for held in waiting), waiting[0].interval_seconds))

    def _got_through(self, delivered: list[Delivery]) -> None:
        """Their topics can be written: who only waited for them goes on, who failed there is at fault itself."""
        done, topics = set(delivered), {end.record.topic for item in delivered for end in item.ends}
        self._held = [held for held in self._held if held.delivery not in done]
        freed = [held for held in self._held if held.topic in topics and not held.tries]
        self._held = [held for held in self._held if held not in freed]
        self._pending = [held.delivery for held in freed] + self._pending
        for held in self._held:
            if held.topic in topics:
                held.is_suspect = False

    def _tell(self, delivered: list[Delivery]) -> None:
        wall = self._clock.wall()
        for item in delivered:
            for end in item.ends:
                born_ms = end.timestamp_ms if end.timestamp_ms >= 0 else item.ticket.record.timestamp_ms
                age_seconds = max(0.0, wall - born_ms / 1000)
                self._recorder.finished(self._stage, end.outcome, end.priority, age_seconds)
                end.walk.committed(end.record.topic, len(delivered))
                if end.outcome == "dead-letter":
                    self._recorder.lettered(self._stage, end.reason)
                if end.outcome != "forwarded":
                    _log_finished(self._stage, item, end, age_seconds)
            if item.ignored:
                self._recorder.ignored(self._stage, len(item.ignored))
                log.info("nothing-to-do", stage=self._stage, input=_place(item), entries=item.ignored)
        self._recorder.progressed()


def _points(by_lane: dict[Lane, list[Ticket]]) -> list[CommitPoint]:
    points = (lane.point(tickets) for lane, tickets in by_lane.items())
    return [point for point in points if point is not None]


def _publish(link: Link, batch: list[Delivery]) -> dict[int, _Failure]:
    """Publish all records of `batch`; what failed, by its place in `batch`."""
    failures = link.publish([end.record for item in batch for end in item.ends])
    if not failures:
        return {}
    owners = [(place, end.record.topic) for place, item in enumerate(batch) for end in item.ends]
    failed: dict[int, _Failure] = {}
    for index in sorted(failures):
        place, topic = owners[index]
        failed.setdefault(place, _Failure(topic, failures[index]))
    return failed


def _place(item: Delivery) -> str:
    record = item.ticket.record
    return f"{record.topic}/{record.partition}/{record.offset}"


def _log_finished(stage: str, item: Delivery, end: End, age_seconds: float) -> None:
    sku_id, image_id = end.image or (None, None)
    log.info(
        "event-postponed" if end.outcome == "postponed" else "event-finished",
        stage=stage,
        outcome=end.outcome,
        reason=end.reason or None,
        sku_id=sku_id,
        image_id=image_id,
        event_id=end.event_id or None,
        input=_place(item),
        age_seconds=round(age_seconds, 3),
        **end.walk.facts,
    )
