"""Looking through letters: the drawer, the marks and the sieve together, with a progress bar, and words at the end.

Comes in: settings and what is wanted. Goes out: letters with what became of them, as they are found.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from stream.cli.dlq_filters import Wanted
from stream.core.errors import Misconfigured

if TYPE_CHECKING:
    from stream.letters.filters import State
    from stream.letters.finding import Drawer, Sieve
    from stream.letters.letter import Letter, LetterId
    from stream.replays.marks import Marks
    from stream.settings import Settings

Progress = Callable[[int, int], None]


def connected(config: Any, servers: str | None, prefix: str | None) -> "Settings":
    """The settings, as these flags change them."""
    from stream import settings  # noqa: PLC0415 - help stays quick

    return settings.load({"config": config, "kafka_bootstrap_servers": servers, "topic_prefix": prefix})


def topic_of(chosen: "Settings", topic: str | None) -> str:
    """The dead-letter topic that is meant."""
    from stream.topics import Topics  # noqa: PLC0415 - help stays quick

    return topic or Topics(chosen.topic_prefix).dead_letter


class Look:
    """One look through a topic."""

    def __init__(self, topic: str, wanted: Wanted, drawer: "Drawer", sieve: "Sieve", progress: Progress) -> None:
        """Nothing is read yet."""
        self.topic = topic
        self._wanted = wanted
        self._drawer = drawer
        self._sieve = sieve
        self._progress = progress
        self.found = 0

    def letters(self) -> "Iterator[tuple[Letter, State]]":
        """What there is up to now; once more for what came since."""
        for letter, state in self._sieve.pick(self._drawer.read(self._progress)):
            self.found += 1
            yield letter, state

    def conclude(self) -> None:
        """On stderr: that nothing was found, and which letters could not be judged. Raises `Misconfigured` if none."""
        if self._sieve.unjudged and not self._sieve.judged:
            raise Misconfigured(f"--where: no letter can be judged by it: {self._sieve.complaint}")
        if self.found == 0:
            say(f"no letter in {self.topic} is meant by: {self._wanted.filters}"
                if self._drawer.passed else f"{self.topic} holds no letters{self._since()}")  # fmt: skip
        if self._sieve.unjudged:
            say(f"{self._sieve.unjudged:,} letters left out, --where cannot judge them: {self._sieve.complaint}")

    def _since(self) -> str:
        return "" if self._wanted.filters.since_ms is None else " since then"


@contextmanager
def looking(chosen: "Settings", wanted: Wanted, *, only_new: bool = False) -> Iterator[Look]:
    """Begin a look. `only_new`: at the end of the topic unless a time is told, without marks and without a bar."""
    from stream.letters.finding import Sieve, open_drawer  # noqa: PLC0415 - help stays quick

    topic, client = topic_of(chosen, wanted.topic), chosen.kafka_client()
    since_ms = wanted.filters.since_ms
    with open_drawer(client, topic, since_ms=since_ms, at_end=only_new and since_ms is None) as drawer:
        if not drawer.knows_times:
            say("this broker cannot find letters by time: all are read")
        if only_new:
            yield Look(topic, wanted, drawer, Sieve(wanted.filters), lambda *_: None)
            return
        with _bars() as bar:
            marks = read_all_marks(chosen, bar("reading marks"))
            yield Look(topic, wanted, drawer, Sieve(wanted.filters, states(marks)), bar("reading letters"))


@contextmanager
def _bars() -> Iterator[Callable[[str], Progress]]:
    """A bar on stderr where that is a terminal; a second one replaces the first."""
    from rich.console import Console  # noqa: PLC0415 - help stays quick
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    console = Console(stderr=True)
    # Rows on the same terminal go above the bar; rows into a file or a pipe go there untouched.
    rows_too = console.is_terminal and sys.stdout.isatty()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal,
        redirect_stdout=rows_too, redirect_stderr=console.is_terminal,
    ) as progress:  # fmt: skip

        def begin(what: str) -> Callable[[int, int], None]:
            for known in progress.task_ids:
                progress.remove_task(known)
            task = progress.add_task(what, total=None)
            return lambda passed, total: progress.update(task, completed=passed, total=total)

        yield begin


def say(text: str) -> None:
    """A line for a person, beside the answer; foreign words in it cannot steer the terminal."""
    from stream.letters.masking import printable  # noqa: PLC0415 - help stays quick

    typer.echo(f"skustream: {printable(text)}", err=True)


def read_all_marks(chosen: "Settings", on_progress: Progress | None = None) -> "Marks":
    """What was decided so far; nothing where there is no such topic."""
    from stream.broker.scan import Scanner  # noqa: PLC0415 - help stays quick
    from stream.replays.book import read_marks  # noqa: PLC0415
    from stream.topics import Topics  # noqa: PLC0415

    with Scanner(chosen.kafka_client()) as scanner:
        return read_marks(scanner, Topics(chosen.topic_prefix).replays, on_progress)


def states(marks: "Marks") -> "Callable[[LetterId], State]":
    """What became of each letter, by its mark."""
    from stream.letters.filters import State  # noqa: PLC0415 - help stays quick

    def state_of(letter: "LetterId") -> "State":
        mark = marks.of(letter)
        return State.OPEN if mark is None else State(mark.fate.value)

    return state_of
