"""Letters as rows of a file: JSON lines with everything, or CSV for a spreadsheet.

Comes in: a letter and what became of it. Goes out: one line of text. Secrets are masked; `exact` adds the bytes as they
lie in the topic.
"""

import base64
import csv
import io
import json
from collections.abc import Iterable

from stream.letters.document import Document, document
from stream.letters.filters import State
from stream.letters.letter import Letter
from stream.letters.masking import printable

COLUMNS = (
    "letter", "time", "state", "stage", "reason", "error", "sku_id", "image_id", "batch_id", "event_id", "priority",
    "attempts", "replay", "credits", "credits_in_doubt", "operation", "job_key", "job_ids", "origin", "fingerprint",
    "dialect", "value_kind", "value",
)  # fmt: skip
EXACT_COLUMNS = ("key_base64", "value_base64")
BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
"""What a spreadsheet would reckon instead of showing (OWASP, CSV injection)."""


def json_line(answer: object) -> str:
    """One line of ASCII, without anything that a terminal obeys."""
    return json.dumps(answer, separators=(",", ":"), default=str).replace("\x7f", "\\u007f")


def row(letter: Letter, state: State, *, exact: bool) -> Document:
    """The letter's document; `exact`: and its bytes, in base64, unmasked."""
    whole = document(letter, state)
    if exact:
        bytes_ = (letter.key, letter.value)
        whole |= {name: _base64(each) for name, each in zip(EXACT_COLUMNS, bytes_, strict=True)}
    return whole


def csv_header(*, exact: bool) -> str:
    """The first line of a CSV file."""
    return _csv([*COLUMNS, *(EXACT_COLUMNS if exact else ())])


def csv_line(row_: Document) -> str:
    """The row as one line: no cell begins a formula, and none holds a line break."""
    names = [*COLUMNS, *(name for name in EXACT_COLUMNS if name in row_)]
    return _csv(_cell(row_[name]) for name in names)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict) and "offset" in value:
        return f"{value['topic']}/{value['partition']}/{value['offset']}/{value['index']}"
    if isinstance(value, list | dict):
        value = json_line(value)
    text = printable(str(value))
    return f"'{text}" if text.startswith(BEGINS_A_FORMULA) else text


def _csv(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(list(cells))
    return line.getvalue()


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
