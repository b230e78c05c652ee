"""`skustream`: the front door. Each command imports its room only when it is called, so that help is quick.

Exit codes: 0 ok; 1 failed; 2 wrong usage or settings; 3 something around us is unavailable at the start, or refuses
us; 130 interrupted.
"""

from typing import Annotated

import typer

from stream.cli import (
    check,
    collect,
    console,
    contract,
    cost,
    demo,
    dlq,
    explain,
    pipeline,
    run,
    simulate,
    status,
    submit,
    topics,
)
from stream.cli.front import EXIT_CODES, group

app = group(f"Raw product photos in, finished and re-hosted assets out: a Kafka worker for PixelAPI.\n\n{EXIT_CODES}")
app.command("run", epilog=run.EXAMPLES)(run.run)
app.add_typer(topics.app, name="topics")
app.add_typer(pipeline.app, name="pipeline")
app.command("check", epilog=check.EXAMPLES)(check.check)
app.command("cost", epilog=cost.EXAMPLES)(cost.cost)
app.command("contract", epilog=contract.EXAMPLES)(contract.contract)
app.command("submit", epilog=submit.EXAMPLES)(submit.submit)
app.command("status", epilog=status.EXAMPLES)(status.status)
app.add_typer(dlq.app, name="dlq")
app.command("explain", epilog=explain.EXAMPLES)(explain.explain)
app.command("gc", epilog=collect.EXAMPLES)(collect.collect)
app.command("simulate", epilog=simulate.EXAMPLES)(simulate.simulate)
app.command("console", epilog=console.EXAMPLES)(console.console)
app.command("demo", epilog=demo.EXAMPLES)(demo.demo)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's callback
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def _front(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Say the version and exit.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Keep the group a group, and know its version."""


@app.command()
def version() -> None:
    """Say the versions of skustream, Python and librdkafka."""
    import platform  # noqa: PLC0415 - help stays quick
    from importlib import metadata  # noqa: PLC0415

    import confluent_kafka  # noqa: PLC0415

    try:
        own = metadata.version("skustream")
    except metadata.PackageNotFoundError:
        own = "unreleased"
    typer.echo(f"skustream {own} (Python {platform.python_version()}, librdkafka {confluent_kafka.libversion()[0]})")


def main() -> None:
    """Entry point of the `skustream` command; leaves through `SystemExit`."""
    app(prog_name="skustream")
