"""Pydantic's first complaint as the four things a person needs: the field, what is wrong, the value, the expectation.

Comes in: a `ValidationError` about something foreign. Goes out: a `Complaint`, short and harmless whatever was sent:
names of fields are foreign too, and a URL may carry a password or a signature.
"""

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

MAX_FIELD_CHARACTERS = 100
NO_EXPECTATION = "Input should be ", "String should have ", "Tuple should have ", "String should ", "Value error, "
USER_INFO = re.compile(r"//[^/\s]*@")
QUERY = re.compile(r"[?#].*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One wrong field; `field` is None where the whole is wrong, `value` is None where there is nothing to show."""

    field: str | None
    detail: str
    value: object
    expected: str


def first_complaint(error: ValidationError, fields: Collection[str]) -> Complaint:
    """The first complaint of `error`; `fields` are the known ones, for suggestions."""
    complaints = error.errors(include_url=False)
    first: Any = complaints[0]
    field = readable(".".join(str(part) for part in first["loc"])) or None
    match first["type"]:
        case "json_invalid":
            return Complaint(None, str(first["msg"]).replace("Invalid JSON", "not JSON"), None, "a JSON object")
        case "model_type":
            return Complaint(field, "not an object", first["input"] if field else None, "a JSON object")
        case "missing":
            return Complaint(field, "missing", None, "a value")
        case "extra_forbidden":
            stranger = readable(str(first["loc"][-1])) if first["loc"] else ""
            return Complaint(field, "unknown field", harmless(first["input"]), _among(stranger, fields))
    expected = str(first["msg"])
    for prefix in NO_EXPECTATION:
        expected = expected.removeprefix(prefix)
    detail = "null" if first["input"] is None else "wrong value"
    # A list with a wrong item also counts as too short: the same fault once more.
    others = sum(each["loc"] != first["loc"][: len(each["loc"])] for each in complaints[1:])
    return Complaint(field, f"{detail} (and {others} more)" if others else detail, harmless(first["input"]), expected)


def readable(name: str) -> str:
    """A foreign name, cut and without characters that write over the rest of a line."""
    cut = name if len(name) <= MAX_FIELD_CHARACTERS else f"{name[:MAX_FIELD_CHARACTERS]}…"
    return "".join(character if character.isprintable() else "?" for character in cut)


def harmless(value: object) -> object:
    """`value`, but a URL without user name, password and query: those may be secrets, and errors are logged."""
    text = value if isinstance(value, str) else repr(value)
    if "//" in text:
        return QUERY.sub("?…", USER_INFO.sub("//…@", text))
    return value


def suggestion(name: str, known: Collection[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    # Cut first: the comparison takes a second for a name of a megabyte.
    close = difflib.get_close_matches(name[:MAX_FIELD_CHARACTERS], sorted(known), n=1)
    return close[0] if close else None


def _among(field: str, fields: Collection[str]) -> str:
    close = suggestion(field, fields)
    return f"{close} (perhaps)" if close else f"one of {', '.join(fields)}" if fields else "no field"
