"""Publishing many records at once, outside any worker: each one acknowledged by all copies, or named as failed.

Comes in: records in their order. Goes out: how many were acknowledged, and why others were not. Idempotent: a retry of
the client neither repeats nor reorders. Told to stop, it sends no more and still counts what is under way.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream.broker.port import OutRecord
from stream.broker.refusals import misfit, unwritten

DELIVERY_SECONDS = 60.0
"""A record that no broker took for so long has failed."""
LAST_WORDS_SECONDS = 5.0
"""Told to stop: time for acknowledgements that are on their way."""
MAX_RECORD_BYTES = 64 * 1024 * 1024
"""Larger than any topic allows: the broker's own limit decides."""
BATCH_BYTES = 65_536
"""A broker holds its size limit against whole batches: in small ones a record too large is refused alone."""
_CHATTER = logging.getLogger("librdkafka")
_NOT_SENT = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001 - the client's names


@dataclass(slots=True)
class Published:
    """How a publishing ended. `failures`: causes and how often; `failed`: the positions of failed records."""

    acknowledged: int = 0
    failed: list[int] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False


def publish(
    client: Mapping[str, Any],
    records: Iterable[OutRecord],
    *,
    on_progress: Callable[[int], None] | None = None,
    told_to_stop: Callable[[], bool] = lambda: False,
) -> Published:
    """Publish all, and return when each is acknowledged or failed; `on_progress` is told how many are settled.

    `told_to_stop` is asked again and again (an exception such as Ctrl-C's, raised inside the client's callbacks, would
    lose count). `client`: librdkafka options. Raises `Misconfigured` for those it refuses.
    """
    ours = {
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
        "linger.ms": 20,
        "batch.size": BATCH_BYTES,
        "message.max.bytes": MAX_RECORD_BYTES,
        "message.timeout.ms": int(DELIVERY_SECONDS * 1000),
    }
    try:
        producer = Producer({**client, **ours}, logger=_CHATTER)
    except KafkaException as error:
        raise misfit(error) from None
    return _Sending(producer, client, on_progress, told_to_stop).run(records)


class _Sending:
    def __init__(
        self,
        producer: Producer,
        client: Mapping[str, Any],
        on_progress: Callable[[int], None] | None,
        told_to_stop: Callable[[], bool],
    ) -> None:
        self._producer = producer
        self._client = client
        self._on_progress = on_progress
        self._told_to_stop = told_to_stop
        self._done = Published()

    def run(self, records: Iterable[OutRecord]) -> Published:
        for position, record in enumerate(records):
            if self._told_to_stop():
                return self._stopped()
            self._send(position, record)
        while self._producer.flush(0.2):
            if self._told_to_stop():
                return self._stopped()
            self._tell()
        self._tell()
        return self._done

    def _stopped(self) -> Published:
        self._done.interrupted = True
        self._producer.purge(in_queue=True, in_flight=False)
        self._producer.flush(LAST_WORDS_SECONDS)
        self._tell()
        return self._done

    def _send(self, position: int, record: OutRecord) -> None:
        def settled(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                self._done.acknowledged += 1
            elif error.code() not in _NOT_SENT:
                self._fail(position, record, error)

        while not self._told_to_stop():
            try:
                self._producer.produce(
                    record.topic, value=record.value, key=record.key, headers=list(record.headers), on_delivery=settled
                )
            except BufferError:
                self._producer.poll(0.2)
                self._tell()
            except KafkaException as error:
                self._fail(position, record, error.args[0])
                return
            else:
                self._producer.poll(0)
                return

    def _fail(self, position: int, record: OutRecord, error: KafkaError) -> None:
        self._done.failed.append(position)
        self._done.failures[unwritten(error, self._client, record.topic)] += 1

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._done.acknowledged + len(self._done.failed))
