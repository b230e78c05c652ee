"""The reader of letters: our headers, and those of Kafka Connect, Spring, Kafka Streams 4.2 and SmallRye.

Comes in: a record of any dead-letter topic. Goes out: a `Letter`; whatever was in the record, nothing is raised. Every
text is cut and every number has bounds: what a letter says was written by strangers. The names of foreign headers are
those of their sources (docs/decisions/0021 names the files).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from stream.broker.port import Headers, InRecord
from stream.events import Origin
from stream.letters.inside import Inside, fingerprint_of, look_inside
from stream.letters.letter import Dialect, Letter, LetterId
from stream.retries import MAX_CAUSE_BYTES, Attempt, decode_history

MAX_TEXT = 4_000
MAX_TRACEBACK = 8_000
MAX_WORD = 300
MAX_HISTORY_BYTES = 16_384
MAX_JOBS = 50
MAX_CREDITS = Decimal(10) ** 12
SMALLEST_CREDIT = -12
"""As a power of ten."""
MAX_COUNT = 2**31 - 1
MAX_LONG = 2**63 - 1
OURS = "skustream."
CONNECT, SPRING, STREAMS, SMALLRYE = "__connect.errors.", "kafka_dlt-", "__streams.errors.", "dead-letter-"

Told = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class _Words:
    """What a foreign letter says, in our words."""

    reason: str = ""
    error: str = ""
    traceback: str = ""
    stage: str = ""
    origin: Origin | None = None
    timestamp_ms: int = 0


def read_letter(record: InRecord) -> Letter:
    """The record as a letter. Never raises."""
    dialect = dialect_of(record.headers)
    inside = look_inside(record.value)
    if dialect is Dialect.SKUSTREAM:
        return _ours(record, inside)
    words = _FOREIGN[dialect](record.headers) if dialect in _FOREIGN else _Words()
    return Letter(
        at=LetterId(record.topic, record.partition, record.offset), timestamp_ms=record.timestamp_ms,
        key=record.key, value=record.value, headers=record.headers, dialect=dialect,
        origin=words.origin or inside.origin, origin_timestamp_ms=words.timestamp_ms or inside.timestamp_ms,
        stage=words.stage, reason=words.reason, error=words.error, traceback=words.traceback,
        replay=inside.replay, priority=inside.priority, event_id=inside.event_id, sku_id=inside.sku_id,
        image_id=inside.image_id, batch_id=inside.batch_id,
        fingerprint=fingerprint_of(record.value, words.stage, words.reason),
    )  # fmt: skip


def dialect_of(headers: Headers) -> Dialect:
    """Whose headers these are. Ours bear Connect's and Spring's as well; a retry record of ours is no letter yet."""
    names = {name for name, _ in headers}
    for dialect, mark in _MARKS.items():
        if mark & names:
            return dialect
    return Dialect.UNKNOWN


_MARKS: Mapping[Dialect, frozenset[str]] = {
    Dialect.SKUSTREAM: frozenset({f"{OURS}reason"}),
    Dialect.SPRING: frozenset({f"{SPRING}original-topic", f"{SPRING}exception-fqcn", f"{SPRING}key-exception-fqcn"}),
    Dialect.CONNECT: frozenset({f"{CONNECT}topic", f"{CONNECT}exception.class.name"}),
    Dialect.STREAMS: frozenset({f"{STREAMS}exception", f"{STREAMS}topic"}),
    Dialect.SMALLRYE: frozenset({f"{SMALLRYE}reason", f"{SMALLRYE}topic"}),
}


def _ours(record: InRecord, inside: Inside) -> Letter:
    told = _told(record.headers, OURS)
    stage, reason = _text(told, "stage", MAX_WORD), _text(told, "reason", MAX_WORD)
    return Letter(
        at=LetterId(record.topic, record.partition, record.offset), timestamp_ms=record.timestamp_ms,
        key=record.key, value=record.value, headers=record.headers, dialect=Dialect.SKUSTREAM,
        origin=_origin(told, "origin.", _decimal) or inside.origin,
        origin_timestamp_ms=_decimal(told.get("origin.timestamp")) or inside.timestamp_ms,
        stage=stage, reason=reason, error=_text(told, "error"), traceback=_text(told, "traceback", MAX_TRACEBACK),
        attempts=min(_decimal(told.get("attempts")) or 0, MAX_COUNT),
        replay=min(_decimal(told.get("replay")) or 0, MAX_COUNT),
        priority=_text(told, "priority", MAX_WORD) or inside.priority,
        event_id=_text(told, "event-id", MAX_WORD) or inside.event_id,
        sku_id=_text(told, "sku-id", MAX_WORD) or inside.sku_id,
        image_id=_text(told, "image-id", MAX_WORD) or inside.image_id,
        batch_id=inside.batch_id,
        operation=_text(told, "operation", MAX_WORD), job_key=_text(told, "job-key", MAX_WORD),
        job_ids=tuple(each for each in _text(told, "job-ids").split(",")[:MAX_JOBS] if each),
        credits=_credits(told, "credits"), credits_in_doubt=_credits(told, "credits-in-doubt"),
        fingerprint=_text(told, "fingerprint", MAX_WORD) or fingerprint_of(record.value, stage, reason),
        history=_history(told.get("history")),
    )  # fmt: skip


def _connect(headers: Headers) -> _Words:
    """`DeadLetterQueueReporter`: all as text, -1 where it does not know. The record bears the original's time."""
    told = _told(headers, CONNECT)
    where = (_text(told, "connector.name", MAX_WORD), _text(told, "stage", MAX_WORD))
    return _Words(
        reason=_text(told, "exception.class.name", MAX_WORD), error=_text(told, "exception.message"),
        traceback=_text(told, "exception.stacktrace", MAX_TRACEBACK), stage=":".join(each for each in where if each),
        origin=_origin(told, "", _decimal),
    )  # fmt: skip


def _spring(headers: Headers) -> _Words:
    """`DeadLetterPublishingRecoverer`: numbers are big-endian. Its wrapper says nothing, so the cause goes first."""
    told = _told(headers, SPRING)
    fault = "key-exception" if "key-exception-fqcn" in told and "exception-fqcn" not in told else "exception"
    return _Words(
        reason=_text(told, "exception-cause-fqcn", MAX_WORD) or _text(told, f"{fault}-fqcn", MAX_WORD),
        error=_text(told, f"{fault}-message"), traceback=_text(told, f"{fault}-stacktrace", MAX_TRACEBACK),
        stage=_text(told, "original-consumer-group", MAX_WORD), origin=_origin(told, "original-", _big_endian),
        timestamp_ms=_big_endian(told.get("original-timestamp")) or 0,
    )  # fmt: skip


def _streams(headers: Headers) -> _Words:
    """KIP-1034: `exception` is what Java prints of one, `class: message`."""
    told = _told(headers, STREAMS)
    return _Words(
        reason=_text(told, "exception").partition(":")[0].strip()[:MAX_WORD],
        error=_text(told, "message") or _text(told, "exception").partition(":")[2].strip(),
        traceback=_text(told, "stacktrace", MAX_TRACEBACK), origin=_origin(told, "", _decimal),
    )  # fmt: skip


def _smallrye(headers: Headers) -> _Words:
    """`KafkaDeadLetterQueue`: the failed record's headers follow its own, so the first of a name counts."""
    told = _told(tuple(reversed(headers)), SMALLRYE)
    return _Words(
        reason=_text(told, "cause-class-name", MAX_WORD) or _text(told, "exception-class-name", MAX_WORD),
        error="; caused by ".join(each for each in (_text(told, "reason"), _text(told, "cause")) if each)[:MAX_TEXT],
        origin=_origin(told, "", _decimal),
    )  # fmt: skip


_FOREIGN: Mapping[Dialect, Callable[[Headers], _Words]] = {
    Dialect.CONNECT: _connect, Dialect.SPRING: _spring, Dialect.STREAMS: _streams, Dialect.SMALLRYE: _smallrye,
}  # fmt: skip


def _told(headers: Headers, prefix: str) -> dict[str, bytes]:
    """Headers of one family; the last of a name counts, as Kafka's own `lastHeader` has it."""
    return {name.removeprefix(prefix): value or b"" for name, value in headers if name.startswith(prefix)}


def _text(told: Told, name: str, limit: int = MAX_TEXT) -> str:
    # Cut before decoding: a header may have megabytes, and no character has more than four bytes.
    return told.get(name, b"")[: 4 * limit].decode(errors="replace")[:limit]


def _decimal(value: bytes | None) -> int | None:
    """Decimal text, as everybody but Spring writes it; None for anything else."""
    if value is None or not value.isdigit() or len(value) > len(str(MAX_LONG)):
        return None
    number = int(value)
    return number if number <= MAX_LONG else None


def big_endian_name(name: str) -> bool:
    """Whether a header of this name holds a Java int or long."""
    return name in _BINARY


_BINARY = frozenset(f"{SPRING}original-{what}" for what in ("partition", "offset", "timestamp"))


def read_big_endian(value: bytes | None) -> int | None:
    """A Java int or long; text where somebody rewrote the header."""
    if value is None or len(value) not in {4, 8}:
        return _decimal(value)
    return int.from_bytes(value, "big", signed=True)


def _big_endian(value: bytes | None) -> int | None:
    number = read_big_endian(value)
    return None if number is None or number < 0 else number


def _origin(told: Told, prefix: str, number: Callable[[bytes | None], int | None]) -> Origin | None:
    topic = _text(told, f"{prefix}topic", MAX_WORD)
    partition, offset = number(told.get(f"{prefix}partition")), number(told.get(f"{prefix}offset"))
    if not topic or partition is None or offset is None:
        return None
    return Origin(topic=topic, partition=partition, offset=offset, index=number(told.get(f"{prefix}index")) or 0)


def _credits(told: Told, name: str) -> Decimal:
    try:
        amount = Decimal(_text(told, name, 40).strip() or 0)
    except InvalidOperation:
        return Decimal(0)
    fits = amount.is_finite() and 0 <= amount < MAX_CREDITS and int(amount.as_tuple().exponent) >= SMALLEST_CREDIT
    return amount if fits else Decimal(0)


def _history(value: bytes | None) -> tuple[Attempt, ...]:
    if not value or len(value) > MAX_HISTORY_BYTES:
        return ()
    try:
        attempts = decode_history(value.decode(errors="replace"))
    except ValueError:
        return ()
    return tuple(Attempt(each.at_ms, each.word[:MAX_WORD], each.cause[:MAX_CAUSE_BYTES]) for each in attempts)
