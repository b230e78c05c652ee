"""The letter: raw-image event v1 as the PIM writes it, and its place in the order of its image.

Comes in: bytes of a raw topic. Goes out: a `RawEvent`, or `Rejected` with the exact field, value and expectation.
"""

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from stream.core.complaints import first_complaint
from stream.core.errors import Reason, Rejected

DEFAULT_IMAGE_ID = "main"
MAX_EVENT_BYTES = 1_000_000
MAX_ID_CHARACTERS = 200
MAX_URL_CHARACTERS = 4_096
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD = timedelta(days=1)
"""An event may say that it happens so much later than Kafka took it: clocks differ, and so do ideas of a zone."""
# The contract shows these to outsiders: no lookaround, so that every dialect of regular expressions reads them.
_CONTROLS = r"\u0000-\u001f\u007f-\u00a0"
_ANY = rf"[^ {_CONTROLS}]"
_HOST = rf"([^ {_CONTROLS}/?#@:\[\]\\]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{{0,5}})?"
PRINTABLE_PATTERN = rf"^{_ANY}([^{_CONTROLS}]*{_ANY})?$"
URL_PATTERN = (
    rf"^([Hh][Tt][Tt][Pp][Ss]?://{_HOST}([/?#]{_ANY}*)?"
    rf"|[Ss]3://{_HOST}/[^ {_CONTROLS}?#]{_ANY}*"
    rf"|[Ff][Ii][Ll][Ee]:(///{_ANY}*|/([^ {_CONTROLS}/]{_ANY}*)?))$"
)
TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
_PLAIN_URL = re.compile(r"https://[a-z0-9][a-z0-9.-]*/[!-~]*")
"""Nearly every `raw_url`: nothing in it that the whole examination could refuse."""
TIME_EXPECTED = "an ISO 8601 time with its zone, e.g. 2026-11-22T10:00:00Z"


class Priority(StrEnum):
    """The entry topic is the priority; it travels in the record."""

    LIVE = "live"
    BACKFILL = "backfill"
    REPLAY = "replay"


class OrderKind(StrEnum):
    """What orders an image's events. Never mixed within one image (L5)."""

    SEQUENCE = "sequence"
    OCCURRED_AT = "occurred_at"
    OFFSET = "offset"


class Frozen(BaseModel):
    """Base of everything that walks: immutable, strict, unknown fields refused."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Kept(Frozen):
    """Base of what we write ourselves and read back: a field that a newer version added is passed over (0030)."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")


FORMAT = 1
FormatVersion = Annotated[int, Field(ge=1, le=FORMAT)]
"""What a reader must understand. It rises only where passing over what is new would be wrong."""
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A number that Kafka, JSON readers and our own encoder all hold."""


class Origin(Kept):
    """Where an event entered: the identity that L1 counts by. `index` tells events of one record apart."""

    topic: str
    partition: Count
    offset: Count
    index: Count = 0


class Place(Kept):
    """An event's place in the order of its (sku_id, image_id).

    `value` is the sequence, the time in microseconds, or the origin offset; `timestamp_ms` is the broker's record time,
    which alone can order offsets of different partitions.
    """

    kind: OrderKind
    value: int
    origin: Origin
    timestamp_ms: int = 0

    def compare(self, other: "Place") -> int:
        """Negative when older than `other`, zero when equal, positive when newer.

        Raises `Rejected(order-kind)` when the kinds differ: an answer would be a guess.
        """
        if self.kind is not other.kind:
            raise Rejected(
                Reason.ORDER_KIND,
                f"this event is ordered by {self.kind}, but the image's newest known event by {other.kind}",
                field=str(self.kind),
                expected=f"every event of one image to carry {other.kind}",
            )
        if self.kind is not OrderKind.OFFSET:
            return _sign((self.value,), (other.value,))
        return self.compare_arrival(other)

    def compare_arrival(self, other: "Place") -> int:
        """The same by where the two entered, whatever orders the image."""
        if self._is_of_one_life(other):
            return _sign((self.origin.offset, self.origin.index), (other.origin.offset, other.origin.index))
        return _sign(self._by_time(), other._by_time())  # noqa: SLF001 - of the same class

    def _is_of_one_life(self, other: "Place") -> bool:
        """Whether both stood in the same partition of the same topic, not made anew in between: offsets decide."""
        mine, theirs = self.origin, other.origin
        if (mine.topic, mine.partition) != (theirs.topic, theirs.partition):
            return False
        later_ms, further = self.timestamp_ms - other.timestamp_ms, mine.offset - theirs.offset
        return abs(later_ms) < CLEARLY_MS or (further != 0 and (later_ms < 0) == (further < 0))

    def _by_time(self) -> tuple[Any, ...]:
        origin = self.origin
        return (self.timestamp_ms, origin.topic, origin.partition, origin.offset, origin.index)


def _sign(mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> int:
    return (mine > theirs) - (mine < theirs)


Model = TypeVar("Model", bound=BaseModel)
CLEARLY_MS = 600_000
"""Record times of one partition may be out of order by clocks and batching, hardly by ten minutes: then the topic was
made anew in between, and its offsets began again."""
Identifier = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]


class RawEvent(Frozen):
    """Raw-image event v1: what the PIM publishes. `sku_id` (or `id`) and `raw_url` are required."""

    sku_id: Annotated[Identifier, Field(validation_alias=AliasChoices("sku_id", "id"))]
    raw_url: Annotated[str, Field(min_length=1, max_length=MAX_URL_CHARACTERS)]
    event_id: Identifier | None = None
    image_id: Identifier = DEFAULT_IMAGE_ID
    version: Identifier | None = None
    sequence: Count | None = None
    occurred_at: datetime | None = None
    batch_id: Identifier | None = None
    stages: tuple[Identifier, ...] | None = None
    params: dict[str, dict[str, Any]] = Field(default_factory=dict)
    attributes: dict[str, Any] = Field(default_factory=dict)

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_by_alias=True, serialize_by_alias=False
    )

    @field_validator("occurred_at", mode="before")
    @classmethod
    def _time(cls, value: object) -> object:
        if value is None:
            return value
        if not isinstance(value, str) or not re.fullmatch(TIME_PATTERN, value):
            raise ValueError(TIME_EXPECTED)
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(TIME_EXPECTED) from None

    @field_validator("stages", mode="before")
    @classmethod
    def _stages(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("sku_id", "image_id", "event_id", "batch_id", "version")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        if value is not None and (not value.isprintable() or value != value.strip()):
            raise ValueError("printable characters without blanks at the ends")
        return value

    @field_validator("raw_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if _PLAIN_URL.fullmatch(value):
            return value
        if not value.isprintable() or " " in value:
            raise ValueError("a URL without blanks or control characters")
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            raise ValueError("a well-formed URL") from None
        if parts.scheme not in {"https", "http", "s3", "file"}:
            raise ValueError("an https:// or s3:// URL")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a URL without user name and password")
        if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
            raise ValueError("file:///absolute/path, without a host")
        if parts.scheme != "file" and not parts.hostname:
            raise ValueError("a URL with a host")
        if parts.scheme == "s3" and len(parts.path) <= 1:
            raise ValueError("s3://bucket/key, with a key")
        if not re.fullmatch(URL_PATTERN, value):  # what this Python's urlsplit lets pass, another one's may not
            raise ValueError("a well-formed URL")
        return value

    @cached_property
    def image(self) -> tuple[str, str]:
        """The unit of order and of the CDN manifest: (sku_id, image_id)."""
        return (self.sku_id, self.image_id)

    def place(self, origin: Origin, timestamp_ms: int) -> Place:
        """This event's place in its image's order: sequence, else occurred_at, else the origin's offset."""
        if self.sequence is not None:
            return Place(kind=OrderKind.SEQUENCE, value=self.sequence, origin=origin, timestamp_ms=timestamp_ms)
        if self.occurred_at is not None:
            micros = (self.occurred_at - EPOCH) // timedelta(microseconds=1)
            return Place(kind=OrderKind.OCCURRED_AT, value=micros, origin=origin, timestamp_ms=timestamp_ms)
        return Place(kind=OrderKind.OFFSET, value=origin.offset, origin=origin, timestamp_ms=timestamp_ms)

    def content_hash(self) -> str:
        """Hash of what this event asks for; equal for a re-sent event, whatever its id (hex, 32 characters).

        A given `version` stands for the photo, so that a presigned `raw_url` may change from one sending to the next.
        """
        photo = self.raw_url if self.version is None else self.version
        asked = [self.sku_id, self.image_id, photo, self.stages, self.params]
        # The slow encoder: it takes every number a foreign `params` may hold, and orjson stops at 64 bits.
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]


def read_raw(value: bytes | None) -> RawEvent:
    """Bytes of a raw topic as an event.

    Raises `Rejected(invalid-event)` naming the field, the value and what was expected.
    """
    return read_model(RawEvent, value, limit_bytes=MAX_EVENT_BYTES)


def check_time(event: RawEvent, taken_at: float) -> None:
    """Raises `Rejected(invalid-event)` where `occurred_at` is more than a day later than `taken_at` (epoch seconds).

    Such an event would stay the newest of its image for years, and supersede every later one (L5).
    """
    ahead = None if event.sequence is not None else event.occurred_at
    if ahead is not None and ahead.timestamp() - taken_at > FURTHEST_AHEAD.total_seconds():
        taken = EPOCH + timedelta(seconds=round(taken_at))
        raise Rejected(
            Reason.INVALID_EVENT,
            "in the future",
            field="occurred_at",
            value=ahead.isoformat(),
            expected=f"at most a day after Kafka took the record ({taken:%Y-%m-%dT%H:%M:%SZ})",
        )


def read_model(model: type[Model], value: bytes | None, *, limit_bytes: int) -> Model:
    """Foreign bytes as `model`, or `Rejected(invalid-event)` with the first wrong field."""
    if value is None:
        raise Rejected(Reason.INVALID_EVENT, "the record has no value", expected="a JSON object")
    if len(value) > limit_bytes:
        raise Rejected(Reason.INVALID_EVENT, f"{len(value)} bytes", expected=f"at most {limit_bytes} bytes")
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        raise rejected(model, error) from None


def rejected(model: type[BaseModel], error: ValidationError, *, within: str = "") -> Rejected:
    """The first wrong field as `Rejected(invalid-event)`; `within` is where in its record the model's object stood."""
    complaint = first_complaint(error, list(model.model_fields))
    field = ".".join(part for part in (within, complaint.field) if part) or None
    expected = "sku_id or id, not both" if (model, complaint.field) == (RawEvent, "id") else complaint.expected
    return Rejected(Reason.INVALID_EVENT, complaint.detail, field=field, value=complaint.value, expected=expected)
