"""`skustream demo`: the whole walk on this machine, with nothing installed and nothing paid."""

import shlex
import shutil
import sys
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
    serve: Annotated[
        bool, typer.Option("--serve", help="Stay up until Ctrl-C, for other commands in a second terminal.")
    ] = False,
) -> None:
    """Run a made catalog through the pipeline against the simulator, and write a contact sheet of the result.

    Kafka is the broker inside librdkafka, the store is a folder, PixelAPI is simulated: no account, no cost.
    """
    import uvloop  # noqa: PLC0415 - help stays quick

    from stream.demo.run import DemoOptions, run_demo  # noqa: PLC0415

    raise typer.Exit(uvloop.run(run_demo(DemoOptions(out=out, count=count, serve=serve, command=_called()))))


def _called() -> str:
    """How the person at the terminal calls this program: by name where their shell finds it, else by its path."""
    given = Path(sys.argv[0])
    found = shutil.which("skustream")
    if given.name != "skustream" or (found is not None and Path(found).resolve() == given.resolve()):
        return "skustream"
    here = Path.cwd()
    return shlex.quote(str(given.relative_to(here) if given.is_relative_to(here) else given))
