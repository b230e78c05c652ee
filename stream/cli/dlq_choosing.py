"""Which letters a decision is about: by filters, by ids on the command line, by ids from a file or a pipe.

Comes in: what was typed. Goes out: letters, one after the other; and how they were chosen, in words.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.dlq_filters import Wanted
from stream.cli.dlq_looking import say, states, topic_of
from stream.cli.dlq_show import place_of
from stream.core.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream.letters.filters import Filters
    from stream.letters.letter import Letter, LetterId
    from stream.replays.marks import Marks
    from stream.settings import Settings

    Progress = Callable[[int, int], None]

MAX_IDS = 1_000_000
MAX_LINE_CHARACTERS = 400
Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="LETTER...", help="topic/partition/offset, or partition/offset.", show_default=False),
]
IdsFrom = Annotated[Path | None, typer.Option(help="A file with one letter a line, or - for stdin.")]
All = Annotated[bool, typer.Option("--all", help="Every letter, where no filter and no id is given.")]
By = Annotated[str | None, typer.Option(help="Who decides. Default: user@host.", show_default=False)]
Rate = Annotated[float | None, typer.Option(min=0.01, max=100_000, help="Letters a second, at most.")]


@dataclass(slots=True)
class Choice:
    """What was typed, checked. `ids`: these letters alone; else what the filters mean."""

    wanted: Wanted
    ids: "list[LetterId]"
    missing: int = 0
    """Letters that were named and do not lie there (any more)."""
    _found: int = field(default=0, init=False)

    def __str__(self) -> str:
        """For the mark: equal for equal choices."""
        return f"{len(self.ids)} letters by id" if self.ids else str(self.wanted.filters)

    def letters(self, chosen: "Settings", marks: "Marks", progress: "Progress") -> "Iterator[Letter]":
        """Those that are meant, whatever became of them; `progress` is told offsets passed and offsets in all."""
        for letter in self._by_id(chosen, progress) if self.ids else self._by_filter(chosen, marks, progress):
            self._found += 1
            yield letter
        if self.ids:
            self.missing = len(self.ids) - self._found

    def _by_id(self, chosen: "Settings", progress: "Progress") -> "Iterator[Letter]":
        from stream.replays.choosing import letters_at  # noqa: PLC0415 - help stays quick

        return letters_at(chosen.kafka_client(), self.ids, progress)

    def _by_filter(self, chosen: "Settings", marks: "Marks", progress: "Progress") -> "Iterator[Letter]":
        from stream.letters.finding import Sieve, open_drawer  # noqa: PLC0415 - help stays quick

        filters = self.wanted.filters
        sieve = Sieve(filters, states(marks))
        topic = topic_of(chosen, self.wanted.topic)
        with open_drawer(chosen.kafka_client(), topic, since_ms=filters.since_ms) as drawer:
            for letter, _ in sieve.pick(drawer.read(progress)):
                yield letter
        if sieve.unjudged:
            say(f"{sieve.unjudged:,} letters left out, --where cannot judge them: {sieve.complaint}")


def choice_of(wanted: Wanted, ids: list[str] | None, ids_from: Path | None, *, everything: bool, topic: str) -> Choice:
    """What is meant; short ids lie in `topic`. Raises `Misconfigured` where it is nothing, or two things at once."""
    named = [*(ids or []), *(_lines(ids_from) if ids_from else [])]
    is_filtered = _is_narrow(wanted.filters)
    if sum((bool(named), is_filtered, everything)) != 1:
        expected = "letters by id, or filters such as --reason, or --all: one of the three"
        raise Misconfigured(f"which letters? expected {expected}")
    return Choice(wanted, sorted({place_of(each, topic) for each in named}))


def _is_narrow(filters: "Filters") -> bool:
    from stream.letters.filters import Filters  # noqa: PLC0415 - help stays quick

    return filters != Filters(states=filters.states)


def _lines(path: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise Misconfigured(f"--ids-from: {path} cannot be read: {reason}") from None
    lines = [line.strip()[:MAX_LINE_CHARACTERS] for line in text.splitlines() if line.strip()]
    if not lines:
        raise Misconfigured(f"--ids-from: {path} names no letter")
    if len(lines) > MAX_IDS:
        raise Misconfigured(f"--ids-from: {len(lines):,} letters; expected at most {MAX_IDS:,}: use filters")
    return lines
