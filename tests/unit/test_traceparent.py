"""The trace a record brings is a stranger's word: one of each header goes on, or nothing."""

import pytest

from stream.traceparent import MAX_BYTES, Headers, carried, trace_id

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()
STATE = b"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"


def test_what_is_well_formed_goes_on_untouched_and_nothing_else_does() -> None:
    headers: Headers = (("skustream.stage", b"x"), ("traceparent", PARENT), ("b3", b"0"), ("tracestate", STATE))
    assert carried(headers) == (("traceparent", PARENT), ("tracestate", STATE))
    assert trace_id(headers) == TRACE
    assert carried(()) == carried((("tracestate", STATE),)) == ()
    assert trace_id(()) == ""


def test_the_last_of_several_is_meant_as_kafkas_own_clients_do() -> None:
    last = f"00-{'a' * 32}-{SPAN}-00".encode()
    assert carried((("traceparent", PARENT), ("traceparent", last))) == (("traceparent", last),)
    assert carried((("traceparent", PARENT), ("traceparent", b"rubbish"))) == ()


def test_a_later_version_of_the_header_is_handed_on() -> None:
    later = b"01-" + PARENT[3:] + b"-what-else"
    assert carried((("traceparent", later),)) == (("traceparent", later),)
    assert trace_id((("traceparent", later),)) == TRACE


@pytest.mark.parametrize(
    "value",
    [
        None, b"", b"00", PARENT[:-1], PARENT + b"0", PARENT + b"-more", PARENT.upper(), b" " + PARENT, PARENT + b"\n",
        b"ff" + PARENT[2:], b"0g" + PARENT[2:], PARENT.replace(TRACE.encode(), b"0" * 32),
        PARENT.replace(SPAN.encode(), b"0" * 16), PARENT.replace(b"-", b"_"), b"\xff\x00" * 28,
        b"01-" + PARENT[3:] + b"-" + b"x" * 65, PARENT * 100_000, b"<script>alert(1)</script>",
    ],
    ids=lambda value: f"{len(value or b'')}-bytes",
)  # fmt: skip
def test_what_is_malformed_or_huge_is_ignored_whole(value: bytes | None) -> None:
    headers: Headers = (("traceparent", value), ("tracestate", STATE))
    assert carried(headers) == ()
    assert trace_id(headers) == ""


@pytest.mark.parametrize(
    "state",
    [None, b"", b"x" * 513, b"a=\x00", "a=é".encode(), b"a=1\r\nx: y", b"x" * 5_000_000],
    ids=lambda value: f"{len(value or b'')}-bytes",
)
def test_a_bad_tracestate_is_dropped_alone(state: bytes | None) -> None:
    assert carried((("traceparent", PARENT), ("tracestate", state))) == (("traceparent", PARENT),)


def test_both_at_their_longest_need_no_more_room_than_letters_keep_for_them() -> None:
    found = carried((("traceparent", b"01-" + PARENT[3:] + b"-" + b"x" * 64), ("tracestate", b"x" * 512)))
    assert sum(len(name) + len(value or b"") + 10 for name, value in found) <= MAX_BYTES
    assert len(found) == 2
