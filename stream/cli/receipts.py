"""What `skustream submit` says when it is done: complaints, what was sent, what was not taken, what comes next."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from stream.cli.front import say_json

if TYPE_CHECKING:
    from stream.broker.publishing import Published
    from stream.catalog.rows import Catalog, Row

SHOWN_LINES = 10


@dataclass(frozen=True, slots=True)
class Receipt:
    """One submit: `read` from the file, `rows` meant to be sent, `published` what became of them."""

    batch_id: str
    topic: str
    priority: str
    read: "Catalog"
    rows: "Sequence[Row]"
    published: "Published"

    @property
    def failed_lines(self) -> list[int]:
        """Lines of the rows that Kafka did not take."""
        return [self.rows[position].line for position in self.published.failed]

    @property
    def left_for_later(self) -> int:
        """Valid rows outside the sample."""
        return len(self.read.rows) - len(self.rows)


def tell_refused(batch_id: str, source: str, read: "Catalog", *, as_json: bool) -> None:
    """Everything that is wrong with a catalog of which nothing was sent."""
    _tell_complaints(read)
    if as_json:
        say_json({"batch": batch_id, "sent": 0, "rows": len(read.rows), "complaints": _complaints(read)})
    told = f"nothing was sent: {len(read.complaints):,} wrong, {len(read.rows):,} right"
    way_out = "; --skip-invalid sends the right ones" if read.rows else ""
    typer.echo(f"skustream: {source}: {told}{way_out}", err=True)


def tell(receipt: Receipt, *, as_json: bool) -> None:
    """What was sent on stdout; what was not on stderr."""
    _tell_complaints(receipt.read)
    if as_json:
        say_json(_answer(receipt))
    else:
        for sentence in _sentences(receipt):
            typer.echo(sentence)
    for sentence in _failures(receipt):
        typer.echo(f"skustream: {sentence}; running it again is harmless", err=True)


def _answer(receipt: Receipt) -> dict[str, Any]:
    published, read = receipt.published, receipt.read
    return {
        "batch": receipt.batch_id, "topic": receipt.topic, "priority": receipt.priority, "rows": len(read.rows),
        "sent": published.acknowledged, "not_taken": len(published.failed), "not_taken_lines": receipt.failed_lines,
        "causes": published.failures, "interrupted": published.interrupted, "left_for_later": receipt.left_for_later,
        "duplicates": len(read.duplicates), "complaints": _complaints(read),
    }  # fmt: skip


def _sentences(receipt: Receipt) -> Iterator[str]:
    read, sent = receipt.read, receipt.published.acknowledged
    yield f"{sent:,} of {len(receipt.rows):,} rows sent to {receipt.topic} as batch {receipt.batch_id}"
    if read.complaints:
        yield f"{len(read.complaints):,} wrong ones were left out"
    if read.duplicates:
        yield f"{len(read.duplicates):,} rows repeat an earlier one word for word and were not sent again"
    if receipt.left_for_later:
        later = "wait for the same command without --sample; what the sample bought is not bought again"
        yield f"{receipt.left_for_later:,} more {later}"
    if sent:
        yield f"follow it: skustream status --batch {shlex.quote(receipt.batch_id)} --watch"


def _failures(receipt: Receipt) -> Iterator[str]:
    published, lines = receipt.published, receipt.failed_lines
    if published.interrupted:
        total = len(receipt.rows)
        yield f"interrupted: {published.acknowledged:,} of {total:,} rows are surely in {receipt.topic}"
    for cause, count in published.failures.items():
        yield f"{count:,} rows were not taken: {cause}"
    if lines:
        yield f"their lines: {', '.join(map(str, lines[:SHOWN_LINES]))}{' …' if len(lines) > SHOWN_LINES else ''}"


def _tell_complaints(read: "Catalog") -> None:
    for complaint in read.complaints:
        typer.echo(f"skustream: {complaint}", err=True)


def _complaints(read: "Catalog") -> list[dict[str, Any]]:
    return [{"line": each.line, "field": each.field, "message": each.message} for each in read.complaints]
