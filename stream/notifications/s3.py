"""The S3 shape, as AWS and MinIO send it: an object with `Records`, one entry for each object.

Comes in: a record's bytes. Goes out: its entries, and of each what was created, or why it asks for nothing.
Sources: "Event message structure" in AWS's S3 User Guide; MinIO's `internal/event/event.go`, which adds `EventName` and
`Key` beside `Records` and writes `s3:` before the names. Both encode the key as a form does: blank as `+`.
"""

from typing import Annotated, Any, TypeVar
from urllib.parse import unquote_plus

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stream.core.complaints import harmless, readable
from stream.core.errors import Reason, Rejected
from stream.events import MAX_EVENT_BYTES, rejected
from stream.notifications.entry import Created, Ignored

MAX_ENTRIES = 100
"""One as a rule. A record's events walk beside each other and are delivered together, so their number is bounded."""
MAX_NOTIFICATION_BYTES = 256 * 1024
"""What AWS itself takes for a message. Each entry may become a letter that holds the whole record (L6): at most 25 MiB
leave in one transaction."""
_CREATED = "ObjectCreated:"
_TEST = "s3:TestEvent"
_WORDS = (b'"Records"', b'"s3:TestEvent"')
_MAX_NAME_CHARACTERS = 60
Model = TypeVar("Model", bound=BaseModel)


class _Read(BaseModel):
    """Of a foreign object only what we use."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class _Named(_Read):
    eventName: Annotated[str, Field(min_length=1)]  # noqa: N815 - S3's name


class _Bucket(_Read):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


class _Object(_Read):
    key: Annotated[str, Field(min_length=1, max_length=4_096)]


class _S3(_Read):
    bucket: _Bucket
    object: _Object


class _Entry(_Read):
    eventTime: Annotated[str, Field(min_length=1)]  # noqa: N815 - S3's name
    s3: _S3


def entries_of(value: bytes) -> list[Any] | None:
    """The entries of a notification, unread; None when it is none. Raises `Rejected` for one that is too large.

    The PIM's own events are not parsed twice: bytes without these words are no notification, and an object with
    `Records` is no event.
    """
    if len(value) > MAX_EVENT_BYTES or not any(word in value for word in _WORDS):
        return None
    try:
        foreign = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(foreign, dict):
        return None
    if foreign.get("Event") == _TEST:
        return [{"eventName": _TEST}]
    return _bounded(foreign["Records"], len(value)) if "Records" in foreign else None


def read_entry(foreign: object, at: str) -> Created | Ignored:
    """One entry; `at` names its place in the record. Raises `Rejected(invalid-event)`."""
    name = _valid(_Named, foreign, at).eventName.removeprefix("s3:")
    if not name.startswith(_CREATED):
        return Ignored(readable(name[:_MAX_NAME_CHARACTERS]))
    told = _valid(_Entry, foreign, at)
    try:
        key = unquote_plus(told.s3.object.key, errors="strict")
    except UnicodeDecodeError:
        raise Rejected(
            Reason.INVALID_EVENT,
            "not UTF-8",
            field=f"{at}.s3.object.key",
            value=harmless(told.s3.object.key),
            expected="a key in UTF-8, URL-encoded",
        ) from None
    if key.endswith("/"):
        return Ignored("folder")
    return Created(told.s3.bucket.name, key, told.eventTime)


def _bounded(entries: object, size: int) -> list[Any]:
    if not isinstance(entries, list):
        raise Rejected(Reason.INVALID_EVENT, "not a list", field="Records", expected="a list of S3 event entries")
    if size > MAX_NOTIFICATION_BYTES:
        detail = f"a notification of {size} bytes"
        raise Rejected(Reason.INVALID_EVENT, detail, expected=f"at most {MAX_NOTIFICATION_BYTES} bytes")
    if len(entries) > MAX_ENTRIES:
        detail = f"{len(entries)} entries"
        raise Rejected(Reason.INVALID_EVENT, detail, field="Records", expected=f"at most {MAX_ENTRIES} entries")
    return entries


def _valid(model: type[Model], foreign: object, at: str) -> Model:
    try:
        return model.model_validate(foreign)
    except ValidationError as error:
        raise rejected(model, error, within=at) from None
