"""`skustream contract`: the contract for the PIM, for one's own topics and pipeline."""

from pathlib import Path
from typing import Annotated

import typer

from stream.cli.front import AsJson, Config, PipelineFile, TopicPrefix, say_json

EXAMPLES = """Example: skustream contract --out contract --topic-prefix shop --pipeline pipeline.yaml"""


def contract(
    *,
    out: Annotated[Path, typer.Option(help="Folder to write into; made if missing, files in it replaced.")] = Path(
        "contract"
    ),
    config: Config = None,
    pipeline: PipelineFile = None,
    topic_prefix: TopicPrefix = None,
    as_json: AsJson = False,
) -> None:
    """Write what a PIM publishes and gets back, for your topics and stages: AsyncAPI 3 and JSON Schema (2020-12)."""
    from stream.contract import files  # noqa: PLC0415 - help stays quick
    from stream.pipeline import load_pipeline  # noqa: PLC0415
    from stream.settings import load  # noqa: PLC0415
    from stream.topics import Topics  # noqa: PLC0415

    settings = load({"config": config, "pipeline": pipeline, "topic_prefix": topic_prefix})
    written = files.write(out, load_pipeline(settings.pipeline), Topics(settings.topic_prefix))
    if as_json:
        say_json([str(path) for path in written])
        return
    for path in written:
        typer.echo(f"written  {path}")
