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
    from rich.console import Console

    from stream.letters.filters import State
    from stream.letters.finding import Drawer, Sieve
    from stream.letters.letter import Letter
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


class Screen:
    """Where rows go, and words beside them, with or without a bar below them."""

    def __init__(self, console: "Console | None" = None, *, rows_too: bool = False) -> None:
        """`console`: the one that a bar is on. `rows_too`: stdout is the same terminal."""
        self._console = console
        self._rows_too = rows_too

    def row(self, text: str) -> None:
        """A line of the answer, on stdout; above the bar where that is the same terminal."""
        self._write(text, above=self._rows_too, err=False)

    def say(self, text: str) -> None:
        """A line for a person, beside the answer."""
        self._write(said(text), above=True, err=True)

    def _write(self, text: str, *, above: bool, err: bool) -> None:
        if above and self._console is not None:
            self._console.print(text, soft_wrap=True, markup=False, emoji=False, highlight=False)
        else:
            typer.echo(text, err=err)


class Look:
    """One look through a topic."""

    def __init__(
        self, topic: str, wanted: Wanted, drawer: "Drawer", sieve: "Sieve", screen: Screen, progress: Progress
    ) -> None:
        """Nothing is read yet."""
        self.topic = topic
        self.screen = screen
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
            since = "" if self._wanted.filters.since_ms is None else " since then"
            nothing = f"{self.topic} holds no letters{since}"
            none_meant = f"no letter in {self.topic} is meant by: {self._wanted.filters}"
            self.screen.say(none_meant if self._drawer.passed else nothing)
        if self._sieve.unjudged:
            left_out = f"{self._sieve.unjudged:,} letters left out, --where cannot judge them"
            self.screen.say(f"{left_out}: {self._sieve.complaint}")


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
            yield Look(topic, wanted, drawer, Sieve(wanted.filters), Screen(), lambda *_: None)
            return
        with _bars() as (screen, bar):
            marks = read_all_marks(chosen, bar("reading marks"))
            yield Look(topic, wanted, drawer, Sieve(wanted.filters, states(marks)), screen, bar("reading letters"))


@contextmanager
def _bars() -> Iterator[tuple[Screen, Callable[[str], Progress]]]:
    """A bar on stderr where that is a terminal; a second one replaces the first."""
    from rich.console import Console  # noqa: PLC0415 - help stays quick
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        yield Screen(), lambda _: lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    # Nothing is redirected: Typer writes past it, and a row would begin behind the bar.
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as progress:  # fmt: skip

        def begin(what: str) -> Callable[[int, int], None]:
            for known in progress.task_ids:
                progress.remove_task(known)
            task = progress.add_task(what, total=None)
            return lambda passed, total: progress.update(task, completed=passed, total=total)

        yield Screen(console, rows_too=sys.stdout.isatty()), begin


def say(text: str) -> None:
    """A line for a person, beside the answer, where no bar is."""
    typer.echo(said(text), err=True)


def said(text: str) -> str:
    """As it is said: foreign words in it cannot steer the terminal."""
    from stream.letters.masking import printable  # noqa: PLC0415 - help stays quick

    return f"skustream: {printable(text)}"


def read_all_marks(chosen: "Settings", on_progress: Progress | None = None) -> "Marks":
    """What was decided so far; nothing where there is no such topic."""
    from stream.broker.scan import Scanner  # noqa: PLC0415 - help stays quick
    from stream.replays.book import read_marks  # noqa: PLC0415
    from stream.topics import Topics  # noqa: PLC0415

    with Scanner(chosen.kafka_client()) as scanner:
        return read_marks(scanner, Topics(chosen.topic_prefix).replays, on_progress)


def states(marks: "Marks") -> "Callable[[Letter], State]":
    """What became of each letter, by its mark."""
    from stream.letters.filters import State  # noqa: PLC0415 - help stays quick

    def state_of(letter: "Letter") -> "State":
        mark = marks.of(letter.at, letter.timestamp_ms)
        return State.OPEN if mark is None else State(mark.fate.value)

    return state_of
