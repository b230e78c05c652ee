"""What a benchmark says: figures with their targets, as JSON on stdout.

Comes in: a bench's `measure`. Goes out: a JSON list that `python -m benchmarks` turns into one table.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import structlog


class Size(StrEnum):
    """How much is measured."""

    FULL = "full"
    SMALL = "small"
    """Seconds long, so that a test can see that the bench still runs. Its figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `at_least` or `at_most` is its target; neither: it is told beside the others."""

    name: str
    measured: float | None
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""
    """How it was measured where the name does not say so; why nothing was measured where `measured` is None."""

    @property
    def target(self) -> str:
        """The target in words; empty for none."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g} {self.unit}".rstrip()
        return f"≤ {self.at_most:g} {self.unit}".rstrip() if self.at_most is not None else ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target or a measurement."""
        if self.measured is None or (self.at_least is None and self.at_most is None):
            return None
        return self.measured >= self.at_least if self.at_least is not None else self.measured <= (self.at_most or 0.0)


def read(told: str) -> list[Figure]:
    """The figures that a bench printed."""
    return [Figure(**each) for each in json.loads(told)]


def as_json(figures: list[Figure]) -> list[dict[str, Any]]:
    """For machines."""
    return [asdict(figure) for figure in figures]


def run(doc: str | None, measure: Callable[[Size], list[Figure]]) -> int:
    """The command line of one bench: `--small`, JSON on stdout, one line per step on stderr."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="seconds long; the figures mean nothing")
    size = Size.SMALL if parser.parse_args().small else Size.FULL
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    sys.stdout.write(json.dumps(as_json(measure(size))) + "\n")
    return 0


def step(words: str) -> None:
    """Tell what is being done now; `python -m benchmarks` shows the last of these lines."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
