"""The image's manifest, which the shop reads: replaced only by a newer event's (L5), never by a stale one's.

Comes in: a record with all its assets. Goes out: the manifest in the store, or the newer event that stands there.
"""

import uuid

from stream.events import Frozen, Origin, Place
from stream.ledger.documents import read_document
from stream.objects.keys import manifest_key
from stream.records import Asset, StageRecord, dump
from stream.stages.desk import Desk


class ManifestAsset(Frozen):
    """One asset as the shop needs it; what it cost is not the shop's business."""

    key: str
    url: str
    content_type: str
    width: int
    height: int
    bytes: int
    sha256: str


class Manifest(Frozen):
    """`<sku>/<image>/manifest.json`."""

    v: int = 1
    sku_id: str
    image_id: str
    event_id: str | None
    source_version: str | None
    place: Place
    assets: dict[str, ManifestAsset]
    updated_at: float
    nonce: str


async def publish(desk: Desk, record: StageRecord) -> Origin | None:
    """Write the manifest unless a newer event's stands there: then that event's origin, and nothing is changed."""
    event = record.event
    key = manifest_key(event.sku_id, event.image_id)
    while True:
        document = await desk.objects.read(key)
        if document is not None:
            standing = read_document(Manifest, key, document.body)
            if record.place.compare(standing.place) < 0:
                return standing.place.origin
        body = dump(_manifest(desk, record))
        if document is None:
            written = await desk.objects.create(key, body)
        else:
            written = await desk.objects.replace(key, body, document.tag)
        if written is not None:
            return None


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
