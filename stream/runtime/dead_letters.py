"""Letters (L6): the failing stage's input byte for byte, and headers that say where it came from and why it is here.

Comes in: the input record and a `DeadLetter` verdict. Goes out: one record for the dead-letter topic.
"""

from stream.broker.port import Headers, InRecord, OutRecord
from stream.events import Origin
from stream.records import StageRecord, event_id_of, fingerprint
from stream.retries import encode_history
from stream.runtime import foreign_headers
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter
from stream.topics import LETTER_HEADERS_MAX_BYTES
from stream.traceparent import MAX_BYTES as TRACE_BYTES

MAX_ERROR_BYTES = 4_000
MAX_TRACEBACK_BYTES = 8_000
MAX_FACT_BYTES = 512
HEADER_FRAME_BYTES = 10
"""What Kafka spends on the two lengths of a header, at the most."""


def write_letter(
    topic: str,
    stage: str,
    record: InRecord,
    verdict: DeadLetter,
    *,
    past: Past,
    read: StageRecord | None,
    index: int = 0,
) -> OutRecord:
    """The letter for `record`; `read` is the event in it, where it could be read (it knows the origin).

    `past`: every try of the event, the last one included. `index`: which of the record's events it is, where it could
    not be read; a retry record's note tells that too.
    """
    origin, timestamp_ms, replay = _whose(record, past, read, index)
    error = _cut(verdict.error, MAX_ERROR_BYTES)
    fields: dict[str, str | bytes] = {
        "skustream.origin.topic": origin.topic,
        "skustream.origin.partition": str(origin.partition),
        "skustream.origin.offset": str(origin.offset),
        "skustream.origin.index": str(origin.index),
        "skustream.origin.timestamp": str(timestamp_ms),
        "skustream.stage": stage,
        "skustream.reason": verdict.reason.value,
        "skustream.error": error,
        "skustream.fingerprint": fingerprint(
            read.event if read else None, record.value, stage=stage, reason=verdict.reason.value
        ),
        "skustream.attempts": str(past.attempts),
        "skustream.replay": str(replay),
        "skustream.input.topic": record.topic,
        "skustream.input.partition": str(record.partition),
        "skustream.input.offset": str(record.offset),
        "skustream.history": encode_history(past.history),
    }
    if read is not None:
        fields["skustream.event-id"] = event_id_of(read)
        fields["skustream.sku-id"] = read.event.sku_id
        fields["skustream.image-id"] = read.event.image_id
        fields["skustream.priority"] = read.priority.value
    fields |= {f"skustream.{name}": _cut(fact, MAX_FACT_BYTES) for name, fact in verdict.facts.items()}
    fields |= foreign_headers.places(topic, stage, record, verdict)
    traceback = _cut(verdict.traceback, MAX_TRACEBACK_BYTES)
    if traceback:
        fields["skustream.traceback"] = traceback
    fields |= {**foreign_headers.messages(error), **foreign_headers.traces(traceback)}
    return OutRecord(topic, key=record.key, value=record.value, headers=_bounded(fields))


def _whose(record: InRecord, past: Past, read: StageRecord | None, index: int) -> tuple[Origin, int, int]:
    """The event's origin, the origin's record time (Unix ms), and its replay number."""
    if read is not None:
        return read.origin, read.timestamp_ms, read.replay
    if past.note is not None:
        return past.note.origin, past.note.timestamp_ms, past.note.replay
    here = Origin(topic=record.topic, partition=record.partition, offset=record.offset, index=index)
    return here, record.timestamp_ms, 0


def _bounded(fields: dict[str, str | bytes]) -> Headers:
    """Headers within the limit that `topics check` leaves room for: text is cut, bytes go whole or not at all.

    The trace's own, which come last, have room of their own.
    """
    headers: list[tuple[str, bytes]] = []
    left = LETTER_HEADERS_MAX_BYTES - TRACE_BYTES
    for name, content in fields.items():
        room = left - len(name.encode()) - HEADER_FRAME_BYTES
        value = content if isinstance(content, bytes) else _cut(content, max(0, room)).encode(errors="replace")
        if len(value) <= room:
            left = room - len(value)
            headers.append((name, value))
    return tuple(headers)


def _cut(text: str, limit_bytes: int) -> str:
    encoded = text.encode(errors="replace")
    return text if len(encoded) <= limit_bytes else encoded[:limit_bytes].decode(errors="ignore")
