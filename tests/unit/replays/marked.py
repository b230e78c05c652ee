"""Marks, letters and records of the topic `replays` for tests."""

from typing import Any

from stream.broker.port import InRecord
from stream.events import Origin
from stream.letters.letter import Dialect, Letter, LetterId
from stream.records import dump
from stream.replays.marks import Fate, Mark

LETTERS = "product-images.dead-letter"
RAW = "product-images.raw"


def origin(offset: int, *, index: int = 0) -> Origin:
    return Origin(topic=RAW, partition=0, offset=offset, index=index)


def mark(offset: int, **fields: Any) -> Mark:
    told = {"fate": Fate.REPLAYED, "by": "anna@desk", "at_ms": 1_800_000_000_000, **fields}
    return Mark(topic=LETTERS, partition=0, offset=offset, **told)


def record_of(mark_: Mark, *, offset: int = 0, key: bytes | None = None) -> InRecord:
    return InRecord("product-images.replays", 0, offset, key or str(mark_.letter).encode(), dump(mark_), 0)


def letter(offset: int, **fields: Any) -> Letter:
    told = {
        "timestamp_ms": 1_800_000_000_000, "key": b"MUG", "value": b"{}", "headers": (), "dialect": Dialect.SKUSTREAM,
        "stage": "upscale", "reason": "retries-exhausted", **fields,
    }  # fmt: skip
    return Letter(at=LetterId(LETTERS, 0, offset), **told)
