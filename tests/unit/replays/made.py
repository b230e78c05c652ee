"""Letters as the stages leave them, and the doors that read them."""

import json
from decimal import Decimal
from typing import Any

from stream.broker.port import InRecord
from stream.events import Origin, Priority
from stream.letters.letter import Dialect, Letter, LetterId
from stream.notifications.pattern import DEFAULT_PATTERN, KeyPattern
from stream.notifications.reading import EntryReader
from stream.pipeline import Pipeline, default_pipeline
from stream.records import Asset, StageRecord, first_record
from stream.replays.reentry import Doors

LETTERS, RAW = "product-images.dead-letter", "product-images.raw"
ENTERED_MS = 1_790_000_000_000
NOW = 1_800_000_000.0
PIPELINE = default_pipeline()
ENTRIES = EntryReader(KeyPattern.parse(DEFAULT_PATTERN))
DOORS = Doors(PIPELINE, ENTRIES, NOW)
URL = "https://photos.example.com/mug.jpg"


def doors(pipeline: Pipeline) -> Doors:
    return Doors(pipeline, ENTRIES, NOW)


def event(**fields: Any) -> bytes:
    told = {"sku_id": "MUG", "raw_url": URL, **fields}
    return json.dumps(told).encode()


def origin(offset: int = 7, *, index: int = 0) -> Origin:
    return Origin(topic=RAW, partition=0, offset=offset, index=index)


def asset(name: str, *, width: int = 100, height: int = 100, paid: str = "10") -> Asset:
    return Asset(
        key=f"MUG/main/{name}-0123456789abcdef0123.png", url=f"https://cdn.example.com/{name}",
        content_type="image/png", width=width, height=height, bytes=1, sha256="0", credits=Decimal(paid),
    )  # fmt: skip


def stage_record(raw: bytes | None = None, *names: str, at: Origin | None = None, **fields: Any) -> StageRecord:
    read = first_record(
        raw or event(), at or origin(), timestamp_ms=ENTERED_MS, priority=Priority.LIVE, started_at=NOW - 100
    )
    assets = {name: asset(name) for name in names or ("raw", "transparent")}
    return read.model_copy(update=fields).with_assets(assets, source_version="given:1")


def letter(value: bytes | None = None, *, stage: str = "remove-bg", offset: int = 0, **fields: Any) -> Letter:
    told = {
        "timestamp_ms": ENTERED_MS + 60_000, "key": b"MUG", "headers": (), "dialect": Dialect.SKUSTREAM,
        "origin": origin(), "origin_timestamp_ms": ENTERED_MS, "reason": "retries-exhausted", **fields,
    }  # fmt: skip
    return Letter(at=LetterId(LETTERS, 0, offset), value=event() if value is None else value, stage=stage, **told)


def between(record: StageRecord | None = None, *, stage: str = "upscale", **fields: Any) -> Letter:
    """A letter of a later stage."""
    return letter((record or stage_record()).encode(), stage=stage, **fields)


def record_at(place: Origin, value: bytes, timestamp_ms: int) -> InRecord:
    return InRecord(place.topic, place.partition, place.offset, b"MUG", value, timestamp_ms)
