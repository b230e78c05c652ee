"""What a record of a retry topic says about itself. Its value is the failing stage's input, byte for byte.

Comes in: a stage that wants an event later, or a person's replay. Goes out: headers, and the note read back from them.
The retry topics are ours alone: every stage reads them and takes what names it, so no foreign group is disturbed. Each
has one fixed delay, so that due times rise within a partition and a full lane holds back nothing that is due earlier.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import orjson

from stream.core.errors import Reason, Rejected
from stream.events import Origin, Priority

Headers = tuple[tuple[str, bytes | None], ...]

AT_ONCE = "now"
"""The delay of a person's replay."""
RETRY_DELAYS: Mapping[str, int] = MappingProxyType({AT_ONCE: 0, "10s": 10, "1m": 60, "10m": 600})
"""Seconds by name. A closed list: all of them are always read, so no change of the pipeline strands a record."""
MAX_HISTORY = 10
MAX_CAUSE_BYTES = 300
MAX_WORD_BYTES = 40
MAX_HISTORY_BYTES = 4_096
"""As a header; what does not fit falls out from the second place on."""
MAX_NAME_BYTES = 249
"""Kafka's own limit for a topic's name; a claim's id is shorter."""
MAX_NOTE_BYTES = 6 * 1024
"""More than all headers of a note may need, with what Kafka spends on them."""
PREFIX = "skustream."


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try that failed: when (Unix ms), the word for it (a reason, or `transient`), and the cause, cut."""

    at_ms: int
    word: str
    cause: str


@dataclass(frozen=True, slots=True)
class RetryNote:
    """Whom the record is for, when, and whose event it is. A retry and a replay keep their origin's place (L5)."""

    stage: str
    due_ms: int
    origin: Origin
    timestamp_ms: int
    """The origin's record time."""
    priority: Priority
    replay: int = 0
    attempts: int = 0
    """Spent so far, since the origin or the replay."""
    postponed: int = 0
    """Delayed retries so far, since the origin or the replay."""
    history: tuple[Attempt, ...] = ()
    """The first and the latest attempts, at most `MAX_HISTORY`."""
    buy_again: str | None = None
    """The claim id of an ambiguous job that a person decided to buy again."""

    def headers(self) -> Headers:
        """As the record bears them; numbers as decimal text."""
        origin = self.origin
        told = {
            "stage": self.stage,
            "due": str(self.due_ms),
            "origin.topic": origin.topic,
            "origin.partition": str(origin.partition),
            "origin.offset": str(origin.offset),
            "origin.index": str(origin.index),
            "origin.timestamp": str(self.timestamp_ms),
            "priority": self.priority.value,
            "replay": str(self.replay),
            "attempts": str(self.attempts),
            "postponed": str(self.postponed),
            "history": encode_history(self.history),
        }
        if self.buy_again is not None:
            told["buy-again"] = self.buy_again
        return tuple((PREFIX + name, text.encode(errors="replace")) for name, text in told.items())


def stage_named(headers: Headers) -> str | None:
    """Which stage a record of a retry topic names; None when none does, which is a mistake."""
    value = dict(headers).get(PREFIX + "stage")
    return None if value is None else value.decode(errors="replace")


def read_note(headers: Headers) -> RetryNote:
    """The note of a retry record. Raises `Rejected(invalid-event)`: topic contents are hostile until checked."""
    told = {name.removeprefix(PREFIX): (value or b"") for name, value in headers if name.startswith(PREFIX)}
    try:
        texts = {name: value.decode() for name, value in told.items()}
        origin = Origin(
            topic=_name(texts["origin.topic"]), partition=int(texts["origin.partition"]),
            offset=int(texts["origin.offset"]), index=int(texts["origin.index"]),
        )  # fmt: skip
        return RetryNote(
            stage=texts["stage"], due_ms=_time(texts["due"]), origin=origin,
            timestamp_ms=_time(texts["origin.timestamp"]),
            priority=Priority(texts["priority"]), replay=_count(texts["replay"]), attempts=_count(texts["attempts"]),
            postponed=_count(texts["postponed"]), history=decode_history(texts.get("history", "[]")),
            buy_again=_name(texts["buy-again"]) if "buy-again" in texts else None,
        )  # fmt: skip
    except (KeyError, ValueError) as error:
        detail = f"missing {error}" if isinstance(error, KeyError) else "unreadable"
        raise Rejected(
            Reason.INVALID_EVENT, f"the headers of a retry record are {detail}", expected="what skustream itself writes"
        ) from None


def _name(text: str) -> str:
    if not 0 < len(text.encode()) <= MAX_NAME_BYTES:
        raise ValueError("no name")
    return text


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**31:
        raise ValueError("no count")
    return number


def _time(text: str) -> int:
    """Unix milliseconds; -1 is Kafka's word for none."""
    number = int(text)
    if not -1 <= number < 2**63:
        raise ValueError("no time")
    return number


def lengthened(history: tuple[Attempt, ...], attempt: Attempt) -> tuple[Attempt, ...]:
    """`history` and one more: the first ones fall out from the second place on."""
    longer = (*history, _bounded(attempt))
    return longer if len(longer) <= MAX_HISTORY else (longer[0], *longer[2:])


def _bounded(attempt: Attempt) -> Attempt:
    return Attempt(attempt.at_ms, _cut(attempt.word, MAX_WORD_BYTES), _cut(attempt.cause, MAX_CAUSE_BYTES))


def _cut(text: str, limit_bytes: int) -> str:
    return text.encode(errors="replace")[:limit_bytes].decode(errors="ignore")


def encode_history(history: tuple[Attempt, ...]) -> str:
    """As JSON text of at most `MAX_HISTORY_BYTES`: a list of [Unix ms, word, cause]."""
    while True:
        text = orjson.dumps([[each.at_ms, each.word, each.cause] for each in history])
        if len(text) <= MAX_HISTORY_BYTES or len(history) == 1:
            return text.decode()
        history = (history[0], *history[2:])


def decode_history(text: str) -> tuple[Attempt, ...]:
    """The reverse, cut to our own bounds. Raises ValueError."""
    found = orjson.loads(text)
    rows = found if isinstance(found, list) else [found]
    if any(not isinstance(row, list) or [type(cell) for cell in row] != [int, str, str] for row in rows):
        raise ValueError("no attempts")
    return tuple(_bounded(Attempt(*row)) for row in rows[:MAX_HISTORY])
