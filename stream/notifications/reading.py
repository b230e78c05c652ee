"""What a record of an entry topic holds: the PIM's own event, or an object store's word of new objects.

Comes in: a raw topic's bytes. Goes out: a `Reading`. Each entry of a notification becomes an event of its own, with its
place among the entries as `origin.index`; a bad entry stops no other one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from stream.core.complaints import harmless
from stream.core.errors import Reason, Rejected
from stream.events import Origin, Priority, read_raw
from stream.notifications.entry import Created, Ignored, Own
from stream.notifications.pattern import KeyPattern
from stream.notifications.s3 import entries_of, read_entry
from stream.notifications.seaweedfs import read_change
from stream.records import Misread, Reading, StageRecord, first_record


@dataclass(frozen=True, slots=True)
class EntryReader:
    """Reads records of the entry topics. `buckets`: where photos come from; `own`: where our assets go, if to S3."""

    pattern: KeyPattern
    buckets: frozenset[str] = frozenset()
    own: Own | None = None

    def read(
        self, value: bytes | None, origin: Origin, *, timestamp_ms: int, priority: Priority, started_at: float
    ) -> Reading:
        """The events of one record. Raises `Rejected(invalid-event)` when it is neither an event nor a notification."""

        def event(raw: bytes | None, index: int = 0) -> StageRecord:
            place = origin if index == 0 else origin.model_copy(update={"index": index})
            return first_record(raw, place, timestamp_ms=timestamp_ms, priority=priority, started_at=started_at)

        entries = None if value is None else self._entries(value)
        if entries is None:
            return Reading((event(value),))
        events: list[StageRecord] = []
        misread: list[Misread] = []
        ignored: list[str] = [] if entries else ["no-entries"]
        for index, entry in enumerate(entries):
            try:
                found = self._found(entry, index)
                if isinstance(found, Ignored):
                    ignored.append(found.why)
                else:
                    events.append(event(self._raw(found, index), index))
            except Rejected as error:
                misread.append(Misread(index, error))
        return Reading(tuple(events), tuple(misread), tuple(ignored))

    def _found(self, entry: object, index: int) -> Created | Ignored:
        found = entry if isinstance(entry, Created | Ignored) else read_entry(entry, f"Records.{index}")
        if isinstance(found, Created) and self.own is not None and self.own.holds(found.bucket, found.key):
            return Ignored("own-asset")
        return found

    def _entries(self, value: bytes) -> Sequence[object] | None:
        """The entries of a notification, S3's still unread; None when it is none."""
        change = read_change(value)
        if change is None:
            return entries_of(value)
        if isinstance(change, Created) and change.bucket not in self.buckets:
            return [Ignored("other-bucket")]  # a filer tells of all its buckets, asked or not
        return [change]

    def _raw(self, created: Created, index: int) -> bytes:
        """The raw-image event that an entry means, in the one form it is always written in.

        It carries no `version`: the object may have been replaced since, and what is read now is what counts.
        """
        at = f"Records.{index}"
        found = self.pattern.match(created.key)
        if found is None:
            expected = f"{self.pattern.text} (SKUSTREAM_NOTIFICATION_PATTERN)"
            raise Rejected(
                Reason.INVALID_EVENT,
                "the key does not fit the pattern",
                field=f"{at}.s3.object.key",
                value=harmless(created.key),
                expected=expected,
            )
        url = f"s3://{created.bucket}/{quote(created.key, safe='/')}"
        event = {"sku_id": found[0], "image_id": found[1], "raw_url": url, "occurred_at": created.time}
        raw = orjson.dumps(event)
        try:
            read_raw(raw)
        except Rejected as error:
            raise Rejected(Reason.INVALID_EVENT, f"it makes no event: {error}", field=at) from None
        return raw
