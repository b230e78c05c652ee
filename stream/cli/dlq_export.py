"""`skustream dlq export`: letters into a file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from stream.cli.dlq_filters import Wanted, filtered
from stream.cli.dlq_looking import connected, looking, say
from stream.cli.front import Config, Servers, TopicPrefix
from stream.core.errors import Misconfigured

EXAMPLES = """Examples:

  skustream dlq export --output letters.jsonl

  skustream dlq export --reason invalid-event --since 7d --format csv --output for-the-pim.csv

  skustream dlq export --state any --exact --output - | jq .value_base64

JSON lines have everything that `show --json` has. CSV has the main fields, and no cell that a spreadsheet would reckon.
Secrets are masked; --exact adds key and value as they lie in the topic. Exits 0 whatever is found.
"""
STDOUT = "-"


class Format(StrEnum):
    """Of the file."""

    JSONL = "jsonl"
    CSV = "csv"


@filtered()
def export(
    *,
    wanted: Wanted,
    output: Annotated[str, typer.Option(help="The file to write; - for stdout.")],
    format_: Annotated[Format, typer.Option("--format", help="JSON lines, or CSV for a spreadsheet.")] = Format.JSONL,
    exact: Annotated[
        bool, typer.Option("--exact", help="Add key and value byte for byte, in base64: nothing masked in them.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    config: Config = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
) -> None:
    """Write letters into a file, one per line."""
    from stream.letters.exporting import csv_header, csv_line, json_line, row  # noqa: PLC0415 - help stays quick

    line = csv_line if format_ is Format.CSV else json_line
    with (
        looking(connected(config, bootstrap_servers, topic_prefix), wanted) as look,
        _opened(output, force=force) as file,
    ):
        if format_ is Format.CSV:
            file.write(f"{csv_header(exact=exact)}\n")
        for letter, state in look.letters():
            file.write(f"{line(row(letter, state, exact=exact))}\n")
        look.conclude()
    if output != STDOUT:
        say(f"{look.found:,} letters of {look.topic} written to {output}")


@contextmanager
def _opened(output: str, *, force: bool) -> Iterator[TextIO]:
    if output == STDOUT:
        yield sys.stdout
        return
    try:
        with Path(output).open("w" if force else "x", encoding="utf-8", newline="") as file:
            yield file
    except FileExistsError:
        raise Misconfigured(f"--output: {output} exists; --force writes over it") from None
    except OSError as error:
        raise Misconfigured(f"--output: {output} cannot be written: {error.strerror}") from None
