"""The search: every record of every topic that is about one SKU. Pure: asks nobody.

Comes in: records of all topics, in any order. Goes out: events with their moments. Contents are hostile: what cannot be
read is told in a line, or passed over. Cheap on purpose: a record of another SKU is told by its bytes, before anything
is decoded.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise

import orjson
from pydantic import ValidationError

from stream.broker.port import InRecord
from stream.core.errors import Misconfigured, Rejected, shown
from stream.events import Origin, Priority
from stream.explain import wording
from stream.explain.gathering import Gathered, add, note_assets, place_at
from stream.explain.moments import Event, What, origin_text
from stream.letters.dialects import read_letter
from stream.letters.inside import look_inside
from stream.notifications.reading import EntryReader
from stream.pipeline import Pipeline
from stream.records import StageRecord, Status, Terminal, read_stage_record
from stream.retries import AT_ONCE, RETRY_DELAYS, read_note
from stream.topics import Topics

MAX_SIMILAR = 1_000
A_SLIP = 2
"""Characters more or less, and alike at the beginning."""
_SPELLED_OTHERWISE = (b"\\u", b"\\/")
"""How JSON may spell a SKU without its bytes in it."""
_NOTIFICATION = b'"Records"'
_PROTOBUF = (b"\n", b"\x12")
"""An object store's own words, by their beginning: the SKU stands in a key there, encoded."""


class Search:
    """One SKU's records. `image_id`: of one image only. `since_ms`: nothing before that."""

    def __init__(
        self, sku_id: str, topics: Topics, pipeline: Pipeline, entries: EntryReader, *,
        image_id: str | None = None, since_ms: int = 0,
    ) -> None:  # fmt: skip
        """Nothing is read yet. Raises `Misconfigured` for a SKU that no JSON can hold."""
        try:
            needle = orjson.dumps(sku_id)[1:-1]
        except TypeError:
            raise Misconfigured(f"SKU: got {shown(sku_id)}; expected text in UTF-8") from None
        self._sku_id, self._since_ms = sku_id, since_ms
        self._topics, self._entries = topics, entries
        self._key = sku_id.encode()
        self._needles = (needle, self._key, _NOTIFICATION, *_SPELLED_OTHERWISE)
        self._next_stage = _next_stages(pipeline, topics)
        self._readers: dict[str, Callable[[InRecord], None]] = {
            **dict.fromkeys(topics.entries(), self.entered),
            **dict.fromkeys(self._next_stage, self.handed_on),
            **{topics.retry(delay): self.retried for delay in RETRY_DELAYS},
            topics.completed: self.ended,
            topics.dead_letter: self.letter,
        }
        self.gathered = Gathered(image_id)
        self.similar: set[bytes] = set()
        """Keys of other SKUs that a person may have meant."""

    def look(self, record: InRecord) -> None:
        """Take in what `record` tells, if it is about the SKU."""
        if record.key != self._key:
            self._note_similar(record.key)
            if not self._may_be_ours(record.value or b""):
                return
        if record.timestamp_ms >= self._since_ms and (reader := self._readers.get(record.topic)) is not None:
            reader(record)

    def entered(self, record: InRecord) -> None:
        """A record of an entry topic: the PIM's event, or a notification that holds several."""
        try:
            found = self._raw_events(record.value, _origin_of(record), record.timestamp_ms, record.topic)
        except Rejected as error:
            self._unreadable(record, str(error))
            return
        for read in found:
            if (event := self._event_of(read)) is None:
                continue
            facts = {"raw_url": wording.clean(read.event.raw_url), "version": read.event.version}
            add(event, record, What.RECEIVED, wording.received(read), facts)

    def handed_on(self, record: InRecord) -> None:
        """A record between two stages."""
        try:
            read = read_stage_record(record.value)
        except Rejected as error:
            self._unreadable(record, str(error))
            return
        if (event := self._event_of(read)) is not None:
            facts = {"stage": self._next_stage[record.topic], "assets": list(read.assets)}
            text = f"to {facts['stage']}, with {', '.join(read.assets)}"
            add(event, record, What.HANDED_ON, text, facts, replay=read.replay)

    def retried(self, record: InRecord) -> None:
        """A record of a retry topic: a delayed retry, or a person's replay."""
        inside = look_inside(record.value)
        try:
            note = read_note(record.headers)
            read = self._record_in(record.value, note.origin, note.timestamp_ms)
        except Rejected as error:
            self._unreadable(record, str(error))
            return
        if inside.sku_id != self._sku_id and (read is None or read.event.sku_id != self._sku_id):
            return
        event = self.gathered.event(note.origin, inside.image_id if read is None else read.event.image_id)
        if event is None:
            return
        if read is not None:
            self.gathered.keep(event, read)
        what = What.RE_ENTERED if record.topic == self._topics.retry(AT_ONCE) else What.POSTPONED
        event.remember(wording.clean_history(note.history), place_at(record), note.replay, wording.clean(note.stage))
        text = wording.re_entered(note) if what is What.RE_ENTERED else wording.postponed(note)
        add(event, record, what, text, wording.note_facts(note), replay=note.replay)

    def letter(self, record: InRecord) -> None:
        """A letter, in whichever dialect."""
        letter = read_letter(record)
        origin = letter.origin or _origin_of(record)
        read = self._record_in(record.value, origin, letter.origin_timestamp_ms)
        sku_id = letter.sku_id or (read.event.sku_id if read else "")
        if sku_id != self._sku_id:
            return
        event = self.gathered.event(origin, letter.image_id or (read.event.image_id if read else ""))
        if event is None:
            return
        if read is not None:
            self.gathered.keep(event, read)
        event.event_id = event.event_id or letter.event_id
        if letter.job_key:
            event.job_keys.setdefault(letter.job_key, letter.stage)
        event.letters[str(letter.at)] = letter.timestamp_ms
        event.remember(
            wording.clean_history(letter.history), place_at(record), letter.replay, wording.clean(letter.stage)
        )
        add(event, record, What.LETTER, wording.letter(letter), wording.letter_facts(letter), replay=letter.replay)

    def ended(self, record: InRecord) -> None:
        """A terminal record."""
        try:
            end = Terminal.model_validate_json(record.value or b"")
        except ValidationError:
            self._unreadable(record, "no terminal record")
            return
        if end.sku_id != self._sku_id or (event := self.gathered.event(end.origin, end.image_id)) is None:
            return
        event.event_id, event.batch_id = end.event_id, end.batch_id or ""
        event.source_version = end.source_version or ""
        note_assets(event, end.assets)
        what = What.COMPLETED if end.status is Status.COMPLETED else What.SUPERSEDED
        facts = {"credits": str(end.credits), "assets": list(end.assets)}
        if end.superseded_by is not None:
            facts["superseded_by"] = origin_text(end.superseded_by)
        add(event, record, what, wording.ended(end), facts, replay=end.replay)

    def _may_be_ours(self, value: bytes) -> bool:
        return any(needle in value for needle in self._needles) or value[:1] in _PROTOBUF

    def _note_similar(self, key: bytes | None) -> None:
        """Cheap enough for every record: about as long, and begun alike."""
        if not key or abs(len(key) - len(self._key)) > A_SLIP or len(self.similar) >= MAX_SIMILAR:
            return
        if key[:A_SLIP].lower() == self._key[:A_SLIP].lower():
            self.similar.add(key)

    def _raw_events(self, value: bytes | None, origin: Origin, timestamp_ms: int, topic: str) -> Iterable[StageRecord]:
        priority = self._topics.entries().get(topic, Priority.LIVE)
        return self._entries.read(
            value, origin, timestamp_ms=timestamp_ms, priority=priority, started_at=max(timestamp_ms, 0) / 1000
        ).events

    def _record_in(self, value: bytes | None, origin: Origin, timestamp_ms: int) -> StageRecord | None:
        """The event in a failing stage's input, as that stage read it; None where it could not."""
        try:
            return read_stage_record(value)
        except Rejected:
            pass
        try:
            found = self._raw_events(value, origin.model_copy(update={"index": 0}), timestamp_ms, origin.topic)
        except Rejected:
            return None
        return next((read for read in found if read.origin.index == origin.index), None)

    def _unreadable(self, record: InRecord, why: str) -> None:
        """Told only where the SKU is named in it."""
        inside = look_inside(record.value)
        if inside.sku_id != self._sku_id and record.key != self._key:
            return
        event = self.gathered.event(inside.origin or _origin_of(record), inside.image_id)
        if event is not None:
            add(event, record, What.UNREADABLE, wording.clean(why), {"error": wording.clean(why)})

    def _event_of(self, read: StageRecord) -> Event | None:
        """The event in `read`, if it is the SKU's."""
        if read.event.sku_id != self._sku_id:
            return None
        event = self.gathered.event(read.origin, read.event.image_id)
        if event is not None:
            self.gathered.keep(event, read)
        return event


def _next_stages(pipeline: Pipeline, topics: Topics) -> dict[str, str]:
    """Who reads each topic between two stages."""
    stages = pipeline.stages
    return {topics.asset(made.makes): reader.name for made, reader in pairwise(stages)}


def _origin_of(record: InRecord) -> Origin:
    return Origin(topic=record.topic, partition=record.partition, offset=record.offset)
