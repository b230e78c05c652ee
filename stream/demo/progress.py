"""The board that people watch while the demo runs: one bar per stage, in the order of the walk.

Comes in: photos drawn, SKUs seen behind each stage. Goes out: bars on a terminal, a few plain lines elsewhere.
"""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from stream.demo.ends import Ends


class Board:
    """A context manager around the live display."""

    def __init__(self, console: Console) -> None:
        """`console`: where to draw; off a terminal each finished bar is one line."""
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._bars: dict[str, TaskID] = {}
        self._told: set[str] = set()

    def __enter__(self) -> Self:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last picture standing."""
        self.stop()

    def stop(self) -> None:
        """Leave the last picture standing; idempotent."""
        self._progress.stop()

    def note(self, text: str) -> None:
        """A sentence between the bars."""
        self._console.print(text)

    def drawn(self, done: int, total: int) -> None:
        """So many photos are there."""
        self._set("photos", done, total)

    def seen(self, ends: Ends) -> None:
        """How far the SKUs are."""
        total = len(ends.wanted)
        failed = len(ends.letters)
        for stage, skus in ends.passed.items():
            self._set(stage, len(skus), total, f"{failed} failed" if failed else "")

    def _set(self, name: str, done: int, total: int, note: str = "") -> None:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total, note=note)
        self._progress.update(self._bars[name], completed=done, total=total, note=note)
        if done >= total and name not in self._told:
            self._told.add(name)
            if not self._console.is_terminal:
                self._console.print(f"{name}: {done} of {total}")
