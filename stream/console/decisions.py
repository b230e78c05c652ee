"""What people decided, gathered from the marks: one row for each replay or discard, whoever made it and with what tool.

Comes in: marks, and the ends of replayed events. Goes out: rows, the newest first, each with how its events went on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from stream.catalog.book import Fate as End
from stream.replays.marks import Coordinates, Fate, Mark, coordinates

SAME_MS = 3_600_000
"""Marks without a plan of one person, with the same words, within an hour: one decision."""


class Replayed(NamedTuple):
    """An event that went back: its origin, and the number it bears since."""

    origin: Coordinates
    replay: int


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision. `events` are those that went back."""

    fate: Fate
    by: str
    why: str
    filter: str
    plan_id: str
    at_ms: int
    letters: int
    events: tuple[Replayed, ...]


@dataclass(frozen=True, slots=True)
class Aftermath:
    """How the events of a replay went on."""

    success: int = 0
    failed: int = 0
    superseded: int = 0
    under_way: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.success + self.failed + self.superseded + self.under_way


def gathered(marks: Iterable[Mark]) -> tuple[Decided, ...]:
    """The decisions behind `marks`, the newest first."""
    groups: dict[tuple[str, ...], list[Mark]] = {}
    for mark in marks:
        hour = "" if mark.plan_id else str(mark.at_ms // SAME_MS)
        groups.setdefault((mark.fate.value, mark.plan_id, mark.by, mark.why, mark.filter, hour), []).append(mark)
    return tuple(sorted(map(_decided, groups.values()), key=lambda each: each.at_ms, reverse=True))


def _decided(marks: list[Mark]) -> Decided:
    first = marks[0]
    events = tuple(
        Replayed(coordinates(mark.origin), mark.replay) for mark in marks if mark.origin is not None and mark.replay
    )
    return Decided(
        first.fate,
        first.by,
        first.why,
        first.filter,
        first.plan_id,
        max(mark.at_ms for mark in marks),
        len(marks),
        events,
    )


def aftermath(decided: Decided, ends: Mapping[Replayed, End]) -> Aftermath:
    """How many of its events have ended, and how."""
    found = [ends.get(event) for event in decided.events]
    return Aftermath(
        success=found.count(End.SUCCESS), failed=found.count(End.FAILED), superseded=found.count(End.SUPERSEDED),
        under_way=found.count(None),
    )  # fmt: skip
