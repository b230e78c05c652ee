"""A letter as one JSON document: what `show --json` and `list --json` say, and what `--where` looks into.

Comes in: a letter, and what became of it. Goes out: plain values, secrets masked (docs/dead-letters.md has each field).
"""

import base64
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from stream.core.errors import Reason
from stream.core.reasons import CARDS, ReasonCard
from stream.letters.dialects import big_endian_name, read_big_endian
from stream.letters.filters import State
from stream.letters.inside import event_fields, json_of
from stream.letters.letter import Letter
from stream.letters.masking import HIDDEN, is_secret_name, masked, masked_json
from stream.letters.times import written
from stream.traceparent import trace_id

Document = dict[str, Any]


def document(letter: Letter, state: State = State.OPEN, mark: Mapping[str, Any] | None = None) -> Document:
    """Everything about it. Money is decimal text, times are ISO 8601 (`null` where there is none)."""
    whole = _small(letter, state, mark)
    for part in _LARGE.values():
        whole |= part(letter)
    return whole


def asked_document(letter: Letter, state: State, fields: AbstractSet[str] | None) -> Document:
    """As much of the document as an expression asks for that names these fields; None: any.

    Headers and values are most of the work, and most conditions look at neither.
    """
    asked = _small(letter, state, None)
    for name, part in _LARGE.items():
        if fields is None or not fields.isdisjoint(_SAID_BY[name]):
            asked |= part(letter)
    return asked


def _small(letter: Letter, state: State, mark: Mapping[str, Any] | None) -> Document:
    return {
        **summary(letter, state),
        "timestamp_ms": letter.timestamp_ms,
        "dialect": letter.dialect.value,
        "traceback": masked(letter.traceback),
        "origin": _origin(letter),
        "operation": letter.operation,
        "job_key": letter.job_key,
        "job_ids": list(letter.job_ids),
        "fingerprint": letter.fingerprint,
        "trace_id": trace_id(letter.headers),
        "history": [
            {"at": written(each.at_ms) or None, "word": each.word, "cause": masked(each.cause)}
            for each in letter.history
        ],
        "meaning": _meaning(card_of(letter)),
        "mark": None if mark is None else masked_json(mark),
        "key": _text(letter.key),
    }


def summary(letter: Letter, state: State) -> Document:
    """What a list shows of it."""
    return {
        "letter": str(letter.at),
        "topic": letter.at.topic,
        "partition": letter.at.partition,
        "offset": letter.at.offset,
        "time": written(letter.timestamp_ms) or None,
        "state": state.value,
        "stage": letter.stage,
        "reason": letter.reason,
        "error": masked(letter.error),
        "sku_id": letter.sku_id,
        "image_id": letter.image_id,
        "batch_id": letter.batch_id,
        "event_id": letter.event_id,
        "priority": letter.priority,
        "attempts": letter.attempts,
        "replay": letter.replay,
        "credits": f"{letter.credits:f}",
        "credits_in_doubt": f"{letter.credits_in_doubt:f}",
    }


def card_of(letter: Letter) -> ReasonCard | None:
    """What its reason means; None for a foreign one."""
    try:
        return CARDS[Reason(letter.reason)]
    except ValueError:
        return None


def header_text(name: str, value: bytes | None) -> str | None:
    """A header for a person: Spring's numbers as numbers, other bytes as `0x…`, secrets masked."""
    if value is None:
        return None
    if value and is_secret_name(name):
        return HIDDEN
    if big_endian_name(name) and (number := read_big_endian(value)) is not None:
        return str(number)
    return _text(value)


def _origin(letter: Letter) -> Document | None:
    if letter.origin is None:
        return None
    return {**letter.origin.model_dump(), "time": written(letter.origin_timestamp_ms) or None}


def _meaning(card: ReasonCard | None) -> Document | None:
    if card is None:
        return None
    return {
        "fault": card.fault.value, "replay": card.replay.value, "what": card.what, "way_out": card.way_out,
    }  # fmt: skip


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return masked(value.decode())
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


def _headers(letter: Letter) -> Document:
    return {"headers": [{"name": name, "value": header_text(name, value)} for name, value in letter.headers]}


def _event(letter: Letter) -> Document:
    return {"event": masked_json(event_fields(letter.value)) or None}


def _value(letter: Letter) -> Document:
    """`value_kind` says how `value` is written: json, text, base64, or none."""
    value = letter.value
    size = {"value_bytes": len(value or b"")}
    if value is None:
        return {**size, "value_kind": "none", "value": None}
    found = json_of(value)
    if found is not None:
        return {**size, "value_kind": "json", "value": masked_json(found)}
    try:
        return {**size, "value_kind": "text", "value": masked(value.decode())}
    except UnicodeDecodeError:
        return {**size, "value_kind": "base64", "value": base64.b64encode(value).decode()}


_LARGE: Mapping[str, Callable[[Letter], Document]] = {"headers": _headers, "event": _event, "value": _value}
_SAID_BY = {"headers": {"headers"}, "event": {"event"}, "value": {"value", "value_kind", "value_bytes"}}
