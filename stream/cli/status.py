"""`skustream status`: how a batch stands, read from the topics alone."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.front import AsJson, Config, Servers, Store, TopicPrefix, say_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from stream.catalog.following import Follower
    from stream.catalog.notes import BatchNote
    from stream.catalog.standing import Failure, Standing
    from stream.settings import Settings

EXAMPLES = """Examples:

  skustream status --batch spring

  skustream status --batch spring --watch

  skustream status --batch pim-2026-11 --since 2026-11-20 --json

A batch that was not submitted from here (the PIM's) is found by reading the entry topics from their beginning.
"""
SHOWN_FAILURES = 20
MAX_ERROR_CHARACTERS = 200
MINUTE, HOUR = 60, 3600


def status(
    *,
    batch: Annotated[str, typer.Option(help="The batch's name.")],
    watch: Annotated[bool, typer.Option("--watch", help="Follow it until everything has ended.")] = False,
    interval_seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between looks.")] = 2.0,
    since: Annotated[
        str | None, typer.Option(help="For a PIM's batch: look from this time on (2026-11-20T08:00:00Z, 2d).")
    ] = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Tell how many images of a batch are done, failed (and why), in progress; credits; when it will end.

    Exits 0 whatever it tells, 1 for a batch nobody knows.
    """
    from stream import settings  # noqa: PLC0415 - help stays quick

    chosen = settings.load({
        "config": config, "kafka_bootstrap_servers": bootstrap_servers, "topic_prefix": topic_prefix, "store": store,
    })  # fmt: skip
    chosen.need_store()
    with _following(chosen, batch, since) as follower:
        if watch:
            _watch(chosen, batch, follower, interval_seconds, as_json=as_json)
            return
        note = _note(chosen, batch)
        standing = _first_look(follower, note)
    if as_json:
        say_json(_answer(standing, note))
    else:
        _stdout().print(_picture(standing), *_lines(standing), sep="\n", soft_wrap=True)


@contextmanager
def _following(chosen: "Settings", batch: str, since: str | None) -> "Iterator[Follower]":
    from stream.broker.scan import Scanner  # noqa: PLC0415 - help stays quick
    from stream.catalog.following import Follower  # noqa: PLC0415
    from stream.catalog.submitting import checked_batch  # noqa: PLC0415
    from stream.core.clock import SystemClock  # noqa: PLC0415
    from stream.letters.times import moment  # noqa: PLC0415
    from stream.topics import Topics  # noqa: PLC0415

    checked = checked_batch(batch)
    after = None if since is None else moment(since, now=SystemClock().wall(), option="--since") / 1000
    with Scanner(chosen.kafka_client()) as scanner:
        yield Follower(scanner, Topics(chosen.topic_prefix), checked, since=after, clock=SystemClock())


def _note(chosen: "Settings", batch: str) -> "BatchNote | None":
    from stream.catalog.notes import BatchNotes  # noqa: PLC0415
    from stream.doors import open_objects  # noqa: PLC0415 - help stays quick

    async def found() -> "BatchNote | None":
        async with open_objects(chosen) as documents:
            return await BatchNotes(documents).find(batch)

    return asyncio.run(found())


def _first_look(follower: "Follower", note: "BatchNote | None") -> "Standing":
    from rich.console import Console  # noqa: PLC0415 - help stays quick
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("reading records"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        return follower.look(note, lambda done, total: progress.update(bar, completed=done, total=total))


def _watch(chosen: "Settings", batch: str, follower: "Follower", interval_seconds: float, *, as_json: bool) -> None:
    """Look, show, wait; the note is read again only while a submit is under way."""
    note = _note(chosen, batch)
    standing = _first_look(follower, note)
    with _showing(as_json=as_json) as show:
        while True:
            show(standing, note)
            if standing.is_done:
                break
            time.sleep(interval_seconds)
            note = _note(chosen, batch) if note is not None and note.is_sending else note
            standing = follower.look(note)
    if not as_json:
        _stdout().print(*_lines(standing), sep="\n", soft_wrap=True)


@contextmanager
def _showing(*, as_json: bool) -> "Iterator[Callable[[Standing, BatchNote | None], None]]":
    """A picture refreshed in place on a terminal; elsewhere a line for each change."""
    from rich.live import Live  # noqa: PLC0415 - help stays quick

    console = _stdout()
    if console.is_terminal and not as_json:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda standing, _: live.update(_picture(standing), refresh=True)
        return
    last: list[str] = []

    def line(standing: "Standing", note: "BatchNote | None") -> None:
        told = _one_line(standing)
        if last[-1:] != [told]:
            last[:] = [told]
            if as_json:
                say_json(_answer(standing, note), indent=None)
            else:
                typer.echo(told)

    yield line


def _answer(standing: "Standing", note: "BatchNote | None") -> dict[str, Any]:
    submissions = [] if note is None else note.model_dump(mode="json")["submissions"]
    return {**asdict(standing), "done": standing.is_done, "noted": note is not None, "submissions": submissions}


def _picture(standing: "Standing") -> "Table":
    from rich.table import Table  # noqa: PLC0415 - help stays quick

    table = Table(show_header=False, box=None, pad_edge=False, title=f"batch {standing.batch_id}", title_justify="left")
    for name, value in _figures(standing):
        table.add_row(name, value)
    return table


def _figures(standing: "Standing") -> Iterator[tuple[str, str]]:
    for name in ("total", "success", "failed", "in_progress", "superseded"):
        yield name.replace("_", " "), f"{getattr(standing, name):,}"
    if standing.unsent:
        yield "not found", f"{standing.unsent:,}"
    yield "success rate", "—" if standing.success_rate is None else f"{standing.success_rate:.1%}"
    yield "credits", f"{standing.credits:,f}"
    if standing.credits_in_doubt:
        yield "in doubt", f"{standing.credits_in_doubt:,f} credits (ambiguous-submit)"
    yield "finish", _finish(standing)


def _finish(standing: "Standing") -> str:
    if standing.in_progress == 0:
        return "waits for rows to be sent" if standing.unsent else "all have ended"
    if standing.seconds_left is None:
        return "unknown"
    return f"in about {_duration(standing.seconds_left)}"


def _duration(seconds: float) -> str:
    if seconds < 2 * MINUTE:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / MINUTE)} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.1f} h"


def _one_line(standing: "Standing") -> str:
    return ", ".join(f"{name} {value}" for name, value in _figures(standing))


def _lines(standing: "Standing") -> Iterator[str]:
    """What stands below the figures: warnings, and failures with their reasons."""
    for warning in standing.warnings:
        yield f"! {warning}"
    if standing.unreadable:
        yield f"! {standing.unreadable:,} records in completed or dead-letter are not what belongs there"
    for failure in standing.failures[:SHOWN_FAILURES]:
        yield _failure(failure)
    if len(standing.failures) > SHOWN_FAILURES:
        yield f"and {len(standing.failures) - SHOWN_FAILURES:,} more failed; --json has them all"


def _failure(failure: "Failure") -> str:
    name = failure.sku_id if failure.image_id == "main" else f"{failure.sku_id} / {failure.image_id}"
    return _printable(f"failed {name}: {failure.reason}: {failure.error}")


def _printable(text: str) -> str:
    cut = text if len(text) <= MAX_ERROR_CHARACTERS else f"{text[:MAX_ERROR_CHARACTERS]}…"
    return "".join(character if character.isprintable() else " " for character in cut)


def _stdout() -> "Console":
    from rich.console import Console  # noqa: PLC0415 - help stays quick

    return Console(highlight=False, markup=False)
