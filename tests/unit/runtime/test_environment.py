"""Half open (L8): one probe at a time, at growing intervals; the first that gets through lets everybody go on."""

import asyncio
from itertools import pairwise

from stream.core.errors import Ambiguous, Resource, Unavailable
from stream.records import StageRecord
from stream.runtime.environment import LONGEST_PROBE_SECONDS, Environment, Patience
from tests.unit.runtime.scene import Heard, Scene, WoundClock, settled


class Outage:
    """A resource that is down until it is not; counts who asks, and when."""

    def __init__(self, scene: Scene, *, seconds: float = 0.0, after_seconds: float | None = None) -> None:
        self._scene = scene
        self._seconds = seconds
        self._after = after_seconds
        self.down = True
        self.asked: list[tuple[float, str]] = []
        self.asking = self.most_asking = 0

    async def __call__(self, record: StageRecord) -> None:
        self.asked.append((self._scene.clock.now - 1000, record.event.event_id or ""))
        self.asking += 1
        self.most_asking = max(self.most_asking, self.asking)
        try:
            if self._seconds:
                await self._scene.clock.sleep(self._seconds)
        finally:
            self.asking -= 1
        if self.down:
            raise Unavailable(Resource.API_OUTAGE, "down", after_seconds=self._after)


def many(count: int) -> list[str]:
    return [f"S{number}/e{number}" for number in range(count)]


async def test_one_at_a_time_asks_again_at_growing_intervals_and_each_in_its_turn() -> None:
    scene = Scene()
    scene.actor.handling = outage = Outage(scene)
    scene.bring(scene.lane(), *many(4))
    await settled()
    assert len(outage.asked) == 4
    outage.most_asking = 0
    await scene.clock.pass_time(100)
    times, names = zip(*outage.asked[4:], strict=True)
    assert times == (1, 3, 7, 15, 31, 61, 91)
    assert names == ("e0", "e1", "e2", "e3", "e0", "e1", "e2")
    assert outage.most_asking == 1


async def test_all_go_on_after_recovery() -> None:
    scene = Scene()
    scene.actor.handling = outage = Outage(scene)
    scene.bring(scene.lane(), *many(50))
    await scene.clock.pass_time(5)
    assert scene.environment.is_paused()
    assert scene.delivered == []
    outage.down = False
    await scene.clock.pass_time(2)
    assert len(scene.delivered) == 50
    assert not scene.environment.is_paused()
    assert scene.heard.pauses == [("api-outage", True), ("api-outage", False)]


async def test_a_slow_probe_is_the_only_one() -> None:
    """A submit into an outage may hang and end ambiguous: more than one at a time is money."""
    scene = Scene()
    scene.actor.handling = outage = Outage(scene, seconds=20)
    scene.bring(scene.lane(), *many(10))
    await scene.clock.pass_time(20)
    outage.most_asking = 0
    await scene.clock.pass_time(200)
    assert outage.most_asking == 1
    assert len(outage.asked) > 12


async def test_a_probe_that_became_a_long_job_does_not_hold_up_the_others() -> None:
    """It got through but takes minutes: after the longest interval the next one asks beside it, and all go on."""
    scene = Scene()
    outage = Outage(scene)
    until_done = asyncio.Event()

    async def first_is_slow(record: StageRecord) -> None:
        if not outage.down and record.event.event_id == "e0":
            await until_done.wait()
        await outage(record)

    scene.actor.handling = first_is_slow
    scene.bring(scene.lane(), *many(5))
    await settled()
    outage.down = False
    await scene.clock.pass_time(1 + LONGEST_PROBE_SECONDS)
    assert len(scene.delivered) == 4
    until_done.set()
    await settled()
    assert len(scene.delivered) == 5


async def test_good_news_from_a_door_lets_everybody_go_on_at_once() -> None:
    scene = Scene()
    scene.actor.handling = outage = Outage(scene)
    scene.bring(scene.lane(), *many(5))
    await settled()
    outage.down = False
    scene.environment.recovered(Resource.API_KEY, Resource.API_OUTAGE)
    await settled()
    assert len(scene.delivered) == 5


async def test_nobody_asks_before_the_other_side_wants_to_be_asked() -> None:
    scene = Scene()
    scene.actor.handling = outage = Outage(scene, after_seconds=300)
    scene.bring(scene.lane(), *many(3))
    await scene.clock.pass_time(1000)
    assert [at for at, _ in outage.asked] == [0, 0, 0, 300, 600, 900]


async def test_the_next_in_line_asks_when_the_first_gives_up() -> None:
    scene = Scene()
    scene.actor.handling = outage = Outage(scene)
    doomed, living = scene.lane(0), scene.lane(1)
    scene.bring(doomed, "A/a1")
    scene.bring(living, "B/b1")
    await settled()
    scene.worker.abandon([doomed])
    outage.down = False
    await scene.clock.pass_time(1)
    assert scene.outcomes == [("b1", "completed")]


async def test_the_pause_ends_when_the_last_waiting_walk_gives_up() -> None:
    """Nobody is left to find out: the next event polled does."""
    scene = Scene()
    scene.actor.handling = Outage(scene)
    lane = scene.lane()
    scene.bring(lane, *many(3))
    await scene.clock.pass_time(2)
    assert scene.environment.is_paused()
    scene.worker.abandon([lane])
    await settled()
    assert not scene.environment.is_paused()
    assert scene.delivered == []
    assert scene.clock.sleeping == 0


async def test_a_walk_that_fails_otherwise_tells_that_the_resource_is_back() -> None:
    scene = Scene()
    scene.actor.handling = outage = Outage(scene)
    scene.bring(scene.lane(), *many(3))
    await settled()

    async def refuses(record: StageRecord) -> None:
        raise TypeError("not the outage")

    scene.actor.handling = refuses
    await scene.clock.pass_time(1)
    assert [reason for _, reason in scene.outcomes] == ["bug"] * 3
    assert not scene.environment.is_paused()
    assert len(outage.asked) == 3


async def test_two_resources_are_two_pauses() -> None:
    clock, heard = WoundClock(), Heard()
    environment = Environment(clock, heard)
    one, other = Patience(environment), Patience(environment)
    waiting = [
        asyncio.create_task(one.wait(Resource.STORE, "full", None)),
        asyncio.create_task(other.wait(Resource.API_KEY, "401", None)),
    ]
    await settled()
    assert environment.reasons() == [
        "intake is paused: store (full)",
        "intake is paused: api-key (401)",
    ]
    environment.recovered(Resource.STORE)
    await settled()
    assert [task.done() for task in waiting] == [True, False]
    assert environment.is_paused()
    environment.recovered(Resource.API_KEY)
    await asyncio.gather(*waiting)
    assert not environment.is_paused()


async def test_waiting_for_what_is_missing_costs_nothing() -> None:
    """An alarm that was called off woke the next wait, which called off its own: a processor's whole time."""
    scene = Scene()
    waits = 0

    async def answers_late(record: StageRecord) -> None:
        for _ in range(9):
            await asyncio.sleep(0)
        raise Unavailable(Resource.STORE, "gone")

    async def counted(seconds: float) -> None:
        nonlocal waits
        waits += 1
        await sleep(seconds)

    sleep, scene.clock.sleep = scene.clock.sleep, counted  # type: ignore[method-assign] # a clock that is listened to
    scene.actor.handling = answers_late
    scene.bring(scene.lane(), *many(3))
    await scene.clock.pass_time(30)
    assert waits < 30
    await scene.worker.stop(0)


async def test_a_probe_that_ends_in_doubt_calls_nobody_at_once() -> None:
    """Each lost answer costs its event a letter: the next one asks after the longest interval, not in a row."""
    scene = Scene()
    lost: list[float] = []
    down = Outage(scene)

    async def handle(record: StageRecord) -> None:
        if scene.clock.now < 1000.5:
            await down(record)
        lost.append(scene.clock.now)
        raise Ambiguous("the answer was lost")

    scene.actor.handling = handle
    scene.bring(scene.lane(), *many(5))
    await scene.clock.pass_time(3 * LONGEST_PROBE_SECONDS)
    assert [second - first for first, second in pairwise(lost)] == [LONGEST_PROBE_SECONDS] * 2
    await scene.worker.stop(0)
