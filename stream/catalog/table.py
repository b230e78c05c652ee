"""CSV as rows of cells: delimiter, quotes, and on which line each row begins.

Comes in: numbered lines. Goes out: `Cells` one row at a time, or the `Complaint` that stands in its place.
Python's csv module bounds a cell to 131,072 characters; a quote that never closes ends there.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from stream.catalog.columns import known_names
from stream.catalog.lines import Line, complaint_about
from stream.catalog.rows import MAX_LINE_CHARACTERS, Complaint

DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Cells:
    """One row; `line` is where it begins."""

    line: int
    cells: list[str]


class _Feed:
    """Hands lines to the csv module, and remembers the first fault among those of the row under way."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self.first: Line | None = None
        self.faulty: Line | None = None
        self._characters = 0

    def begin_row(self) -> None:
        self.first, self.faulty, self._characters = None, None, 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.first = self.first or line
        self.faulty = self.faulty or (line if line.fault else None)
        self._characters += len(line.text)
        if self._characters > MAX_LINE_CHARACTERS:
            raise csv.Error(f"a row of more than {MAX_LINE_CHARACTERS:,} characters")
        return line.text


def read_table(lines: Iterator[Line], delimiter: str) -> Iterator[Cells | Complaint]:
    """Rows that are not blank."""
    feed = _Feed(lines)
    # strict: a quote out of place is a complaint, not a guess.
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin_row()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Complaint(feed.first.number if feed.first else 1, None, _told(error))
            continue
        if cells is None:
            return
        if feed.faulty is not None:
            yield complaint_about(feed.faulty)
        elif feed.first is not None and any(cell.strip() for cell in cells):
            yield Cells(feed.first.number, cells)


def delimiter_of(header: str) -> str:
    """The delimiter under which this line names the most columns; a comma when none does."""

    def names(delimiter: str) -> int:
        try:
            return known_names(next(csv.reader([header], delimiter=delimiter), []))
        except csv.Error:
            return 0

    return max(DELIMITERS, key=names)


def _told(error: csv.Error) -> str:
    message = str(error)
    if "field limit" in message or "end of data" in message:
        return "a quoted cell that begins in this row does not end; the rows it swallowed were not checked"
    return f'not CSV: {message}; a cell with quotes in it is written "like ""this"""'
