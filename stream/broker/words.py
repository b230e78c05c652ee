"""The client's words as ours: a message is a record, an offset with its text a position, statistics are ends.

Comes in: what confluent-kafka hands over. Goes out: the values of port.py. Pure.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, TopicPartition

from stream.broker.port import Committed, InRecord, LinkBroken, Partition


def ends_in(statistics: str) -> dict[Partition, int]:
    """End offsets for readers of committed records, out of librdkafka's statistics (its STATISTICS.md)."""
    ends: dict[Partition, int] = {}
    for topic, told in orjson.loads(statistics).get("topics", {}).items():
        for number, partition in told.get("partitions", {}).items():
            end = partition.get("ls_offset", -1)
            if int(number) >= 0 and end >= 0:
                ends[Partition(topic, int(number))] = end
    return ends


def record_of(read: Any) -> InRecord:
    """A message as a record. Untyped: the stubs allow for messages never read (no topic, headers as a dict)."""
    kind, timestamp_ms = read.timestamp()
    return InRecord(
        topic=read.topic(),
        partition=read.partition(),
        offset=read.offset(),
        key=read.key(),
        value=read.value(),
        timestamp_ms=timestamp_ms if kind else 0,
        headers=tuple(read.headers() or ()),
        is_append_time=kind == TIMESTAMP_LOG_APPEND_TIME,
    )


def committed_of(part: TopicPartition) -> Committed:
    """What the group has committed there."""
    offset = part.offset if part.offset >= 0 else None
    return Committed(Partition(part.topic, part.partition), offset, part.metadata or "")


def partitions_of(parts: Sequence[TopicPartition]) -> list[Partition]:
    """Their places alone."""
    return [Partition(part.topic, part.partition) for part in parts]


class Caught:
    """Around a client call that serves callbacks: what failed inside one leaves as `LinkBroken`.

    The client lets a bare `KafkaError` out then (2.16.1), which is no exception: no `except` catches it, and the
    station's thread would end.
    """

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(self, kind: object, error: object, _trace: object) -> None:
        """Raises `LinkBroken`."""
        if kind is KafkaError:
            raise LinkBroken(f"inside a callback: {error}") from None
