"""What things are called: topics, groups, keys in the store, hashes. A changed job key buys everything twice.

Comes in: fixed events and pipelines. Goes out: name by name, as frozen in `golden/names.json`.
"""

import json
from collections.abc import Iterator

from stream.core.errors import Reason
from stream.events import Origin
from stream.letters.letter import LetterId
from stream.notifications.pattern import DEFAULT_PATTERN, KeyPattern
from stream.notifications.reading import EntryReader
from stream.objects import keys
from stream.pipeline import Pipeline, default_pipeline, read_pipeline
from stream.records import StageRecord, event_id_of, fingerprint
from stream.stages.recipes import job_name, recipe_of
from stream.topics import Topics
from tests.frozen.documents import KEY, ORIGIN, RECORDED_MS
from tests.frozen.records import LEAST, MOST, record

OWN = """
version: 1
stages:
  - {name: cut, operation: remove-bg, needs: raw, makes: cutout}
  - {name: shade, operation: add-shadow, needs: cutout, makes: shaded, params: {shadow_type: hard, shadow_opacity: 0.5}}
  - {name: thumbs, operation: thumbnails, needs: shaded, makes: thumbs, params: {widths: [300], formats: [jpeg]}}
"""
TIMED = {"id": "S1", "raw_url": "s3://photos/s1.jpg", "occurred_at": "2026-11-22T10:00:00+01:00"}
IDS = ("SHOE-1", "Ä/7 01", "_x", "a" * 130, "..", "")
NOTIFIED = {
    "Records": [
        {"eventName": "ObjectCreated:Put", "eventTime": "2026-11-22T10:00:00.123Z", "eventSource": "aws:s3",
         "s3": {"bucket": {"name": "photos"}, "object": {"key": "in/MUG+1/front%C3%A9.jpg", "size": 5, "eTag": "e"}}},
    ],
}  # fmt: skip


def all_names() -> dict[str, str]:
    """Every frozen name by what it names."""
    found = dict(_places())
    for called, fields in (("least", LEAST), ("most", MOST), ("timed", TIMED)):
        read = record(fields, source_version='etag:"abc"')
        event = read.event
        found |= {
            f"{called}: content": event.content_hash(),
            f"{called}: place": event.place(ORIGIN, RECORDED_MS).model_dump_json(),
            f"{called}: id": event_id_of(read),
            f"{called}: fingerprint": fingerprint(event, None, stage="upscale", reason=Reason.JOB_FAILED),
        }
        found |= _jobs(f"{called}: job", read, default_pipeline())
    found |= _jobs("own: job", record(LEAST, source_version="url:1"), read_pipeline(OWN, source="own"))
    return found


def _jobs(called: str, read: StageRecord, pipeline: Pipeline) -> dict[str, str]:
    route = pipeline.route(read.event)
    return {f"{called} {stage.name}": job_name(read, recipe_of(stage.makes, read, route)).key for stage in route}


def _places() -> Iterator[tuple[str, str]]:
    """Paths in the store, topics, groups; the ids that are hostile too."""
    yield "asset", keys.asset_key("SHOE-1", "main", "transparent", keys.recipe_hash(KEY, 0), "png")
    yield "asset made anew", keys.asset_key("SHOE-1", "main", "transparent", keys.recipe_hash(KEY, 2), "png")
    yield "job", keys.job_key_path(KEY)
    for sku_id in IDS:
        yield f"manifest {sku_id[:20]}", keys.manifest_key(sku_id, "main")
    yield "newest", keys.newest_path("Ä/7 01", "back")
    yield "version", keys.version_path("product-images.raw/4/1041/0/1795341600000", "Ä/7 01", "back")
    yield "batch", keys.batch_path("spring 2026")
    yield "resume", keys.resume_path("upscale", "job-failed")
    yield "resume any", keys.resume_path("upscale", None)
    topics = Topics()
    between = [topics.asset(name) for name in ("transparent", "upscaled", "lifestyle")]
    yield "topics", " ".join(plan.name for plan in topics.plans(between))
    yield "group", topics.group("remove-bg")
    yield "operator", topics.operator
    yield "mark", str(LetterId("product-images.dead-letter", 2, 17))
    origin = Origin(topic="product-images.raw", partition=4, offset=1041)
    reader = EntryReader(KeyPattern.parse(DEFAULT_PATTERN), frozenset({"photos"}))
    notified = json.dumps(NOTIFIED).encode()
    (made,) = reader.read(
        notified, origin, timestamp_ms=RECORDED_MS, priority=record(LEAST).priority, started_at=0
    ).events
    yield "notified", made.raw
