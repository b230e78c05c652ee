"""`skustream submit`: a catalog in, checked as a whole, its rows on an entry topic, a note about it in the store."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.front import AsJson, Config, Exit, PipelineFile, Servers, Store, TopicPrefix
from stream.cli.receipts import Receipt, tell, tell_refused
from stream.cli.stopping import told_to_stop

if TYPE_CHECKING:
    from rich.progress import Progress

    from stream.broker.publishing import Published
    from stream.catalog.notes import BatchNotes, Submission
    from stream.catalog.rows import Catalog, Row
    from stream.pipeline import Pipeline
    from stream.settings import Settings

EXAMPLES = """Examples:

  skustream submit catalog.csv --batch spring --sample 100

  skustream submit catalog.csv --batch spring

  export-from-pim | skustream submit - --batch urgent --priority live

The whole file is checked first; nothing is sent if a row is wrong. Submitting again is harmless: what was bought is not
bought again (docs/catalogs.md).
"""


def submit(
    catalog: Annotated[Path, typer.Argument(help="CSV or JSONL file; - for stdin.")],
    *,
    batch: Annotated[str, typer.Option(help="The batch's name, by which `status` finds it.")],
    sample: Annotated[
        int | None, typer.Option(min=1, help="Send only so many rows, spread over the file; the same ones each time.")
    ] = None,
    priority: Annotated[str, typer.Option(help="backfill (can wait) or live.")] = "backfill",
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Send the valid rows although others are wrong.")
    ] = False,
    format_: Annotated[
        str, typer.Option("--format", help="csv, jsonl, or auto: by the file's name, else its first character.")
    ] = "auto",
    config: Config = None,
    pipeline: PipelineFile = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Check a catalog and publish its rows as one batch. Exits 2 when rows are wrong, 3 when some were not taken."""
    from stream import settings  # noqa: PLC0415 - help stays quick
    from stream.pipeline import load_pipeline  # noqa: PLC0415

    chosen = settings.load({
        "config": config, "pipeline": pipeline, "kafka_bootstrap_servers": bootstrap_servers,
        "topic_prefix": topic_prefix, "store": store,
    })  # fmt: skip
    chosen.need_store()
    order = _order(chosen, catalog, batch, priority, sample)
    with _progress() as progress:
        read = _read(order, load_pipeline(chosen.pipeline), format_, progress)
        if not read.rows or (read.complaints and not skip_invalid):
            progress.stop()
            tell_refused(order.batch_id, order.source_name, read, as_json=as_json)
            raise typer.Exit(Exit.MISCONFIGURED)
        sending = _Sending(order, read, chosen)
        published = sending.run(progress)
    tell(Receipt(order.batch_id, order.topic, priority, read, sending.rows, published), as_json=as_json)
    sending.note_end(published)
    if published.interrupted:
        raise typer.Exit(Exit.INTERRUPTED)
    raise typer.Exit(Exit.UNAVAILABLE if published.failed else Exit.OK)


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for, checked."""

    source: Path | None
    batch_id: str
    topic: str
    priority: str
    sample: int | None

    @property
    def source_name(self) -> str:
        """Without its folder."""
        return "stdin" if self.source is None else self.source.name


def _order(chosen: "Settings", catalog: Path, batch: str, priority: str, sample: int | None) -> _Order:
    from stream.catalog.submitting import checked_batch, entry_topic  # noqa: PLC0415 - help stays quick
    from stream.topics import Topics  # noqa: PLC0415

    chosen.kafka_client()
    return _Order(
        source=None if str(catalog) == "-" else catalog,
        batch_id=checked_batch(batch),
        topic=entry_topic(Topics(chosen.topic_prefix), priority),
        priority=priority,
        sample=sample,
    )


def _read(order: _Order, pipeline: "Pipeline", kind: str, progress: "Progress") -> "Catalog":
    from stream.catalog.reading import checked_kind, read_catalog  # noqa: PLC0415 - help stays quick

    bar = progress.add_task("checking", total=None)
    read = read_catalog(
        order.source,
        pipeline=pipeline,
        batch_id=order.batch_id,
        kind=checked_kind(kind),
        on_progress=lambda rows: progress.update(bar, completed=rows),
    )
    progress.update(bar, completed=len(read.rows), total=len(read.rows))
    return read


class _Sending:
    """From valid rows to a noted end."""

    def __init__(self, order: _Order, read: "Catalog", chosen: "Settings") -> None:
        from stream.catalog.submitting import sample  # noqa: PLC0415 - help stays quick

        self.order = order
        self.read = read
        self._settings = chosen
        self.rows: Sequence[Row] = (
            sample(read.rows, order.sample, batch_id=order.batch_id) if order.sample else read.rows
        )
        self._submission = self._noted()

    def run(self, progress: "Progress") -> "Published":
        """Note, then send."""
        from stream.broker.publishing import publish  # noqa: PLC0415 - help stays quick
        from stream.catalog.submitting import record_of, starts_now  # noqa: PLC0415
        from stream.topics import Topics  # noqa: PLC0415

        client = self._settings.kafka_client()
        starts = starts_now(client, Topics(self._settings.topic_prefix))
        images = len({row.image for row in self.rows})
        batch_id, submission = self.order.batch_id, self._submission
        _in_store(self._settings, lambda notes: notes.open(batch_id, submission, images=images, starts=starts))
        bar = progress.add_task("sending", total=len(self.rows))
        with told_to_stop() as told:
            return publish(
                client,
                (record_of(row, self.order.topic) for row in self.rows),
                on_progress=lambda settled: progress.update(bar, completed=settled),
                told_to_stop=told,
            )

    def note_end(self, published: "Published") -> None:
        """How it ended, for `status`."""
        from stream.catalog.submitting import end_of  # noqa: PLC0415 - help stays quick

        batch_id, submission, end = self.order.batch_id, self._submission, end_of(published)
        acknowledged = published.acknowledged
        _in_store(self._settings, lambda notes: notes.close(batch_id, submission.id, end, acknowledged=acknowledged))

    def _noted(self) -> "Submission":
        from stream.catalog.submitting import submission_of  # noqa: PLC0415 - help stays quick
        from stream.core.clock import SystemClock  # noqa: PLC0415
        from stream.events import Priority  # noqa: PLC0415

        return submission_of(
            source=self.order.source_name, at=SystemClock().wall(), topic=self.order.topic,
            priority=Priority(self.order.priority), rows=len(self.read.rows), events=len(self.rows),
            skipped=len(self.read.complaints), is_sample=len(self.rows) < len(self.read.rows),
        )  # fmt: skip


def _in_store(chosen: "Settings", act: Callable[["BatchNotes"], Any]) -> None:
    from stream.catalog.notes import BatchNotes  # noqa: PLC0415
    from stream.doors import open_objects  # noqa: PLC0415 - help stays quick

    async def acting() -> None:
        async with open_objects(chosen) as documents:
            await act(BatchNotes(documents))

    asyncio.run(acting())


def _progress() -> "Progress":
    from rich.console import Console  # noqa: PLC0415 - help stays quick
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console,
        transient=True, disable=not console.is_terminal,
    )  # fmt: skip
