"""Which letters are meant: a person's choice as a value. Pure.

Comes in: options. Goes out: yes or no for each letter, and one canonical text of the choice, for marks and plans.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stream.events import Priority
from stream.letters.letter import Letter
from stream.letters.times import exactly
from stream.letters.where import Where


class State(StrEnum):
    """What became of a letter."""

    OPEN = "open"
    """Nothing yet."""
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Filters:
    """All that are told must hold; of several values of one, any. Empty: every letter."""

    stages: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    batches: tuple[str, ...] = ()
    priorities: tuple[Priority, ...] = ()
    since_ms: int | None = None
    """Written then or later (Unix ms)."""
    until_ms: int | None = None
    """Written before."""
    attempts: int = 0
    """At least so many."""
    states: tuple[State, ...] = ()
    where: Where | None = None
    """Judged apart (`finding.Sieve`): it needs the letter's document."""

    def take(self, letter: Letter, state: State) -> bool:
        """Whether everything but `where` holds."""
        return (
            _among(letter.stage, self.stages)
            and _among(letter.reason, self.reasons)
            and _among(letter.sku_id, self.skus)
            and _among(letter.image_id, self.images)
            and _among(letter.batch_id, self.batches)
            and _among(letter.priority, self.priorities)
            and (self.since_ms is None or letter.timestamp_ms >= self.since_ms)
            and (self.until_ms is None or letter.timestamp_ms < self.until_ms)
            and letter.attempts >= self.attempts
            and (not self.states or state in self.states)
        )

    def __str__(self) -> str:
        """The choice in canonical words: equal for equal choices, whatever the order it was typed in."""
        said: list[tuple[str, str]] = []
        for name, values in (
            ("stage", self.stages), ("reason", self.reasons), ("sku", self.skus), ("image", self.images),
            ("batch", self.batches), ("priority", self.priorities), ("state", self.states),
        ):  # fmt: skip
            if values:
                said.append((name, ",".join(sorted({_quoted(value) for value in values}))))
        for name, time_ms in (("since", self.since_ms), ("until", self.until_ms)):
            if time_ms is not None:
                said.append((name, exactly(time_ms)))
        if self.attempts:
            said.append(("attempts", f">={self.attempts}"))
        if self.where is not None:
            said.append(("where", json.dumps(self.where.text)))
        return " ".join(f"{name}={value}" for name, value in said) or "all"


_PLAIN = re.compile(r"[A-Za-z0-9._:/+-]+")


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value)


def _among(value: str, wanted: Sequence[str]) -> bool:
    return not wanted or value in wanted
