"""Running-job slots."""

from stream.quota.slots import Slots


def test_adopted_jobs_count_even_beyond_the_maximum() -> None:
    slots = Slots(1)
    for key in ("a", "b", "b"):
        slots.adopt(key)
    assert len(slots) == 2
    slots.release("a")
    assert not slots.fits("c")
    assert slots.fits("b")
    for _ in range(2):
        slots.release("b")
    assert slots.fits("c")


def test_two_grants_for_one_job_hold_one_slot_until_both_let_go() -> None:
    slots = Slots(1)
    winner, loser = object(), object()
    slots.take("a", winner)
    slots.take("a", loser)
    slots.let_go("a", loser)
    assert len(slots) == 1
    slots.release("a")
    slots.take("a", loser)
    slots.let_go("a", winner)
    assert len(slots) == 1
