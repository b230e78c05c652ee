"""The image's manifest, which the shop reads: replaced only by a newer event's (L5), never by a stale one's.

Comes in: a record with all its assets. Goes out: the manifest in the store, or the newer event that stands there.
The order in `publish` is a fence against `stream.collector`, which writes the manifest anew before it deletes: the
manifest is read, then the ledger is asked for every asset, then the manifest is replaced only if nobody wrote it since.
"""

import asyncio
import uuid

from stream.core.errors import CorruptDocument, Reason, Rejected
from stream.events import FORMAT, FormatVersion, Kept, Origin, Place
from stream.ledger.documents import read_document
from stream.ledger.makers import maker_of
from stream.objects.keys import AssetName, manifest_key, quote, read_asset_key
from stream.objects.port import Document
from stream.records import Asset, StageRecord, dump
from stream.stages.desk import Desk


class ManifestAsset(Kept):
    """One asset as the shop needs it; what it cost is not the shop's business."""

    key: str
    url: str
    content_type: str
    width: int
    height: int
    bytes: int
    sha256: str


class Manifest(Kept):
    """`<sku>/<image>/manifest.json`."""

    v: FormatVersion = FORMAT
    sku_id: str
    image_id: str
    event_id: str | None
    source_version: str | None
    place: Place
    assets: dict[str, ManifestAsset]
    updated_at: float
    nonce: str

    def shown_keys(self) -> set[str]:
        """Every asset shown."""
        return {asset.key for asset in self.assets.values()}


def read_manifest(key: str, document: Document) -> Manifest:
    """The manifest at `key`. Raises `CorruptDocument` for one that cannot be read, or is another image's."""
    manifest = read_document(Manifest, key, document.body)
    if manifest_key(manifest.sku_id, manifest.image_id) != key:
        raise CorruptDocument(f"the document {key} is another image's manifest")
    return manifest


async def publish(desk: Desk, record: StageRecord) -> Origin | None:
    """Write the manifest unless a newer event's stands there: then that event's origin, and nothing is changed.

    Raises `Rejected(asset-missing)` when an asset was collected meanwhile, `CorruptDocument`.
    """
    key = manifest_key(*record.event.image)
    made_by = _makers(record)
    while True:
        document = await desk.objects.read(key)
        if document is not None:
            standing = read_manifest(key, document)
            if _outranks(standing, record):
                return standing.place.origin
        await asyncio.gather(*(_keep(desk, name) for name in made_by))
        body = dump(_manifest(desk, record))
        if document is None:
            written = await desk.objects.create(key, body)
        else:
            written = await desk.objects.replace(key, body, document.tag)
        if written is not None:
            return None


def _outranks(standing: Manifest, record: StageRecord) -> bool:
    """Newer; or a copy of the same event with other pictures (the photo had changed) that was sent later."""
    order = record.place.compare(standing.place)
    if order:
        return order < 0
    is_later = record.place.compare_arrival(standing.place) < 0
    return is_later and standing.shown_keys() != {asset.key for asset in record.assets.values()}


def _makers(record: StageRecord) -> set[AssetName]:
    """The jobs behind the record's assets. Raises `Rejected`: a topic may hold anything."""
    unit = "/".join(map(quote, record.event.image))
    found = set()
    for asset, facts in record.assets.items():
        name = read_asset_key(facts.key)
        if name is None or name.unit != unit:
            raise Rejected(Reason.INVALID_EVENT, "no asset of this image", field=f"assets.{asset}.key", value=facts.key)
        found.add(name)
    return found


async def _keep(desk: Desk, name: AssetName) -> None:
    """See that the job's assets stay: from here on `skustream gc` finds the job settled, or the manifest changed."""
    maker = await maker_of(desk.objects, name.short)
    entry = await desk.ledger.usable(maker) if maker is not None else None
    if entry is not None and entry.record.generation > name.generation:
        raise Rejected(
            Reason.ASSET_MISSING, f"what job {entry.record.key} had made was deleted; publish the event anew"
        )


def _manifest(desk: Desk, record: StageRecord) -> Manifest:
    event = record.event
    return Manifest(
        sku_id=event.sku_id,
        image_id=event.image_id,
        event_id=event.event_id,
        source_version=record.source_version,
        place=record.place,
        assets={name: _shown(asset) for name, asset in record.assets.items()},
        updated_at=desk.clock.wall(),
        nonce=uuid.uuid4().hex,
    )


def _shown(asset: Asset) -> ManifestAsset:
    return ManifestAsset.model_validate(asset.model_dump(include=set(ManifestAsset.model_fields)))
