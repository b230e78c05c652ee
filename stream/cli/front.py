"""The counter between a person and the commands: shared flags, exit codes, and errors as one line.

Comes in: exceptions of the rooms behind. Goes out: a sentence on stderr and a documented exit code; no traceback for
what a person can put right.
"""

import errno
import json
import logging
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stream.core.errors import Misconfigured, StreamError, Unavailable


class Exit(IntEnum):
    """What a script may rely on."""

    OK = 0
    FAILED = 1
    MISCONFIGURED = 2
    UNAVAILABLE = 3
    INTERRUPTED = 130


EXIT_CODES = (
    "Exit codes: 0 ok; 1 failed; 2 wrong usage, settings or catalog; 3 something around us is unavailable at the "
    "start, or refuses us; 130 interrupted."
)


FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""A disk, or the file that stdout is."""
_CHATTER = logging.getLogger("librdkafka")


class Front(TyperGroup):
    """Turns errors made for a person into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        # In a command that sets up no logs, Python would print each of its failed connections.
        _CHATTER.addHandler(logging.NullHandler())
        try:
            return super().invoke(ctx)
        except Misconfigured as error:
            raise _told(error, Exit.MISCONFIGURED) from None
        except Unavailable as error:
            way_out = f"; {error.way_out}" if error.way_out else ""
            raise _told(f"{error}{way_out}", Exit.UNAVAILABLE, prefix=f"unavailable ({error.resource}): ") from None
        except StreamError as error:
            raise _told(error, Exit.FAILED) from None
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise _told(error, Exit.UNAVAILABLE, prefix="unavailable (disk): ") from None


def _told(error: Exception | str, code: Exit, *, prefix: str = "") -> typer.Exit:
    """One line each. What brokers and servers say is foreign text: it writes over nothing on a terminal."""
    for line in str(error).splitlines():
        shown = "".join(each if each.isprintable() else " " for each in line)
        typer.echo(f"skustream: {prefix}{shown}", err=True)
    return typer.Exit(code)


Config = Annotated[Path | None, typer.Option(help="Settings file (YAML); else the one SKUSTREAM_CONFIG names.")]
PipelineFile = Annotated[
    Path | None, typer.Option("--pipeline", help="Pipeline file (YAML); default: the shipped one.")
]
TopicPrefix = Annotated[str | None, typer.Option(help="First part of every topic and group name.")]
Servers = Annotated[str | None, typer.Option("--bootstrap-servers", help="Kafka, as host:port[,host:port].")]
Store = Annotated[str | None, typer.Option(help="s3://bucket/prefix or file:///absolute/path.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def group(help_text: str) -> typer.Typer:
    """A Typer with the house's manners."""
    return typer.Typer(
        cls=Front, help=help_text, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
        rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip


def say_json(answer: object, *, indent: int | None = 2) -> None:
    """One JSON document on stdout; without `indent` as one line."""
    typer.echo(json.dumps(answer, indent=indent, default=str))
