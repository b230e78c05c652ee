"""One run of `skustream gc`: image by image through the store, deleting only what no event can ever show again.

Comes in: a store, its ledger, and whether a person said yes. Goes out: `Books`.

Why nothing that is needed is ever deleted, whatever dies or races (docs/decisions/0018):
- *condemned* is a mark in the ledger. Whoever uses a job's assets takes it back to `settled` first, by a conditional
  write; this run turns it to *collected* by another. Only one can win, and only a collected job's files are deleted.
- A stage may have read `settled` before the mark. Its event is then the image's newest known one, and the newest is
  read again after the mark: while it shows nothing yet, the image is left alone.
- A copy of the newest event may carry such assets in its stage record. `stages.manifest` asks the ledger between
  reading the manifest and replacing it; the manifest is written anew here between mark and collection, so that it must
  read and ask again.
- What is made anew after a collection has other keys: no late deletion can hit it.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from stream.collector.fates import Books, Fate, Found, Verdict, judge
from stream.core.errors import CorruptDocument, Rejected
from stream.ledger.jobs import Ledger
from stream.ledger.makers import maker_of
from stream.ledger.newest import Newest
from stream.ledger.port import Entry
from stream.objects.keys import LEDGER, MANIFEST, read_asset_key
from stream.objects.port import Document, Listed, ObjectStore
from stream.records import dump
from stream.stages.manifest import Manifest, read_manifest

IMAGES_AT_ONCE = 16
BEHIND_THE_LEDGER = f"{LEDGER}0"
"""The first key that may stand behind all of the ledger's: "0" follows "/"."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image's assets, as listed."""

    unit: str
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the shop sees, and the version of the manifest that says so."""

    key: str
    manifest: Manifest
    document: Document


class Sweep:
    """One run. `wanted`: whether to change anything; else it only looks."""

    def __init__(
        self,
        objects: ObjectStore,
        ledger: Ledger,
        *,
        older_than_seconds: float,
        wanted: bool,
        on_progress: Callable[[Books], None] = lambda _: None,
    ) -> None:
        self._objects = objects
        self._ledger = ledger
        self._newest = Newest(objects)
        self._older_than_seconds = older_than_seconds
        self._wanted = wanted
        self._on_progress = on_progress
        self.books = Books()

    async def run(self) -> Books:
        """Through the whole store. Raises `Unavailable(store)`; another run goes on where this one ended."""
        slots = asyncio.Semaphore(IMAGES_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as tasks:
                async for image in self._images():
                    await slots.acquire()
                    tasks.create_task(self._image(image)).add_done_callback(lambda _: slots.release())
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        return self.books

    async def _images(self) -> AsyncIterator[Image]:
        """Images whole, as far as the listing tells them in one piece; memory for one at a time."""
        unit = ""
        found: list[Found] = []
        async for listed in self._listed():
            self.books.objects += 1
            name = read_asset_key(listed.key)
            if name is None:
                self.books.foreign += not listed.key.endswith(f"/{MANIFEST}")
                continue
            if name.unit != unit and found:
                yield Image(unit, tuple(found))
                found = []
            unit = name.unit
            found.append(Found(listed, name))
        if found:
            yield Image(unit, tuple(found))

    async def _listed(self) -> AsyncIterator[Listed]:
        """Everything but the ledger's documents, of which there may be more than of anything else."""
        after: str | None = ""
        while after is not None:
            async with aclosing(self._objects.list_keys("", after=after)) as listing:
                after = None
                async for listed in listing:
                    if listed.key.startswith(f"{LEDGER}/"):
                        after = BEHIND_THE_LEDGER
                        break
                    yield listed

    async def _image(self, image: Image) -> None:
        shown: Shown | None = None
        try:
            shown = await self._shown(image.unit)
            verdicts = await self._verdicts(image, shown)
        except CorruptDocument as error:
            self.books.damaged(str(error))
            verdicts = [Verdict(Fate.DAMAGED, image.found)]
        self.books.judged(image.unit, verdicts)
        if self._wanted and shown is not None:
            await self._act(shown, verdicts)
        self.books.images += 1
        self._on_progress(self.books)

    async def _shown(self, unit: str) -> Shown | None:
        key = f"{unit}/{MANIFEST}"
        document = await self._objects.read(key)
        return None if document is None else Shown(key, read_manifest(key, document), document)

    async def _verdicts(self, image: Image, shown: Shown | None) -> list[Verdict]:
        names = {read_asset_key(key) for key in shown.manifest.shown_keys()} if shown is not None else set()
        others: dict[str, list[Found]] = {}
        for each in image.found:
            if each.name not in names:
                others.setdefault(each.name.short, []).append(each)
        verdicts = [Verdict(Fate.SHOWN, tuple(each for each in image.found if each.name in names))]
        if others and (shown is None or not await self._shows_the_newest(shown)):
            return [*verdicts, *(Verdict(Fate.UNFINISHED, tuple(found)) for found in others.values())]
        for short, found in others.items():
            maker = await maker_of(self._objects, short)
            entry = await self._ledger.look(maker) if maker is not None else None
            verdicts += judge(found, entry, older_than_seconds=self._older_than_seconds)
        return verdicts

    async def _shows_the_newest(self, shown: Shown) -> bool:
        """Whether no event of the image is known that may show something else yet."""
        newest = await self._newest.place(shown.manifest.sku_id, shown.manifest.image_id)
        try:
            return newest is not None and newest.compare(shown.manifest.place) == 0
        except Rejected:  # ordered by another kind: its event will end as a letter, and may be replayed
            return False

    async def _act(self, shown: Shown, verdicts: list[Verdict]) -> None:
        for verdict in verdicts:
            if verdict.fate is Fate.LEFTOVER:
                await self._delete(verdict)
        due = [verdict for verdict in verdicts if verdict.fate is Fate.DUE]
        # Both once more, in this order, after the mark was read: see the module's docstring.
        if due and await self._shows_the_newest(shown) and await self._written_anew(shown):
            for verdict in due:
                if await self._done(verdict, self._ledger.collect):
                    self.books.collected_jobs += 1
                    await self._delete(verdict)
        else:
            self.books.spared_jobs += len(due)
        for verdict in verdicts:
            if verdict.fate is Fate.SUPERSEDED and await self._done(verdict, self._ledger.condemn):
                self.books.condemned_jobs += 1

    async def _written_anew(self, shown: Shown) -> bool:
        """The same manifest as another version: whoever read the old one must read again. False: it changed itself."""
        body = dump(shown.manifest.model_copy(update={"nonce": uuid.uuid4().hex}))
        return await self._objects.replace(shown.key, body, shown.document.tag) is not None

    async def _done(self, verdict: Verdict, change: Callable[[Entry], Awaitable[bool]]) -> bool:
        if verdict.entry is not None and await change(verdict.entry):
            return True
        self.books.spared_jobs += 1
        return False

    async def _delete(self, verdict: Verdict) -> None:
        for each in verdict.found:
            await self._objects.delete_asset(each.listed.key)
            self.books.deleted_assets += 1
            self.books.deleted_bytes += each.listed.bytes
