"""Walks beside each other: order within an image, nobody else blocked, every end exactly one delivery."""

import asyncio

import pytest

from stream.core.errors import Ambiguous, Reason, Rejected, Resource, Throttled, Transient, Unavailable
from stream.records import Misread, Reading, StageRecord
from stream.runtime.worker import SLICE_TICKETS
from tests.unit.runtime.scene import Behaviour, Scene, headers, read, scripted, settled, written


class Gate:
    """Holds the handler for chosen events until it is opened."""

    def __init__(self, *names: str) -> None:
        self._open = {name: asyncio.Event() for name in names}

    async def __call__(self, record: StageRecord) -> None:
        event = self._open.get(record.event.event_id or "")
        if event is not None:
            await event.wait()

    def open(self, name: str) -> None:
        self._open[name].set()


def only(name: str, behaviour: Behaviour) -> Behaviour:
    """`behaviour` for one event; all others succeed."""

    async def behave(record: StageRecord) -> None:
        if record.event.event_id == name:
            await behaviour(record)

    return behave


async def test_an_images_events_keep_their_order_and_block_nobody_else() -> None:
    scene = Scene()
    scene.actor.handling = gate = Gate("a1", "a2")
    scene.bring(scene.lane(), "A/a1", "A/a2", "B/b1", "A/a3", "C/c1")
    await settled()
    assert scene.actor.admitted == ["a1", "a2", "b1", "a3", "c1"], "the newest is known before anybody queues (L5)"
    assert scene.actor.started == ["a1", "b1", "c1"]
    gate.open("a2")
    await settled()
    assert scene.outcomes == [("b1", "completed"), ("c1", "completed")]
    gate.open("a1")
    await settled()
    assert scene.outcomes[2:] == [("a1", "completed"), ("a2", "completed"), ("a3", "completed")]
    assert scene.worker.walking == 0
    assert scene.worker._lines.last_of_image == {}


async def test_images_of_one_sku_do_not_wait_for_each_other() -> None:
    scene = Scene()
    scene.actor.handling = Gate("front")
    lane = scene.lane()
    scene.bring(lane, value=written("A", "front", image_id="front"))
    scene.bring(lane, value=written("A", "back", image_id="back"))
    await settled()
    assert scene.outcomes == [("back", "completed")]
    scene.worker.abandon([lane])
    await settled()


async def test_a_waiting_retry_is_not_inside_the_handler_and_holds_only_its_image() -> None:
    """Trap 5: a retry that holds a slot. Slots are held inside `handle` alone."""
    scene = Scene()
    scene.actor.handling = only("a1", scripted(Transient("busy"), Transient("busy")))
    scene.bring(scene.lane(), "A/a1", "A/a2", "B/b1")
    await settled()
    assert scene.clock.sleeping == 1
    assert not +scene.actor.inside
    assert scene.outcomes == [("b1", "completed")]
    await scene.clock.pass_time(1.0)
    await scene.clock.pass_time(2.0)
    assert scene.actor.started == ["a1", "b1", "a1", "a1", "a2"]
    assert scene.outcomes == [("b1", "completed"), ("a1", "completed"), ("a2", "completed")]
    assert scene.heard.retries == {"transient": 2}


async def test_exhausted_retries_end_in_a_letter_that_counts_them() -> None:
    scene = Scene()
    scene.actor.handling = scripted(*[Transient("busy")] * 3)
    scene.bring(scene.lane(), "A/a1")
    await scene.clock.pass_time(60)
    (letter,) = scene.delivered
    assert letter.outcome == "dead-letter"
    assert headers(letter)["skustream.reason"] == "retries-exhausted"
    assert headers(letter)["skustream.attempts"] == "3"
    assert letter.record.value == scene.deliveries[0].ticket.record.value


async def test_throttling_spends_no_attempt() -> None:
    scene = Scene()
    scene.actor.handling = scripted(*[Throttled("429", after_seconds=1)] * 20)
    scene.bring(scene.lane(), "A/a1")
    await scene.clock.pass_time(60)
    assert scene.outcomes == [("a1", "completed")]
    assert scene.heard.retries == {"throttled": 20}


async def test_what_is_missing_around_us_spends_no_attempt_and_writes_no_letter() -> None:
    """L8."""
    scene = Scene()
    scene.actor.handling = scripted(*[Unavailable(Resource.API_OUTAGE, "down")] * 12)
    scene.bring(scene.lane(), "A/a1")
    await settled()
    assert scene.environment.is_paused()
    await scene.clock.pass_time(3600)
    assert scene.outcomes == [("a1", "completed")]
    assert not scene.environment.is_paused()
    assert scene.heard.pauses == [("api-outage", True), ("api-outage", False)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Rejected(Reason.API_REJECTED, "422"), "api-rejected"), (Ambiguous("lost"), "ambiguous-submit")],
)
async def test_the_events_own_fault_is_a_letter_at_once(error: Exception, reason: str) -> None:
    scene = Scene()
    scene.actor.handling = scripted(error)
    scene.bring(scene.lane(), "A/a1", "A/a2")
    await settled()
    assert scene.outcomes == [("a1", reason), ("a2", "completed")]
    assert scene.actor.started == ["a1", "a2"]


async def test_a_refusal_at_admission_still_keeps_the_order_of_its_image() -> None:
    scene = Scene()
    scene.actor.admitting = only("a2", scripted(Rejected(Reason.ORDER_KIND, "mixed")))
    scene.actor.handling = gate = Gate("a1")
    scene.bring(scene.lane(), "A/a1", "A/a2")
    await settled()
    assert scene.outcomes == []
    gate.open("a1")
    await settled()
    assert scene.outcomes == [("a1", "completed"), ("a2", "order-kind")]


async def test_unreadable_input_is_a_letter_with_its_coordinates() -> None:
    scene = Scene()
    (ticket,) = scene.bring(scene.lane(), value=b"not json")
    (letter,) = scene.delivered
    told = headers(letter)
    assert (told["skustream.reason"], told["skustream.origin.offset"]) == ("invalid-event", "0")
    assert letter.record.value == b"not json"
    assert letter.record.key == b"key"
    assert scene.deliveries[0].ticket is ticket
    assert "skustream.event-id" not in told


async def test_a_bug_in_the_reader_costs_its_own_record_only() -> None:
    """An error that left `accept` would leave the rest of the batch without walks: open for ever, the lane stalled."""
    scene = Scene()

    def breaks(record: object) -> Reading:
        assert record is not None
        raise ZeroDivisionError("a reader's bug")

    lane = scene.lane()
    scene.read = breaks
    scene.bring(lane, "A/a1")
    scene.read = lambda record: breaks(record) if record.offset == 1 else Reading((read(record),))
    scene.bring(lane, "A/a2", "A/a3")
    await settled()
    assert sorted(scene.outcomes) == [("", "bug"), ("a1", "completed"), ("a3", "completed")]
    (letter,) = [item for item in scene.delivered if item.reason == "bug"]
    assert "a reader's bug" in headers(letter)["skustream.traceback"]


async def test_a_handlers_own_timeout_is_a_bug() -> None:
    """Trap 16."""
    scene = Scene()

    async def impatient(record: StageRecord) -> None:
        async with asyncio.timeout(-1):
            await asyncio.Event().wait()

    scene.actor.handling = impatient
    scene.bring(scene.lane(), "A/a1")
    await settled()
    assert scene.outcomes == [("a1", "bug")]
    assert headers(scene.delivered[0])["skustream.error"].startswith("TimeoutError")


async def test_a_cancellation_from_inside_the_handler_is_a_bug_and_not_a_silent_end() -> None:
    """The ticket would stay open for ever: a lane that stalls while the group looks healthy (trap 3)."""
    scene = Scene()

    async def cancelled(record: StageRecord) -> None:
        raise asyncio.CancelledError

    scene.actor.handling = only("a1", cancelled)
    scene.bring(scene.lane(), "A/a1", "A/a2")
    await settled()
    assert scene.outcomes == [("a1", "bug"), ("a2", "completed")]


async def test_bugs_in_a_row_pause_the_stage_and_a_success_begins_anew() -> None:
    """Trap 11: letters would flood. Three letters, and the rest waits for a person."""
    scene = Scene()
    broken = True

    async def handle(record: StageRecord) -> None:
        if broken:
            raise KeyError(record.event.event_id)

    scene.actor.handling = handle
    scene.bring(scene.lane(), *[f"S{n}/e{n}" for n in range(8)])
    await settled()
    assert [reason for _, reason in scene.outcomes] == ["bug"] * 3
    assert scene.environment.is_paused()
    assert "KeyError" in scene.environment.reasons()[0]
    await scene.clock.pass_time(600)
    assert len(scene.delivered) == 3
    broken = False
    await scene.clock.pass_time(60)
    assert sorted(reason for _, reason in scene.outcomes) == ["bug"] * 3 + ["completed"] * 5
    assert scene.worker._bugs_in_a_row == 0


async def test_an_abandoned_lanes_walks_end_and_deliver_nothing() -> None:
    scene = Scene()
    scene.actor.handling = Gate("a1", "c1")
    mine, theirs = scene.lane(0), scene.lane(1)
    scene.bring(mine, "A/a1", "A/a2")
    scene.bring(theirs, "B/b1", "C/c1")
    await settled()
    theirs.dead = True
    scene.worker.abandon([theirs])
    await settled()
    assert scene.outcomes == [("b1", "completed")]
    assert scene.worker.walking == 2
    scene.bring(theirs, "D/d1")  # on its way when the lane died
    mine.dead = True
    scene.worker.abandon([mine])
    await settled()
    assert scene.worker.walking == 0
    assert len(scene.delivered) == 1
    assert "d1" not in scene.actor.admitted
    assert not +scene.actor.inside


async def test_tickets_of_a_dead_lane_start_no_walk() -> None:
    scene = Scene()
    lane = scene.lane()
    lane.dead = True
    scene.bring(lane, "A/a1")
    await settled()
    assert scene.actor.admitted == []


async def test_nobody_overtakes_an_image_through_a_walk_that_was_called_off() -> None:
    """a1 and a3 came from one partition, a2 between them from another (backfill), which is then revoked."""
    scene = Scene()
    scene.actor.handling = gate = Gate("a1")
    mine, theirs = scene.lane(0), scene.lane(1)
    scene.bring(mine, "A/a1")
    scene.bring(theirs, "A/a2")
    scene.bring(mine, "A/a3")
    await settled()
    scene.worker.abandon([theirs])
    await settled()
    assert scene.actor.started == ["a1"]
    scene.bring(theirs, "A/a4")
    scene.worker.abandon([theirs])
    await settled()
    scene.bring(mine, "A/a5")
    await settled()
    assert scene.actor.started == ["a1"]
    gate.open("a1")
    await settled()
    assert scene.outcomes == [("a1", "completed"), ("a3", "completed"), ("a5", "completed")]
    assert scene.worker._lines.last_of_image == {}


async def test_an_image_is_forgotten_when_its_last_walk_ends() -> None:
    """Also when the last in line was called off before the one in front of it ended: millions of images pass by."""
    scene = Scene()
    scene.actor.handling = gate = Gate("a1")
    mine, theirs = scene.lane(0), scene.lane(1)
    scene.bring(mine, "A/a1")
    scene.bring(theirs, "A/a2")
    await settled()
    scene.worker.abandon([theirs])
    await settled()
    gate.open("a1")
    await settled()
    assert scene.outcomes == [("a1", "completed")]
    assert scene.worker._lines.last_of_image == {}


async def test_stopping_lets_short_work_finish_and_leaves_the_rest_to_the_next_owner() -> None:
    scene = Scene()
    scene.actor.handling = gate = Gate("long", "short")
    lane = scene.lane()
    scene.bring(lane, "A/long", "B/short")
    await settled()
    stopping = asyncio.create_task(scene.worker.stop(0.05))
    await settled()
    gate.open("short")
    await stopping
    assert scene.outcomes == [("short", "completed")]
    assert scene.worker.walking == 0
    scene.bring(lane, "C/late")
    await settled()
    assert "late" not in scene.actor.admitted


async def test_a_walk_called_off_before_its_doors_close_is_no_bug() -> None:
    """A closing HTTP connector cancels what its callers wait for: seen as letters `bug` after a second Ctrl-C."""
    scene = Scene()
    door: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    scene.actor.handling = lambda _: door
    lane = scene.lane()
    scene.bring(lane, "A/waits")
    await settled()
    scene.worker.halt()
    door.cancel()
    await settled()
    assert (scene.outcomes, scene.worker.walking) == ([], 0)
    scene.bring(lane, "B/late")
    await settled()
    assert "late" not in scene.actor.admitted


@pytest.mark.parametrize("error", [Transient("connection closed"), RuntimeError("the session is closed")])
async def test_a_walk_called_off_ends_whatever_its_handler_makes_of_that(error: Exception) -> None:
    """A clean-up that fails on a closing door: judged, it was a retry that `stop` waited for, or a letter (L8)."""
    scene = Scene()

    async def cleans_up(record: StageRecord) -> None:
        del record
        try:
            await asyncio.Event().wait()
        finally:
            raise error

    scene.actor.handling = cleans_up
    scene.bring(scene.lane(), "A/a1")
    await settled()
    async with asyncio.timeout(60):
        await scene.worker.stop(0.01)
    assert (scene.outcomes, scene.worker.walking, scene.clock.sleeping) == ([], 0, 0)


async def test_an_error_while_a_slice_begins_stops_no_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """`accept` leaves what arrives to the slice to come: were none to come, the whole stage would stand still."""
    scene = Scene()
    loop = asyncio.get_running_loop()
    heard: list[object] = []
    loop.set_exception_handler(lambda _, context: heard.append(context.get("exception")))
    wrong = SLICE_TICKETS + 1

    def received(stage: str, topic: str) -> None:
        nonlocal wrong
        del stage, topic
        wrong -= 1
        if wrong == 0:
            raise MemoryError

    monkeypatch.setattr(scene.heard, "received", received)
    scene.bring(scene.lane(), *[f"S{n}/e{n}" for n in range(SLICE_TICKETS * 2)])
    await settled()
    scene.bring(scene.lane(1), "late/late")
    await settled()
    loop.set_exception_handler(None)
    assert len(heard) == 1
    assert len(scene.outcomes) == SLICE_TICKETS * 2, "all but the one that broke"


async def test_an_event_without_an_id_is_known_by_its_origin() -> None:
    scene = Scene()
    scene.actor.handling = scripted(Rejected(Reason.API_REJECTED, "422"))
    scene.bring(scene.lane(), value=b'{"id": "A", "raw_url": "https://pim.example/a.jpg"}')
    await settled()
    assert headers(scene.delivered[0])["skustream.event-id"] == "product-images.raw-0-0-0"
    assert scene.delivered[0].event_id == "product-images.raw-0-0-0"


async def test_the_events_of_one_record_walk_beside_each_other_and_are_delivered_together() -> None:
    """L1: were the quick ones delivered before, a crash would bring the record again, and end them twice."""
    scene = Scene()
    scene.actor.handling = gate = Gate("slow")
    ticket = scene.bring_together(scene.lane(), "A/slow", "B/b1", "C/c1")
    await settled()
    assert scene.actor.ended == ["b1", "c1"]
    assert scene.deliveries == []
    gate.open("slow")
    await settled()
    (delivery,) = scene.deliveries
    assert delivery.ticket is ticket
    assert sorted(scene.outcomes) == [("b1", "completed"), ("c1", "completed"), ("slow", "completed")]
    assert scene.worker.walking == 0
    assert scene.worker._lines.last_of_image == {}


async def test_one_bad_entry_is_a_letter_with_its_index_and_stops_no_other() -> None:
    scene = Scene()
    scene.actor.handling = only("b1", scripted(Rejected(Reason.SOURCE_MISSING, "404")))
    refusal = Rejected(Reason.INVALID_EVENT, "no such pattern", field="Records.3.s3.object.key")
    ticket = scene.bring_together(scene.lane(), "A/a1", "B/b1", "C/c1", misread=(Misread(3, refusal),))
    await settled()
    (delivery,) = scene.deliveries
    told = {headers(end).get("skustream.origin.index"): end for end in delivery.ends if end.outcome == "dead-letter"}
    assert {index: end.reason for index, end in told.items()} == {"1": "source-missing", "3": "invalid-event"}
    assert all(end.record.value == ticket.record.value for end in told.values()), "byte for byte (L6)"
    assert sorted(end.event_id for end in delivery.ends if end.outcome == "completed") == ["a1", "c1"]


async def test_events_of_one_image_in_one_record_keep_their_order_and_all_are_admitted_first() -> None:
    scene = Scene()
    scene.actor.handling = gate = Gate("a1")
    lane = scene.lane()
    scene.bring_together(lane, "A/a1", "B/b1", "A/a2")
    scene.bring(lane, "A/a3", "B/b2", "C/c1")
    await settled()
    assert sorted(scene.actor.admitted) == ["a1", "a2", "a3", "b1", "b2", "c1"]
    assert sorted(scene.actor.started) == ["a1", "b1", "c1"], "who comes after waits until the record is whole"
    gate.open("a1")
    await settled()
    assert scene.actor.ended.index("a2") == scene.actor.ended.index("a1") + 1
    assert sorted(scene.actor.ended[-2:]) == ["a3", "b2"]
    assert [len(item.ends) for item in scene.deliveries] == [1, 3, 1, 1]
    assert scene.worker._lines.last_of_image == {}


async def test_a_wait_of_one_event_keeps_the_ends_of_the_others_and_redoes_none() -> None:
    scene = Scene()
    scene.actor.handling = only("b1", scripted(Unavailable(Resource.STORE, "down"), Transient("busy")))
    scene.bring_together(scene.lane(), "A/a1", "B/b1", "C/c1")
    await settled()
    assert scene.environment.is_paused()
    assert scene.deliveries == []
    await scene.clock.pass_time(120)
    assert len(scene.deliveries) == 1
    assert scene.actor.started == ["a1", "b1", "c1", "b1", "b1"]


async def test_a_record_with_nothing_to_do_settles_its_ticket_without_a_record() -> None:
    scene = Scene()
    scene.read = lambda _: Reading(ignored=("ObjectRemoved:Delete",))
    (ticket,) = scene.bring(scene.lane(), value=b"a notification")
    await settled()
    (delivery,) = scene.deliveries
    assert (delivery.ticket, delivery.ends, delivery.ignored) == (ticket, (), ("ObjectRemoved:Delete",))


async def test_an_abandoned_record_of_several_events_delivers_nothing_and_leaves_every_line() -> None:
    scene = Scene()
    scene.actor.handling = Gate("a1")
    mine, theirs = scene.lane(0), scene.lane(1)
    scene.bring_together(theirs, "A/a1", "B/b1")
    scene.bring(mine, "B/b2")
    await settled()
    assert scene.deliveries == []
    theirs.dead = True
    scene.worker.abandon([theirs])
    await settled()
    assert scene.outcomes == [("b2", "completed")]
    assert not +scene.actor.inside
    assert scene.worker._lines.last_of_image == {}
