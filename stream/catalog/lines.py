"""Foreign bytes as numbered lines of bounded length. Comes in: a binary file. Goes out: lines, or a `Complaint`.

Memory: one line at a time, at most `MAX_LINE_CHARACTERS`.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from stream.catalog.rows import MAX_LINE_CHARACTERS, Complaint

NEWLINES = ("\n", "\r")
FOREIGN_BEGINNINGS = {
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"\x1f\x8b": "compressed",
    b"PAR1": "a Parquet file",
}
"""First bytes by which a person's likeliest mistakes are told by name."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its ending; `fault` says why its text cannot be trusted."""

    number: int
    text: str
    fault: str | None = None


def foreign_kind(beginning: bytes) -> str | None:
    """What kind of file begins like this, where it is surely no text we read."""
    return next((kind for magic, kind in FOREIGN_BEGINNINGS.items() if beginning.startswith(magic)), None)


def read_lines(binary: BinaryIO) -> Iterator[Line]:
    """Lines by any line ending; UTF-8 with or without a byte order mark. Bytes that are no UTF-8 are a line's fault."""
    # Escaped bytes become lone surrogates, which no true UTF-8 holds: so one bad line does not end the reading.
    text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")
    number = 0
    try:
        while part := text.readline(MAX_LINE_CHARACTERS + 1):
            number += 1
            if len(part) > MAX_LINE_CHARACTERS and not part.endswith(NEWLINES):
                _skip_rest(text)
                yield Line(number, "\n", f"longer than {MAX_LINE_CHARACTERS:,} characters")
                continue
            yield Line(number, part, _fault(part))
    finally:
        text.detach()


def complaint_about(line: Line) -> Complaint:
    """The complaint of a line with a fault."""
    return Complaint(line.number, None, line.fault or "unreadable")


def _skip_rest(text: io.TextIOWrapper) -> None:
    while (part := text.readline(MAX_LINE_CHARACTERS)) and not part.endswith(NEWLINES):
        pass


def _fault(text: str) -> str | None:
    if "\0" in text:
        return "a NUL character; expected UTF-8 text (is it UTF-16, or no text at all?)"
    if text.isascii():
        return None
    position = next((at for at, character in enumerate(text) if "\udc80" <= character <= "\udcff"), None)
    if position is None:
        return None
    return f"not UTF-8 at character {position + 1}: byte 0x{ord(text[position]) - 0xDC00:02X}; save the file as UTF-8"
