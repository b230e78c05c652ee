"""`skustream demo`: the whole walk on this machine, with nothing installed and nothing paid."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """Examples:

  skustream demo

  skustream demo --count 6 --out /tmp/demo --serve
"""


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the assets and report.html.")] = Path("build/demo"),
    count: Annotated[int | None, typer.Option(min=1, help="Products of the catalog; default: all.")] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Keep serving the report until Ctrl-C.")] = False,
) -> None:
    """Run a made catalog through the pipeline against the simulator, and write a contact sheet of the result.

    Kafka is the broker inside librdkafka, the store is a folder, PixelAPI is simulated: no account, no cost.
    """
    import uvloop  # noqa: PLC0415 - help stays quick

    from stream.demo.run import DemoOptions, run_demo  # noqa: PLC0415

    raise typer.Exit(uvloop.run(run_demo(DemoOptions(out=out, count=count, serve=serve))))
