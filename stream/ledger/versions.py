"""Which version of its photo an event was found to mean: resolved once, and kept for whoever walks the event again.

Comes in: an event without a version of its own, and what the photo's server told. Goes out: the version that stands.
Without it a photo replaced between a crash and the next walk would give the same event another job key: the job that
runs already would be forgotten (L7), and another one bought.
"""

import uuid

from stream.events import FORMAT, FormatVersion, Kept
from stream.ledger.documents import read_document
from stream.objects.keys import version_path
from stream.objects.port import Documents
from stream.records import StageRecord, dump


class Resolved(Kept):
    """The version of one event's photo."""

    v: FormatVersion = FORMAT
    source_version: str
    nonce: str


class Versions:
    """One small document per event that came without a version. Raises `Unavailable(store)`, `CorruptDocument`."""

    def __init__(self, documents: Documents) -> None:
        """`documents`: the store's conditional documents."""
        self._documents = documents

    async def known(self, record: StageRecord) -> str | None:
        """What an earlier walk of this event resolved."""
        path = _path(record)
        document = await self._documents.read(path)
        return None if document is None else read_document(Resolved, path, document.body).source_version

    async def remember(self, record: StageRecord, source_version: str) -> str:
        """Note `source_version`, unless another walk was quicker; returns the one that stands."""
        mine = Resolved(source_version=source_version, nonce=uuid.uuid4().hex)
        if await self._documents.create(_path(record), dump(mine)) is not None:
            return source_version
        return await self.known(record) or source_version


def _path(record: StageRecord) -> str:
    origin = record.origin
    # The record's time too: a topic made anew starts its offsets again.
    return version_path(
        f"{origin.topic}/{origin.partition}/{origin.offset}/{origin.index}/{record.timestamp_ms}", *record.event.image
    )
