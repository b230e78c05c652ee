"""`skustream run`: settings from flags and surroundings in, a worker that runs until it is told to stop."""

from pathlib import Path
from typing import Annotated

import typer

from stream.cli.front import Config, PipelineFile, Servers, Store, TopicPrefix

EXAMPLES = """Examples:

  skustream run

  skustream run --stage upscale --stage lifestyle --http-port 0

  skustream run --config /etc/skustream/settings.yaml --log-format json

The API key is no flag, because flags are visible to everybody on the machine: set PIXELAPI_KEY or PIXELAPI_KEY_FILE.
"""


def run(
    *,
    config: Config = None,
    pipeline: PipelineFile = None,
    stage: Annotated[
        list[str] | None, typer.Option("--stage", metavar="NAME", help="Run this stage; repeatable. Default: all.")
    ] = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    store: Store = None,
    delivery: Annotated[str | None, typer.Option(help="exactly-once or at-least-once.")] = None,
    quota_requests: Annotated[int | None, typer.Option(help="Requests of the contract in one window.")] = None,
    quota_share: Annotated[str | None, typer.Option(help="This process's share of it, e.g. 1/3.")] = None,
    spool_dir: Annotated[Path | None, typer.Option(help="Folder for pictures under way.")] = None,
    http_host: Annotated[str | None, typer.Option(help="Where metrics and probes listen.")] = None,
    http_port: Annotated[int | None, typer.Option(help="Their port; 0 for a free one.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, json or console.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Run a worker until SIGTERM or Ctrl-C: the first one drains and hands running jobs over, the second ends it.

    Every setting has a flag, an environment variable or a line in the settings file; flags are strongest.
    """
    import uvloop  # noqa: PLC0415 - help stays quick

    from stream import assembly, logs, settings  # noqa: PLC0415

    chosen = settings.load({
        "config": config, "pipeline": pipeline, "kafka_bootstrap_servers": bootstrap_servers, "store": store,
        "topic_prefix": topic_prefix, "delivery": delivery, "quota_requests": quota_requests,
        "quota_share": quota_share, "spool_dir": spool_dir, "http_host": http_host, "http_port": http_port,
        "log_format": log_format, "log_level": log_level,
    })  # fmt: skip
    logs.configure(chosen.log_format, chosen.log_level, secrets=chosen.secrets())
    raise typer.Exit(uvloop.run(assembly.run_worker(chosen, list(dict.fromkeys(stage or [])))))
