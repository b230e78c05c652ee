"""How long the other side wants us to wait: read from headers, dates and prose.

Headers and sentences come in, all of them hostile; seconds go out, or None where nothing usable was said. Pure.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 900.0
"""Nobody makes us wait longer at a time: a wrong header must not stop the night's run."""
SHORTEST_SECONDS = 1.0
"""After a 429 we never ask again at once, whatever the answer says."""
DEFAULT_THROTTLE_SECONDS = 5.0

_EPOCH_FROM = 1e8  # nobody means three years to go; as an epoch this is 1973
_EPOCH_MILLISECONDS_FROM = 1e11
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_PROSE = re.compile(
    r"\b(?:again|retry|retrying|wait|available)\b[^\d]{0,40}"
    r"(\d{1,6}(?:\.\d{1,6})?)\s*(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m)\b",
    re.ASCII | re.IGNORECASE,
)


def header(headers: Mapping[str, str], name: str) -> str:
    """The header's first value in any spelling of its name, stripped; empty when it is not there."""
    wanted = name.lower()
    return next((value.strip() for key, value in headers.items() if key.lower() == wanted), "")


def retry_after_seconds(headers: Mapping[str, str], now_seconds: float) -> float | None:
    """`Retry-After` in seconds or as an HTTP date; `now_seconds` is our wall clock, for want of a `Date` header."""
    text = header(headers, "Retry-After")
    seconds = _number(text)
    if seconds is None:
        moment = _date(text)
        seconds = None if moment is None else moment - _their_now(headers, now_seconds)
    return _bounded(seconds)


def reset_seconds(headers: Mapping[str, str], now_seconds: float) -> float | None:
    """`X-RateLimit-Reset`, as seconds to go or as an epoch (a large number), in seconds or milliseconds."""
    value = _number(header(headers, "X-RateLimit-Reset"))
    if value is None or value < _EPOCH_FROM:
        return _bounded(value)
    epoch = value / 1000 if value >= _EPOCH_MILLISECONDS_FROM else value
    return _bounded(epoch - _their_now(headers, now_seconds))


def exhausted_seconds(headers: Mapping[str, str], now_seconds: float) -> float | None:
    """Seconds of quiet when the headers say that no request is left; None when some are, or nothing is said."""
    if _number(header(headers, "X-RateLimit-Remaining")) != 0:
        return None
    return reset_seconds(headers, now_seconds) or None


def prose_seconds(text: str) -> float | None:
    """The delay in sentences such as "try again in 20 seconds"."""
    found = _PROSE.search(text)
    if found is None:
        return None
    unit = found.group(2).lower()
    factor = 0.001 if unit.startswith(("ms", "milli")) else 60.0 if unit.startswith("m") else 1.0
    return _bounded(float(found.group(1)) * factor)


def field_seconds(value: object) -> float | None:
    """A `retry_after` member of a JSON body."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return _bounded(_number(str(value).strip()))


def throttle_seconds(hint: float | None) -> float:
    """What a 429 costs: the hint within sane bounds, or the default."""
    return DEFAULT_THROTTLE_SECONDS if hint is None else max(hint, SHORTEST_SECONDS)


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _their_now(headers: Mapping[str, str], now_seconds: float) -> float:
    """Their clock where they show it: a date of theirs minus our own clock would be off by the difference."""
    theirs = _date(header(headers, "Date"))
    return now_seconds if theirs is None else theirs


def _bounded(seconds: float | None) -> float | None:
    if seconds is None or not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_SECONDS)
