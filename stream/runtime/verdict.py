"""Decide, then act: one pure function from (error, what was tried, policy) to what happens next. No I/O, no clock.

Comes in: an error of `core.errors` (or a bug). Goes out: a `Verdict` that the worker carries out.
"""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field

from stream.core.errors import (
    Ambiguous,
    CorruptDocument,
    Reason,
    Rejected,
    Resource,
    StreamError,
    Throttled,
    Transient,
    Unavailable,
)

MAX_TRACEBACK_CHARACTERS = 6_000


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Passing faults: full jitter below a doubling cap; `attempts` in all, then a letter."""

    attempts: int = 5
    base_seconds: float = 1.0
    cap_seconds: float = 60.0
    bugs_in_a_row: int = 5
    """So many unforeseen errors one after the other, and the stage waits for a person instead of writing letters."""
    retries: Mapping[Reason, tuple[str, ...]] = field(default_factory=dict)
    """By reason: the delays after which the stage tries again, one after the other, before it writes the letter."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What this event went through in this stage so far."""

    attempts: int = 0
    """Attempts that were spent on passing faults."""
    bugs_in_a_row: int = 0
    """Unforeseen errors that ended walks of this stage since its last success."""
    postponed: int = 0
    """Delayed retries so far."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Walk again after `seconds`; `spends` an attempt or not. `error` says why, for the history."""

    seconds: float
    spends: bool
    cause: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A letter now."""

    reason: Reason
    error: str
    traceback: str = ""
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Postpone:
    """Not this walk any more: another one after `delay`, one of `RETRY_DELAYS`. `letter` is what it would end in."""

    delay: str
    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait until `resource` is back (L8): no attempt is spent, intake stands still."""

    resource: Resource
    detail: str
    after_seconds: float | None


Verdict = RetryAfter | DeadLetter | Postpone | Pause


def decide(error: Exception, tried: Tried, policy: RetryPolicy, *, chance: float) -> Verdict:
    """What happens after `error`; `chance` in [0, 1) is the jitter."""
    verdict = _at_once(error, tried, policy, chance)
    if isinstance(verdict, DeadLetter):
        delays = policy.retries.get(verdict.reason, ())
        if tried.postponed < len(delays):
            return Postpone(delays[tried.postponed], verdict)
    return verdict


def _at_once(error: Exception, tried: Tried, policy: RetryPolicy, chance: float) -> RetryAfter | DeadLetter | Pause:
    """The verdict, were there no retry topics."""
    match error:
        case Rejected():
            return DeadLetter(error.reason, str(error), facts=dict(error.facts))
        case Ambiguous():
            return DeadLetter(Reason.AMBIGUOUS_SUBMIT, str(error), facts=dict(error.facts))
        case Throttled():
            return RetryAfter(error.after_seconds * (1 + chance / 4), spends=False, cause="throttled")
        case Unavailable():
            return Pause(error.resource, str(error), error.after_seconds)
        case Transient():
            return _after_transient(error, tried, policy, chance)
        case _:
            return _after_bug(error, tried, policy)


def _after_transient(error: Transient, tried: Tried, policy: RetryPolicy, chance: float) -> RetryAfter | DeadLetter:
    if error.free:
        return RetryAfter(error.after_seconds or 0.0, spends=False, cause="transient", error=str(error))
    if tried.attempts + 1 >= policy.attempts:
        text = f"{error} (attempt {tried.attempts + 1} of {policy.attempts})"
        return DeadLetter(Reason.RETRIES_EXHAUSTED, text, facts=dict(error.facts))
    seconds = max(backoff_seconds(tried.attempts, policy, chance), error.after_seconds or 0.0)
    return RetryAfter(seconds, spends=True, cause="transient", error=str(error))


def _after_bug(error: Exception, tried: Tried, policy: RetryPolicy) -> DeadLetter | Pause:
    if tried.bugs_in_a_row >= policy.bugs_in_a_row:
        detail = f"{tried.bugs_in_a_row} unforeseen errors in a row, the last one {type(error).__name__}: {error}"
        return Pause(Resource.OURSELVES, detail, None)
    text = str(error) if isinstance(error, CorruptDocument) else f"{type(error).__name__}: {error}"
    lines = "".join(traceback.format_exception(error))[-MAX_TRACEBACK_CHARACTERS:]
    facts = dict(error.facts) if isinstance(error, StreamError) else {}
    return DeadLetter(Reason.BUG, text, traceback=lines, facts=facts)


def backoff_seconds(attempts: int, policy: RetryPolicy, chance: float) -> float:
    """Full jitter: a uniform share of base * 2^attempts, capped (source: AWS Architecture Blog, 2015)."""
    ceiling = min(policy.cap_seconds, policy.base_seconds * 2 ** min(attempts, 32))
    return float(ceiling * chance)
