"""The newest known event of every image (L5), recorded at admission, before queueing.

Comes in: an event's place in its image's order. Goes out: the newer event that supersedes it, if there is one.
"""

import uuid

from stream.events import FORMAT, FormatVersion, Kept, Origin, Place
from stream.ledger.documents import read_document
from stream.objects.keys import newest_path
from stream.objects.port import Document, Documents
from stream.records import StageRecord, dump


class Known(Kept):
    """The newest known event of one image; `content` tells a re-sent event from a rival with the same place."""

    v: FormatVersion = FORMAT
    place: Place
    content: str
    replay: int = 0
    nonce: str


class Newest:
    """One small document per image, changed only towards newer."""

    def __init__(self, documents: Documents) -> None:
        """`documents`: the store's conditional documents."""
        self._documents = documents

    async def record(self, record: StageRecord) -> None:
        """Note `record` as the newest known, unless a newer or equal one is noted. Raises `Rejected(order-kind)`."""
        path = newest_path(*record.event.image)
        while True:
            document = await self._documents.read(path)
            known = _known(path, document)
            if known is not None and record.place.compare(known.place) <= 0:
                return
            mine = Known(
                place=record.place, content=record.event.content_hash(), replay=record.replay, nonce=uuid.uuid4().hex
            )
            if document is None:
                written = await self._documents.create(path, dump(mine))
            else:
                written = await self._documents.replace(path, dump(mine), document.tag)
            if written is not None:
                return

    async def place(self, sku_id: str, image_id: str) -> Place | None:
        """The place of the image's newest known event."""
        path = newest_path(sku_id, image_id)
        known = _known(path, await self._documents.read(path))
        return None if known is None else known.place

    async def superseding(self, record: StageRecord) -> Origin | None:
        """The origin of the newer event that makes `record` stale, or None while it is the newest known.

        Of two events with the same place and different content the one admitted first stands: a rule that gives every
        worker the same answer. The same content twice is a re-sent event, and not stale.
        """
        path = newest_path(*record.event.image)
        known = _known(path, await self._documents.read(path))
        if known is None:
            return None
        order = record.place.compare(known.place)
        itself = (known.place.origin, known.place.timestamp_ms) == (record.origin, record.timestamp_ms)
        if order > 0 or itself:
            return None
        if order == 0 and known.content == record.event.content_hash():
            return None
        return known.place.origin


def _known(path: str, document: Document | None) -> Known | None:
    return None if document is None else read_document(Known, path, document.body)
