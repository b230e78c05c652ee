"""`skustream explain SKU`: everything that happened to it, in one timeline."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.front import AsJson, Config, PipelineFile, Servers, Store, TopicPrefix, say_json

if TYPE_CHECKING:
    from stream.explain.search import Search
    from stream.explain.story import Story
    from stream.pipeline import Pipeline
    from stream.settings import Settings

EXAMPLES = """Examples:

  skustream explain SHOE-1

  skustream explain SHOE-1 --image back --since 2d

  skustream explain SHOE-1 --json

All topics are read once, so a large deployment takes as long as reading it; --since shortens it. Nothing is written.
"""


def explain(
    *,
    sku: Annotated[str, typer.Argument(help="The SKU, as the PIM writes it.", show_default=False)],
    image: Annotated[str | None, typer.Option(help="One image of it only; default: all.")] = None,
    since: Annotated[str | None, typer.Option(help="Records from this time on (2026-11-20T08:00:00Z, 2d).")] = None,
    config: Config = None,
    pipeline: PipelineFile = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Tell one SKU's story: events, waits, jobs, credits, retries, letters, replays, supersessions, final URLs.

    Exits 0 whatever it tells, 1 for a SKU that nobody knows.
    """
    from stream import settings  # noqa: PLC0415 - help stays quick
    from stream.core.clock import SystemClock  # noqa: PLC0415
    from stream.explain.telling import document, lines  # noqa: PLC0415
    from stream.letters.times import moment  # noqa: PLC0415
    from stream.pipeline import load_pipeline  # noqa: PLC0415

    since_ms = None if since is None else moment(since, now=SystemClock().wall(), option="--since")
    chosen = settings.load({
        "config": config, "kafka_bootstrap_servers": bootstrap_servers, "topic_prefix": topic_prefix, "store": store,
        "pipeline": pipeline,
    })  # fmt: skip
    chosen.need_store()
    stages = load_pipeline(chosen.pipeline)
    search, warnings = _searched(chosen, stages, sku, image, since_ms)
    story = asyncio.run(_answered(chosen, stages, sku, image, search, warnings))
    if as_json:
        say_json(document(story))
    else:
        typer.echo("\n".join(lines(story)))


def _searched(
    chosen: "Settings", stages: "Pipeline", sku: str, image: str | None, since_ms: int | None
) -> "tuple[Search, list[str]]":
    from rich.console import Console  # noqa: PLC0415 - help stays quick
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    from stream.doors import entry_reader_of  # noqa: PLC0415
    from stream.explain.reading import read_topics  # noqa: PLC0415
    from stream.explain.search import Search  # noqa: PLC0415
    from stream.topics import Topics  # noqa: PLC0415

    topics = Topics(chosen.topic_prefix)
    search = Search(sku, topics, stages, entry_reader_of(chosen), image_id=image, since_ms=since_ms or 0)
    console = Console(stderr=True)
    columns = (TextColumn("reading records"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        warnings = read_topics(
            chosen.kafka_client(), search, topics, stages, since_ms=since_ms,
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )  # fmt: skip
    return search, warnings


async def _answered(
    chosen: "Settings", stages: "Pipeline", sku: str, image: str | None, search: "Search", warnings: list[str]
) -> "Story":
    from stream.core.clock import SystemClock  # noqa: PLC0415 - help stays quick
    from stream.doors import open_objects  # noqa: PLC0415
    from stream.explain.answer import Answer  # noqa: PLC0415

    async with open_objects(chosen) as objects:
        answer = Answer(objects, stages, SystemClock(), max_pixels=chosen.max_pixels)
        return await answer.story(sku, search, image_id=image, warnings=warnings)
