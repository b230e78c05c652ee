"""Where a letter's event goes back in, and with which bytes. Pure: asks nobody.

Comes in: a letter and what a person asked for. Goes out: a `Reentry`, or `Held` with the way out. The event keeps its
origin, so its place in its image's order (L5), and bears the next replay number.
"""

from dataclasses import dataclass, field, replace

from stream.broker.port import Headers
from stream.core.complaints import readable
from stream.core.errors import Rejected
from stream.events import Origin, Priority, RawEvent, read_raw
from stream.letters.letter import Dialect, Letter, LetterId
from stream.notifications.reading import EntryReader
from stream.operations import Params
from stream.pipeline import Pipeline, Stage
from stream.records import StageRecord, first_record, read_stage_record
from stream.replays.held import Cause, Held
from stream.replays.mending import Mends, Unmendable, changed_identity
from stream.retries import Attempt
from stream.traceparent import carried

NO_TIME = -1
"""Kafka's word for none."""
DEFAULT_MAX_REPLAYS = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for, besides which letters."""

    from_raw: bool = False
    mends: Mends = field(default_factory=Mends)
    buy_again: bool = False
    max_replays: int = DEFAULT_MAX_REPLAYS
    """An event that bears this number already goes back no more."""
    include_failing: bool = False


@dataclass(frozen=True, slots=True)
class Reentry:
    """One event on its way back: `value` goes to `stage`, which reads `record` out of it."""

    at: LetterId
    written_ms: int
    """The letter's own record time."""
    reason: str
    key: bytes | None
    value: bytes
    stage: str
    origin: Origin
    timestamp_ms: int
    replay: int
    history: tuple[Attempt, ...]
    record: StageRecord
    trace: Headers = ()
    """What its letter bears of the trace it ended in."""
    is_mended: bool = False
    is_at_raw: bool = False
    """Whether it begins with a raw event, which a changed photo may matter to."""
    old_url: str | None = None
    """`raw_url` before a mend changed it."""


@dataclass(frozen=True, slots=True)
class Doors:
    """How letters are read: the map, and the reader of entry topics (it knows the notifications)."""

    pipeline: Pipeline
    entries: EntryReader
    now: float
    """Unix seconds."""


def reenter(letter: Letter, wish: Wish, doors: Doors) -> Reentry:
    """Where and how `letter` goes back. Raises `Held`.

    `letter.origin_timestamp_ms` is what the letter or its origin tells; 0 where nobody knows.
    """
    if letter.replay >= wish.max_replays:
        raise Held(Cause.TOO_OFTEN, f"it was put back {letter.replay} times")
    try:
        found = _found(letter, wish, doors)
    except Rejected as error:
        raise Held(Cause.INVALID_EVENT, str(error)) from None
    except Unmendable as error:
        raise Held(Cause.UNMENDABLE, str(error)) from None
    _demand_place(found)
    return found


def _found(letter: Letter, wish: Wish, doors: Doors) -> Reentry:
    if letter.dialect is not Dialect.SKUSTREAM:
        return _foreign(letter, wish, doors)
    is_between = _stage_record(letter.value) is not None
    if wish.from_raw:
        return _at_stage(letter, wish, doors) if is_between else _at_entry(letter, wish, doors)
    names = [stage.name for stage in doors.pipeline.stages]
    if letter.stage not in names:
        raise Held(Cause.STAGE_GONE, f"the pipeline has no stage {readable(letter.stage)!r} any more")
    is_first = letter.stage == names[0]
    if is_first and is_between:
        raise Held(Cause.STAGE_GONE, f"{letter.stage} was a later stage when the letter was written")
    return _at_entry(letter, wish, doors) if is_first else _at_stage(letter, wish, doors)


def _at_entry(letter: Letter, wish: Wish, doors: Doors) -> Reentry:
    """A letter of the first stage: its value is what stood in the entry topic, of which one event failed."""
    origin = _origin(letter)
    timestamp_ms = letter.origin_timestamp_ms or NO_TIME
    if wish.mends.is_empty:
        record = _entry(letter.value, origin, timestamp_ms, doors)
        return _reentry(letter, doors.pipeline.stages[0], letter.value or b"", record, doors)
    raw = _raw_text(letter.value, origin, timestamp_ms, doors)
    return _begun_anew(letter, raw, origin, timestamp_ms, wish, doors)


def _at_stage(letter: Letter, wish: Wish, doors: Doors) -> Reentry:
    """A letter of a later stage: a stage record, with the raw event in it."""
    record = read_stage_record(letter.value)
    if (record.origin, record.timestamp_ms) != (letter.origin, letter.origin_timestamp_ms or record.timestamp_ms):
        raise Held(Cause.INVALID_EVENT, "its headers are about another event than its value")
    if wish.from_raw:
        return _begun_anew(letter, record.raw, record.origin, record.timestamp_ms, wish, doors)
    stage = doors.pipeline.stages[doors.pipeline.index(letter.stage)]
    value, is_mended = letter.value or b"", False
    mended = _mended(record.raw, wish)
    if mended != record.raw:
        if changed := changed_identity(record.raw, mended):
            raise Held(Cause.IDENTITY, f"a mend changes {', '.join(changed)}, and the photo is in work already")
        _demand_same_past(record.event, read_raw(mended.encode()), stage, doors.pipeline)
        # Not a copy: that would remember the event it has read already.
        fields = {name: getattr(record, name) for name in StageRecord.model_fields}
        record = StageRecord.model_validate({**fields, "raw": mended})
        value, is_mended = record.encode(), True
    doors.pipeline.route(record.event)
    return _reentry(letter, stage, value, record, doors, is_mended=is_mended)


def _foreign(letter: Letter, wish: Wish, doors: Doors) -> Reentry:
    if not wish.from_raw:
        raise Held(Cause.FOREIGN, f"its headers are {letter.dialect.value}'s: no stage of ours wrote it")
    record = _stage_record(letter.value)
    origin, timestamp_ms = _origin(letter), letter.origin_timestamp_ms or letter.timestamp_ms or NO_TIME
    raw = record.raw if record else _raw_text(letter.value, origin, timestamp_ms, doors)
    return _begun_anew(letter, raw, origin, timestamp_ms, wish, doors)


def _begun_anew(
    letter: Letter, raw: str, origin: Origin, timestamp_ms: int, wish: Wish, doors: Doors
) -> Reentry:  # fmt: skip
    """At the first stage, with the raw event's text, mended where asked."""
    mended = _mended(raw, wish)
    event = read_raw(mended.encode())
    record = first_record(
        mended.encode(), origin, timestamp_ms=timestamp_ms, priority=Priority.REPLAY, started_at=doors.now
    )
    found = _reentry(letter, doors.pipeline.stages[0], mended.encode(), record, doors, is_mended=mended != raw)
    if mended == raw:
        return found
    old_url = _url_in(raw)
    is_another_photo = old_url is not None and old_url != event.raw_url
    return replace(found, key=event.sku_id.encode(), old_url=old_url if is_another_photo else None)


def _reentry(
    letter: Letter, stage: Stage, value: bytes, record: StageRecord, doors: Doors, *, is_mended: bool = False
) -> Reentry:
    doors.pipeline.route(record.event)
    replay = letter.replay + 1
    return Reentry(
        at=letter.at, written_ms=letter.timestamp_ms, reason=letter.reason, key=letter.key, value=value,
        stage=stage.name, origin=record.origin, timestamp_ms=record.timestamp_ms, replay=replay, history=letter.history,
        record=record.model_copy(update={"replay": replay, "priority": Priority.REPLAY}),
        trace=carried(letter.headers), is_mended=is_mended, is_at_raw=stage == doors.pipeline.stages[0],
    )  # fmt: skip


def _entry(value: bytes | None, origin: Origin, timestamp_ms: int, doors: Doors) -> StageRecord:
    """The one event of a raw record that the letter is about. Raises `Rejected`."""
    reading = doors.entries.read(
        value, origin.model_copy(update={"index": 0}), timestamp_ms=timestamp_ms, priority=Priority.REPLAY,
        started_at=doors.now,
    )  # fmt: skip
    for wrong in reading.misread:
        if wrong.index == origin.index:
            raise wrong.error
    if len(reading.events) == 1 and reading.events[0].raw.encode() == value:
        return reading.events[0].model_copy(update={"origin": origin})  # no notification: the event itself
    for record in reading.events:
        if record.origin.index == origin.index:
            return record
    raise Held(Cause.INVALID_EVENT, f"its value has no entry {origin.index} any more that asks for anything")


def _raw_text(value: bytes | None, origin: Origin, timestamp_ms: int, doors: Doors) -> str:
    """The event's own text, to be mended: of a notification, the event that the entry means."""
    try:
        return _entry(value, origin, timestamp_ms, doors).raw
    except Rejected as error:
        try:
            return (value or b"").decode()
        except UnicodeDecodeError:
            raise error from None


def _mended(raw: str, wish: Wish) -> str:
    mended = wish.mends.apply(raw)
    if mended is None:
        raise Held(Cause.LEFT_OUT)
    return mended


def _demand_same_past(before: RawEvent, after: RawEvent, stage: Stage, pipeline: Pipeline) -> None:
    """What earlier stages made must be what the mended event asks them for."""
    if _past(before, stage, pipeline) != _past(after, stage, pipeline):
        raise Held(Cause.DONE_BEFORE, f"a mend changes what stages before {stage.name} have made already")


def _past(event: RawEvent, stage: Stage, pipeline: Pipeline) -> list[tuple[str, Params]]:
    position = pipeline.index(stage.name)
    route = pipeline.route(event)
    return [(each.name, each.params_for(event)) for each in route if pipeline.index(each.name) < position]


def _demand_place(found: Reentry) -> None:
    """Without its origin's record time an event is placed by its own order alone; mended, it would meet itself."""
    event = found.record.event
    has_own = event.sequence is not None or event.occurred_at is not None
    if found.timestamp_ms > 0 or (has_own and not found.is_mended):
        return
    raise Held(Cause.NO_PLACE, "neither the letter nor its origin tells when the event entered")


def _origin(letter: Letter) -> Origin:
    at = letter.at
    return letter.origin or Origin(topic=at.topic, partition=at.partition, offset=at.offset)


def _stage_record(value: bytes | None) -> StageRecord | None:
    try:
        return read_stage_record(value)
    except Rejected:
        return None


def _url_in(raw: str) -> str | None:
    try:
        return read_raw(raw.encode()).raw_url
    except Rejected:
        return None
