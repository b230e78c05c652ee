"""The real link: confluent-kafka's consumer and producer, owned by one thread.

Comes in: librdkafka settings. Goes out: the `Link` of port.py in its two deliveries, transactional and at-least-once.
Why one thread: since confluent-kafka 2.16 a consumer call from a second thread can block for ever (decision 0003).
"""

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from stream.broker.port import (
    CommitPoint,
    DeliveryAborted,
    InRecord,
    LinkBroken,
    LinkListener,
    OutRecord,
    Partition,
)
from stream.broker.refusals import FORBIDDEN, made, not_allowed
from stream.broker.words import Caught, committed_of, ends_in, partitions_of, record_of
from stream.core.errors import Resource, Unavailable
from stream.roles import Grant, Kind

log = structlog.get_logger(__name__)
_CHATTER = logging.getLogger("librdkafka")

OFFSET_BEGINNING = -2
WAKE_CALLS = 3
WAKE_SECONDS = 1.0
"""How long the leader of a resumed partition may take to answer; after that the client closes the connection."""
SLOWEST_ABORT_SECONDS = 20.0
"""Brokers look for transactions past their timeout every 10 s by default."""
FORGETFUL = {
    "metadata.max.age.ms": 5_000,
    "topic.metadata.refresh.interval.ms": 5_000,
    "connections.max.idle.ms": 10_000,
}
"""A producer keeps the group coordinator it knows for 15 minutes by default and waits for it although it is gone
(librdkafka #5511); idle connections that close make it look again."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How to reach Kafka and who we are there. `options` are librdkafka's own; ours win over them."""

    options: Mapping[str, Any]
    group: str
    topics: tuple[str, ...]
    instance: str
    """Unique per process and stage: the transactional id."""
    transactional: bool = True
    session_seconds: float = 45.0
    transaction_timeout_seconds: float = 10.0
    statistics_seconds: float = 5.0
    max_record_bytes: int = 64 * 1024 * 1024
    """Larger than any topic allows: the broker's limits decide, so that every letter it can hold is writable."""

    def consumer(self) -> dict[str, Any]:
        """Options of the consumer."""
        ours: dict[str, Any] = {
            "group.id": self.group,
            "client.id": f"skustream-{self.instance}",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(self.session_seconds * 1000),
            "heartbeat.interval.ms": max(200, int(self.session_seconds * 1000 / 6)),
            "max.poll.interval.ms": max(300_000, int(self.session_seconds * 1000)),
            "queued.max.messages.kbytes": 16_384,
            "statistics.interval.ms": int(self.statistics_seconds * 1000),
            "enable.partition.eof": True,
        }
        return {"fetch.wait.max.ms": 100, **self.options, **ours}

    def producer(self) -> dict[str, Any]:
        """Options of the producer. A delivery never outlasts the transaction it belongs to."""
        limit_ms = int(self.transaction_timeout_seconds * 1000)
        ours: dict[str, Any] = {
            "client.id": f"skustream-{self.instance}",
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            "compression.type": "lz4",
            "message.max.bytes": self.max_record_bytes,
            "message.timeout.ms": limit_ms,
        }
        if self.transactional:
            ours |= {"transactional.id": f"{self.group}.{self.instance}", "transaction.timeout.ms": limit_ms}
        return {**FORGETFUL, **self.options, **ours}


class KafkaLink:
    """Both deliveries share everything but `publish`'s frame, `commit` and `abort`."""

    def __init__(self, settings: LinkSettings, listener: LinkListener) -> None:
        """Connects and subscribes.

        Raises `Unavailable(broker)` when no broker answers in time, `Misconfigured` for options librdkafka refuses.
        """
        self._settings = settings
        self._listener = listener
        self._open = False
        self._fetched: set[Partition] = set()
        """Assigned and not paused."""
        self._asleep: tuple[TopicPartition, int] | None = None
        """Resumed when nothing was fetched: to be called so often yet, until a record comes."""
        self._producer = made(lambda: Producer(settings.producer(), logger=_CHATTER))
        if settings.transactional:
            self._begin_life()
        options = {**settings.consumer(), "stats_cb": self._statistics}
        self._consumer = made(lambda: Consumer(options, logger=_CHATTER))
        self._consumer.subscribe(
            list(settings.topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    @property
    def transactional(self) -> bool:
        """Whether publishing and committing are one transaction."""
        return self._settings.transactional

    def poll(self, timeout_seconds: float, max_records: int) -> list[InRecord]:
        """One record as soon as it is there, and whatever else has arrived (`consume(n, t)` would wait to fill n)."""
        self._wake_fetcher()
        with Caught():
            first = self._consumer.poll(timeout_seconds)
        if first is None:
            return []
        self._asleep = None
        with Caught():
            messages = [first, *self._consumer.consume(max_records - 1, 0)] if max_records > 1 else [first]
        return [record for message in messages if (record := self._read(message)) is not None]

    def pause(self, partition: Partition) -> None:
        """Stop fetching."""
        with contextlib.suppress(KafkaException):  # it was revoked a moment ago: nothing left to pause
            self._consumer.pause([TopicPartition(partition.topic, partition.number)])
            self._fetched.discard(partition)

    def resume(self, partition: Partition) -> None:
        """Fetch again."""
        place = TopicPartition(partition.topic, partition.number)
        with contextlib.suppress(KafkaException):
            self._consumer.resume([place])
            if not self._fetched:
                self._asleep = (place, WAKE_CALLS)
            self._fetched.add(partition)

    def publish(self, records: Sequence[OutRecord]) -> dict[int, str]:
        """See port.py. In a transaction this opens it."""
        if self.transactional and not self._open:
            self._guarded(self._producer.begin_transaction)
            self._open = True
        failures: dict[int, str] = {}
        waiting = set(range(len(records)))
        try:
            for index, record in enumerate(records):
                self._produce(index, record, failures, waiting)
            self._producer.flush(self._settings.transaction_timeout_seconds + 1)
        except (KafkaException, SystemError) as error:
            # Past its transaction's timeout the client raises from inside its own callbacks (measured, 2.16.1).
            raise LinkBroken(str(error.__cause__ or error)) from None
        for index in waiting - set(failures):
            failures[index] = LATE
        if self.transactional and LATE in failures.values():
            # The brokers' fault, no record's. A client that goes on after such an abort may hang for ever, whatever the
            # timeout, in `send_offsets_to_transaction` (seen with killed brokers, 2.16.1; librdkafka #5456, #5511), and
            # with it every rebalance of the group. A new producer of the same transactional id fences this one.
            self._open = False
            self._producer = Producer(self._settings.producer(), logger=_CHATTER)
            self._begin_life()
            return {index: cause for index, cause in failures.items() if cause != PURGED}
        culprits = {index: cause for index, cause in failures.items() if cause != PURGED}
        if failures and not culprits:
            raise DeliveryAborted("the whole delivery was purged")
        return culprits

    def commit(self, points: Sequence[CommitPoint]) -> None:
        """See port.py."""
        offsets = [TopicPartition(p.partition.topic, p.partition.number, p.offset, p.metadata) for p in points]
        if not self.transactional:
            self._commit_plainly(offsets)
            return
        if not self._open:
            self._guarded(self._producer.begin_transaction)
            self._open = True
        timeout = self._settings.transaction_timeout_seconds
        metadata = self._consumer.consumer_group_metadata()
        self._guarded(lambda: self._producer.send_offsets_to_transaction(offsets, metadata, timeout))
        self._guarded(lambda: self._producer.commit_transaction(timeout), ending=True)
        self._open = False

    def abort(self) -> None:
        """See port.py."""
        if not (self.transactional and self._open):
            return
        try:
            self._producer.abort_transaction(self._settings.transaction_timeout_seconds)
        except KafkaException as error:
            raise LinkBroken(f"abort failed: {error.args[0]}") from None
        self._open = False

    def close(self) -> None:
        """Leave the group (the listener is told of the revocation), then drop the producer. Raises nothing.

        What a callback raises comes out here: let past, it would end the station's thread, about to open another link.
        """
        with contextlib.suppress(Exception, KafkaError):  # type: ignore[arg-type]  # see `Caught`
            self._consumer.close()
        with contextlib.suppress(KafkaException, LinkBroken):
            self.abort()

    def _wake_fetcher(self) -> None:
        """A fetcher with nothing to fetch looks only once a second (measured, 2.16.1); a question to it wakes it."""
        if self._asleep is not None:
            place, calls = self._asleep
            self._asleep = (place, calls - 1) if calls > 1 else None
            with contextlib.suppress(KafkaException):
                self._consumer.get_watermark_offsets(place, timeout=WAKE_SECONDS)

    def _begin_life(self) -> None:
        try:
            self._producer.init_transactions(self._settings.transaction_timeout_seconds * 3)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
                grant = Grant(Kind.TRANSACTIONAL_ID, f"{self._settings.group}.", ("Write",), is_prefix=True)
                raise not_allowed(self._settings.options, grant) from None
            servers = self._settings.options.get("bootstrap.servers")
            message = f"no transactions at Kafka at {servers}: {error.args[0].str()} (SKUSTREAM_DELIVERY=exactly-once)"
            raise Unavailable(Resource.BROKER, message) from None

    def _produce(self, index: int, record: OutRecord, failures: dict[int, str], waiting: set[int]) -> None:
        def acknowledged(error: KafkaError | None, _message: Message) -> None:
            waiting.discard(index)
            if error is not None:
                failures[index] = _KNOWN_CAUSES.get(error.code()) or f"{error.name()}: {error.str()}"

        while True:
            try:
                self._producer.produce(
                    record.topic,
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    on_delivery=acknowledged,
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                cause: KafkaError = error.args[0]
                if cause.fatal():
                    raise LinkBroken(str(cause)) from None
                failures[index] = f"{cause.name()}: {cause.str()}"
                return
            else:
                return  # what was acknowledged is told while the rest is flushed

    def _guarded(self, call: Callable[[], object], *, ending: bool = False) -> None:
        """Run one transaction call, and say what a failure means.

        `ending`: a commit that may have happened although its answer was lost cannot be taken back: the link is broken.
        """
        try:
            for _ in range(MAX_TRIES):
                try:
                    call()
                except KafkaException as error:
                    if not error.args[0].retriable():
                        raise
                    last = error
                else:
                    return
            raise last
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            if cause.fatal() or (ending and not cause.txn_requires_abort()):
                raise LinkBroken(f"{cause.name()}: {cause.str()}") from None
            raise DeliveryAborted(f"{cause.name()}: {cause.str()}") from None

    def _commit_plainly(self, offsets: list[TopicPartition]) -> None:
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise DeliveryAborted(str(error.args[0])) from None

    def _read(self, message: Message) -> InRecord | None:
        """A record, or None for news of another kind: the end of a partition, an error of the client's."""
        read: Any = message
        error = read.error()
        if error is None:
            return record_of(read)
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
            self._listener.drained(Partition(read.topic(), read.partition()), read.offset())
        elif error.code() in FORBIDDEN:
            kind = FORBIDDEN[error.code()]
            name = read.topic() if kind is Kind.TOPIC else self._settings.group
            refusal = not_allowed(self._settings.options, Grant(kind, name or "?", ("Read",)))
            log.error("kafka-refuses", cause=str(refusal))
        else:
            log.warning("consumer-error", cause=error.str())
        return None

    def _statistics(self, text: str) -> None:
        self._listener.ends(ends_in(text))

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        committed = [committed_of(part) for part in self._fetch_committed(consumer, partitions)]
        starts = [
            TopicPartition(c.partition.topic, c.partition.number, OFFSET_BEGINNING if c.offset is None else c.offset)
            for c in committed
        ]
        consumer.incremental_assign(starts)
        # librdkafka keeps a pause across unassign and assign: a lane that left full would never be read again.
        if starts:
            consumer.resume(starts)
            self._fetched.update(partitions_of(starts))
        self._listener.assigned(committed)

    def _fetch_committed(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Offsets and metadata; waits out a dead worker's open transaction, whose commit may still be decided."""
        if not partitions:
            return []
        bare = [TopicPartition(part.topic, part.partition) for part in partitions]
        patience = self._settings.transaction_timeout_seconds + SLOWEST_ABORT_SECONDS
        found = consumer.committed(bare, timeout=patience)
        for part in found:
            if part.error is not None:
                raise KafkaException(part.error)
        return list(found)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._listener.revoked(partitions_of(partitions), lost=False)
        self._unassign(consumer, partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._listener.revoked(partitions_of(partitions), lost=True)
        self._unassign(consumer, partitions)

    def _unassign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._fetched.difference_update(partitions_of(partitions))
        consumer.incremental_unassign(partitions)


LATE = "not acknowledged in time"
PURGED = "purged with its transaction"
PURGE_CODES = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001 - the client's names
_KNOWN_CAUSES = {KafkaError._MSG_TIMED_OUT: LATE, **dict.fromkeys(PURGE_CODES, PURGED)}  # noqa: SLF001 - likewise
MAX_TRIES = 3
