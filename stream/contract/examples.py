"""Examples for the contract: made by the code that reads and writes such records, so that they cannot be wrong alone.

Comes in: the pipeline and the topics. Goes out: JSON values and headers; tests check them against the schemas again.
"""

from decimal import Decimal
from typing import Any

import orjson

from stream.broker.port import InRecord
from stream.contract import words
from stream.core.errors import Reason
from stream.events import Origin, Priority
from stream.pipeline import RAW_ASSET, Pipeline
from stream.records import Asset, StageRecord, Status, first_record, terminal_of
from stream.retries import Attempt
from stream.runtime.dead_letters import write_letter
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter
from stream.topics import Topics

SMALLEST = {"sku_id": "MUG-1", "raw_url": "https://photos.example.com/mug-1.jpg"}
STARTED_AT = 1795341601.5
TIMESTAMP_MS = 1795341600000
HASH = "0123456789abcdef" * 4


def whole_event(pipeline: Pipeline) -> dict[str, Any]:
    """An event that says everything it may, with the pipeline's own stages and parameters."""
    return {
        "sku_id": "MUG-1",
        "raw_url": "https://photos.example.com/mug-1-side.jpg",
        "event_id": "pim-2026-000184",
        "image_id": "side",
        "version": "7",
        "sequence": 12,
        "occurred_at": "2026-11-22T10:00:00Z",
        "batch_id": "autumn",
        "stages": [stage.name for stage in pipeline.stages],
        "params": {stage.name: stage.params for stage in pipeline.stages if stage.params},
        "attributes": {"season": "autumn"},
    }


def completed(pipeline: Pipeline, topics: Topics) -> dict[str, Any]:
    """What comes back for the whole event; two of its assets are shown."""
    record = _read(whole_event(pipeline), topics)
    first = pipeline.stages[0].makes
    made = {
        RAW_ASSET: _asset(RAW_ASSET, "jpg", "image/jpeg", Decimal(0)),
        first: _asset(first, "png", "image/png", Decimal(10)),
    }
    end = terminal_of(
        record.with_assets(made, source_version="given:7"), status=Status.COMPLETED, finished_at=STARTED_AT + 61
    )
    return _json(end.encode())


def superseded(topics: Topics) -> dict[str, Any]:
    """What comes back for an event whose image has a newer one."""
    record = _read(SMALLEST, topics)
    newer = Origin(topic=topics.raw, partition=4, offset=1042)
    end = terminal_of(record, status=Status.SUPERSEDED, finished_at=STARTED_AT + 1, superseded_by=newer)
    return _json(end.encode())


def letter(pipeline: Pipeline, topics: Topics) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and value of a letter about a photo that does not exist."""
    record = _in_record(SMALLEST, topics)
    error = f"raw_url: {(url := SMALLEST['raw_url'])} answered 404; got '{url}'; expected a URL that brings the photo"
    verdict = DeadLetter(Reason.SOURCE_MISSING, error)
    past = Past(attempts=1, history=(Attempt(TIMESTAMP_MS + 5_000, verdict.reason, error),))
    stage = pipeline.stages[0].name
    written = write_letter(topics.dead_letter, stage, record, verdict, past=past, read=_read(SMALLEST, topics))
    text = {name: value or b"" for name, value in written.headers if name not in words.LETTER_BINARY}
    return {name: value.decode() for name, value in text.items()}, _json(written.value or b"")


def _in_record(event: dict[str, Any], topics: Topics) -> InRecord:
    return InRecord(topics.raw, 4, 1041, event["sku_id"].encode(), orjson.dumps(event), TIMESTAMP_MS)


def _read(event: dict[str, Any], topics: Topics) -> StageRecord:
    record = _in_record(event, topics)
    origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
    return first_record(record.value, origin, timestamp_ms=TIMESTAMP_MS, priority=Priority.LIVE, started_at=STARTED_AT)


def _asset(name: str, extension: str, content_type: str, credits_paid: Decimal) -> Asset:
    key = f"MUG-1/side/{name}-{HASH[:20]}.{extension}"
    return Asset(
        key=key, url=f"https://cdn.example.com/{key}", content_type=content_type, width=1200, height=900, bytes=184_320,
        sha256=HASH, credits=credits_paid, seconds=4.2,
    )  # fmt: skip


def _json(value: bytes) -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(value)
    return read
