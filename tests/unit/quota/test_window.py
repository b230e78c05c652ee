"""The contract's arithmetic on its own."""

import math
from fractions import Fraction

import pytest

from stream.core.errors import Misconfigured
from stream.pixelapi.line import _CONNECT_TIMEOUT_SECONDS
from stream.quota.window import CLOCK_DRIFT, DEFAULT_ARRIVAL_SECONDS, Bucket, ChargeId, Contract, Window
from tests.unit.quota.simulated import most_in_window

KEPT = 60 * (1 + CLOCK_DRIFT)


def charged(window: Window, now: float) -> ChargeId:
    charge = window.try_charge(now)
    assert charge is not None
    return charge


def greedy(window: Window, start: float, seconds: float) -> list[float]:
    """When charges were had by one who always asks again as soon as told; each is answered at once."""
    times, now = [], window.next_free(start)
    while now <= start + seconds:
        window.answered(charged(window, now), now)
        times.append(now)
        now = window.next_free(now)
    return times


@pytest.mark.parametrize(
    ("share", "requests"),
    [(1, 60), (Fraction(1, 4), 15), (1 / 3, 20), (Fraction(1, 7), 8), (0.29, 17), (Fraction(1, 60), 1)],
)
def test_a_share_is_rounded_down(share: Fraction | float, requests: int) -> None:
    assert Contract(60, 60.0).shared(share) == Contract(requests, 60.0)


@pytest.mark.parametrize("share", [0, -1, 1.01, math.nan, math.inf, Fraction(1, 61)])
def test_a_share_that_leaves_nothing_or_too_much_is_refused(share: Fraction | float) -> None:
    with pytest.raises(Misconfigured, match=r"quota\.share"):
        Contract(60, 60.0).shared(share)


@pytest.mark.parametrize(("requests", "seconds"), [(0, 60.0), (1, 0.0), (1, math.nan), (1, math.inf)])
def test_an_impossible_contract_is_refused(requests: int, seconds: float) -> None:
    with pytest.raises(Misconfigured, match="quota"):
        Contract(requests, seconds)


@pytest.mark.parametrize(("arrival", "burst"), [(-1.0, 1), (math.nan, 1), (2.0, 0), (2.0, 61)])
def test_an_impossible_pace_is_refused(arrival: float, burst: int) -> None:
    with pytest.raises(Misconfigured, match="quota"):
        Window(Contract(), arrival_seconds=arrival, burst_requests=burst)


def test_a_bucket_takes_what_it_gives() -> None:
    """Trap 19: a refill that forgets to take gives 11 for 10."""
    bucket = Bucket(10, 10 / 60)
    assert [bucket.take(100.0) for _ in range(11)] == [True] * 10 + [False]
    assert not bucket.take(105.9)
    assert bucket.take(106.0)
    assert not bucket.take(106.0)


def test_a_contract_of_ten_is_ten_not_eleven() -> None:
    """Trap 19 at the ceiling: with all ten as burst, the eleventh waits until the first has left the window."""
    window = Window(Contract(10, 60.0), burst_requests=10)
    for charge in [charged(window, 100.0) for _ in range(10)]:
        window.answered(charge, 100.0)
    assert window.try_charge(100.0) is None
    assert window.try_charge(159.9) is None
    assert window.next_free(130.0) == pytest.approx(100 + KEPT)
    assert window.try_charge(100 + KEPT) is not None


def test_no_edge_lets_twice_the_contract_through() -> None:
    """Trap 9: a fixed window gives 2 x at its edge; here what was used just before an edge still counts just after."""
    window = Window(Contract(10, 60.0), burst_requests=10)
    for charge in [charged(window, 59.9) for _ in range(10)]:
        window.answered(charge, 59.9)
    assert window.next_free(60.1) >= 59.9 + 60


def test_a_late_arrival_is_still_counted() -> None:
    """Granted at 0, answered at 1.5: it may have arrived at 1.5, so it is charged until a window after that."""
    window = Window(Contract(1, 60.0))
    charge = charged(window, 0.0)
    window.answered(charge, 1.5)
    assert window.next_free(2.0) == pytest.approx(1.5 + KEPT)


def test_a_request_nobody_reports_on_is_presumed_arrived() -> None:
    """A caller that crashed costs one request of one window."""
    window = Window(Contract(1, 60.0), arrival_seconds=2.0)
    charged(window, 0.0)
    assert window.next_free(20.0) == pytest.approx(2 + KEPT)


@pytest.mark.parametrize("answered", [9.05, 20.0, 50.0])
def test_an_answer_later_than_presumed_lengthens_the_charge(answered: float) -> None:
    """A stalled network, or a process stopped between `sending` and the socket: it may have arrived only just now."""
    window = Window(Contract(1, 60.0), arrival_seconds=2.0)
    charge = charged(window, 0.0)
    window.answered(charge, answered)
    assert window.next_free(60.0) == pytest.approx(answered + KEPT)
    assert window.try_charge(62.1) is None


def test_an_answer_after_the_charge_ended_is_charged_again() -> None:
    window = Window(Contract(1, 60.0), arrival_seconds=2.0)
    charge = charged(window, 0.0)
    assert window.used(80.0) == 0
    window.answered(charge, 80.0)
    assert window.used(80.0) == 1
    assert window.next_free(100.0) == pytest.approx(80 + KEPT)
    assert window.used(80 + KEPT) == 0


def test_nobody_is_charged_while_the_window_is_over_full() -> None:
    """Two answers come when their charges have ended and others took their places: three ends must pass, not one."""
    window = Window(Contract(2, 60.0), arrival_seconds=2.0, burst_requests=2)
    late = [charged(window, 0.0) for _ in range(2)]
    others = [charged(window, 70.0) for _ in range(2)]
    for charge, answered in zip((*others, *late), (70.1, 70.2, 71.0, 72.0), strict=True):
        window.answered(charge, answered)
    assert window.used(72.0) == 4
    assert window.next_free(72.0) == pytest.approx(71 + KEPT)
    assert window.try_charge(70.9 + KEPT) is None
    assert window.try_charge(71 + KEPT) is not None
    assert window.try_charge(71 + KEPT) is None


def test_a_stalled_network_does_not_add_up() -> None:
    """All that was sent in 9 s arrives at once at their end, and the window that starts there holds the contract."""
    window = Window(Contract(60, 60.0))
    arrivals: list[float] = []
    on_the_way: list[tuple[ChargeId, float]] = []
    for hundredth in range(14_000):
        now = hundredth / 100
        for charge, arrives in [one for one in on_the_way if one[1] <= now]:
            window.answered(charge, now)
            on_the_way.remove((charge, arrives))
        new = window.try_charge(now)
        if new is not None:
            arrives = 9.0 if now < 9 else now + 0.05
            arrivals.append(arrives)
            on_the_way.append((new, arrives))
    assert len(arrivals) > 100
    assert most_in_window(arrivals, 60.0) <= 60


def test_the_line_gives_up_connecting_before_a_request_is_presumed_arrived() -> None:
    assert _CONNECT_TIMEOUT_SECONDS < DEFAULT_ARRIVAL_SECONDS


def test_a_request_that_leaves_late_is_charged_from_then() -> None:
    """Between grant and request lies the ledger's claim, and it may be slow."""
    window = Window(Contract(1, 60.0), arrival_seconds=2.0)
    charge = charged(window, 0.0)
    assert window.sending(charge, 10.0)
    assert window.next_free(20.0) == pytest.approx(12 + KEPT)


def test_a_charge_that_ended_cannot_be_sent_on() -> None:
    window = Window(Contract(1, 60.0), arrival_seconds=2.0)
    charge = charged(window, 0.0)
    assert not window.sending(charge, 100.0)
    window.give_back(charge, 100.0)
    assert window.used(100.0) == 0


def test_what_is_given_back_is_free_at_once() -> None:
    window = Window(Contract(1, 60.0))
    charge = charged(window, 0.0)
    window.give_back(charge, 1.0)
    window.give_back(charge, 1.0)
    assert window.next_free(1.0) == 1.0
    assert window.try_charge(1.0) is not None
    assert window.try_charge(1.0) is None


def test_giving_back_for_ever_grows_nothing() -> None:
    window = Window(Contract(10, 60.0))
    for _ in range(10_000):
        window.give_back(charged(window, 5.0), 5.0)
    assert len(window._by_end) < 200


def test_a_throttle_ends_paced() -> None:
    """Six lie ready, nobody asks during the throttle, and still they do not all go at its end."""
    window = Window(Contract(60, 60.0))
    window.throttle(100.0, 30.0)
    assert greedy(window, 100.0, 33.5) == pytest.approx([130, 131, 132, 133])


def test_overlapping_throttles_last_as_long_as_the_longest() -> None:
    window = Window(Contract(60, 60.0))
    window.throttle(0.0, 30.0)
    window.throttle(1.0, 5.0)
    assert window.next_free(2.0) == 30.0
    assert window.try_charge(29.9) is None


def test_throttles_give_no_tokens() -> None:
    """A provider that answers 429 with no delay must not be asked faster for it."""
    window = Window(Contract(60, 60.0))
    granted = 0
    for tenth in range(100):
        now = 100 + tenth / 10
        window.throttle(now, 0.0)
        granted += window.try_charge(now) is not None
    assert granted <= 11


def test_what_is_given_back_during_a_throttle_makes_no_burst() -> None:
    window = Window(Contract(60, 60.0))
    charges = [charged(window, 0.0) for _ in range(6)]
    window.throttle(0.0, 10.0)
    for charge in charges:
        window.give_back(charge, 1.0)
    assert greedy(window, 1.0, 10.5) == pytest.approx([10, 11])
