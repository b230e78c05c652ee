"""`skustream dlq`: letters, found, shown, and put back."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.front import AsJson, Config, Servers, TopicPrefix, group, say_json

if TYPE_CHECKING:
    from stream.letters.letter import Letter

app = group("Find, read and put back dead letters.")
Topic = Annotated[str | None, typer.Option(help="Another dead-letter topic, anybody's; default: this deployment's.")]
EXAMPLES = """Examples:

  skustream dlq list

  skustream dlq list --topic connect-dlq --limit 0 --json
"""


@app.command("list", epilog=EXAMPLES)
def list_(
    *,
    topic: Topic = None,
    limit: Annotated[int, typer.Option(min=0, help="Letters shown at most; 0: all.")] = 50,
    config: Config = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    as_json: AsJson = False,
) -> None:
    """List letters, oldest first, as they are found."""
    from stream import settings  # noqa: PLC0415 - help stays quick
    from stream.letters.finding import open_drawer  # noqa: PLC0415
    from stream.topics import Topics  # noqa: PLC0415

    chosen = settings.load({
        "config": config, "kafka_bootstrap_servers": bootstrap_servers, "topic_prefix": topic_prefix,
    })  # fmt: skip
    with open_drawer(chosen.kafka_client(), topic or Topics(chosen.topic_prefix).dead_letter) as drawer:
        for letter in islice(drawer.read(), limit or None):
            if as_json:
                say_json(dict(zip(("letter", "stage", "reason", "sku_id", "error"), _cells(letter), strict=True)))
            else:
                typer.echo("\t".join(_cells(letter)))


def _cells(letter: "Letter") -> Iterator[str]:
    for text in (str(letter.at), letter.stage, letter.reason, letter.sku_id, letter.error):
        yield "".join(character if character.isprintable() else " " for character in text)
