"""The flood stop at work: letters stop at the budget, the stage waits with its tickets, and goes on once it may."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from stream.broker.port import InRecord
from stream.core.errors import Ambiguous, Reason, Rejected, Resource, Transient, Unavailable
from stream.records import Reading, StageRecord
from stream.runtime.environment import Patience
from stream.runtime.flood import FIRST_PROBE_SECONDS, LONGEST_PROBE_SECONDS
from stream.runtime.floodgate import LOOK_SECONDS, SLICE_PASSAGES
from stream.runtime.verdict import RetryPolicy
from tests.unit.runtime.scene import Scene, headers, settled

FAILED = Rejected(Reason.JOB_FAILED, "PixelAPI ended the job")
REFUSED = Rejected(Reason.API_REJECTED, "422")


class Fault:
    """A provider that fails everything, or everything but a few, while it is `on`; what failed may be remembered."""

    def __init__(self, error: Exception, *, is_remembered: bool = False) -> None:
        self.on = True
        self.spared: set[str] = set()
        self._error = error
        self._is_remembered = is_remembered
        self._failed: set[str] = set()

    async def __call__(self, record: StageRecord) -> None:
        name = record.event.event_id or ""
        await asyncio.sleep(0)  # all who came together are at work together
        if (self.on and name not in self.spared) or (self._is_remembered and name in self._failed):
            self._failed.add(name)
            raise self._error


def letters(scene: Scene) -> list[str]:
    return [end.reason for end in scene.delivered if end.reason]


def asked(scene: Scene) -> str:
    """What the station is asked for."""
    if scene.gate.needs_news:
        return "news"
    return "shut" if scene.gate.is_shut else "open"


def names(count: int, first: int = 0) -> list[str]:
    return [f"S{number}/e{number}" for number in range(first, first + count)]


async def flooded(fault: Callable[[StageRecord], Awaitable[None]], *, events: int = 10, budget: int = 4) -> Scene:
    """A stage that was stopped by its events: nobody came through, and no time has passed."""
    scene = Scene(letters=budget)
    scene.actor.handling = fault
    scene.bring(scene.lane(), *names(events))
    await settled()
    assert scene.outcomes == [(f"e{number}", scene.delivered[0].reason) for number in range(budget)]
    assert scene.gate.is_shut
    return scene


async def test_letters_stop_at_the_budget_and_the_stage_with_them() -> None:
    scene = await flooded(Fault(FAILED))
    assert scene.heard.floods == [("job-failed", True)]
    (reason,) = scene.worker.reasons()
    assert "remove-bg is stopped: 6 events wait to become letters (job-failed)" in reason
    assert "skustream dlq resume --stage remove-bg --reason job-failed" in reason
    scene.bring(scene.lane(1), *names(3, 10))
    await scene.clock.pass_time(FIRST_PROBE_SECONDS - 0.1)
    assert len(scene.actor.started) == 10, "nobody else begins"
    await scene.worker.stop(0)


async def test_a_broken_stage_is_tried_ever_more_seldom() -> None:
    scene = await flooded(Fault(FAILED, is_remembered=True))
    scene.bring(scene.lane(1), *names(30, 10))
    tried = []
    for _ in range(5):
        await scene.clock.pass_time(60)
        tried.append(len(scene.actor.started) - 10)
    assert tried == [2, 3, 4, 4, 4], "at 10, 30, 70, 150 and 310 s"
    await scene.clock.pass_time(20 * LONGEST_PROBE_SECONDS)
    assert len(scene.actor.started) == 10 + 4 + 20
    assert len(letters(scene)) == 4
    await scene.worker.stop(0)


async def test_it_goes_on_by_itself_once_the_cause_is_gone() -> None:
    """A failed job is remembered: only somebody new can find out. Then who waits walks again, before any letter."""
    fault = Fault(FAILED, is_remembered=True)
    scene = await flooded(fault)
    scene.bring(scene.lane(1), *names(40, 10))
    await settled()
    fault.on = False
    await scene.clock.pass_time(FIRST_PROBE_SECONDS + 0.1)
    assert [name for name, outcome in scene.outcomes if outcome == "completed"] == [f"e{n}" for n in range(10, 50)]
    assert letters(scene) == ["job-failed"] * 10, "six more for forty successes"
    assert scene.heard.floods == [("job-failed", True), ("job-failed", False)]
    assert scene.worker.reasons() == []
    assert not scene.gate.is_shut
    assert scene.actor.started.count("e9") == 2


async def test_who_waited_with_a_letter_is_spared_it_where_the_cause_is_gone() -> None:
    fault = Fault(REFUSED)
    scene = await flooded(fault)
    fault.on = False
    await scene.clock.pass_time(FIRST_PROBE_SECONDS + 0.1)
    assert len(letters(scene)) == 4
    assert sorted(scene.outcomes[4:]) == [(f"e{number}", "completed") for number in range(4, 10)]
    assert scene.worker.walking == 0


async def test_who_was_superseded_while_it_waited_needs_no_letter_and_earns_none() -> None:
    fault = Fault(FAILED)
    scene = await flooded(fault, budget=2, events=4)
    fault.on, scene.actor.stale = False, {"e2", "e3"}
    await scene.words.tell("remove-bg", None, by="ann", why="")
    await scene.clock.pass_time(LOOK_SECONDS + 0.1)
    assert scene.outcomes[2:] == [("e2", "superseded"), ("e3", "superseded")]
    assert scene.heard.floods == [("job-failed", True), ("job-failed", False)]
    fault.on = True
    scene.bring(scene.lane(1), *names(4, 10))
    await settled()
    assert letters(scene)[2:] == ["job-failed"] * 2, "as many as the word brought"
    await scene.worker.stop(0)


async def test_two_successes_earn_one_letter() -> None:
    fault = Fault(FAILED, is_remembered=True)
    fault.spared = {"e10", "e11", "e12"}
    scene = await flooded(fault)
    scene.bring(scene.lane(1), *names(10, 10))
    await scene.clock.pass_time(FIRST_PROBE_SECONDS + 0.1)
    assert Counter(outcome for _, outcome in scene.outcomes[4:]) == {"completed": 3, "job-failed": 1}
    await scene.worker.stop(0)


async def test_a_persons_word_brings_the_whole_budget() -> None:
    fault = Fault(FAILED, is_remembered=True)
    scene = await flooded(fault)
    scene.bring(scene.lane(1), *names(10, 10))
    await settled()
    await scene.words.tell("remove-bg", Reason.JOB_FAILED, by="ann@desk", why="photos are broken, go on")
    await scene.clock.pass_time(LOOK_SECONDS + 0.1)
    assert len(letters(scene)) == 8
    await scene.words.tell("remove-bg", None, by="ann@desk", why="all of it")
    await scene.clock.pass_time(LOOK_SECONDS + 0.1)
    assert len(letters(scene)) == 12
    await scene.worker.stop(0)


async def test_a_word_about_another_reason_or_stage_changes_nothing() -> None:
    scene = await flooded(Fault(FAILED, is_remembered=True))
    await scene.words.tell("remove-bg", Reason.BUG, by="ann", why="")
    await scene.words.tell("upscale", None, by="ann", why="")
    await scene.clock.pass_time(20 * LOOK_SECONDS)
    assert len(letters(scene)) == 4
    await scene.worker.stop(0)


async def test_a_word_about_one_of_two_reasons_lets_nobody_new_in() -> None:
    """Their letters are written; but the stage stays stopped for the other reason, and buys no hundred jobs."""
    scene = Scene(letters=4)

    async def handle(record: StageRecord) -> None:
        await asyncio.sleep(0)
        raise Ambiguous("lost") if record.event.sku_id.startswith("LOST") else FAILED

    scene.actor.handling = handle
    scene.bring(scene.lane(), *names(6), *[f"LOST{number}/l{number}" for number in range(6)])
    await settled()
    assert Counter(letters(scene)) == {"job-failed": 4, "ambiguous-submit": 4}
    scene.bring(scene.lane(1), *names(20, 20))
    await scene.clock.pass_time(1)
    await scene.words.tell("remove-bg", Reason.AMBIGUOUS_SUBMIT, by="ann", why="looked up")
    await scene.clock.pass_time(LOOK_SECONDS + 0.1)
    assert Counter(letters(scene)) == {"job-failed": 4, "ambiguous-submit": 6}
    assert len(scene.actor.started) == 12 + 2, "they walk again, and nobody beside them"
    await scene.words.tell("remove-bg", Reason.JOB_FAILED, by="ann", why="let them")
    await scene.clock.pass_time(LOOK_SECONDS + 0.1)
    assert len(scene.actor.started) == 12 + 2 + 2 + 4
    await scene.worker.stop(0)


@pytest.mark.parametrize("reason", [Reason.INVALID_IMAGE, Reason.SOURCE_MISSING])
async def test_malformed_input_stops_nobody(reason: Reason) -> None:
    scene = Scene(letters=2)
    scene.actor.handling = fault = Fault(Rejected(reason, "bad"))
    fault.spared = {"e30"}
    scene.bring(scene.lane(), *names(31))
    await settled()
    assert letters(scene) == [reason] * 30
    assert scene.outcomes[-1] == ("e30", "completed")
    assert scene.heard.floods == []


async def test_malformed_input_that_is_put_off_keeps_no_stopped_stage_shut() -> None:
    """As little as its letter would: it says nothing of whether the cause is gone."""
    scene = Scene(letters=1, policy=RetryPolicy(retries={Reason.SOURCE_MISSING: ("10m",)}))

    async def handle(record: StageRecord) -> None:
        if record.event.sku_id.startswith("GONE"):
            raise Rejected(Reason.SOURCE_MISSING, "404")
        if record.event.sku_id != "FINE":
            raise FAILED

    scene.actor.handling = handle
    scene.bring(scene.lane(), *names(2))
    await settled()
    scene.bring(scene.lane(1), *[f"GONE{number}/g{number}" for number in range(8)], "FINE/f1")
    await scene.clock.pass_time(FIRST_PROBE_SECONDS + 0.1)
    assert Counter(end.outcome for end in scene.delivered) == {"dead-letter": 1, "postponed": 8, "completed": 1}
    await scene.worker.stop(0)


async def test_unreadable_records_are_letters_while_the_stage_is_stopped() -> None:
    scene = await flooded(Fault(FAILED))
    scene.bring(scene.lane(1), value=b"not json")
    await settled()
    assert letters(scene)[4:] == ["invalid-event"]
    await scene.worker.stop(0)


async def test_a_bug_in_the_reader_waits_too() -> None:
    scene = Scene(letters=1, policy=RetryPolicy(bugs_in_a_row=100))

    def breaks(record: InRecord) -> Reading:
        raise ZeroDivisionError("a reader's bug")

    lane = scene.lane()
    before, scene.read = scene.read, breaks
    scene.bring(lane, "A/a1", "B/b1", "C/c1")
    await settled()
    assert letters(scene) == ["bug"]
    scene.read = before
    await scene.clock.pass_time(FIRST_PROBE_SECONDS + 0.1)
    assert sorted(scene.outcomes[1:]) == [("b1", "completed"), ("c1", "completed")]


async def test_admission_that_fails_waits_and_is_tried_again() -> None:
    scene = Scene(letters=1)
    scene.actor.admitting = fault = Fault(REFUSED)
    scene.bring(scene.lane(), *names(3))
    await settled()
    assert letters(scene) == ["api-rejected"]
    fault.on = False
    await scene.clock.pass_time(FIRST_PROBE_SECONDS + 0.1)
    assert scene.outcomes[1:] == [("e1", "completed"), ("e2", "completed")]


async def test_a_revoked_lane_takes_its_waiting_events_along() -> None:
    """The next owner walks them; the stop is over here with the last one."""
    scene = Scene(letters=2)
    scene.actor.handling = Fault(FAILED)
    here, there = scene.lane(0), scene.lane(1)
    scene.bring(here, *names(5))
    scene.bring(there, *names(1, 5))
    await settled()
    assert len(letters(scene)) == 2
    scene.worker.abandon([here])
    await settled()
    assert "1 events wait" in scene.worker.reasons()[0]
    assert len(letters(scene)) == 2
    scene.worker.abandon([there])
    await settled()
    assert scene.heard.floods == [("job-failed", True), ("job-failed", False)]
    assert scene.worker.walking == 0
    assert not scene.gate.is_shut
    assert scene.gate._watch is None


async def test_whoever_keeps_the_time_is_replaced_when_it_leaves() -> None:
    fault = Fault(REFUSED)
    scene = await flooded(fault, budget=1, events=3)
    other = scene.lane(1)
    scene.bring(other, "X/x1")
    await settled()
    watch = scene.gate._watch
    assert watch is not None
    for lane in {*scene.worker._walks} - {other}:
        scene.worker.abandon([lane])
    await settled()
    fault.on = False
    await scene.clock.pass_time(LONGEST_PROBE_SECONDS)
    assert scene.outcomes[-1] == ("x1", "completed")


async def test_stopping_while_events_wait_delivers_nothing_more() -> None:
    scene = await flooded(Fault(FAILED))
    stopped = asyncio.create_task(scene.worker.stop(0))
    await settled()
    assert stopped.done()
    assert scene.worker.walking == 0
    assert len(scene.delivered) == 4


async def test_an_ambiguous_submit_is_counted_and_its_image_waits_behind_it() -> None:
    fault = Fault(Ambiguous("lost"), is_remembered=True)
    scene = Scene(letters=1)
    scene.actor.handling = fault
    scene.bring(scene.lane(), "A/a1", "B/b1", "B/b2", "C/c1")
    await settled()
    assert letters(scene) == ["ambiguous-submit"]
    assert "b2" not in scene.actor.started
    await scene.words.tell("remove-bg", None, by="ann", why="looked up, bought again by hand")
    fault.on = False
    await scene.clock.pass_time(LOOK_SECONDS + 0.1)
    assert scene.outcomes[1:] == [("b1", "ambiguous-submit"), ("b2", "completed")], "one letter, and half of one"
    scene.bring(scene.lane(1), "D/d1")
    await scene.clock.pass_time(LONGEST_PROBE_SECONDS)
    assert dict(scene.outcomes) == {
        "a1": "ambiguous-submit", "b1": "ambiguous-submit", "b2": "completed", "c1": "ambiguous-submit",
        "d1": "completed",
    }  # fmt: skip


async def test_an_event_in_its_retries_stands_at_the_gate_like_everybody() -> None:
    scene = Scene(letters=1)

    async def handle(record: StageRecord) -> None:
        raise Transient("busy") if record.event.sku_id == "SLOW" else FAILED

    scene.actor.handling = handle
    scene.bring(scene.lane(), "SLOW/s1", *names(3))
    await settled()
    await scene.clock.pass_time(FIRST_PROBE_SECONDS - 0.1)
    assert scene.actor.started.count("s1") == 1
    await scene.worker.stop(0)


async def test_what_is_put_off_is_no_letter_and_no_good_news() -> None:
    policy = RetryPolicy(attempts=1, retries={Reason.RETRIES_EXHAUSTED: ("1m",)})
    scene = Scene(letters=1, policy=policy)
    scene.actor.handling = Fault(Transient("busy"))
    scene.bring(scene.lane(), *names(20))
    await settled()
    assert {end.outcome for end in scene.delivered} == {"postponed"}
    assert scene.heard.floods == []


async def test_who_stands_at_the_gate_does_not_keep_the_world_paused() -> None:
    """One of a stopped stage was the only one to ask after what is missing: at the gate it asks no more."""
    scene = Scene(letters=1)
    lacking = True

    async def handle(record: StageRecord) -> None:
        if record.event.sku_id == "LACK" and lacking:
            raise Unavailable(Resource.STORE, "gone")
        raise FAILED

    scene.actor.handling = handle
    scene.bring(scene.lane(), "LACK/l1")
    await settled()
    assert scene.environment.is_paused()
    scene.bring(scene.lane(1), *names(2))
    await scene.clock.pass_time(2)
    assert scene.gate.is_shut
    assert not scene.environment.is_paused()
    await scene.worker.stop(0)


async def test_a_probe_that_takes_too_long_keeps_nobody_waiting() -> None:
    scene = await flooded(Fault(REFUSED), budget=1, events=3)
    stuck = asyncio.Event()

    async def handle(record: StageRecord) -> None:
        if record.event.event_id == "x1":
            await stuck.wait()

    scene.actor.handling = handle
    scene.bring(scene.lane(1), "X/x1")
    await settled()
    await scene.clock.pass_time(FIRST_PROBE_SECONDS + LONGEST_PROBE_SECONDS + 1)
    assert sorted(scene.outcomes[1:]) == [("e1", "completed"), ("e2", "completed")]
    stuck.set()
    await settled()
    assert scene.outcomes[-1] == ("x1", "completed")


async def test_where_all_wait_with_what_is_remembered_somebody_new_is_asked_for() -> None:
    """However full the lanes are: nobody here could find out that the cause is gone."""
    fault = Fault(FAILED, is_remembered=True)
    scene = await flooded(fault)
    assert asked(scene) == "shut"
    await scene.clock.pass_time(FIRST_PROBE_SECONDS + LOOK_SECONDS)
    assert asked(scene) == "news"
    scene.bring(scene.lane(1), "N/n1")
    await settled()
    assert asked(scene) == "shut", "it failed, and the next one is due later"
    await scene.clock.pass_time(2 * FIRST_PROBE_SECONDS + LOOK_SECONDS)
    assert asked(scene) == "news"
    fault.on = False
    scene.bring(scene.lane(2), *names(30, 50))
    await settled()
    assert asked(scene) == "open"
    assert scene.worker.walking == 0


async def test_where_those_who_wait_can_find_out_nobody_new_is_asked_for() -> None:
    scene = await flooded(Fault(REFUSED))
    await scene.clock.pass_time(100 * LOOK_SECONDS)
    assert not scene.gate.needs_news
    await scene.worker.stop(0)


async def test_a_crowd_at_the_gate_leaves_in_slices() -> None:
    fault = Fault(REFUSED)
    scene = await flooded(fault, budget=1, events=2)
    scene.bring(scene.lane(1), *names(10 * SLICE_PASSAGES, 2))
    await settled()
    fault.on = False
    scene.worker.abandon([lane for lane in scene.worker._walks if len(scene.worker._walks[lane]) == 1])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < len(scene.gate._fresh) < 10 * SLICE_PASSAGES
    await settled()
    assert len(scene.outcomes) == 1 + 10 * SLICE_PASSAGES


async def test_who_stands_at_the_gate_costs_those_who_wait_for_something_no_turn() -> None:
    """Thirty of a stopped stage are before the one that could ask: each of them would have cost half a minute."""
    scene = Scene(letters=1)
    lacking = True

    async def handle(record: StageRecord) -> None:
        if record.event.sku_id.startswith("LACK") and lacking:
            raise Unavailable(Resource.STORE, "gone")
        if not record.event.sku_id.startswith("LACK"):
            raise FAILED

    scene.actor.handling = handle
    scene.bring(scene.lane(), *[f"LACK{number}/l{number}" for number in range(30)])
    await settled()
    other = Patience(scene.environment)
    of_another_stage = asyncio.create_task(other.wait(Resource.STORE, "gone", None))
    scene.bring(scene.lane(1), *names(2))
    await scene.clock.pass_time(2)
    assert scene.gate.is_shut
    assert of_another_stage.done(), "it may ask"
    other.give_up()
    await scene.worker.stop(0)


async def test_a_letter_that_waited_tells_every_try() -> None:
    scene = await flooded(Fault(REFUSED), budget=1, events=2)
    await scene.words.tell("remove-bg", None, by="ann", why="")
    await scene.clock.pass_time(LOOK_SECONDS + 0.1)
    assert [headers(end)["skustream.attempts"] for end in scene.delivered] == ["1", "2"]
