"""What a letter's value tells about its event, where its headers do not: a raw event, or a stage record around one.

Comes in: a value, of anybody. Goes out: names that were found in it, cut; nothing is raised.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_core import from_json

from stream.core.errors import Rejected
from stream.events import DEFAULT_IMAGE_ID, MAX_ID_CHARACTERS, Origin, RawEvent, read_raw
from stream.records import MAX_RECORD_BYTES, fingerprint, read_stage_record

MAX_COUNT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Inside:
    """Empty where the value does not say."""

    event_id: str = ""
    sku_id: str = ""
    image_id: str = ""
    batch_id: str = ""
    priority: str = ""
    replay: int = 0
    origin: Origin | None = None
    timestamp_ms: int = 0


NOTHING = Inside()


def look_inside(value: bytes | None) -> Inside:
    """The names in a value, even of an event that is otherwise wrong: a person looks for them."""
    around, fields = _opened(value)
    sku_id = _name(fields, "sku_id") or _name(fields, "id")
    if not sku_id and not around:
        return NOTHING
    return Inside(
        event_id=_name(fields, "event_id"), sku_id=sku_id,
        image_id=_name(fields, "image_id") or (DEFAULT_IMAGE_ID if sku_id else ""), batch_id=_name(fields, "batch_id"),
        priority=_name(around, "priority"), replay=min(_count(around, "replay"), MAX_COUNT), origin=_origin(around),
        timestamp_ms=_count(around, "timestamp_ms"),
    )  # fmt: skip


def event_in(value: bytes | None) -> RawEvent | None:
    """The event itself, if the workers would take it."""
    with suppress(Rejected):
        return read_raw(value)
    with suppress(Rejected):
        return read_stage_record(value).event
    return None


def fingerprint_of(value: bytes | None, stage: str, reason: str) -> str:
    """The fingerprint of a letter that bears none."""
    return fingerprint(event_in(value), value, stage=stage, reason=reason)


def event_fields(value: bytes | None) -> Mapping[str, Any]:
    """The raw event's fields as they were sent, right or wrong; empty where there is no JSON object."""
    return _opened(value)[1]


def json_of(value: bytes | None) -> Any:
    """The JSON in a value; None where there is none, or more of it than a record of ours may have.

    As the workers read: their own reader, the slower one, has the last word (NaN, 1e999).
    """
    if not value or len(value) > MAX_RECORD_BYTES:
        return None
    try:
        return orjson.loads(value)
    except ValueError:
        try:
            return from_json(value)
        except ValueError:
            return None


def _opened(value: bytes | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The stage record around an event (empty for a raw event), and the event."""
    fields = _object(value)
    if isinstance(fields.get("raw"), str) and "origin" in fields:
        return fields, _object(fields["raw"].encode(errors="replace"))
    return {}, fields


def _object(value: bytes | None) -> Mapping[str, Any]:
    found = json_of(value) if value is not None and value.lstrip(b" \t\r\n")[:1] == b"{" else None
    return found if isinstance(found, dict) else {}


def _name(fields: Mapping[str, Any], name: str) -> str:
    found = fields.get(name)
    return found[:MAX_ID_CHARACTERS] if isinstance(found, str) else ""


def _count(fields: Mapping[str, Any], name: str) -> int:
    found = fields.get(name)
    return found if type(found) is int and 0 <= found < 2**63 else 0


def _origin(fields: Mapping[str, Any]) -> Origin | None:
    try:
        return Origin.model_validate(fields.get("origin"))
    except ValidationError:
        return None
