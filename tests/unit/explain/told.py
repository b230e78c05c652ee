"""Records of every topic about a SKU, made by the builders that workers use."""

from typing import Any

import orjson

from stream.broker.port import InRecord
from stream.core.errors import Reason
from stream.events import Origin, Priority
from stream.explain.search import Search
from stream.notifications.pattern import DEFAULT_PATTERN, KeyPattern
from stream.notifications.reading import EntryReader
from stream.pipeline import default_pipeline
from stream.records import Asset, StageRecord, Status, first_record, terminal_of
from stream.retries import Attempt, RetryNote
from stream.runtime.dead_letters import write_letter
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter
from stream.topics import Topics

TOPICS = Topics()
START_MS = 1_795_000_000_000
BUCKET = "photos"
TRIES = (Attempt(START_MS, "transient", "reset"), Attempt(START_MS + 1, "transient", "again"))
"""The second one is what the letter itself tells."""


def search(sku_id: str = "SHOE-1", **options: Any) -> Search:
    entries = EntryReader(KeyPattern.parse(DEFAULT_PATTERN), frozenset({BUCKET}))
    return Search(sku_id, TOPICS, default_pipeline(), entries, **options)


def raw(
    sku_id: str = "SHOE-1", *, offset: int = 0, after_ms: int = 0, key: bytes | None = None, **fields: Any
) -> InRecord:
    told = {"sku_id": sku_id, "raw_url": f"https://photos.example.com/{sku_id}.jpg?sig=secret", **fields}
    return InRecord(TOPICS.raw, 0, offset, key or sku_id.encode(), orjson.dumps(told), START_MS + after_ms)


def origin(record: InRecord) -> Origin:
    return Origin(topic=record.topic, partition=record.partition, offset=record.offset)


def asset(name: str, job_key: str = "0" * 64) -> Asset:
    return Asset(
        key=f"SHOE-1/main/{name}-{job_key[:20]}.png", url=f"https://cdn.example.com/{name}.png",
        content_type="image/png", width=64, height=48, bytes=1, sha256="0",
    )  # fmt: skip


def read(record: InRecord, *, assets: tuple[str, ...] = (), replay: int = 0) -> StageRecord:
    """The event as the first stage read it; with `assets`, as a later one gets it."""
    found = first_record(
        record.value, origin(record), timestamp_ms=record.timestamp_ms, priority=Priority.LIVE, started_at=0.0
    ).model_copy(update={"replay": replay})
    if not assets:
        return found
    return found.with_assets({name: asset(name) for name in assets}, source_version="given:1")


def handed_on(record: InRecord, *, after_ms: int, asset_name: str = "transparent", replay: int = 0) -> InRecord:
    value = read(record, assets=("raw", asset_name), replay=replay).encode()
    return InRecord(TOPICS.asset(asset_name), 0, 4, record.key, value, START_MS + after_ms)


def letter(
    record: InRecord,
    *,
    after_ms: int,
    offset: int = 0,
    reason: Reason = Reason.JOB_FAILED,
    replay: int = 0,
    **facts: str,
) -> InRecord:
    """Of the stage upscale, with a stage record as its value."""
    failed = handed_on(record, after_ms=0, replay=replay)
    verdict = DeadLetter(
        reason, "it went wrong at https://u:p@api.example.com/x?token=secret",
        facts={name.replace("_", "-"): text for name, text in facts.items()},
    )  # fmt: skip
    told = read(record, assets=("raw", "transparent"), replay=replay)
    past = Past(attempts=len(TRIES), history=TRIES)
    written = write_letter(TOPICS.dead_letter, "upscale", failed, verdict, past=past, read=told)
    return InRecord(written.topic, 0, offset, written.key, written.value, START_MS + after_ms, written.headers)


def retry(record: InRecord, *, after_ms: int, delay: str = "1m", replay: int = 0, **fields: Any) -> InRecord:
    failed = handed_on(record, after_ms=0, replay=replay)
    note = RetryNote(
        stage="upscale", due_ms=START_MS + after_ms + 60_000, origin=origin(record), timestamp_ms=record.timestamp_ms,
        priority=Priority.LIVE, replay=replay, attempts=2, history=TRIES[:1], **fields,
    )  # fmt: skip
    return InRecord(TOPICS.retry(delay), 0, 9, failed.key, failed.value, START_MS + after_ms, note.headers())


def ended(
    record: InRecord, *, after_ms: int, status: Status = Status.COMPLETED, replay: int = 0, by: Origin | None = None
) -> InRecord:
    end = terminal_of(
        read(record, assets=("raw", "transparent", "upscaled"), replay=replay), status=status, finished_at=1.0,
        superseded_by=by,
    )  # fmt: skip
    return InRecord(TOPICS.completed, 0, 2, record.key, end.encode(), START_MS + after_ms)
