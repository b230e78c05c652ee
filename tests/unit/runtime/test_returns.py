"""Delayed retries in the worker: postponed with everything, waiting in nobody's way, back at their old place."""

import asyncio
from dataclasses import replace

import pytest

from stream.broker.port import Committed, InRecord, Partition
from stream.core.errors import Ambiguous, Reason, Rejected, Transient
from stream.events import Origin, Priority
from stream.records import Reading, StageRecord
from stream.retries import Attempt, Headers, RetryNote, decode_history, read_note
from stream.runtime.ends import End
from stream.runtime.inflight import Lane, LaneLimits, Ticket
from stream.runtime.returns import Returns
from stream.runtime.verdict import RetryPolicy
from tests.unit.runtime.scene import TOPICS, Scene, headers, read_returned, scripted, settled, written

ORIGIN = Origin(topic=TOPICS.raw, partition=2, offset=77)
DAY = 86_400.0
POLICY = RetryPolicy(
    attempts=2, base_seconds=2, cap_seconds=60, bugs_in_a_row=3,
    retries={Reason.RETRIES_EXHAUSTED: ("10s", "1m"), Reason.BUG: ("10s",)},
)  # fmt: skip
NOTE = RetryNote(
    stage="remove-bg", due_ms=1_010_000, origin=ORIGIN, timestamp_ms=900_000, priority=Priority.BACKFILL, replay=1,
    attempts=5, postponed=1, history=(Attempt(1, "retries-exhausted", "busy"),), buy_again="claim",
)  # fmt: skip


def come_back(
    scene: Scene, note: RetryNote, *, delay: str = "10s", lane: Lane | None = None, event: str = "A/a1"
) -> Lane:
    """A retry record in the topic of `delay`, written just now."""
    home = lane or Lane(Committed(Partition(TOPICS.retry(delay), 0), None, ""), LaneLimits())
    at = int(scene.clock.wall() * 1000)
    offset = home.point().offset + home.open_tickets if home.point() is not None else 0  # type: ignore[union-attr]
    value = written(*event.split("/"))
    ticket = home.admit(InRecord(TOPICS.retry(delay), 0, offset, b"key", value, at, note.headers()))
    assert ticket is not None
    scene.worker.accept([ticket])
    return home


def note_of(end: End) -> RetryNote:
    return read_note(end.record.headers)


async def test_an_event_is_postponed_byte_for_byte_and_its_note_says_whose_it_is() -> None:
    scene = Scene(policy=POLICY)
    scene.actor.handling = scripted(*[Transient("busy")] * 2)
    (ticket,) = scene.bring(scene.lane(), "A/a1")
    await scene.clock.pass_time(5)
    (end,) = scene.delivered
    assert (end.outcome, end.reason, end.event_id) == ("postponed", "retries-exhausted", "a1")
    assert (end.record.topic, end.record.key, end.record.value) == (
        TOPICS.retry("10s"), ticket.record.key, ticket.record.value,
    )  # fmt: skip
    note = note_of(end)
    assert note.origin == Origin(topic=TOPICS.raw, partition=0, offset=0)
    assert (note.stage, note.timestamp_ms, note.priority, note.replay) == ("remove-bg", 1_000_000, Priority.LIVE, 0)
    assert (note.attempts, note.postponed) == (2, 1)
    assert [(each.word, each.cause) for each in note.history] == [
        ("transient", "busy"), ("retries-exhausted", "busy (attempt 2 of 2)"),
    ]  # fmt: skip
    assert note.due_ms == note.history[-1].at_ms + 10_000


async def test_it_waits_until_it_is_due_holding_no_slot_and_no_place_in_line() -> None:
    scene = Scene(policy=POLICY)
    come_back(scene, NOTE)
    scene.bring(scene.lane(), "A/a2")
    await settled()
    assert scene.actor.admitted == ["a2"]
    assert scene.outcomes == [("a2", "completed")], "a newer event of the same image passes"
    await scene.clock.pass_time(9.9)
    assert scene.actor.admitted == ["a2"]
    await scene.clock.pass_time(0.2)
    assert scene.outcomes == [("a2", "completed"), ("a1", "completed")]


async def test_what_a_person_puts_back_is_seen_as_a_replay_and_what_a_stage_put_off_is_not() -> None:
    scene = Scene(policy=POLICY)
    come_back(scene, NOTE)
    come_back(scene, replace(NOTE, due_ms=0), delay="now", event="B/b1")
    come_back(scene, replace(NOTE, stage="upscale", due_ms=0), delay="now", event="C/c1")
    await scene.clock.pass_time(60)
    assert scene.heard.replays == 1
    assert {(end.priority, end.timestamp_ms) for end in scene.delivered} == {("backfill", 900_000)}


async def test_back_again_it_is_the_event_of_its_note_with_fresh_attempts() -> None:
    scene = Scene(policy=POLICY)
    seen: list[StageRecord] = []

    async def look(record: StageRecord) -> None:
        seen.append(record)
        raise Transient("busy")

    scene.actor.handling = look
    come_back(scene, NOTE)
    await scene.clock.pass_time(60)
    record = seen[0]
    assert (record.origin, record.timestamp_ms, record.priority, record.replay, record.buy_again) == (
        ORIGIN, 900_000, Priority.BACKFILL, 1, "claim",
    )  # fmt: skip
    assert len(seen) == 2
    (end,) = scene.delivered
    note = note_of(end)
    assert end.record.topic == TOPICS.retry("1m")
    assert (note.attempts, note.postponed, note.origin, note.replay) == (7, 2, ORIGIN, 1)
    assert (note.priority, note.timestamp_ms, note.buy_again) == (Priority.BACKFILL, 900_000, "claim")
    assert note.history[0] == NOTE.history[0]


async def test_after_the_last_delay_the_letter_tells_the_whole_history() -> None:
    scene = Scene(policy=POLICY)
    scene.actor.handling = scripted(*[Transient("busy")] * 2)
    come_back(scene, replace(NOTE, postponed=2))
    await scene.clock.pass_time(60)
    (letter,) = scene.delivered
    told = headers(letter)
    assert (letter.outcome, told["skustream.reason"]) == ("dead-letter", "retries-exhausted")
    assert (told["skustream.attempts"], told["skustream.replay"]) == ("7", "1")
    assert (told["skustream.origin.offset"], told["skustream.origin.timestamp"]) == ("77", "900000")
    assert told["skustream.input.topic"] == TOPICS.retry("10s")
    words = [each.word for each in decode_history(told["skustream.history"])]
    assert words == ["retries-exhausted", "transient", "retries-exhausted"]


@pytest.mark.parametrize("error", [Rejected(Reason.SOURCE_MISSING, "404"), Ambiguous("lost")])
async def test_a_reason_without_delays_is_a_letter_at_once(error: Exception) -> None:
    scene = Scene(policy=POLICY)
    scene.actor.handling = scripted(error)
    scene.bring(scene.lane(), "A/a1")
    await settled()
    assert [end.outcome for end in scene.delivered] == ["dead-letter"]


async def test_a_postponed_bug_counts_as_a_bug_in_a_row() -> None:
    scene = Scene(policy=POLICY)
    scene.actor.handling = scripted(*[KeyError("x")] * 3)
    scene.bring(scene.lane(), "A/a1", "B/b1", "C/c1")
    await settled()
    assert [(end.outcome, end.reason) for end in scene.delivered] == [("postponed", "bug")] * 3
    assert scene.worker._bugs_in_a_row == 3


async def test_what_cannot_be_read_is_never_postponed() -> None:
    """Its place is not known: a note could only guess it."""
    scene = Scene(policy=POLICY)

    def breaks(record: InRecord) -> Reading:
        raise ZeroDivisionError(record.offset)

    scene.read = breaks
    scene.bring(scene.lane(), "A/a1")
    await settled()
    assert [end.outcome for end in scene.delivered] == ["dead-letter"]


async def test_a_retry_of_another_stage_is_settled_in_silence() -> None:
    scene = Scene(policy=POLICY)
    come_back(scene, replace(NOTE, stage="upscale"), event="not/read")
    await settled()
    (delivery,) = scene.deliveries
    assert (delivery.ends, delivery.ignored, scene.actor.admitted) == ((), (), [])
    assert scene.heard.receptions == {}


async def test_a_retry_of_no_stage_is_the_first_stages_letter_with_its_origin() -> None:
    scene = Scene(policy=POLICY)
    come_back(scene, replace(NOTE, stage="gone"))
    await settled()
    (letter,) = scene.delivered
    told = headers(letter)
    assert (letter.outcome, told["skustream.reason"]) == ("dead-letter", "invalid-event")
    assert (told["skustream.origin.offset"], told["skustream.replay"]) == ("77", "1")
    assert told["skustream.error"].startswith("skustream.stage: no stage of this pipeline; got 'gone'")


@pytest.mark.parametrize(
    "bent",
    [
        (("skustream.stage", b"remove-bg"),),
        (),
        (*NOTE.headers(), ("skustream.origin.offset", b"-1")),
        (*NOTE.headers(), ("skustream.origin.topic", b"x" * 1_000)),
        (*NOTE.headers(), ("skustream.due", b"soon")),
        (*NOTE.headers(), ("skustream.origin.timestamp", b"9" * 30)),
        (*NOTE.headers(), ("skustream.priority", b"highest")),
        (*NOTE.headers(), ("skustream.history", b"[[1]]")),
        (*NOTE.headers(), ("skustream.replay", b"\xff")),
        (*NOTE.headers(), ("skustream.attempts", None)),
    ],
)
async def test_a_broken_note_is_a_letter_and_never_a_traceback(bent: tuple[tuple[str, bytes | None], ...]) -> None:
    scene = Scene(policy=POLICY)
    lane = Lane(Committed(Partition(TOPICS.retry("1m"), 0), None, ""), LaneLimits())
    ticket = lane.admit(InRecord(TOPICS.retry("1m"), 0, 3, b"key", b"value", 1_000_000, bent))
    assert ticket is not None
    scene.worker.accept([ticket])
    await settled()
    (letter,) = scene.delivered
    told = headers(letter)
    assert (told["skustream.reason"], told["skustream.origin.topic"]) == ("invalid-event", TOPICS.retry("1m"))
    assert letter.record.value == b"value"


@pytest.mark.parametrize("due_ms", [2**62, 1_000_000_000])
async def test_a_due_time_in_the_far_future_is_the_topics_delay(due_ms: int) -> None:
    """A hostile note, or a clock that jumped."""
    scene = Scene(policy=POLICY)
    come_back(scene, replace(NOTE, due_ms=due_ms), delay="1m")
    await scene.clock.pass_time(59)
    assert scene.actor.admitted == []
    await scene.clock.pass_time(2)
    assert scene.outcomes == [("a1", "completed")]


@pytest.mark.parametrize(
    ("wall", "due", "written_at", "wait"),
    [
        (1000.0, 1010.0, 1000.0, 10.0),
        (1004.0, 1010.0, 1000.0, 6.0),
        (1000.0, 1_000_000.0, 1000.0, 10.0),
        (1000.0, 1010.0, 1_000_000.0, 10.0),
        (1000.0, 1_000_000.0, 1_000_000.0, 10.0),
        (1000.0, 1_000_000.0, -0.001, 10.0),
        (1000.0 - DAY, 1010.0, 1000.0, 10.0),
        (1000.0 + DAY, 1010.0, 1000.0, 0.0),
        (1000.0, -0.001, 1000.0, 0.0),
    ],
)
def test_no_wait_is_longer_than_the_topics_delay_whatever_the_time_of_day(
    wall: float, due: float, written_at: float, wait: float
) -> None:
    scene = Scene()
    scene.clock.now = wall
    returns = Returns("remove-bg", TOPICS, ("remove-bg",), read_returned, scene.clock)
    note = replace(NOTE, due_ms=int(due * 1000))
    record = InRecord(TOPICS.retry("10s"), 0, 0, b"k", b"v", int(written_at * 1000), note.headers())
    assert returns.wait_seconds(record, note) == wait


def test_only_what_walks_now_may_find_out_that_others_could_go_on() -> None:
    """What the wicket lets in while intake is paused."""
    scene = Scene()
    returns = Returns("remove-bg", TOPICS, ("remove-bg", "upscale"), read_returned, scene.clock)

    def news(topic: str, *, headers: Headers = ()) -> bool:
        return returns.is_news(InRecord(topic, 0, 0, b"k", b"v", 1_000_000, headers))

    assert news(TOPICS.raw)
    assert news(TOPICS.retry("now"), headers=NOTE.headers())
    assert not news(TOPICS.retry("10s"), headers=NOTE.headers()), "not due yet"
    assert not news(TOPICS.retry("now"), headers=replace(NOTE, stage="upscale").headers())
    assert not news(TOPICS.retry("now")), "it becomes a letter and asks nobody"


async def test_a_person_s_replay_waits_for_nothing() -> None:
    scene = Scene(policy=POLICY)
    come_back(scene, replace(NOTE, due_ms=2**62), delay="now")
    await settled()
    assert scene.outcomes == [("a1", "completed")]


async def test_a_waiting_retry_is_abandoned_with_its_lane_and_holds_up_no_stop() -> None:
    scene = Scene(policy=POLICY)
    mine, theirs = come_back(scene, NOTE), come_back(scene, NOTE, event="B/b1")
    await settled()
    assert scene.worker.walking == 2
    theirs.dead = True
    scene.worker.abandon([theirs])
    await settled()
    assert scene.worker.walking == 1
    async with asyncio.timeout(60):
        await scene.worker.stop(3600)
    assert scene.worker.walking == 0
    assert not mine.dead
    await scene.clock.pass_time(60)
    assert (scene.actor.admitted, scene.deliveries) == ([], [])


async def test_a_lane_of_a_hundred_thousand_retries_waits_in_bounded_memory() -> None:
    """The station admits while the lane is not full, as here: what is open is bounded, what is foreign passes."""
    scene = Scene(policy=POLICY)
    lane = Lane(Committed(Partition(TOPICS.retry("10s"), 0), None, ""), LaneLimits())
    theirs = replace(NOTE, stage="upscale").headers()
    mine = NOTE.headers()
    offset, most, done = 0, 0, 0
    while offset < 100_000:
        while offset < 100_000 and not lane.full:
            value = written(f"S{offset}", f"e{offset}")
            record = InRecord(TOPICS.retry("10s"), 0, offset, b"k", value, 1_000_000, theirs if offset % 2 else mine)
            offset += 1
            scene.worker.accept(_only(lane.admit(record)))
        lane.paused = lane.full
        await settled()
        most = max(most, scene.worker.walking)
        if lane.full:
            await scene.clock.pass_time(10)
        done += len(scene.deliveries)
        lane.settle([delivery.ticket for delivery in scene.deliveries])
        scene.deliveries.clear()
        lane.paused = lane.full
    await scene.clock.pass_time(20)
    assert done + len(scene.deliveries) == 100_000
    assert len(scene.actor.ended) == 50_000
    assert most <= LaneLimits().tickets


def _only(ticket: Ticket | None) -> list[Ticket]:
    assert ticket is not None
    return [ticket]
