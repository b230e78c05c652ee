"""Every error meets exactly one verdict, and only a passing fault spends attempts."""

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.errors import (
    Ambiguous,
    CorruptDocument,
    Reason,
    Rejected,
    Resource,
    Throttled,
    Transient,
    Unavailable,
)
from stream.core.reasons import CARDS
from stream.retries import RETRY_DELAYS
from stream.runtime.verdict import DeadLetter, Pause, Postpone, RetryAfter, RetryPolicy, Tried, backoff_seconds, decide

POLICY = RetryPolicy()
SECONDS = st.floats(0, 10_000)
CHANCES = st.floats(0, 1, exclude_max=True)
POLICIES = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 10),
    base_seconds=st.floats(0, 60),
    cap_seconds=st.floats(0, 600),
    bugs_in_a_row=st.integers(1, 10),
    retries=st.dictionaries(
        st.sampled_from([reason for reason, card in CARDS.items() if card.may_wait]),
        st.lists(st.sampled_from([name for name in RETRY_DELAYS if name != "now"]), max_size=10).map(tuple),
    ),
)
TRIED = st.builds(
    Tried, attempts=st.integers(0, 10_000), bugs_in_a_row=st.integers(0, 20), postponed=st.integers(0, 12)
)
FORESEEN = st.one_of(
    st.builds(Rejected, st.sampled_from(Reason), st.just("no")),
    st.just(Ambiguous("lost")),
    st.builds(lambda s: Throttled("429", after_seconds=s), SECONDS),
    st.builds(lambda r: Unavailable(r, "gone"), st.sampled_from(Resource)),
    st.builds(lambda s, f: Transient("busy", after_seconds=s, free=f), st.none() | SECONDS, st.booleans()),
)
BUGS = st.sampled_from([KeyError("x"), TimeoutError(), ValueError("x"), OSError(5, "x"), CorruptDocument("x")])


@given(FORESEEN | BUGS, TRIED, POLICIES, CHANCES)
def test_only_a_passing_fault_spends_attempts(
    error: Exception, tried: Tried, policy: RetryPolicy, chance: float
) -> None:
    verdict = decide(error, tried, policy, chance=chance)
    assert isinstance(verdict, DeadLetter | Postpone | RetryAfter | Pause)
    spends = isinstance(verdict, RetryAfter) and verdict.spends
    may_spend = isinstance(error, Transient) and not error.free and tried.attempts + 1 < policy.attempts
    assert spends == may_spend
    if isinstance(error, Unavailable):
        assert isinstance(verdict, Pause), "never a letter for the environment's fault (L8)"
    if isinstance(error, Rejected | Ambiguous):
        assert isinstance(verdict, DeadLetter | Postpone), "never retried by this walk"
    if isinstance(error, Ambiguous):
        assert isinstance(verdict, DeadLetter), "a person's decision (L2)"


@given(FORESEEN | BUGS, TRIED, POLICIES, CHANCES)
def test_an_event_is_postponed_once_for_each_delay_of_its_reason_and_never_otherwise(
    error: Exception, tried: Tried, policy: RetryPolicy, chance: float
) -> None:
    """What is postponed is exactly what would be a letter."""
    verdict = decide(error, tried, policy, chance=chance)
    plain = decide(error, tried, replace(policy, retries={}), chance=chance)
    delays = policy.retries.get(plain.reason, ()) if isinstance(plain, DeadLetter) else ()
    if tried.postponed < len(delays):
        assert verdict == Postpone(delays[tried.postponed], cast("DeadLetter", plain))
    else:
        assert verdict == plain


@given(st.integers(0, 10_000), POLICIES, CHANCES)
def test_backoff_stays_within_nothing_and_the_cap(attempts: int, policy: RetryPolicy, chance: float) -> None:
    assert 0 <= backoff_seconds(attempts, policy, chance) <= policy.cap_seconds


def test_the_jitter_is_full_below_a_doubling_ceiling() -> None:
    policy = RetryPolicy(base_seconds=1, cap_seconds=60)
    assert [backoff_seconds(attempts, policy, 0.5) for attempts in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff_seconds(3, policy, 0.0) == 0


def test_a_passing_fault_gets_its_attempts_and_then_a_letter() -> None:
    policy = RetryPolicy(attempts=3)
    verdicts = [decide(Transient("busy"), Tried(spent), policy, chance=0.5) for spent in range(3)]
    assert [type(verdict) for verdict in verdicts] == [RetryAfter, RetryAfter, DeadLetter]
    last = verdicts[-1]
    assert isinstance(last, DeadLetter)
    assert last.reason is Reason.RETRIES_EXHAUSTED
    assert last.error == "busy (attempt 3 of 3)"


@pytest.mark.parametrize("free", [False, True])
def test_the_other_sides_delay_is_kept(*, free: bool) -> None:
    """Trap 18, and a free retry must not become a hot loop (trap 5)."""
    verdict = decide(Transient("busy", after_seconds=45.0, free=free), Tried(), POLICY, chance=0.99)
    assert verdict == RetryAfter(45.0, spends=not free, cause="transient", error="busy")


@given(SECONDS, CHANCES)
def test_throttled_waits_at_least_as_long_as_it_was_told(after: float, chance: float) -> None:
    verdict = decide(Throttled("429", after_seconds=after), Tried(attempts=99), POLICY, chance=chance)
    assert isinstance(verdict, RetryAfter)
    assert after <= verdict.seconds <= after * 1.25
    assert verdict.cause == "throttled"


@pytest.mark.parametrize("error", [TimeoutError(), TimeoutError("30 s"), ConnectionError(), RecursionError()])
def test_a_builtin_error_of_a_handler_is_a_bug_and_not_a_passing_fault(error: Exception) -> None:
    """Trap 16: a handler's own TimeoutError mistaken for the runtime's would be retried for ever."""
    verdict = decide(error, Tried(), POLICY, chance=0.5)
    assert isinstance(verdict, DeadLetter)
    assert verdict.reason is Reason.BUG
    assert verdict.error.startswith(type(error).__name__)
    assert type(error).__name__ in verdict.traceback


def test_bugs_in_a_row_pause_instead_of_flooding_the_letters() -> None:
    """Trap 11."""
    policy = RetryPolicy(bugs_in_a_row=3)
    verdicts = [decide(KeyError("x"), Tried(bugs_in_a_row=row), policy, chance=0) for row in range(5)]
    assert [type(verdict) for verdict in verdicts] == [DeadLetter, DeadLetter, DeadLetter, Pause, Pause]
    pause = verdicts[-1]
    assert isinstance(pause, Pause)
    assert pause.resource is Resource.OURSELVES
    assert "KeyError" in pause.detail


def test_facts_reach_the_letter() -> None:
    error = Ambiguous("answer lost")
    error.facts = {"job-key": "abc"}
    assert decide(error, Tried(), POLICY, chance=0) == DeadLetter(
        Reason.AMBIGUOUS_SUBMIT, "answer lost", facts={"job-key": "abc"}
    )


def test_a_corrupt_document_speaks_for_itself() -> None:
    verdict = decide(CorruptDocument("the document x is not readable"), Tried(), POLICY, chance=0)
    assert isinstance(verdict, DeadLetter)
    assert verdict.error == "the document x is not readable"


def test_a_traceback_is_cut_at_its_beginning() -> None:
    """The last frames are the ones that tell."""
    verdict = decide(ValueError("x" * 100_000 + "the end"), Tried(), POLICY, chance=0)
    assert isinstance(verdict, DeadLetter)
    assert len(verdict.traceback) <= 6_000
    assert verdict.traceback.rstrip().endswith("the end")
