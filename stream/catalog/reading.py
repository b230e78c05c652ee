"""The reader of catalogs: a CSV or JSONL file in, rows to publish and all complaints out.

Nothing is sent from here, and nothing of a file is trusted. The rules are the workers' own (`read_raw` and
`Pipeline.route`), so that what would become a letter is found before it is sent. Memory: the rows' JSON, at most
`MAX_ROWS` of them, and one line of the file; reading stops after `MAX_COMPLAINTS`.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from stream.catalog.columns import ATTRIBUTES, PARAMS, Column, read_header
from stream.catalog.lines import Line, complaint_about, foreign_kind, read_lines
from stream.catalog.rows import MAX_COMPLAINTS, MAX_ROWS, Catalog, Complaint, Duplicate, Row
from stream.catalog.table import Cells, delimiter_of, read_table
from stream.catalog.twins import Twins
from stream.core.clock import SystemClock
from stream.core.errors import Misconfigured, Reason, Rejected, shown
from stream.events import MAX_EVENT_BYTES, RawEvent, check_time, read_raw
from stream.pipeline import Pipeline

Kind = Literal["auto", "csv", "jsonl"]
KINDS_BY_SUFFIX: dict[str, Kind] = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip
PROGRESS_ROWS = 500

Offer = Row | Duplicate | Complaint


def read_catalog(
    source: Path | None,
    *,
    pipeline: Pipeline,
    batch_id: str | None,
    kind: Kind = "auto",
    on_progress: Callable[[int], None] | None = None,
) -> Catalog:
    """The catalog in the file `source`, or on stdin when None. Every row carries `batch_id` where one is given.

    `kind` auto: by the file's name, else by its first character. `on_progress` is told the rows read so far.
    Raises `Misconfigured` when the file cannot be read at all; whatever is wrong inside is a complaint.
    """
    with _opened(source) as binary:
        beginning = _peek(binary)
        foreign = foreign_kind(beginning)
        if foreign is not None:
            return Catalog((), [Complaint(1, None, f"this is {foreign}; expected a CSV or JSONL file in UTF-8")])
        return _Reading(pipeline, batch_id, on_progress).read(read_lines(binary), _kind(source, kind))


class _Reading:
    """One file's rows and complaints, as they come."""

    def __init__(self, pipeline: Pipeline, batch_id: str | None, on_progress: Callable[[int], None] | None) -> None:
        self._pipeline = pipeline
        self._batch_id = batch_id
        self._now = SystemClock().wall()
        self._on_progress = on_progress
        self._twins = Twins()
        self._rows: list[Row] = []
        self._complaints: list[Complaint] = []
        self._duplicates: list[Duplicate] = []

    def read(self, lines: Iterator[Line], kind: Kind) -> Catalog:
        first = next((line for line in lines if line.fault or line.text.strip()), None)
        if first is None:
            return Catalog((), [Complaint(1, None, "the file is empty; expected a header and rows, or JSON lines")])
        is_json = kind == "jsonl" or (kind == "auto" and first.text.lstrip()[:1] in {"{", "["})
        whole = chain([first], lines)
        offers = self._json_rows(whole) if is_json else self._table_rows(whole, first)
        for seen, offer in enumerate(offers, start=1):
            self._take(offer)
            if self._on_progress is not None and seen % PROGRESS_ROWS == 0:
                self._on_progress(seen)
            if len(self._rows) > MAX_ROWS or len(self._complaints) >= MAX_COMPLAINTS:
                self._stop(offer)
                break
        if not self._rows and not self._complaints:
            self._complaints.append(Complaint(first.number, None, "no rows below the header"))
        return Catalog(self._rows, self._complaints, self._duplicates)

    def _take(self, offer: Offer) -> None:
        match offer:
            case Row():
                self._rows.append(offer)
            case Duplicate():
                self._duplicates.append(offer)
            case Complaint():
                self._complaints.append(offer)

    def _stop(self, last: Offer) -> None:
        many = f"more than {MAX_ROWS:,} rows" if len(self._rows) > MAX_ROWS else f"{MAX_COMPLAINTS:,} complaints"
        self._complaints.append(
            Complaint(last.line, None, f"{many}: nothing was read beyond this line; split the file")
        )
        self._rows = self._rows[:MAX_ROWS]

    def _json_rows(self, lines: Iterator[Line]) -> Iterator[Offer]:
        for line in lines:
            if line.fault is not None:
                yield complaint_about(line)
            elif line.text.lstrip().startswith("["):
                way_out = "one JSON object per line; jq -c '.[]' makes them of an array"
                yield Complaint(line.number, None, f"a JSON array; expected {way_out}", way_out)
            elif line.text.strip():
                yield self._row(line.number, line.text.strip().encode())

    def _table_rows(self, lines: Iterator[Line], first: Line) -> Iterator[Offer]:
        columns: list[Column] = []
        for cells in read_table(lines, delimiter_of(first.text)):
            if isinstance(cells, Complaint):
                yield cells
                if not columns:
                    return  # without its header a table means nothing
            elif not columns:
                header = read_header(cells.line, cells.cells, self._pipeline)
                complaints = [each for each in header if isinstance(each, Complaint)]
                yield from complaints
                if complaints:
                    return
                columns = [each for each in header if isinstance(each, Column)]
            else:
                yield self._table_row(cells, columns)

    def _table_row(self, row: Cells, columns: list[Column]) -> Offer:
        if any(cell.strip() for cell in row.cells[len(columns) :]):
            expected = f"at most {len(columns)}, as in the header (quote a cell that holds the delimiter)"
            return Complaint(row.line, None, f"{len(row.cells)} cells; expected {expected}", expected)
        event: dict[str, Any] = {}
        for column, cell in zip(columns, row.cells, strict=False):
            column.fill(event, cell.strip())
        return self._row(row.line, json.dumps(event).encode())

    def _row(self, line: int, text: bytes) -> Offer:
        try:
            event = self._in_batch(read_raw(text))
            check_time(event, self._now)
            self._pipeline.route(event)
            row = Row(line, event.sku_id, event.image_id, _written(event))
            return self._twins.meet(row, event) or row
        except Rejected as error:
            return Complaint.of(line, error)

    def _in_batch(self, event: RawEvent) -> RawEvent:
        if self._batch_id is None or event.batch_id == self._batch_id:
            return event
        if event.batch_id is None:
            return event.model_copy(update={"batch_id": self._batch_id})
        raise Rejected(
            Reason.INVALID_EVENT, "another batch", field="batch_id", value=event.batch_id,
            expected=f"{shown(self._batch_id)}, or none",
        )  # fmt: skip


def _written(event: RawEvent) -> bytes:
    """The JSON that is published: what was given, and nothing that was not."""
    fields = event.model_dump(mode="json", exclude_unset=True)
    # As they were read: pydantic would write a number that JSON does not have as null, and cut a zone's seconds.
    fields |= {name: getattr(event, name) for name in (PARAMS, ATTRIBUTES) if name in fields}
    fields["occurred_at"] = event.occurred_at.isoformat() if event.occurred_at else None
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        # The slow encoder, as in `RawEvent.content_hash`: foreign numbers may pass 64 bits.
        value = json.dumps(given, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        raise Rejected(Reason.INVALID_EVENT, "a number that JSON does not have (NaN, Infinity)") from None
    if len(value) > MAX_EVENT_BYTES:
        raise Rejected(Reason.INVALID_EVENT, f"{len(value)} bytes", expected=f"at most {MAX_EVENT_BYTES} bytes")
    return value


def checked_kind(text: str) -> Kind:
    """What a person wrote for the kind of a file. Raises `Misconfigured`."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    for kind in kinds:
        if kind == text:
            return kind
    raise Misconfigured(f"--format: got {shown(text)}; expected {', '.join(kinds)}")


def _kind(source: Path | None, kind: Kind) -> Kind:
    return KINDS_BY_SUFFIX.get(source.suffix.lower(), "auto") if kind == "auto" and source is not None else kind


@contextmanager
def _opened(source: Path | None) -> Iterator[BinaryIO]:
    if source is None:
        yield sys.stdin.buffer
        return
    try:
        with source.open("rb") as binary:
            yield binary
    except OSError as error:
        raise Misconfigured(f"the catalog {source} cannot be read: {error.strerror}") from None


def _peek(binary: BinaryIO) -> bytes:
    peek = getattr(binary, "peek", None)
    return b"" if peek is None else bytes(peek(8)[:8])
