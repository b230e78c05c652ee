"""The answer: what the topics told, joined by the ledger and the manifests.

Comes in: a search that has read the topics, the store. Goes out: a `Story`, or a sentence for a SKU that nobody knows.
Raises `Unavailable(store)`.
"""

import difflib
from collections.abc import Sequence
from itertools import islice

from stream.core.clock import Clock
from stream.core.errors import CorruptDocument, StreamError, shown
from stream.events import MAX_ID_CHARACTERS
from stream.explain.jobs import Inquiry, tell_jobs
from stream.explain.moments import origin_text
from stream.explain.search import Search
from stream.explain.story import Shown, Story, story_of
from stream.ledger.jobs import Ledger
from stream.objects.keys import MANIFEST, manifest_key, quote
from stream.objects.port import ObjectStore
from stream.pipeline import Pipeline
from stream.stages.manifest import Manifest, read_manifest

MAX_LISTED = 5_000
MAX_IMAGES = 200


class UnknownSku(StreamError):
    """No topic holds a record of it, and the store no picture."""


class Answer:
    """Asks the store; nothing is written."""

    def __init__(self, objects: ObjectStore, pipeline: Pipeline, clock: Clock, *, max_pixels: int) -> None:
        """Nothing is asked yet."""
        self._objects = objects
        ledger = Ledger(objects, clock=clock, lease_seconds=0)
        self._inquiry = Inquiry(objects, ledger, pipeline, clock, max_pixels)
        self._warnings: list[str] = []

    async def story(self, sku_id: str, search: Search, *, image_id: str | None, warnings: Sequence[str]) -> Story:
        """Everything about the SKU. Raises `UnknownSku` with near matches."""
        events = list(search.gathered.events.values())
        jobs = await self._inquiry.jobs(events)
        tell_jobs(jobs, events)
        images = {event.image_id for event in events} or await self._images(sku_id, image_id)
        if not images:
            raise UnknownSku(_unknown(sku_id, image_id, search))
        found = {each: await self._shown(sku_id, each) for each in islice(sorted(images), MAX_IMAGES)}
        shown_now = {image: manifest for image, manifest in found.items() if manifest is not None}
        told = [*warnings, *self._warnings, *self._inquiry.warnings]
        return story_of(sku_id, events, jobs, shown_now, told)

    async def _images(self, sku_id: str, image_id: str | None) -> set[str]:
        """Images whose records aged out of all topics, but whose manifests stand."""
        found: set[str] = set()
        listed = 0
        async for each in self._objects.list_keys(f"{quote(sku_id)}/"):
            listed += 1
            if each.key.endswith(f"/{MANIFEST}") and (manifest := await self._manifest(each.key)) is not None:
                found.add(manifest.image_id)
            if listed >= MAX_LISTED:
                break
        return found if image_id is None else found & {image_id}

    async def _shown(self, sku_id: str, image_id: str) -> Shown | None:
        manifest = await self._manifest(manifest_key(sku_id, image_id))
        if manifest is None:
            return None
        urls = {name: asset.url for name, asset in manifest.assets.items()}
        return Shown(origin_text(manifest.place.origin), round(manifest.updated_at * 1000), urls)

    async def _manifest(self, key: str) -> Manifest | None:
        document = await self._objects.read(key)
        if document is None:
            return None
        try:
            return read_manifest(key, document)
        except CorruptDocument as error:
            self._warnings.append(str(error))
            return None


def _unknown(sku_id: str, image_id: str | None, search: Search) -> str:
    if image_id is not None and search.gathered.images:
        known = ", ".join(shown(each) for each in sorted(search.gathered.images)[:10])
        return f"no image {shown(image_id)} of {shown(sku_id)}; there is {known}"
    similar = {key.decode(errors="replace").lower(): key.decode(errors="replace") for key in sorted(search.similar)}
    close = difflib.get_close_matches(sku_id[:MAX_ID_CHARACTERS].lower(), similar, n=3, cutoff=0.7)
    meant = f"; did you mean {' or '.join(shown(similar[each]) for each in close)}?" if close else ""
    return f"no topic holds a record of {shown(sku_id)}, and the store no picture of it{meant}"
