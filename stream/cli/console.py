"""`skustream console`: a web page for the catalog team, on this machine unless it is told otherwise."""

import time
from typing import Annotated

import typer

from stream.cli.front import Config, PipelineFile, Servers, Store, TopicPrefix

EXAMPLES = """Examples:

  skustream console

  skustream console --allow-replay --port 0

  SKUSTREAM_CONSOLE_TOKEN_FILE=/run/secrets/console skustream console --host 0.0.0.0

It reads the topics and the store, joins no consumer group, and changes nothing unless --allow-replay is given.
"""
DAY_SECONDS = 86_400


def console(
    *,
    host: Annotated[str | None, typer.Option(help="Where it listens; anything but loopback needs a token.")] = None,
    port: Annotated[int | None, typer.Option(help="Its port; 0 for a free one.")] = None,
    allow_replay: Annotated[
        bool | None, typer.Option("--allow-replay", help="Let letters be replayed and discarded there.")
    ] = None,
    days: Annotated[float, typer.Option(min=0.01, max=3650, help="How far back the topics are read.")] = 30,
    config: Config = None,
    pipeline: PipelineFile = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    store: Store = None,
    log_format: Annotated[str | None, typer.Option(help="auto, json or console.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Show batches, finished pictures and letters in a browser until SIGTERM or Ctrl-C.

    Prints its URL once it listens. Access from elsewhere: SKUSTREAM_CONSOLE_TOKEN, or a reverse proxy's header.
    """
    import uvloop  # noqa: PLC0415 - help stays quick

    from stream import logs, settings  # noqa: PLC0415
    from stream.console.opening import run_console  # noqa: PLC0415

    chosen = settings.load({
        "config": config, "pipeline": pipeline, "kafka_bootstrap_servers": bootstrap_servers, "store": store,
        "topic_prefix": topic_prefix, "console_host": host, "console_port": port,
        "console_allow_replay": allow_replay, "log_format": log_format, "log_level": log_level,
    })  # fmt: skip
    chosen.need_store()
    logs.configure(chosen.log_format, chosen.log_level, secrets=chosen.secrets())

    def tell(url: str) -> None:
        typer.echo(f"console at {url}    (Ctrl-C ends it)")

    uvloop.run(run_console(chosen, since=time.time() - days * DAY_SECONDS, ready=tell))
