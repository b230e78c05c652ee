"""Whose trace a record belongs to: the W3C headers `traceparent` and `tracestate`. Pure; needs no tracing library.

Comes in: headers of any record, as strangers wrote them. Goes out: at most one of each, checked, for the records made
of it. (W3C Trace Context, level 2; a record that bears a header twice means the last one, as Kafka's own clients do.)
"""

import re

Headers = tuple[tuple[str, bytes | None], ...]

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
MAX_BYTES = 700
"""More than both headers may need, with what Kafka spends on them."""
_IDS = rb"(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
# Version 00 ends with its flags; what a later version may add behind them, within bounds, is nobody's business here.
_PARENT = re.compile(rb"00-" + _IDS + rb"|(?!00|ff)[0-9a-f]{2}-" + _IDS + rb"(?:-[!-~]{0,64})?")
_STATE = re.compile(rb"[ -~]{1,512}")


def carried(headers: Headers) -> Headers:
    """What of the trace a record hands on: `traceparent`, perhaps with `tracestate`; nothing where it is malformed."""
    if not headers:
        return ()
    told = dict(headers)
    parent, state = told.get(TRACEPARENT), told.get(TRACESTATE)
    if not parent or _PARENT.fullmatch(parent) is None:
        return ()
    if not state or _STATE.fullmatch(state) is None:
        return ((TRACEPARENT, parent),)
    return ((TRACEPARENT, parent), (TRACESTATE, state))


def trace_id(headers: Headers) -> str:
    """The trace a record belongs to (32 hex digits), or empty text."""
    found = carried(headers)
    return found[0][1][3:35].decode() if found and found[0][1] else ""
