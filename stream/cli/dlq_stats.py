"""`skustream dlq stats`: letters counted by stage and reason."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from stream.cli.dlq_filters import Wanted, Which, filtered
from stream.cli.dlq_looking import connected, looking
from stream.cli.front import AsJson, Config, Servers, TopicPrefix, say_json

if TYPE_CHECKING:
    from stream.letters.counting import Group

EXAMPLES = """Examples:

  skustream dlq stats

  skustream dlq stats --since 24h --state open

  skustream dlq stats --topic connect-dlq --json

On a terminal a table; else tab-separated: stage, reason, letters, distinct, oldest, newest, credits, in doubt, open,
replayed, discarded. Exits 0 whatever is found.
"""
COLUMNS = (
    "stage", "reason", "letters", "distinct", "oldest", "newest", "credits", "credits_in_doubt", "open", "replayed",
    "discarded",
)  # fmt: skip
MAYBE = ("credits", "credits_in_doubt", "replayed", "discarded")
"""Not in a table where all of them are zero."""
TIMES = ("oldest", "newest")
MAX_NAME_CHARACTERS = 60


@filtered(Which.ANY)
def stats(
    *,
    wanted: Wanted,
    config: Config = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    as_json: AsJson = False,
) -> None:
    """Count letters and different events by stage and reason: since when, what they cost, what was decided."""
    from stream.letters.counting import Tally  # noqa: PLC0415 - help stays quick

    tally = Tally()
    with looking(connected(config, bootstrap_servers, topic_prefix), wanted) as look:
        for letter, state in look.letters():
            tally.add(letter, state)
        look.conclude()
    groups = [_figures(group) for group in tally.groups()]
    if as_json:
        total = {name: value for name, value in _figures(tally.total).items() if name not in {"stage", "reason"}}
        say_json({"topic": look.topic, "filter": str(wanted.filters), **total, "groups": groups})
    elif groups:
        _tell(groups, _figures(tally.total) | {"stage": "all"})


def _figures(group: "Group") -> dict[str, Any]:
    from stream.letters.times import written  # noqa: PLC0415 - help stays quick

    return {
        "stage": group.stage, "reason": group.reason, "letters": group.letters, "distinct": group.distinct,
        "oldest": written(group.oldest_ms) or None, "newest": written(group.newest_ms) or None,
        "credits": f"{group.credits:f}", "credits_in_doubt": f"{group.credits_in_doubt:f}",
        **{state.value: count for state, count in group.states.items()},
    }  # fmt: skip


def _tell(groups: list[dict[str, Any]], total: dict[str, Any]) -> None:
    if not sys.stdout.isatty():
        for group in groups:
            typer.echo("\t".join(_cells(group)))
        return
    from rich.console import Console  # noqa: PLC0415 - help stays quick
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = [name for name in COLUMNS if name not in MAYBE or total[name] not in {0, "0"}]
    table = Table(box=None, pad_edge=False, show_footer=len(groups) > 1)
    for name in shown:
        justify: Any = "left" if name in {"stage", "reason", *TIMES} else "right"
        heading = "in doubt" if name == "credits_in_doubt" else name
        table.add_column(heading, footer=Text(_shown(total, name)), justify=justify, overflow="fold")
    for group in groups:
        table.add_row(*(Text(_shown(group, name)) for name in shown))
    Console(highlight=False, markup=False).print(table)


def _shown(figures: dict[str, Any], name: str) -> str:
    """For a table: numbers by thousands, times without the year."""
    value = figures[name]
    if name in TIMES:
        return str(value or "")[5:16].replace("T", " ")
    return f"{value:,}" if isinstance(value, int) else _cell(value)


def _cells(figures: dict[str, Any]) -> Iterator[str]:
    return (_cell(figures[name]) for name in COLUMNS)


def _cell(value: object) -> str:
    from stream.letters.masking import printable  # noqa: PLC0415 - help stays quick

    return "" if value is None else printable(str(value), MAX_NAME_CHARACTERS)
