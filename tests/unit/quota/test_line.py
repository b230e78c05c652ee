"""Who is next."""

import asyncio

from stream.events import Priority
from stream.quota.line import Line
from stream.quota.port import Ask, AskKind, Grant
from stream.quota.slots import Slots
from tests.unit.quota.simulated import SimulatedLoop

LIVE, BACKFILL, REPLAY = Priority


def standing(*asks: Ask, slots: Slots | None = None) -> Line:
    line = Line((Slots(10**6) if slots is None else slots).fits)
    loop = SimulatedLoop()
    for ask in asks:
        line.join(ask, 0.0, asyncio.Future[Grant](loop=loop))
    loop.close()
    return line


def served(line: Line, count: int = 10**6) -> list[Ask]:
    asks: list[Ask] = []
    while len(asks) < count and (waiter := line.first()) is not None:
        line.take(waiter)
        asks.append(waiter.ask)
    return asks


def submit(key: str, priority: Priority = LIVE, stage: int = 0) -> Ask:
    return Ask(AskKind.SUBMIT, priority, stage, key)


def poll(priority: Priority = LIVE, stage: int = 0) -> Ask:
    return Ask(AskKind.POLL, priority, stage)


def test_class_then_later_stage_then_polls_then_who_came_first() -> None:
    in_order = [
        poll(stage=2),
        submit("a", stage=2),
        submit("b", stage=2),
        poll(stage=1),
        poll(),
        submit("c"),
        poll(BACKFILL, 2),
        submit("d", BACKFILL),
        submit("e", REPLAY, 2),
    ]
    shuffled = [in_order[place] for place in (8, 1, 5, 2, 4, 7, 0, 6, 3)]
    assert served(standing(*shuffled)) == in_order


def test_account_and_download_rank_with_polls() -> None:
    asks = [Ask(AskKind.DOWNLOAD), Ask(AskKind.ACCOUNT), Ask(AskKind.POLL)]
    assert served(standing(submit("a"), *asks)) == [*asks, submit("a")]


def test_a_submit_without_a_slot_blocks_nobody() -> None:
    slots = Slots(1)
    slots.adopt("running")
    line = standing(submit("a", stage=2), submit("b"), poll(), poll(REPLAY), submit("c", REPLAY), slots=slots)
    assert served(line) == [poll(), poll(REPLAY)]
    assert len(line) == 3
    slots.release("running")
    assert served(line, 1) == [submit("a", stage=2)]


def test_a_slot_lost_while_waiting_is_waited_for() -> None:
    slots = Slots(1)
    line = standing(submit("a"), submit("b"), slots=slots)
    assert served(line, 1) == [submit("a")]
    slots.adopt("a")
    assert served(line) == []
    slots.release("a")
    assert served(line) == [submit("b")]


def test_a_job_that_holds_its_slot_waits_for_no_other() -> None:
    """With one slot, a further attempt of its holder would stand behind one that waits for the holder."""
    slots = Slots(1)
    slots.adopt("b")
    assert served(standing(submit("a"), submit("b"), slots=slots)) == [submit("b")]


def test_every_class_gets_one_in_ten() -> None:
    line = standing(*[poll(priority) for priority in Priority for _ in range(1000)])
    asks = [ask.priority for ask in served(line, 1000)]
    assert 90 <= asks.count(BACKFILL) <= 101
    assert 90 <= asks.count(REPLAY) <= 101


def test_a_class_that_did_not_wait_has_saved_nothing_up() -> None:
    line = standing(*[poll() for _ in range(100)])
    served(line, 50)
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        line.join(poll(REPLAY), 0.0, asyncio.Future[Grant](loop=runner.get_loop()))
    assert [ask.priority for ask in served(line, 10)] == [LIVE] * 9 + [REPLAY]


def test_the_cancelled_leave_no_trace() -> None:
    """Many who give up behind one who cannot be served must not pile up."""
    line = Line(Slots(1).fits)
    loop = SimulatedLoop()
    for _ in range(1000):
        future = asyncio.Future[Grant](loop=loop)
        line.join(poll(REPLAY), 0.0, future)
        future.cancel()
        line.leave()
    assert len(line) == 0
    assert sum(len(room.slotless) for room in line._classes.values()) < 200
    assert line.first() is None
    loop.close()
