"""The story for a terminal, and for machines.

Comes in: a `Story`. Goes out: lines of printable text, or one JSON document (docs/explain.md describes it).
"""

from collections.abc import Iterator
from typing import Any

from stream.explain.moments import Moment, origin_text
from stream.explain.story import EventStory, ImageStory, Story
from stream.explain.wording import clean, time_of

MAX_SHOWN_URLS = 40


def lines(story: Story) -> Iterator[str]:
    """What a person reads. Times are UTC."""
    for image in story.images:
        for event in image.events:
            yield from _event_lines(story.sku_id, image, event)
        if image.shown is not None:
            yield f"shown since {time_of(image.shown.since_ms)}, from {image.shown.origin}:"
            urls = list(image.shown.urls.items())
            yield from (f"  {clean(name):<24} {clean(url)}" for name, url in urls[:MAX_SHOWN_URLS])
            if len(urls) > MAX_SHOWN_URLS:
                yield f"  and {len(urls) - MAX_SHOWN_URLS} more; --json has them all"
        yield ""
    yield from (f"! {warning}" for warning in story.warnings)
    yield from (image.summary for image in story.images)


def _event_lines(sku_id: str, image: ImageStory, told: EventStory) -> Iterator[str]:
    event = told.event
    named = [f"event {event.event_id}" if event.event_id else "event", f"from {origin_text(event.origin)}"]
    named += [f"{name} {text}" for name, text in (("batch", event.batch_id), ("version", event.source_version)) if text]
    yield clean(f"{sku_id} {image.image_id}, {', '.join(named)}")
    yield from (f"  {line}" for line in map(_line, told.moments))
    if event.reused:
        reused = "; ".join(f"{stage} (paid by {origin})" for stage, origin in event.reused.items())
        yield f"  reuses {clean(reused)}"


def _line(moment: Moment) -> str:
    where = moment.where if not moment.where.startswith("_ledger/") else f"job {moment.facts['job_key'][:12]}"
    return f"{time_of(moment.at_ms)}  {moment.what:<10}  {moment.text}  [{clean(where)}]"


def document(story: Story) -> dict[str, Any]:
    """What a machine reads."""
    return {
        "sku_id": story.sku_id,
        "images": [_image(image) for image in story.images],
        "warnings": list(story.warnings),
    }


def _image(image: ImageStory) -> dict[str, Any]:
    shown = None if image.shown is None else {
        "origin": image.shown.origin, "since_ms": image.shown.since_ms, "urls": dict(image.shown.urls),
    }  # fmt: skip
    return {
        "image_id": image.image_id,
        "summary": image.summary,
        "shown": shown,
        "events": [_event(told) for told in image.events],
    }


def _event(told: EventStory) -> dict[str, Any]:
    event = told.event
    return {
        "origin": event.origin.model_dump(),
        "event_id": event.event_id or None,
        "batch_id": event.batch_id or None,
        "priority": event.priority or None,
        "source_version": event.source_version or None,
        "state": told.state.value,
        "summary": told.summary,
        "attempts": told.attempts,
        "replays": told.replays,
        "credits": str(told.credits),
        "credits_are_at_most": told.is_at_most,
        "credits_in_doubt": str(told.credits_in_doubt),
        "reused": dict(event.reused),
        "moments": [_moment(moment) for moment in told.moments],
    }


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "at_ms": moment.at_ms,
        "time": time_of(moment.at_ms),
        "what": moment.what.value,
        "text": moment.text,
        "where": moment.where,
        "replay": moment.replay,
        "facts": dict(moment.facts),
    }
