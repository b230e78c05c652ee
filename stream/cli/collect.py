"""`skustream gc`: say what no manifest shows any more, and delete it when a person says so."""

import asyncio
import re
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.front import AsJson, Config, Exit, say_json
from stream.core.errors import Misconfigured, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.progress import Progress

    from stream.collector.fates import Books, Fate
    from stream.settings import Settings

EXAMPLES = """Examples:

  skustream gc

  skustream gc --yes

  skustream gc --yes --older-than 90d --json

The first run with --yes condemns what is superseded and deletes nothing; one that comes --older-than later deletes it.
Made for a daily or weekly timer. Two runs side by side, and a run that is killed, are harmless: run it again.
"""
UNITS_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
LINES = {
    "shown": "shown by their manifests",
    "superseded": "superseded",
    "condemned": "condemned, waiting",
    "due": "due",
    "leftover": "left over from a collection",
    "unfinished": "of images whose newest event shows nothing yet",
    "under-way": "of jobs under way",
    "unknown": "of no job in the ledger",
    "damaged": "of images with a damaged document",
}


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text.strip())
    if found is None:
        raise Misconfigured(f"--older-than: got {shown(text)}; expected a number and s, m, h or d, such as 30d")
    return float(found[1]) * UNITS_SECONDS[found[2]]


OlderThan = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="How long assets stay condemned before they are deleted (30d, 12h). Keep it above the retention of the "
        "topics between stages (7d): a record that waits longer than this there may become a letter.",
    ),
]


def collect(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done; the default.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Condemn and delete.")] = False,
    older_than: OlderThan = "30d",
    config: Config = None,
    store: Annotated[str | None, typer.Option(help="s3://bucket/prefix or file:///absolute/path.")] = None,
    as_json: AsJson = False,
) -> None:
    """Delete the assets that a newer event's pictures replaced, in two steps: condemned first, deleted later.

    Whoever needs a condemned asset again takes it back for nothing; a deleted one is bought again. Neither manifests
    nor anything of the ledger is deleted. Exits 1 when a document cannot be read: that image was left alone.
    """
    if yes and dry_run:
        raise Misconfigured("--yes and --dry-run exclude each other")
    older_than_seconds = _seconds(older_than)
    from rich.console import Console  # noqa: PLC0415 - help stays quick

    from stream.settings import load  # noqa: PLC0415

    settings = load({"config": config, "store": store})
    if yes and settings.store_overrule_conditions:
        raise Misconfigured(
            "SKUSTREAM_STORE_OVERRULE_CONDITIONS=true: on a store without conditional writes gc cannot tell whether an "
            "asset was needed again a moment ago; there it only looks"
        )
    with _progress(Console(stderr=True)) as progress:
        books = asyncio.run(_swept(settings, older_than_seconds, wanted=yes, on_progress=_shown_on(progress)))
    if as_json:
        say_json(books.as_json() | {"older_than_seconds": older_than_seconds, "dry_run": not yes})
    else:
        _tell(books, wanted=yes)
    raise typer.Exit(Exit.FAILED if books.damaged_images else Exit.OK)


async def _swept(
    settings: "Settings", older_than_seconds: float, *, wanted: bool, on_progress: "Callable[[Books], None]"
) -> "Books":
    from stream import doors  # noqa: PLC0415 - help stays quick
    from stream.collector.sweep import Sweep  # noqa: PLC0415
    from stream.core.clock import SystemClock  # noqa: PLC0415
    from stream.ledger.jobs import Ledger  # noqa: PLC0415

    async with doors.open_objects(settings) as objects:
        if wanted:
            await objects.probe()
        ledger = Ledger(objects, clock=SystemClock(), lease_seconds=settings.claim_lease_seconds)
        return await Sweep(
            objects, ledger, older_than_seconds=older_than_seconds, wanted=wanted, on_progress=on_progress
        ).run()


def _progress(console: "Console") -> "Progress":
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def _shown_on(progress: "Progress") -> "Callable[[Books], None]":
    task = progress.add_task("listing", total=None)
    return lambda books: progress.update(
        task,
        description=f"{books.images:,} images, {books.objects:,} objects listed, {books.deleted_assets:,} deleted",
    )


def _tell(books: "Books", *, wanted: bool) -> None:
    from stream.collector.fates import MOST_NAMED, Fate  # noqa: PLC0415 - help stays quick

    typer.echo(f"{books.images:,} images, {books.objects:,} objects ({books.foreign:,} not ours, left alone)")
    for fate in Fate:
        if (line := _line(books, fate)) is not None:
            typer.echo(line)
    for unit, size_bytes in books.largest.most_common(MOST_NAMED):
        typer.echo(f"  {_size(size_bytes):>10}  {unit}")
    for sentence in books.damage:
        typer.echo(f"damaged: {sentence}", err=True)
    if wanted:
        typer.echo(
            f"condemned {books.condemned_jobs:,} jobs; deleted {books.deleted_assets:,} assets, "
            f"{_size(books.deleted_bytes)}; {books.spared_jobs:,} jobs changed meanwhile and were spared"
        )
    else:
        typer.echo("Nothing was changed. --yes condemns what is superseded, and deletes what is due or left over.")


def _line(books: "Books", fate: "Fate") -> str | None:
    tally = books.by_fate[fate]
    if not tally.assets:
        return None
    again = f", {tally.credits:,f} credits to buy again" if tally.credits else ""
    return f"{tally.assets:>10,} assets  {_size(tally.bytes):>10}  {LINES[fate.value]}{again}"


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004 - the next unit
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
