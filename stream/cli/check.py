"""`skustream check`: everything that can be known before the first event, one line per finding with the way out."""

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.front import AsJson, Config, PipelineFile, Servers, TopicPrefix, say_json
from stream.cli.topics import role_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.checkup.findings import Finding

EXAMPLES = """Examples:

  skustream check

  skustream check --offline --pipeline my-pipeline.yaml

  skustream check --no-api --json

  skustream check --no-api --role operator

Exit codes, the first that applies: 2 settings, pipeline file or price book wrong; 3 something did not answer;
1 something answered and is not as it must be; 0 all fine, warnings included.
"""
MARKS = {
    "ok": ("✓", "green"), "info": ("·", "dim"), "warning": ("!", "yellow"), "error": ("✗", "red"),
    "unavailable": ("?", "magenta"), "wrong": ("✗", "red"),
}  # fmt: skip


def check(
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Read settings and files only; ask nobody.")] = False,
    no_api: Annotated[
        bool, typer.Option("--no-api", help="Leave PixelAPI alone: its questions cost requests.")
    ] = False,
    show_defaults: Annotated[bool, typer.Option("--all", help="Show settings at their defaults, too.")] = False,
    role: Annotated[
        str, typer.Option(help="Whose rights with Kafka: worker, topics, pim, submit, reader or operator.")
    ] = "worker",
    timeout: Annotated[float, typer.Option(min=1, max=600, help="Seconds for each of Kafka, store and API.")] = 15,
    config: Config = None,
    pipeline: PipelineFile = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    store: Annotated[str | None, typer.Option(help="s3://bucket/prefix or file:///absolute/path.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check settings, pipeline and prices, then ask Kafka (topics, limits, rights), the store, and PixelAPI.

    Nothing is bought. PixelAPI is sent 2 requests (balance, dialect), or 3 where it speaks the article's dialect;
    a fleet at work does not know of them. Secrets are never shown.
    """
    found, scrub = _findings(
        {"config": config, "pipeline": pipeline, "kafka_bootstrap_servers": bootstrap_servers,
         "topic_prefix": topic_prefix, "store": store},
        {"offline": offline, "api": not no_api, "part_seconds": timeout, "with_defaults": show_defaults,
         "role": role_of(role)},
    )  # fmt: skip
    from stream.checkup.findings import exit_code  # noqa: PLC0415 - help stays quick

    if as_json:
        _answer(found, exit_code(found), scrub)
    else:
        _tell(found, scrub)
    raise typer.Exit(exit_code(found))


def _findings(flags: dict[str, Any], scope: dict[str, Any]) -> "tuple[list[Finding], Callable[[str], str]]":
    """What was found, and what takes every secret out of it."""
    from stream import logs  # noqa: PLC0415 - help stays quick
    from stream.checkup.examine import Scope, examine  # noqa: PLC0415
    from stream.checkup.findings import Area, Finding, Mark, wrong  # noqa: PLC0415
    from stream.checkup.lint import lint_pipeline  # noqa: PLC0415
    from stream.core.errors import Misconfigured  # noqa: PLC0415
    from stream.settings import load  # noqa: PLC0415

    try:
        chosen = load(flags)
    except Misconfigured as error:
        rest = Finding(Mark.INFO, Area.SETTINGS, "nothing else was checked", "put the settings right first")
        walk = lint_pipeline(flags["pipeline"])[1] if flags["pipeline"] else []
        return [*wrong(Area.SETTINGS, error), *walk, rest], logs.Scrubber().scrub
    scrubber = logs.configure("console", "error", secrets=chosen.secrets())
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)  # it says again and again what one finding says
    return asyncio.run(examine(chosen, Scope(**scope))), scrubber.scrub


def _answer(found: "list[Finding]", code: int, scrub: "Callable[[str], str]") -> None:
    rows = [
        {"mark": each.mark.value, "area": each.area.value, "what": scrub(each.what), "way_out": scrub(each.way_out)}
        for each in found
    ]
    say_json({"exit_code": code, "findings": rows})


def _tell(found: "list[Finding]", scrub: "Callable[[str], str]") -> None:
    from rich.console import Console  # noqa: PLC0415 - help stays quick
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    for each in found:
        sign, colour = MARKS[each.mark.value]
        words = each.what + (f" → {each.way_out}" if each.way_out else "")
        line = Text(f"{sign} {each.mark.value:<11} ", style=colour)
        line.append(f"{each.area.value:<8}  ", style="bold").append(_one_line(scrub(words)), style="default")
        console.print(line, soft_wrap=True)


def _one_line(text: str) -> str:
    """Foreign words may hold line ends and control characters: a finding is one line, and writes over nothing."""
    return "".join(each if each.isprintable() else " " for each in text)
