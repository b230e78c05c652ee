"""Letters for tests, as the runtime writes them and as a reader of the topic gets them."""

import json
from typing import Any

from stream.broker.port import InRecord, OutRecord
from stream.core.errors import Reason
from stream.events import Origin, Priority
from stream.letters.dialects import read_letter
from stream.letters.letter import Letter
from stream.records import StageRecord, first_record
from stream.retries import Attempt
from stream.runtime.dead_letters import write_letter
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter

TOPIC = "product-images.dead-letter"
AT_MS = 1_795_860_000_000


def event(sku: str = "MUG-1", **fields: Any) -> bytes:
    return json.dumps({"sku_id": sku, "raw_url": "https://photos.example.com/a.jpg", **fields}).encode()


def posted(
    value: bytes | None = None, reason: Reason = Reason.SOURCE_MISSING, *, stage: str = "remove-bg",
    error: str = "raw_url: answered 404", attempts: int = 1, offset: int = 0, topic: str = TOPIC, traceback: str = "",
    **facts: str,
) -> OutRecord:  # fmt: skip
    """The record as it is published."""
    value = event() if value is None else value
    record = InRecord("product-images.raw", 0, offset, b"MUG-1", value, AT_MS)
    try:
        origin = Origin(topic=record.topic, partition=0, offset=offset)
        read: StageRecord | None = first_record(
            value, origin, timestamp_ms=AT_MS, priority=Priority.LIVE, started_at=0.0
        )
    except Exception:  # noqa: BLE001 - an event that nobody can read is one, too
        read = None
    told = {name.replace("_", "-"): fact for name, fact in facts.items()}
    verdict = DeadLetter(reason, error, traceback=traceback, facts=told)
    past = Past(attempts=attempts, history=(Attempt(AT_MS - 5_000, "transient", "busy"),))
    return write_letter(topic, stage, record, verdict, past=past, read=read)


def lying(record: OutRecord, offset: int = 0, *, timestamp_ms: int = AT_MS) -> Letter:
    """As it is read back from partition 0."""
    return read_letter(InRecord(record.topic, 0, offset, record.key, record.value, timestamp_ms, record.headers))
