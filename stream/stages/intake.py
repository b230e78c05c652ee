"""The first stage's first step: find out which version of the photo this is, and have it in our store.

Comes in: a record with nothing but the raw event. Goes out: the record with its source version and the asset `raw`.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog

from stream.core.complaints import harmless
from stream.core.errors import Reason, Rejected, Resource, Transient, Unavailable
from stream.downloads.port import Spooled, Whose
from stream.images.loading import NotAPicture
from stream.ledger.port import LedgerState
from stream.pipeline import RAW_ASSET
from stream.records import Asset, StageRecord
from stream.stages.desk import Desk
from stream.stages.recipes import RAW_RECIPE, job_name
from stream.stages.rehost import Naming, look_at, rehost

log = structlog.get_logger(__name__)

TOLD = "head:"
"""What a version begins with that a server told."""
WAYS_OUT = {
    Reason.SOURCE_REFUSED: "a public https URL, or a place that the operator allows",
    Reason.SOURCE_MISSING: "a URL that brings the photo",
    Reason.INVALID_IMAGE: "a whole, still JPEG, PNG or WebP picture",
}
"""What the letter of a photo tells its sender to send instead."""


async def take_in(desk: Desk, record: StageRecord) -> StageRecord:
    """The record with `source_version` and the re-hosted photo; a photo taken in before is not fetched again.

    The version of an event without one is resolved once, and kept as soon as the photo's bytes are ours: though the
    photo is replaced around a crash, the event means what it meant when its first job was bought.

    Raises `Rejected` for a photo that is missing, refused, or not a picture we take.
    """
    known = record.source_version or _given(record) or await desk.versions.known(record)
    version = known or await _told_version(desk, record)
    asset = await _raw_of(desk, record.with_assets({}, source_version=version))
    if asset is None:
        started = desk.clock.monotonic()
        async with _photo(desk, record) as photo:
            if known is None and await _is_replaced(desk, record, version):
                version = f"bytes:{photo.sha256}"
            asset = await _kept(desk, record.with_assets({}, source_version=version), photo, started)
    if known is None and await desk.versions.remember(record, version) != version:
        return await take_in(desk, record.model_copy(update={"source_version": None}))
    return record.with_assets({RAW_ASSET: asset}, source_version=version)


async def _raw_of(desk: Desk, record: StageRecord) -> Asset | None:
    """The photo of this version, if it was taken in before."""
    entry = await desk.ledger.usable(job_name(record, RAW_RECIPE).key)
    return entry.record.assets[RAW_ASSET] if entry is not None and entry.state is LedgerState.SETTLED else None


async def _kept(desk: Desk, record: StageRecord, photo: Spooled, started: float) -> Asset:
    """The photo in our store, and noted; `started`: since when it was fetched, in monotonic seconds."""
    name = job_name(record, RAW_RECIPE)
    entry = await desk.ledger.usable(name.key)
    if entry is not None and entry.state is LedgerState.SETTLED:  # somebody else was quicker
        return entry.record.assets[RAW_ASSET]
    try:
        picture = await look_at(desk, photo.path)
    except NotAPicture as error:
        raise _about_the_photo(Reason.INVALID_IMAGE, str(error), record.event.raw_url) from None
    seconds = desk.clock.monotonic() - started
    naming = Naming(RAW_ASSET, name.after(entry).short)
    asset = await rehost(desk, record, naming, photo.path, picture, sha256=photo.sha256, seconds=seconds)
    await desk.ledger.settle_local(name.key, RAW_ASSET, {RAW_ASSET: asset}, entry)
    return asset


async def _is_replaced(desk: Desk, record: StageRecord, version: str) -> bool:
    """Whether the server now tells of another photo than the one that `version` names.

    The bytes came in between, perhaps minutes after the first question. Kept under that version, they would be shown
    when the old photo comes back; so they are named by themselves. So are those of a server that never tells the same.
    """
    return version.startswith(TOLD) and await _told_version(desk, record) != version


@asynccontextmanager
async def _photo(desk: Desk, record: StageRecord) -> AsyncIterator[Spooled]:
    """The photo, spooled; that it came is news for everybody who waits for a photo of this host."""
    url = record.event.raw_url
    with _from_a_source(desk, url):
        async with desk.downloads.fetch(url, Whose.SOURCE) as photo:
            desk.sources_answer(url)
            yield photo


@contextmanager
def _from_a_source(desk: Desk, url: str) -> Iterator[None]:
    """One photo that cannot be had is its event's trouble; several in a row, and none that can, are an outage (L8)."""
    try:
        yield
    except Transient as error:
        if desk.sources.failed(url):
            raise Unavailable(Resource.SOURCES, str(error), after_seconds=error.after_seconds) from None
        raise
    except Rejected as error:
        if error.reason is Reason.SOURCE_MISSING:
            desk.sources_answer(url)
        raise _about_the_photo(error.reason, error.detail, url) from None


def _about_the_photo(reason: Reason, detail: str, url: str) -> Rejected:
    return Rejected(reason, detail, field="raw_url", value=harmless(url), expected=WAYS_OUT.get(reason))


async def taken_in(desk: Desk, record: StageRecord) -> StageRecord | None:
    """As `take_in`, but only what an earlier walk took in: no host is asked; None when there is nothing."""
    version = record.source_version or _given(record) or await desk.versions.known(record)
    if version is None:
        return None
    record = record.with_assets({}, source_version=version)
    asset = await _raw_of(desk, record)
    return None if asset is None else record.with_assets({RAW_ASSET: asset})


def _given(record: StageRecord) -> str | None:
    version = record.event.version
    return None if version is None else f"given:{version}"


async def _told_version(desk: Desk, record: StageRecord) -> str:
    """The server's word by HEAD, else a hash of the URL. A HEAD may come from a cache: it ends no outage."""
    event = record.event
    with _from_a_source(desk, event.raw_url):
        told = await desk.downloads.version_of(event.raw_url)
    if told is not None:
        return f"{TOLD}{told}"
    log.warning("source-version-from-url", sku_id=event.sku_id, way_out="send `version` when a photo changes")
    return "url:" + hashlib.sha256(event.raw_url.encode()).hexdigest()
