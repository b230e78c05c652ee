"""`skustream dlq list` and `skustream dlq watch`: letters as rows."""

import heapq
import shutil
import sys
import time
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.dlq_filters import Wanted, Which, filtered
from stream.cli.dlq_looking import Look, Screen, connected, looking
from stream.cli.front import AsJson, Config, Servers, TopicPrefix
from stream.core.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stream.letters.filters import State
    from stream.letters.letter import Letter

    Found = tuple[Letter, State]
    Row = dict[str, object]

LIST_EXAMPLES = """Examples:

  skustream dlq list --reason source-missing --since 2h

  skustream dlq list --newest --limit 20

  skustream dlq list --where 'attempts > `3` && contains(error, `"404"`)' --limit 0 --json

  skustream dlq list --topic connect-dlq --state any

On a terminal a table; else tab-separated: letter, time, state, stage, reason, sku, image, batch, attempts, replay,
error. Exits 0 whatever is found.
"""
WATCH_EXAMPLES = """Examples:

  skustream dlq watch

  skustream dlq watch --reason bug --json

  skustream dlq watch --since 1h --limit 1

Ends with 130 on Ctrl-C, with 0 after --limit letters.
"""
CELLS = (
    "letter", "time", "state", "stage", "reason", "sku_id", "image_id", "batch_id", "attempts", "replay", "error",
)  # fmt: skip
WIDTHS = (("letter", 10), ("time", 14), ("state", 9), ("stage", 11), ("reason", 17), ("sku_id", 16))
"""Of the table on a terminal; the error takes the rest of the line, if that is something."""
NARROWEST = 16
MAX_CELL_CHARACTERS = 1_000


@filtered()
def list_letters(
    *,
    wanted: Wanted,
    limit: Annotated[int, typer.Option(min=0, help="Letters shown at most; 0: all.")] = 50,
    newest: Annotated[
        bool, typer.Option("--newest", help="The newest ones, newest last, instead of the oldest; all are read first.")
    ] = False,
    distinct: Annotated[
        bool, typer.Option("--distinct", help="The first letter only of each event that failed the same way.")
    ] = False,
    config: Config = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    as_json: AsJson = False,
) -> None:
    """List letters as they are found, the oldest of each partition first."""
    if newest and limit == 0:
        raise Misconfigured("--newest needs a --limit: the letters are held until all are read")
    with looking(connected(config, bootstrap_servers, topic_prefix), wanted) as look:
        show = _shower(look.screen, as_json=as_json)
        rows = _rows(look, distinct=distinct)
        if newest:
            for row in reversed(heapq.nlargest(limit, rows, key=_age)):
                show(row)
        else:
            for row in islice(rows, limit or None):
                show(row)
            if limit and next(rows, None) is not None:
                look.screen.say(f"{limit:,} shown, and there are more: --limit 0 for all, --newest for the latest")
        look.conclude()


@filtered(Which.ANY)
def watch(
    *,
    wanted: Wanted,
    limit: Annotated[int, typer.Option(min=0, help="End after so many letters; 0: never.")] = 0,
    interval_seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between looks.")] = 1.0,
    config: Config = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    as_json: AsJson = False,
) -> None:
    """Show new letters as they come, until Ctrl-C; with --since, first those written since then."""
    if wanted.filters.states or wanted.filters.until_ms is not None:
        raise Misconfigured("watch shows what comes: --state and --until choose among what is there (dlq list)")
    with looking(connected(config, bootstrap_servers, topic_prefix), wanted, only_new=True) as look:
        show = _shower(look.screen, as_json=as_json)
        while True:
            for row in _rows(look, distinct=False):
                show(row)
                if look.found == limit:
                    return
            time.sleep(interval_seconds)


def _rows(look: Look, *, distinct: bool) -> "Iterator[Row]":
    from stream.letters.counting import Seen  # noqa: PLC0415 - help stays quick
    from stream.letters.document import summary  # noqa: PLC0415

    seen = Seen()
    for letter, state in look.letters():
        if not distinct or seen.is_new(letter.fingerprint):
            yield summary(letter, state)


def _age(row: "Row") -> tuple[str, object, object]:
    return (str(row["time"] or ""), row["partition"], row["offset"])


def _shower(screen: Screen, *, as_json: bool) -> "Callable[[Row], None]":
    from stream.letters.exporting import json_line  # noqa: PLC0415 - help stays quick

    if as_json:
        return lambda row: screen.row(json_line(row))
    if not sys.stdout.isatty():
        return lambda row: screen.row("\t".join(_cell(row, name) for name in CELLS))
    rest = shutil.get_terminal_size().columns - sum(width + 1 for _, width in WIDTHS) - 1
    widths = (*WIDTHS, ("error", rest)) if rest >= NARROWEST else WIDTHS
    screen.row(_line({name: name.removesuffix("_id").upper() for name, _ in widths}, widths))
    return lambda row: screen.row(_line(_short(row), widths))


def _short(row: "Row") -> "Row":
    """For a table: within the topic, and without the year."""
    return {
        **row,
        "letter": f"{row['partition']}/{row['offset']}",
        "time": str(row["time"] or "")[5:19].replace("T", " "),
    }


def _line(row: "Row", widths: "Sequence[tuple[str, int]]") -> str:
    from rich.cells import set_cell_size  # noqa: PLC0415 - help stays quick

    return " ".join(set_cell_size(_cell(row, name), width) for name, width in widths).rstrip()


def _cell(row: "Row", name: str) -> str:
    from stream.letters.masking import printable  # noqa: PLC0415 - help stays quick

    value = row[name]
    return "" if value is None else printable(str(value), MAX_CELL_CHARACTERS)
