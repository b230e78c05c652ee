"""Tracing is off: the trace that a record brought is on whatever the record becomes, once; else there is no header."""

from dataclasses import replace

import pytest

from stream.core.errors import Reason, Rejected, Transient
from stream.records import Misread, Reading
from stream.runtime.verdict import RetryPolicy
from stream.topics import LETTER_HEADERS_MAX_BYTES
from tests.unit.runtime.scene import Behaviour, Scene, arrived, scripted, settled, written

TRACE = (
    ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("tracestate", b"rojo=00f067aa0ba902b7"),
)
HOSTILE = (("traceparent", b"00-" + b"f" * 100_000), ("tracestate", b"x" * 100_000))
LATER = RetryPolicy(attempts=1, retries={Reason.RETRIES_EXHAUSTED: ("1m",)})


async def _end(
    headers: tuple[tuple[str, bytes | None], ...], value: bytes, handling: Behaviour | None = None
) -> tuple[str, list[tuple[str, bytes | None]]]:
    """What an event with these headers ended in, and the trace on its record."""
    scene = Scene(policy=LATER)
    if handling is not None:
        scene.actor.handling = handling
    lane = scene.lane()
    ticket = lane.admit(replace(arrived(value, 0), headers=headers))
    assert ticket is not None
    scene.worker.accept([ticket])
    await settled()
    (end,) = scene.delivered
    assert dict(end.walk.facts) == {}, "what is not traced has no trace id in the diary"
    return end.outcome, [(name, told) for name, told in end.record.headers if name.startswith("trace")]


@pytest.mark.parametrize(
    ("value", "error", "outcome"),
    [
        (written("A", "a1"), None, "completed"),
        (written("A", "a1"), Transient("busy"), "postponed"),
        (written("A", "a1"), Rejected(Reason.SOURCE_MISSING, "no photo"), "dead-letter"),
        (b"no event", None, "dead-letter"),
    ],
)
async def test_it_passes_through_untouched_to_the_next_topic_the_retry_and_the_letter(
    value: bytes, error: Exception | None, outcome: str
) -> None:
    assert await _end(TRACE, value, scripted(error)) == (outcome, list(TRACE))
    assert await _end((), value, scripted(error)) == (outcome, [])
    assert await _end(HOSTILE, value, scripted(error)) == (outcome, [])
    assert await _end(HOSTILE + TRACE, value, scripted(error)) == (outcome, list(TRACE))


async def test_a_retry_brings_it_back_and_it_still_stands_there_once() -> None:
    scene = Scene(policy=LATER)
    scene.actor.handling = scripted(Transient("busy"), None)
    lane = scene.lane()
    ticket = lane.admit(replace(arrived(written("A", "a1"), 0), headers=TRACE))
    assert ticket is not None
    scene.worker.accept([ticket])
    await settled()
    (postponed,) = (end.record for end in scene.delivered)
    again = lane.admit(replace(arrived(postponed.value, 1), topic=postponed.topic, headers=postponed.headers))
    assert again is not None
    scene.worker.accept([again])
    await scene.clock.pass_time(61)
    assert [end.outcome for end in scene.delivered] == ["postponed", "completed"]
    assert scene.delivered[-1].record.headers == TRACE


async def test_every_event_of_one_record_goes_on_in_its_trace() -> None:
    scene = Scene()
    misread = Misread(2, Rejected(Reason.INVALID_EVENT, "no key"))
    before = scene.read
    scene.read = lambda record: Reading(before(record).events, (misread,))
    ticket = scene.lane().admit(replace(arrived(written("A", "a1"), 0), headers=TRACE))
    assert ticket is not None
    scene.worker.accept([ticket])
    await settled()
    assert sorted(end.outcome for end in scene.delivered) == ["completed", "dead-letter"]
    assert all(end.record.headers[-2:] == TRACE for end in scene.delivered)


async def test_a_letter_has_room_for_it_beside_the_longest_words() -> None:
    longest = (TRACE[0], ("tracestate", b"x" * 512))
    scene = Scene()
    scene.actor.handling = scripted(Rejected(Reason.SOURCE_MISSING, "x" * 50_000), RuntimeError("y" * 50_000))
    ticket = scene.lane().admit(replace(arrived(written("A" * 200, "é" * 200), 0), headers=longest))
    assert ticket is not None
    scene.worker.accept([ticket])
    await settled()
    (end,) = scene.delivered
    assert end.record.headers[-2:] == longest
    size = sum(len(name) + len(value or b"") + 10 for name, value in end.record.headers)
    assert size <= LETTER_HEADERS_MAX_BYTES
