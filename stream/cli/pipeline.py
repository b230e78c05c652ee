"""`skustream pipeline`: look at a pipeline file, and lint it before a worker does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.front import AsJson, group, say_json

if TYPE_CHECKING:
    from stream.pipeline import Pipeline
    from stream.topics import Topics

app = group("Show and check pipeline files.")
Prefix = Annotated[str, typer.Option("--topic-prefix", help="First part of every topic and group name.")]


@app.command(epilog="Example: skustream pipeline show pipeline.yaml --json")
def show(
    file: Annotated[Path | None, typer.Argument(help="Pipeline file; default: the shipped one.")] = None,
    *,
    topic_prefix: Prefix = "product-images",
    as_json: AsJson = False,
) -> None:
    """Show the stages in their order: what each one needs, makes, reads and costs a group."""
    from stream.pipeline import load_pipeline  # noqa: PLC0415 - help stays quick
    from stream.topics import Topics  # noqa: PLC0415

    rows = _rows(load_pipeline(file), Topics(topic_prefix))
    if as_json:
        say_json(rows)
        return
    for row in rows:
        bought = "works here, buys nothing" if row["local"] else "buys from PixelAPI"
        typer.echo(f"{row['stage']}: {row['operation']} ({bought})")
        typer.echo(f"  {', '.join(row['needs'])} → {row['makes']}")
        typer.echo(f"  reads {', '.join(row['reads'])} as group {row['group']}")
        retries = [f"{reason} after {', '.join(delays)}" for reason, delays in row["retries"].items()]
        typer.echo(f"  tries again: {'; '.join(retries) or 'never, a letter at once'}")
        if row["params"]:
            typer.echo(f"  params {', '.join(f'{name}={value}' for name, value in row['params'].items())}")


@app.command(epilog="Example: skustream pipeline check pipeline.yaml")
def check(file: Annotated[Path, typer.Argument(help="Pipeline file.")]) -> None:
    """Lint a pipeline file. Exits 2 with the stage and field that is wrong."""
    from stream.pipeline import load_pipeline  # noqa: PLC0415 - help stays quick

    stages = load_pipeline(file).stages
    typer.echo(f"{file}: in order, {len(stages)} stages: {' → '.join(stage.name for stage in stages)}")


def _rows(pipeline: "Pipeline", topics: "Topics") -> list[dict[str, Any]]:
    return [
        {
            "stage": stage.name,
            "operation": stage.operation,
            "local": stage.local,
            "needs": stage.needs,
            "makes": stage.makes,
            "reads": pipeline.input_topics(stage.name, topics),
            "retries": stage.retry_plan,
            "group": topics.group(stage.name),
            "params": stage.params,
            "deadline_seconds": stage.deadline_seconds,
            "job_attempts": stage.job_attempts,
        }
        for stage in pipeline.stages
    ]
