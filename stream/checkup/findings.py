"""What a check-up says: one line per finding, with the way out. Pure data; the exit code follows from the worst mark.

Comes in: the parts of the check-up. Goes out: to the command that prints them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from stream.core.errors import Misconfigured, Unavailable


class Area(StrEnum):
    """The part that was checked."""

    SETTINGS = "settings"
    PIPELINE = "pipeline"
    KAFKA = "kafka"
    STORE = "store"
    API = "api"


class Mark(StrEnum):
    """How a finding weighs, from nothing to everything."""

    OK = "ok"
    INFO = "info"
    """Worth knowing, or not asked."""
    WARNING = "warning"
    """Works, and risks something."""
    ERROR = "error"
    """Asked, answered, and not as it must be."""
    UNAVAILABLE = "unavailable"
    """No answer: nothing is known."""
    WRONG = "wrong"
    """Settings or pipeline file: a worker would not start."""


EXIT_CODES = {Mark.ERROR: 1, Mark.UNAVAILABLE: 3, Mark.WRONG: 2}
"""By rising precedence: what is wrong here comes before what is missing there. All other marks: 0."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `way_out`: what to do; empty where nothing is to be done."""

    mark: Mark
    area: Area
    what: str
    way_out: str = ""


def exit_code(findings: Iterable[Finding]) -> int:
    """0, or the code of the mark that takes precedence."""
    marks = {finding.mark for finding in findings}
    return next((code for mark, code in reversed(EXIT_CODES.items()) if mark in marks), 0)


def wrong(area: Area, error: Misconfigured) -> list[Finding]:
    """A person's mistake: its sentences say what was expected."""
    return [Finding(Mark.WRONG, area, line) for line in str(error).splitlines()]


def unavailable(area: Area, error: Unavailable) -> Finding:
    """Something around us that did not answer, or would not let us in."""
    return Finding(Mark.UNAVAILABLE, area, str(error), error.way_out or "see docs/reasons.md")
