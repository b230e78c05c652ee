"""Records written all or none, by a producer whose transactional id is fixed: whoever begins later fences the earlier.

Comes in: records that belong together. Goes out: all of them committed, or none and why. Without transactions (delivery
at-least-once) they are written in their order, each one acknowledged before the next begins.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream.broker.port import OutRecord
from stream.broker.refusals import misfit, not_allowed, unwritten
from stream.core.errors import Resource, StreamError, Unavailable
from stream.roles import Grant, Kind

TIMEOUT_SECONDS = 20.0
"""Of a transaction: what it holds becomes visible, or is given up."""
BEGIN_SECONDS = 60.0
"""The transaction of a predecessor is ended first: killed in the middle, it may last its whole timeout."""
FLUSH_SECONDS = 5.0
MAX_TRIES = 3
MAX_RECORD_BYTES = 64 * 1024 * 1024
_CHATTER = logging.getLogger("librdkafka")
_FENCED = frozenset(
    {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001 - its name
)
_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001 - the client's names
_PASSING = frozenset({KafkaError._MSG_TIMED_OUT, KafkaError._TIMED_OUT})  # noqa: SLF001 - likewise


class Fenced(StreamError):
    """Somebody else began with the same transactional id: nothing that is open here will ever be seen."""


class Undecided(StreamError):
    """A commit's answer was lost: it happened, or it did not. Begin anew, and look."""


class Refused(StreamError):
    """Kafka will not have some of the records."""

    def __init__(self, causes: Mapping[int, str], *, others_written: bool) -> None:
        """`causes`: why, by the position of the group; `others_written`: False in a transaction, of which none is."""
        self.causes = causes
        self.others_written = others_written
        super().__init__("; ".join(sorted(set(causes.values()))))


class Transactions:
    """Owns one producer. Blocking; raises `Unavailable(broker)` where Kafka does not answer."""

    def __init__(self, client: Mapping[str, Any], transactional_id: str | None) -> None:
        """`client`: librdkafka options; without an id there are no transactions. Raises `Misconfigured`."""
        limit_ms = int(TIMEOUT_SECONDS * 1000)
        ours = {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            "linger.ms": 2,
            "message.max.bytes": MAX_RECORD_BYTES,
            "message.timeout.ms": limit_ms,
        }
        if transactional_id is not None:
            ours |= {"transactional.id": transactional_id, "transaction.timeout.ms": limit_ms}
        self._options = {**client, **ours}
        self._is_atomic = transactional_id is not None
        self._producer = self._made()

    def begin(self) -> None:
        """Fence whoever has the id, and end what they left open. May be called again, after `Undecided`."""
        if self._is_atomic:
            self._producer = self._made()
            self._guarded(lambda: self._producer.init_transactions(BEGIN_SECONDS))

    def _made(self) -> Producer:
        try:
            return Producer(self._options, logger=_CHATTER)
        except KafkaException as error:
            raise misfit(error) from None

    def write(self, groups: Sequence[Sequence[OutRecord]]) -> None:
        """Write all records of all groups at once; without transactions, the first of each group first, and so on.

        Raises `Refused` (by the position of the group), `Fenced`, `Undecided`.
        """
        if not self._is_atomic:
            self._write_in_order(groups)
            return
        self._guarded(self._producer.begin_transaction)
        causes = self._acknowledged([(number, record) for number, group in enumerate(groups) for record in group])
        if causes:
            self._guarded(lambda: self._producer.abort_transaction(TIMEOUT_SECONDS))
            raise Refused(causes, others_written=False)
        self._guarded(lambda: self._producer.commit_transaction(TIMEOUT_SECONDS), is_end=True)

    def _write_in_order(self, groups: Sequence[Sequence[OutRecord]]) -> None:
        """What fails is told; what comes after it in its group is not written."""
        causes: dict[int, str] = {}
        for place in range(max(map(len, groups), default=0)):
            due = [
                (number, group[place])
                for number, group in enumerate(groups)
                if place < len(group) and number not in causes
            ]
            causes |= self._acknowledged(due)
        if causes:
            raise Refused(causes, others_written=True)

    def _acknowledged(self, records: Sequence[tuple[int, OutRecord]]) -> dict[int, str]:
        """Produce and wait; why some failed, by their numbers. Raises `Fenced`, `Unavailable`."""
        errors: dict[int, tuple[KafkaError, str]] = {}
        for number, record in records:
            self._produce(number, record, errors)
        try:
            self._producer.flush(TIMEOUT_SECONDS + FLUSH_SECONDS)
        except (KafkaException, SystemError) as error:  # fenced or late it raises out of its own callbacks (2.16.1)
            cause = error if isinstance(error, KafkaException) else error.__cause__
            if isinstance(cause, KafkaException):
                raise _meaning(cause.args[0]) from None
            raise Unavailable(Resource.BROKER, str(error)) from None
        for failed, _ in errors.values():
            if failed.code() in _FENCED or failed.fatal():
                raise _meaning(failed)
            if failed.code() in _PASSING:
                raise Unavailable(Resource.BROKER, f"Kafka did not take a record in time: {failed.str()}")
        return {
            number: unwritten(failed, self._options, topic)
            for number, (failed, topic) in errors.items()
            if failed.code() not in _PURGED
        }

    def _produce(self, number: int, record: OutRecord, errors: dict[int, tuple[KafkaError, str]]) -> None:
        def acknowledged(error: KafkaError | None, _message: Message) -> None:
            if error is not None and (number not in errors or errors[number][0].code() in _PURGED):
                errors[number] = (error, record.topic)

        while True:
            try:
                self._producer.produce(
                    record.topic, value=record.value, key=record.key, headers=list(record.headers),
                    on_delivery=acknowledged,
                )  # fmt: skip
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                acknowledged(error.args[0], None)  # type: ignore[arg-type] # the message is not looked at
                return
            else:
                return

    def _guarded(self, call: Callable[[], object], *, is_end: bool = False) -> None:
        """Run a call of a transaction, and say what a failure means. `is_end`: it may have happened all the same."""
        cause: KafkaError | None = None
        for _ in range(MAX_TRIES):
            try:
                call()
            except KafkaException as error:
                cause = error.args[0]
                if not cause.retriable():
                    break
            else:
                return
        assert cause is not None  # noqa: S101 - it was tried
        if cause.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            grant = Grant(Kind.TRANSACTIONAL_ID, str(self._options["transactional.id"]), ("Write",))
            raise not_allowed(self._options, grant)
        meaning = _meaning(cause)
        raise Undecided(str(meaning)) if is_end and not isinstance(meaning, Fenced) else meaning


def _meaning(error: KafkaError) -> StreamError:
    if error.code() in _FENCED or (error.fatal() and "fenced" in error.str().lower()):
        return Fenced("somebody else has begun with the same transactional id")
    return Unavailable(Resource.BROKER, f"{error.name()}: {error.str()}")
