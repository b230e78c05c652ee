"""Moments as people write them, and as they read them.

Comes in: `2026-11-20T08:00:00Z`, or `2h` for two hours ago. Goes out: Unix milliseconds; and the way back.
"""

import re
from datetime import UTC, datetime, timedelta

from stream.core.errors import Misconfigured, shown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_AGO = re.compile(r"([0-9]{1,6})\s?([smhdw])")
EXPECTED = "a time such as 2026-11-20T08:00:00Z, or how long ago: 30m, 2h, 7d"


def moment(text: str, *, now: float, option: str) -> int:
    """Unix milliseconds of what was written at `now` (Unix seconds); UTC where no zone is told.

    Raises `Misconfigured` naming the `option`.
    """
    ago = _AGO.fullmatch(text.strip().lower())
    if ago is not None:
        return max(0, round((now - int(ago[1]) * SECONDS[ago[2]]) * 1000))
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Misconfigured(f"{option}: got {shown(text)}; expected {EXPECTED}") from None
    known = time if time.tzinfo else time.replace(tzinfo=UTC)
    return max(0, (known - EPOCH) // timedelta(milliseconds=1))


def written(timestamp_ms: int) -> str:
    """ISO 8601 in UTC, to the second; empty for no time, or one that no calendar has."""
    if timestamp_ms <= 0:
        return ""
    try:
        return f"{EPOCH + timedelta(milliseconds=timestamp_ms):%Y-%m-%dT%H:%M:%SZ}"
    except OverflowError:
        return ""


def exactly(timestamp_ms: int) -> str:
    """The same to the millisecond, where it has some; never empty."""
    whole, rest = divmod(timestamp_ms, 1000)
    text = written(whole * 1000)
    return (f"{text[:-1]}.{rest:03}Z" if rest else text) if text else f"{timestamp_ms} ms"
