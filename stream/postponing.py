"""For which reasons a stage tries again later by itself, and how often: the rules of `retries` in the pipeline file.

Comes in: a stage's `retries`, reason → delays. Goes out: complaints in words, and the whole plan with the defaults.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from stream.core.complaints import readable, suggestion
from stream.core.errors import Reason, shown
from stream.core.reasons import CARDS, Replay
from stream.retries import AT_ONCE, RETRY_DELAYS

DEFAULT_RETRIES: Mapping[Reason, tuple[str, ...]] = MappingProxyType(
    {Reason.RETRIES_EXHAUSTED: ("1m", "10m"), Reason.JOB_OVERDUE: ("10m",)}
)
"""What a stage does about which nothing is said."""
MOST_DELAYS = 10
_WAITING = tuple(reason.value for reason, card in CARDS.items() if card.may_wait)
_DELAYS = tuple(name for name in RETRY_DELAYS if name != AT_ONCE)


def lint_retries(given: Mapping[str, tuple[str, ...]]) -> None:
    """Raises ValueError naming the first wrong reason or delay, and what it could be."""
    for word, delays in given.items():
        _lint_reason(word)
        if len(delays) > MOST_DELAYS:
            raise ValueError(f"retries.{word}: {len(delays)} delays; at most {MOST_DELAYS}")
        for delay in delays:
            _lint_delay(word, delay)


def _lint_reason(word: str) -> None:
    if word not in list(Reason):
        raise ValueError(f"retries: unknown reason {shown(readable(word))}; {_suggest(word, _WAITING)}")
    card = CARDS[Reason(word)]
    if card.replay is Replay.BY_DECISION:
        raise ValueError(f"retries.{word}: buying again is a person's decision; it is never retried by itself")
    if not card.may_wait:
        raise ValueError(f"retries.{word}: the same bytes fail again, however long they wait; {_known(_WAITING)}")


def _lint_delay(word: str, delay: str) -> None:
    if delay == AT_ONCE:
        raise ValueError(f"retries.{word}: {AT_ONCE} is for a person's replay; {_known(_DELAYS)}")
    if delay not in _DELAYS:
        raise ValueError(f"retries.{word}: unknown delay {shown(readable(delay))}; {_suggest(delay, _DELAYS)}")


def _suggest(word: str, known: Collection[str]) -> str:
    close = suggestion(word, known)
    return f"did you mean {close}?" if close else _known(known)


def _known(words: Collection[str]) -> str:
    return f"known: {', '.join(words)}"


def whole_plan(given: Mapping[str, tuple[str, ...]]) -> dict[Reason, tuple[str, ...]]:
    """The delays by reason, the defaults included; what is switched off (`[]`) is not in it."""
    plan = {**DEFAULT_RETRIES, **{Reason(word): delays for word, delays in given.items()}}
    return {reason: delays for reason, delays in plan.items() if delays}
