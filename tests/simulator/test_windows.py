"""The turnstile against the definition of a window, written down naively."""

from hypothesis import given
from hypothesis import strategies as st

from stream.simulator import RateLimit
from stream.simulator.windows import Turnstile, most_in_window

arrivals = st.lists(st.floats(0, 20, allow_nan=False), max_size=60).map(sorted)


@given(arrivals, st.floats(0.5, 10))
def test_the_largest_window_is_found_exactly(times: list[float], window: float) -> None:
    naive = max((sum(start <= at and at - start < window for at in times) for start in times), default=0)
    assert most_in_window(times, window) == naive


@given(arrivals, st.integers(1, 6), st.floats(0.5, 10))
def test_a_sliding_contract_lets_no_window_overflow_and_wastes_nothing(
    times: list[float], limit: int, window: float
) -> None:
    turnstile, rate = Turnstile(), RateLimit(requests=limit, window_seconds=window)
    let_in: list[float] = []
    for at in times:
        used = sum(at - earlier < window for earlier in let_in)
        allowed = turnstile.admit(at, rate).allowed
        assert allowed == (used < limit)
        if allowed:
            let_in.append(at)
    assert most_in_window(let_in, window) <= limit


def test_a_fixed_window_allows_twice_the_limit_around_its_edge() -> None:
    turnstile, rate = Turnstile(), RateLimit(requests=2, window_seconds=10, window="fixed")
    answers = [turnstile.admit(at, rate).allowed for at in (9.0, 9.5, 9.9, 10.0, 10.1, 10.2)]
    assert answers == [True, True, False, True, True, False]


def test_whoever_waits_the_reset_is_let_in() -> None:
    for window in ("sliding", "fixed"):
        turnstile, rate = Turnstile(), RateLimit.model_validate({"requests": 2, "window_seconds": 10, "window": window})
        for at in (3.0, 4.0):
            turnstile.admit(at, rate)
        refused = turnstile.admit(5.0, rate)
        assert not refused.allowed
        assert turnstile.admit(5.0 + refused.reset_seconds, rate).allowed


def test_refused_requests_count_only_when_asked_to() -> None:
    rate = RateLimit(requests=1, window_seconds=10, count_refused=True)
    turnstile = Turnstile()
    assert [turnstile.admit(at, rate).allowed for at in (0.0, 9.0, 18.0, 28.5)] == [True, False, False, True]


def test_what_does_not_count_leaves_no_trace() -> None:
    turnstile, rate = Turnstile(), RateLimit(requests=1, window_seconds=10)
    assert all(turnstile.admit(float(at), rate, counts=False).allowed for at in range(5))
    assert turnstile.admit(5.0, rate).allowed
