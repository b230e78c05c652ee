"""A letter's headers as Kafka Connect and Spring write them, for tools and teams that know those and not ours.

Comes in: what `dead_letters` knows. Goes out: headers in three portions, the most useful first; text may be cut to the
room that is left, bytes go whole or not at all. Layouts: Kafka's `DeadLetterQueueReporter`, Spring's
`DeadLetterPublishingRecoverer`; Spring's numbers are big-endian. A class of exception is `skustream.<reason>`: tools
group by it.
"""

import struct
from collections.abc import Mapping

from stream.broker.port import InRecord
from stream.runtime.verdict import DeadLetter
from stream.topics import Topics

Fields = Mapping[str, str | bytes]
CONNECT, SPRING = "__connect.errors.", "kafka_dlt-"
CONNECTOR = "skustream"
CLASS = "stream.runtime.worker.Worker"
_INT, _LONG = struct.Struct(">i"), struct.Struct(">q")
NO_TIME = -1


def places(letter_topic: str, stage: str, record: InRecord, verdict: DeadLetter) -> Fields:
    """Where the failed record lay, and what kind of failure it was."""
    exception = f"{CONNECTOR}.{verdict.reason.value}"
    timestamp_ms = record.timestamp_ms if record.timestamp_ms > 0 else NO_TIME
    fields: dict[str, str | bytes] = {
        f"{CONNECT}topic": record.topic,
        f"{CONNECT}partition": str(record.partition),
        f"{CONNECT}offset": str(record.offset),
        f"{CONNECT}connector.name": CONNECTOR,
        f"{CONNECT}task.id": "0",
        f"{CONNECT}stage": stage,
        f"{CONNECT}class.name": CLASS,
        f"{CONNECT}exception.class.name": exception,
        f"{SPRING}original-topic": record.topic,
        f"{SPRING}original-partition": _INT.pack(record.partition),
        f"{SPRING}original-offset": _LONG.pack(record.offset),
        f"{SPRING}original-timestamp": _LONG.pack(timestamp_ms),
        f"{SPRING}original-timestamp-type": _kind(record),
        f"{SPRING}exception-fqcn": exception,
    }
    topics = Topics.beside(letter_topic)
    if topics is not None:
        fields[f"{SPRING}original-consumer-group"] = topics.group(stage)
    return fields


def messages(error: str) -> Fields:
    """The sentence for a person."""
    return {f"{CONNECT}exception.message": error, f"{SPRING}exception-message": error}


def traces(traceback: str) -> Fields:
    """Where it broke, if anywhere: whole or not at all, ours has it."""
    whole = traceback.encode(errors="replace")
    return {f"{CONNECT}exception.stacktrace": whole, f"{SPRING}exception-stacktrace": whole} if whole else {}


def _kind(record: InRecord) -> str:
    """Java's names of Kafka's timestamp types."""
    if record.timestamp_ms <= 0:
        return "NoTimestampType"
    return "LogAppendTime" if record.is_append_time else "CreateTime"
