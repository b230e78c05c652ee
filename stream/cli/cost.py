"""`skustream cost`: a catalog or a number of SKUs in; credits, plan purchases, requests and time out. Sends nothing."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.front import AsJson, Config, PipelineFile, say_json

if TYPE_CHECKING:
    from rich.table import Table

    from stream.catalog.rows import Catalog
    from stream.cost import Forecast, Jobs, PlanLine
    from stream.events import RawEvent
    from stream.pipeline import Pipeline
    from stream.prices import PriceBook

EXAMPLES = """Examples:

  skustream cost catalog.csv --plan scale

  skustream cost --skus 10000 --prices may-2026

  skustream cost catalog.jsonl --prices my-prices.yaml --json

Nothing is sent, and nothing is deducted that the ledger already holds.
"""
SHOWN_COMPLAINTS = 20
POLLS_PER_JOB = 2.0
"""Where durations are learned 1.1 are enough (docs/money.md); the first jobs, and busy days, need more."""
MINUTES_PER_HOUR = 60
UNKNOWN = "unknown"


def cost(
    catalog: Annotated[Path | None, typer.Argument(help="CSV or JSONL file; - for stdin.", show_default=False)] = None,
    *,
    skus: Annotated[
        int | None, typer.Option(min=1, help="Instead of a file: so many SKUs through every stage.")
    ] = None,
    plan: Annotated[
        str | None, typer.Option(help="A plan of the price book, e.g. scale; default: all of them.")
    ] = None,
    prices: Annotated[
        str | None, typer.Option(help="article, docs, may-2026 or a file; default: SKUSTREAM_PRICES, else article.")
    ] = None,
    polls_per_job: Annotated[float, typer.Option(min=0, max=1000, help="Polls reckoned for each job.")] = POLLS_PER_JOB,
    config: Config = None,
    pipeline: PipelineFile = None,
    as_json: AsJson = False,
) -> None:
    """Reckon what a catalog will cost at most: credits by operation, plan purchases, requests, time at a plan's rate.

    Exits 2 where the catalog, the pipeline file or the price book is wrong.
    """
    from stream import settings  # noqa: PLC0415 - help stays quick
    from stream.cost import forecast  # noqa: PLC0415
    from stream.pipeline import load_pipeline  # noqa: PLC0415
    from stream.prices import load_prices  # noqa: PLC0415

    chosen = settings.load({"config": config, "pipeline": pipeline, "prices": prices})
    book = load_prices(chosen.prices)
    jobs = _jobs(load_pipeline(chosen.pipeline), catalog, skus)
    told = forecast(jobs, book, [plan] if plan else list(book.plans), Decimal(str(polls_per_job)))
    if as_json:
        say_json(_answer(told, book, chosen.prices))
    else:
        _tell(told, book, chosen.prices)


def _jobs(pipeline: "Pipeline", catalog: Path | None, skus: int | None) -> "Jobs":
    from stream.core.errors import Misconfigured  # noqa: PLC0415 - help stays quick
    from stream.cost import Jobs  # noqa: PLC0415

    if (catalog is None) == (skus is None):
        raise Misconfigured("expected a catalog file, or --skus with a number: one of the two")
    if skus is not None:
        return Jobs.of_skus(pipeline, skus)
    return Jobs.of(pipeline, _events(None if str(catalog) == "-" else catalog, pipeline))


def _events(source: Path | None, pipeline: "Pipeline") -> "Iterator[RawEvent]":
    from rich.console import Console  # noqa: PLC0415 - help stays quick
    from rich.progress import track  # noqa: PLC0415

    from stream.catalog.reading import read_catalog  # noqa: PLC0415

    console = Console(stderr=True)
    with console.status("reading the catalog"):
        read = read_catalog(source, pipeline=pipeline, batch_id=None)
    _refuse(read)
    rows = track(
        read.rows, "reckoning", console=console, transient=True, disable=not console.is_terminal, show_speed=False
    )
    return (row.event for row in rows)


def _refuse(read: "Catalog") -> None:
    """A catalog with wrong rows has no cost. Raises `Misconfigured`, one line for each of the first complaints."""
    from stream.core.errors import Misconfigured  # noqa: PLC0415 - help stays quick

    if not read.complaints:
        return
    lines = [str(complaint) for complaint in read.complaints[:SHOWN_COMPLAINTS]]
    if len(read.complaints) > SHOWN_COMPLAINTS:
        lines.append(f"and {len(read.complaints) - SHOWN_COMPLAINTS:,} more")
    raise Misconfigured("\n".join(lines))


def _answer(told: "Forecast", book: "PriceBook", name: str) -> dict[str, Any]:
    return {
        "events": told.events,
        "prices": {"name": name, "source": book.source, "notes": book.notes},
        "operations": [
            {"operation": line.operation, "jobs": line.jobs, "price_credits": _number(line.price_credits),
             "credits": _number(line.credits)}
            for line in told.lines
        ],
        "credits": _number(told.credits),
        "unpriced": told.unpriced,
        "at_most": told.sparable,
        "submits": told.submits,
        "polls": told.polls,
        "requests": told.requests,
        "plans": [
            {"plan": line.name, "credits": _number(line.credits), "purchases": _number(line.purchases),
             "whole_purchases": line.whole_purchases, "dollars": _number(line.dollars),
             "requests_per_minute": line.requests_per_minute, "seconds": line.seconds,
             "outlasts_retention": _outlasts(line)}
            for line in told.plans
        ],
    }  # fmt: skip


def _number(amount: Decimal | None) -> int | float | None:
    """A JSON number: whole where the amount is."""
    if amount is None:
        return None
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _tell(told: "Forecast", book: "PriceBook", name: str) -> None:
    from rich.console import Console  # noqa: PLC0415 - help stays quick

    console = Console(highlight=False, markup=False)
    console.print(f"{told.events:,} events, prices {name}: {book.source}\n", soft_wrap=True)
    console.print(_operations(told))
    console.print(
        f"\nrequests {told.requests:,}: {told.submits:,} submits and {told.polls:,} polls (reckoned)\n", soft_wrap=True
    )
    if told.plans:
        console.print(_plans(told))
    for note in _notes(told, book):
        console.print(note, soft_wrap=True)


def _operations(told: "Forecast") -> "Table":
    table = _table("operation", "jobs", "credits each", "credits")
    for line in told.lines:
        table.add_row(line.operation, f"{line.jobs:,}", _amount(line.price_credits), _amount(line.credits))
    table.add_section()
    table.add_row("total", f"{told.submits:,}", "", _amount(told.credits))
    return table


def _plans(told: "Forecast") -> "Table":
    table = _table("plan", "credits", "purchases", "rounded up", "dollars", "req/min", "time")
    for line in told.plans:
        table.add_row(*_plan_cells(line))
    return table


def _plan_cells(line: "PlanLine") -> list[str]:
    return [
        line.name,
        _amount(line.credits),
        UNKNOWN if line.purchases is None else f"{line.purchases:,.2f}",
        _amount(line.whole_purchases),
        _amount(line.dollars),
        _amount(line.requests_per_minute),
        UNKNOWN if line.seconds is None else _time(line.seconds),
    ]


def _table(first: str, *others: str) -> "Table":
    from rich import box  # noqa: PLC0415 - help stays quick
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _notes(told: "Forecast", book: "PriceBook") -> Iterator[str]:
    yield "Not deducted: what the ledger holds already. On top: failed attempts, if PixelAPI charges them."
    for operation in told.unpriced:
        yield f"{operation} has no price in this book: its jobs are not in the total."
    for operation in told.sparable:
        yield f"{operation} is counted at most: skip_if_longest_side may spare some, which only the pixels tell."
    yield from (_outlasting(line.name) for line in told.plans if _outlasts(line))
    for line in book.notes:
        yield f"Of this book: {line}."


def _outlasts(line: "PlanLine") -> bool:
    """Whether Kafka would delete events of such a run before they are read (L1)."""
    from stream.topics import UNREAD_DAYS  # noqa: PLC0415 - help stays quick

    return line.seconds is not None and line.seconds > UNREAD_DAYS * 24 * MINUTES_PER_HOUR * 60


def _outlasting(plan: str) -> str:
    from stream.topics import UNREAD_DAYS  # noqa: PLC0415 - help stays quick

    return (
        f"{plan} takes longer than the {UNREAD_DAYS} days for which `skustream topics create` keeps what is unread: "
        "send the catalog in parts, or raise retention.ms of the entry, stage and retry topics first (docs/sizing.md)."
    )


def _amount(value: Decimal | int | None) -> str:
    if value is None:
        return UNKNOWN
    exact = Decimal(value)
    return f"{int(exact):,}" if exact == exact.to_integral_value() else f"{exact.normalize():,f}"


def _time(seconds: float) -> str:
    minutes = -int(-seconds // 60)
    hours, rest = divmod(minutes, MINUTES_PER_HOUR)
    return f"{hours:,} h {rest:02} min" if hours else f"{rest} min"
