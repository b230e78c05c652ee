"""What a server's answer means: pure decisions about statuses, headers and versions, by whose URL it is.

Comes in: a status and headers. Goes out: the error to raise, or the source version. Headers are hostile text.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from stream.core.errors import Reason, Rejected, Transient
from stream.downloads.port import ResultGone, Whose

OK = frozenset({200, 203})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
NO_HEAD = frozenset({405, 501})
_LATER = frozenset({408, 421, 423, 425, 429})
_GONE = frozenset({400, 401, 403, 404, 410})
_CLIENT_FAULTS = range(400, 500)
_LONGEST_WAIT_SECONDS = 3600.0
_LONGEST_VERSION = 200


def refused(whose: Whose, detail: str) -> Rejected:
    """A URL we do not go to."""
    return Rejected(Reason.SOURCE_REFUSED if whose is Whose.SOURCE else Reason.BAD_RESULT, detail)


def unusable(whose: Whose, detail: str) -> Rejected:
    """Bytes we do not take: too many, or wrapped."""
    return Rejected(Reason.INVALID_IMAGE if whose is Whose.SOURCE else Reason.BAD_RESULT, detail)


def is_definite(status: int) -> bool:
    """Whether `status` says there is no such thing, rather than "not now"."""
    return status in _CLIENT_FAULTS and status not in _LATER


def failure(status: int, headers: Mapping[str, str], whose: Whose, at: str, now_seconds: float) -> Exception:
    """The error for an answer that brings no file; `at` is the URL as it may be shown, `now_seconds` the wall clock."""
    said = f"{at} answered {status}"
    if not is_definite(status):
        return Transient(said, after_seconds=retry_after_seconds(headers.get("Retry-After"), now_seconds))
    if whose is Whose.SOURCE:
        return Rejected(Reason.SOURCE_MISSING, said)
    # Stores answer 400 and 401 for signatures that ran out, too; a paid result deserves the second look.
    return ResultGone(said) if status in _GONE else Rejected(Reason.BAD_RESULT, said)


def retry_after_seconds(value: str | None, now_seconds: float) -> float | None:
    """`Retry-After` in seconds from now, between 0 and an hour; None where it says nothing we can read."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        seconds = float(text)  # not of `value`: strip takes more away than float passes over
    else:
        try:
            due = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):  # whatever the parser stumbles over
            return None
        seconds = due.replace(tzinfo=due.tzinfo or UTC).timestamp() - now_seconds
    return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS)


def version(headers: Mapping[str, str]) -> str | None:
    """The source version that an answer's headers tell: ETag, else Last-Modified with the length, else None.

    The answer to a request for a range tells the whole length in Content-Range.
    """
    tag = headers.get("ETag", "").strip().removeprefix("W/")
    if tag.strip('"'):
        return _bounded(f"etag:{tag}")
    modified = _seconds(headers.get("Last-Modified"))
    length = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length", "")
    if modified is None or not re.fullmatch(r"[0-9]{1,15}", length):
        return None
    return f"modified:{modified}:{int(length)}"


def _seconds(date: str | None) -> int | None:
    if date is None:
        return None
    try:
        found = parsedate_to_datetime(date)
        return int(found.replace(tzinfo=found.tzinfo or UTC).timestamp())
    except (ValueError, OverflowError):
        return None


def _bounded(text: str) -> str:
    """A foreign text fit to be carried in records: short printable ASCII as it is, anything else as its digest."""
    if len(text) <= _LONGEST_VERSION and text.isascii() and text.isprintable():
        return text
    return "etag-sha256:" + hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def file_version(modified_ns: int, size_bytes: int) -> str:
    """The version of a local file."""
    return f"modified:{datetime.fromtimestamp(modified_ns / 1e9, UTC):%Y%m%dT%H%M%S}.{modified_ns % 10**9}:{size_bytes}"
