"""When failures are one event's bad luck, and when they are an outage, on a clock that tests wind."""

import itertools

import pytest

from stream.stages.outage import (
    BUSY_IN_A_ROW,
    FIRST_TRY_SECONDS,
    KEPT_KEYS,
    KEYS_IN_A_ROW,
    LONGEST_TRY_SECONDS,
    Outage,
)
from tests.unit.runtime.scene import WoundClock


@pytest.fixture
def clock() -> WoundClock:
    return WoundClock()


@pytest.fixture
def outage(clock: WoundClock) -> Outage:
    return Outage(clock)


def keys(count: int, letter: str = "job") -> list[str]:
    return [f"{letter}-{number}" for number in range(count)]


def lasts(outage: Outage) -> bool:
    """Asked anew each time: mypy would remember the property's last answer."""
    return outage.lasts


def begin(outage: Outage) -> None:
    for key in keys(KEYS_IN_A_ROW):
        outage.failed(key)
    assert lasts(outage)


def test_several_different_keys_in_a_row_are_an_outage(outage: Outage) -> None:
    assert [outage.failed(key) for key in keys(KEYS_IN_A_ROW + 2)] == [False] * (KEYS_IN_A_ROW - 1) + [True] * 3


def test_one_key_however_often_is_its_own_bad_luck(outage: Outage) -> None:
    assert not any(outage.failed("job") for _ in range(50))
    assert not lasts(outage)


def test_failures_with_successes_between_them_are_no_outage(outage: Outage, clock: WoundClock) -> None:
    for key in keys(20):
        clock.now += 1
        assert not outage.failed(key)
        clock.now += 1
        outage.over()


def test_a_provider_that_says_it_is_busy_is_believed_sooner(outage: Outage) -> None:
    told = [outage.failed("job", says_busy=True) for _ in range(BUSY_IN_A_ROW)]
    assert told == [False] * (BUSY_IN_A_ROW - 1) + [True]


def test_another_error_between_two_busy_answers_starts_that_count_anew(outage: Outage) -> None:
    outage.failed("a", says_busy=True)
    outage.failed("a")
    assert not outage.failed("a", says_busy=True)


def test_while_it_lasts_one_at_a_time_tries_ever_more_seldom(outage: Outage, clock: WoundClock) -> None:
    """Each try may cost its event a letter."""
    assert all(outage.may_try() for _ in range(10))
    begin(outage)
    began, tries = clock.now, []
    while clock.now < began + 400:
        if outage.may_try():
            tries.append(clock.now)
        clock.now += 0.5
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert gaps[0] == pytest.approx(FIRST_TRY_SECONDS, abs=1)
    assert gaps == sorted(gaps)
    assert gaps[-1] == pytest.approx(LONGEST_TRY_SECONDS, abs=1)
    outage.over()
    clock.now += LONGEST_TRY_SECONDS
    assert outage.may_try()
    for key in keys(KEYS_IN_A_ROW, "later"):
        outage.failed(key)
    clock.now += FIRST_TRY_SECONDS
    assert outage.may_try()


def test_busy_is_no_word_about_what_was_asked(outage: Outage, clock: WoundClock) -> None:
    """Whoever meets 503 again and again, while others get through, is not at fault for it."""
    outage.failed("unlucky", says_busy=True)
    clock.now += 1
    outage.over("lucky")
    clock.now += 1
    outage.failed("other", says_busy=True)
    assert outage.failed("unlucky", says_busy=True)


def test_the_first_success_ends_it_for_everybody(outage: Outage) -> None:
    begin(outage)
    outage.over("job-0")
    assert not lasts(outage)
    assert all(outage.may_try() for _ in range(10))


def test_bad_pictures_spend_their_own_attempts_and_stop_nobody(outage: Outage, clock: WoundClock) -> None:
    """As many as an outage takes, tried again and again: once anybody got through they are known, and count no more."""
    poisons = keys(KEYS_IN_A_ROW + 2, "poison")
    for poison in poisons:
        outage.failed(poison)
    assert lasts(outage)
    for _ in range(5):
        clock.now += 1
        outage.over("good")
        clock.now += 1
        assert not any(outage.failed(poison) for poison in poisons)
        assert not lasts(outage)
        assert all(outage.may_try() for _ in range(3))


def test_bad_pictures_alone_spend_their_attempts_without_waiting_for_newcomers(
    outage: Outage, clock: WoundClock
) -> None:
    poisons = keys(KEYS_IN_A_ROW + 2, "poison")
    for poison in poisons:
        outage.failed(poison)
    clock.now += 1
    outage.over("good")
    clock.now += 1
    assert not any(outage.failed(poison) for poison in poisons * 4)


def test_an_outage_spends_at_most_one_attempt_of_an_event_that_had_bad_luck_before(
    outage: Outage, clock: WoundClock
) -> None:
    outage.failed("unlucky")
    clock.now += 1
    outage.over("other")
    clock.now += 1
    begin(outage)
    assert outage.failed("unlucky") is False
    clock.now += 1
    assert all(outage.failed("unlucky") for _ in range(10))


def test_a_success_clears_a_keys_name(outage: Outage, clock: WoundClock) -> None:
    outage.failed("job-0")
    clock.now += 1
    outage.over("job-0")
    clock.now += 1
    begin(outage)
    assert outage.failed("job-0")


def test_what_is_remembered_is_bounded(outage: Outage) -> None:
    for key in keys(KEPT_KEYS + 500):
        outage.failed(key)
        outage.over()
    assert len(outage._failed) == KEPT_KEYS
    assert not outage._in_a_row
