"""`skustream dlq show`: one letter, with everything that is known about it."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.dlq_looking import connected, read_all_marks, states, topic_of
from stream.cli.front import AsJson, Config, Servers, TopicPrefix
from stream.core.errors import Misconfigured, StreamError, shown

if TYPE_CHECKING:
    from stream.letters.letter import LetterId
    from stream.settings import Settings

EXAMPLES = """Examples:

  skustream dlq show 3/1041

  skustream dlq show product-images.dead-letter/3/1041 --json

Secrets (signatures in URLs, keys, passwords) are masked. Exits 1 when no letter lies there (any more).
"""
WIDTH = 13
MAX_LINES = 200
MAX_LINE_CHARACTERS = 2_000
MAX_HEADERS = 100
ASCII_END = 128
LABELS = (
    ("state", "state"), ("time", "written"), ("stage", "stage"), ("reason", "reason"), ("error", "error"),
    ("sku_id", "sku"), ("image_id", "image"), ("batch_id", "batch"), ("event_id", "event id"),
    ("priority", "priority"), ("attempts", "attempts"), ("replay", "replay"), ("operation", "operation"),
    ("job_key", "job key"), ("job_ids", "job ids"), ("credits", "credits"), ("credits_in_doubt", "in doubt"),
    ("dialect", "dialect"), ("fingerprint", "fingerprint"), ("trace_id", "trace id"),
)  # fmt: skip
MARK_LABELS = (("by", "by"), ("at", "at"), ("why", "why"), ("filter", "filter"), ("plan_id", "plan"))


class NoLetter(StreamError):
    """It aged out, or never was."""


def show(
    letter: Annotated[str, typer.Argument(help="topic/partition/offset, or partition/offset.")],
    *,
    topic: Annotated[str | None, typer.Option(help="The topic of a short one; default: this deployment's.")] = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    as_json: AsJson = False,
) -> None:
    """Show one letter: everything decoded, what the reason means, what was tried, what was decided."""
    chosen = connected(config, bootstrap_servers, topic_prefix)
    found = _document(chosen, place_of(letter, topic_of(chosen, topic)))
    if as_json:
        typer.echo(json.dumps(found, indent=2, default=str).replace("\x7f", "\\u007f"))
    else:
        for line in _lines(found):
            typer.echo(line)


def place_of(text: str, topic: str) -> "LetterId":
    """The letter that is meant; a short one lies in `topic`. Raises `Misconfigured`."""
    from stream.replays.book import parse_letter_id  # noqa: PLC0415 - help stays quick

    whole = f"{topic}/{text}" if text.count("/") == 1 else text
    try:
        return parse_letter_id(whole)
    except ValueError as error:
        raise Misconfigured(f"got {shown(text)}; expected partition/offset, or {error}") from None


def _document(chosen: "Settings", at: "LetterId") -> dict[str, Any]:
    from stream.letters.document import document  # noqa: PLC0415 - help stays quick
    from stream.letters.finding import find_letter  # noqa: PLC0415
    from stream.letters.times import written  # noqa: PLC0415

    letter = find_letter(chosen.kafka_client(), at)
    if letter is None:
        raise NoLetter(f"no letter lies at {at}: it aged out, or never was")
    marks = read_all_marks(chosen)
    mark = marks.of(at, letter.timestamp_ms)
    told = None if mark is None else {**mark.model_dump(mode="json"), "at": written(mark.at_ms) or None}
    return document(letter, states(marks)(letter), told)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"letter {found['letter']}"
    yield from _pairs(found, LABELS)
    origin = found["origin"]
    if origin is not None:
        place = f"{origin['topic']}/{origin['partition']}/{origin['offset']}"
        index = f", event {origin['index']} of the record" if origin["index"] else ""
        yield _pair("origin", f"{place}{index}{', ' + origin['time'] if origin['time'] else ''}")
    yield from _meaning(found["meaning"])
    yield from _mark(found["mark"])
    yield from _history(found["history"])
    yield from _headers(found["headers"])
    yield from _value(found)
    if found["traceback"]:
        yield from _block("traceback", found["traceback"].splitlines())


def _meaning(meaning: dict[str, str] | None) -> Iterator[str]:
    if meaning is not None:
        yield ""
        yield _pair("what", meaning["what"])
        yield _pair("way out", meaning["way_out"])
        yield _pair("fault", f"{meaning['fault']}; replay helps: {meaning['replay']}")


def _mark(mark: dict[str, Any] | None) -> Iterator[str]:
    if mark is not None:
        stage = f", at stage {mark['stage']}" if mark["stage"] else ""
        number = f" as replay {mark['replay']}" if mark["replay"] else ""
        yield from _block(f"{mark['fate']}{number}{stage}", ())
        yield from _pairs(mark, MARK_LABELS)


def _history(history: list[dict[str, Any]]) -> Iterator[str]:
    lines = (f"{each['at'] or '':<21}{_clean(each['word']):<20}{_clean(each['cause'])}" for each in history)
    if history:
        yield from _block("what was tried", lines)


def _headers(headers: list[dict[str, Any]]) -> Iterator[str]:
    lines = [f"{_clean(each['name'])}: {_clean(each['value'] or '')}" for each in headers[:MAX_HEADERS]]
    if len(headers) > MAX_HEADERS:
        lines.append(f"… and {len(headers) - MAX_HEADERS:,} more")
    yield from _block(f"headers ({len(headers)})", lines)


def _value(found: dict[str, Any]) -> Iterator[str]:
    kind, value = found["value_kind"], found["value"]
    yield from _block(f"key: {_clean(found['key']) if found['key'] is not None else '(none)'}", ())
    if kind == "json":
        yield from _block(f"value ({found['value_bytes']:,} bytes)", _pretty(value))
        if isinstance(value, dict) and value.get("raw") and found["event"]:
            yield from _block("event (the value's `raw`)", _pretty(found["event"]))
    elif kind == "base64":
        yield from _block(f"value ({found['value_bytes']:,} bytes, no text)", _hex(value))
    else:
        yield from _block(f"value ({found['value_bytes']:,} bytes)", (value or "").splitlines())


def _pretty(value: Any) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False).splitlines()


def _hex(value: str) -> Iterator[str]:
    import base64  # noqa: PLC0415 - help stays quick

    bytes_ = base64.b64decode(value)
    for begin in range(0, len(bytes_), 16):
        part = bytes_[begin : begin + 16]
        text = "".join(chr(each) if chr(each).isprintable() and each < ASCII_END else "." for each in part)
        yield f"{begin:08x}  {part.hex(' '):<47}  {text}"


def _pairs(found: dict[str, Any], labels: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, label in labels:
        value = found.get(name)
        text = ", ".join(value) if isinstance(value, list) else str(value or "")
        if text and not (name.startswith("credits") and text == "0"):
            yield _pair(label, text)


def _pair(label: str, text: str) -> str:
    return f"{label:<{WIDTH}}{_clean(text)}"


def _block(title: str, lines: Any) -> Iterator[str]:
    yield ""
    yield title
    for number, line in enumerate(lines):
        if number == MAX_LINES:
            yield "  … cut here; --json has all of it"
            return
        yield f"  {_clean(line)}"


def _clean(text: str) -> str:
    from stream.letters.masking import printable  # noqa: PLC0415 - help stays quick

    return printable(text, MAX_LINE_CHARACTERS)
