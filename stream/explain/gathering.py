"""What the search has gathered: the events of one SKU with their moments, bounded however often it was published.

Comes in: what records told, in any order. Goes out: events.
"""

from collections.abc import Mapping
from typing import Any

from stream.broker.port import InRecord
from stream.events import DEFAULT_IMAGE_ID, Origin
from stream.explain import wording
from stream.explain.moments import Event, Moment, What, place_of
from stream.records import Asset, StageRecord

MAX_EVENTS = 1_000
MAX_IMAGES = 1_000
MAX_MOMENTS = 500
"""Of one event: beyond it the earliest are left out."""
MAX_ASSETS = 500
"""Of one event."""
MAX_HELD_BYTES = 64 * 1024 * 1024
"""Raw events kept to reckon job keys from."""


class Gathered:
    """`image_id`: events of one image only."""

    def __init__(self, image_id: str | None) -> None:
        """Nothing yet."""
        self._image_id = image_id
        self._held_bytes = 0
        self.events: dict[tuple[Origin, str], Event] = {}
        self.images: set[str] = set()
        """All images of the SKU that were met, whichever one is asked for."""
        self.is_complete = True
        """Whether no event had to give way."""

    def event(self, origin: Origin, image_id: str) -> Event | None:
        """The entry of this event; None where another image is asked for."""
        image_id = image_id or DEFAULT_IMAGE_ID
        if len(self.images) < MAX_IMAGES:
            self.images.add(image_id)
        if self._image_id is not None and image_id != self._image_id:
            return None
        key = (origin, image_id)
        event = self.events.get(key)
        if event is None:
            if len(self.events) >= MAX_EVENTS:
                self._forget(next(iter(self.events)))
            event = self.events[key] = Event(origin, image_id)
        return event

    def keep(self, event: Event, read: StageRecord) -> None:
        """What `read` tells of its event; of several records the furthest is kept."""
        raw, before = read.event, event.record
        event.event_id = event.event_id or raw.event_id or ""
        event.batch_id = event.batch_id or raw.batch_id or ""
        event.priority, event.raw_url = read.priority.value, wording.clean(raw.raw_url)
        event.source_version = event.source_version or read.source_version or ""
        note_assets(event, read.assets)
        if before is not None and _reach(before) >= _reach(read):
            return
        more = len(read.raw) - (len(before.raw) if before else 0)
        if self._held_bytes + more <= MAX_HELD_BYTES:
            self._held_bytes += more
            event.record = read

    def _forget(self, key: tuple[Origin, str]) -> None:
        event = self.events.pop(key)
        self._held_bytes -= len(event.record.raw) if event.record else 0
        self.is_complete = False


def add(event: Event, record: InRecord, what: What, text: str, facts: dict[str, Any], *, replay: int = 0) -> None:
    """A moment that `record` tells."""
    event.moments.append(Moment(record.timestamp_ms, what, text, place_at(record), facts, replay))
    if len(event.moments) > MAX_MOMENTS:
        event.moments.remove(min(event.moments, key=lambda moment: moment.order))


def note_assets(event: Event, assets: Mapping[str, Asset]) -> None:
    """Made for the event, in whichever walk."""
    if len(event.asset_keys) < MAX_ASSETS:
        event.asset_keys |= {asset.key: name for name, asset in assets.items()}


def place_at(record: InRecord) -> str:
    """Where it lies, as a person types it."""
    return place_of(record.topic, record.partition, record.offset)


def _reach(read: StageRecord) -> tuple[bool, int, bool]:
    """How much a record knows; a letter may not tell its origin's time, by which a resolved version is kept."""
    return (read.source_version is not None, len(read.assets), read.timestamp_ms > 0)
