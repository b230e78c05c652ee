"""Foreign words made fit to be shown: no secret, no character that a terminal obeys.

Comes in: texts and JSON values out of letters. Goes out: the same, with signatures, passwords and keys taken out. What
is stored stays as it is. Every expression here is linear: texts may have megabytes.
"""

import math
import re
from typing import Any

HIDDEN = "***"
DEEPEST = 40
"""Levels of a JSON value that are shown."""
MAX_BITS = 512
_URL = re.compile(r"\b((?:https?|s3|gs|ftp)://)([^\s\"'<>\\]+)", re.IGNORECASE)
_USER_INFO = re.compile(r"//[^/]+@")
"""Up to the last `@` before the path: a password may have one in it."""
_NAMED = ("signature", "passw", "secret", "token", "key", "credential", "x-amz-", "x-goog-", "x-oss-")
_SHAPED = ("pk_", "sk_", "pxapi_", "akia", "asia", "eyj", "bearer", "basic")
"""Looked for first: the expressions below cost a hundred times as much."""
SHORTEST = 7
_ASSIGNED = re.compile(
    r"((?:\bx-(?:amz|goog|oss)-[a-z-]{1,40}|signature|password|passwd|secret|token|credential|api[_-]?key"
    r"|access[_-]?key(?:[_-]?id)?)[\"']?\s{0,3}(?:=|:|%3D)\s{0,3}[\"']?)[^\s\"'<>,;&}]+",
    re.IGNORECASE,
)
_SHAPES = re.compile(
    r"\b(?:pk_(?:live|test)_[A-Za-z0-9_-]{3,}|sk_[A-Za-z0-9_-]{8,}|pxapi_[A-Za-z0-9_-]{3,}|AKIA[0-9A-Z]{12,}"
    r"|ASIA[0-9A-Z]{12,})|\b(?:bearer|basic)\s{1,4}[A-Za-z0-9._~+/=-]{6,}",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9._-]+)?", re.IGNORECASE)
"""A JSON Web Token, if it has a dot. Without one the run is taken all the same: looked for again at each `-` in it, it
would take quadratic time."""
_SECRET_NAME = re.compile(
    r"(?:password|passwd|secret|token|authorization|credentials?|signature|cookie|(?:api|private|secret|access)[_-]?key"
    r"(?:[_-]?id)?)$",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Whether what bears this name is a secret, whatever it looks like."""
    return _SECRET_NAME.search(name) is not None


def masked(text: str) -> str:
    """`text` without users, passwords and queries in URLs, without signatures, and without what looks like a key."""
    if len(text) < SHORTEST:
        return text
    if "://" in text:
        text = _URL.sub(_bare, text)
    low = text.lower()
    if any(word in low for word in _NAMED):
        text = _ASSIGNED.sub(rf"\1{HIDDEN}", text)
    if not any(word in low for word in _SHAPED):
        return text
    return _TOKEN.sub(lambda found: HIDDEN if found[1] else found[0], _SHAPES.sub(HIDDEN, text))


def _bare(found: re.Match[str]) -> str:
    scheme, rest = found.groups()
    place, mark, _ = rest.partition("?") if "?" in rest else rest.partition("#")
    return _USER_INFO.sub(f"//{HIDDEN}@", scheme + place) + (mark and f"?{HIDDEN}")


def masked_json(value: Any, depth: int = 0) -> Any:
    """A JSON value masked throughout; numbers that not every reader holds become text, and depth has an end."""
    if isinstance(value, list | dict) and depth >= DEEPEST:
        return "…"
    if isinstance(value, list):
        return [masked_json(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {
            str(name): HIDDEN if inner and is_secret_name(str(name)) else masked_json(inner, depth + 1)
            for name, inner in value.items()
        }
    return masked(value) if isinstance(value, str) else _number(value)


def _number(value: Any) -> Any:
    if type(value) is int and not -(2**63) <= value < 2**63:
        return str(value) if value.bit_length() <= MAX_BITS else f"a number of {value.bit_length()} bits"
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def printable(text: str, limit: int | None = None) -> str:
    """One line for a terminal: what controls it, or turns the direction of text, is a blank; cut to `limit`."""
    if limit is not None and len(text) > limit:
        text = f"{text[: max(0, limit - 1)]}…"
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)
