"""The wicket beside a closed gate, and the rest between short lives, on a clock that tests wind."""

import pytest

from stream.runtime.wicket import (
    FIRST_REST_SECONDS,
    LET_IN_SECONDS,
    LONGEST_REST_SECONDS,
    OPEN_SECONDS,
    SHORT_LIFE_SECONDS,
    Lives,
    Wicket,
)
from tests.unit.runtime.scene import WoundClock

TURN_SECONDS = 0.05


def turns(wicket: Wicket, clock: WoundClock, seconds: float) -> list[float]:
    """When it was open, asked at every turn for so long."""
    opened, begin = [], clock.now
    while clock.now - begin < seconds:
        if wicket.lets_in():
            opened.append(clock.now - begin)
        clock.now += TURN_SECONDS
    return opened


def test_a_pause_begins_with_a_closed_wicket_and_one_comes_in_every_ten_seconds() -> None:
    clock = WoundClock()
    wicket = Wicket(clock)
    came = []
    for _ in range(int(65 / TURN_SECONDS)):
        if wicket.lets_in():
            came.append(clock.now - 1000.0)
            wicket.passed()
            assert not wicket.is_open
        clock.now += TURN_SECONDS
    assert len(came) == 6
    assert came[0] == pytest.approx(LET_IN_SECONDS, abs=2 * TURN_SECONDS)


def test_it_shuts_again_when_nobody_comes() -> None:
    """Idle topics: it must not stand open for as long as the outage lasts, and let in a crowd at its end."""
    clock = WoundClock()
    opened = turns(Wicket(clock), clock, 2 * LET_IN_SECONDS + OPEN_SECONDS)
    assert opened[0] == pytest.approx(LET_IN_SECONDS, abs=2 * TURN_SECONDS)
    assert opened[-1] - opened[0] <= OPEN_SECONDS


def test_the_next_pause_begins_closed_however_long_ago_the_last_one_was() -> None:
    clock = WoundClock()
    wicket = Wicket(clock)
    turns(wicket, clock, LET_IN_SECONDS + 1)
    assert wicket.is_open
    clock.now += 3600
    assert not wicket.lets_in()
    clock.now += LET_IN_SECONDS - 1
    assert not wicket.lets_in()


def test_records_of_open_gates_do_not_move_it() -> None:
    """`passed` is told of every record; while it is shut that means nothing."""
    clock = WoundClock()
    wicket = Wicket(clock)
    assert not wicket.lets_in()
    for _ in range(3):
        clock.now += LET_IN_SECONDS / 3
        wicket.passed()
    assert wicket.lets_in()


def test_short_lives_rest_ever_longer_and_a_long_one_forgives() -> None:
    lives, now, rests = Lives(), 0.0, []
    for _ in range(9):
        rests.append(lives.rest_seconds(now))
        now += rests[-1] + 1
    doubling = [FIRST_REST_SECONDS * 2**n for n in range(9)]
    assert rests == [0.0, *(min(rest, LONGEST_REST_SECONDS) for rest in doubling[:8])]
    now += SHORT_LIFE_SECONDS
    assert lives.rest_seconds(now) == 0.0
    assert lives.rest_seconds(now + 1) == FIRST_REST_SECONDS
