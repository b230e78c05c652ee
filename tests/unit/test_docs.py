"""The pages are compared with the code: settings, reasons, examples, headers, states, commands, links cannot drift."""

import re
from decimal import Decimal
from enum import Enum
from pathlib import Path

import pytest
from pydantic import ByteSize
from typer.main import get_command

from stream.broker.port import InRecord
from stream.cli.front import Exit
from stream.cli.main import app
from stream.core.errors import Reason, Rejected, Resource
from stream.core.reasons import CARDS
from stream.events import Frozen, Origin, Priority, RawEvent, read_raw
from stream.ledger.port import LedgerState
from stream.letters.dialects import read_letter
from stream.letters.document import document
from stream.letters.letter import Dialect
from stream.metrics.catalogue import CATALOGUE, PREFIX
from stream.notifications.pattern import DEFAULT_PATTERN, KeyPattern
from stream.notifications.reading import EntryReader
from stream.pipeline import default_pipeline, read_pipeline
from stream.prices import load_prices, shipped_books
from stream.records import Terminal, first_record, read_stage_record
from stream.runtime.dead_letters import write_letter
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter
from stream.settings import Settings
from stream.settings.kafka_options import ENVIRONMENT_PREFIX, REFUSED
from stream.settings.reading import CONFIG, environment_names

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
NOT_SET = "—"
LETTER_FACTS = ("job-key", "job-ids", "operation", "credits", "credits-in-doubt")


def section(page: Path, title: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", page.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{page.name} has no heading {title!r}"
    return found[2]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, headings and rulers left out."""
    lines = text.splitlines()
    bodies = [
        line for above, line in zip(["", *lines], lines, strict=False) if line.startswith("| ") and above[:1] == "|"
    ]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in bodies]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def examples(kind: str) -> list[str]:
    pattern = rf"<!-- example: {kind} -->\n```json\n(.*?)```"
    return re.findall(pattern, (DOCS / "events.md").read_text(), re.DOTALL)


def default_of(field: str) -> str:
    value = Settings.model_fields[field].get_default(call_default_factory=True)
    if value is None or value == ():
        return NOT_SET
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, ByteSize):
        return value.human_readable()
    if isinstance(value, Enum):
        return str(value.value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_settings_are_all_described_with_their_true_defaults() -> None:
    told = {tuple(code(row[0])): row[1].strip("`") for row in rows((DOCS / "settings.md").read_text()) if len(row) == 3}
    true = {environment_names(field): default_of(field) for field in Settings.model_fields if field != "kafka"}
    assert told == {**true, (f"{ENVIRONMENT_PREFIX}*",): NOT_SET}


def test_refused_kafka_options_are_told_with_the_law_they_would_break() -> None:
    table = rows(section(DOCS / "settings.md", "librdkafka's own options"))
    assert {code(row[0])[0]: row[1] for row in table} == dict(REFUSED)


def test_the_retries_shown_pass_the_lint() -> None:
    text = (DOCS / "reasons.md").read_text()
    (shown,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    stage = read_pipeline(f"stages:\n{shown}", source="reasons.md").stages[0]
    assert Reason.JOB_OVERDUE not in stage.retry_plan
    told = section(DOCS / "reasons.md", "What is tried again first")
    sentence = re.findall(r"`\[\]` is a letter at once\. (.*?) may wait", told, re.DOTALL)[0]
    plain = set(re.findall(r"`([a-z-]+)`", sentence))
    assert plain | {"retries-exhausted", "job-overdue"} == {word for word, card in CARDS.items() if card.may_wait}


def test_the_page_for_pim_engineers_sorts_every_reason() -> None:
    table = rows(section(DOCS / "pim.md", "When it is a letter"))
    told = [reason for row in table for reason in code(row[0])]
    assert sorted(told) == sorted(Reason)


def test_every_resource_that_pauses_intake_is_told() -> None:
    table = rows(section(DOCS / "reasons.md", "What is not a letter"))
    assert [code(row[0])[0] for row in table] == list(Resource)


@pytest.mark.parametrize("text", examples("raw-event"))
def test_the_raw_events_shown_are_accepted(text: str) -> None:
    assert default_pipeline().route(read_raw(text.encode()))


def test_every_field_of_a_raw_event_is_described() -> None:
    table = rows(section(DOCS / "events.md", "Raw-image event, version 1"))
    assert [code(row[0])[0] for row in table] == list(RawEvent.model_fields)
    required = {name for name, field in RawEvent.model_fields.items() if field.is_required()}
    assert {code(row[0])[0] for row in table if row[1] == "yes"} == required


def test_the_refused_events_shown_are_refused_in_the_words_shown() -> None:
    complaints = re.findall(r"<!-- complaint -->\n> (.*)", (DOCS / "events.md").read_text())
    assert len(complaints) == len(examples("refused-event")) > 0
    for text, complaint in zip(examples("refused-event"), complaints, strict=True):
        with pytest.raises(Rejected) as refused:
            default_pipeline().route(read_raw(text.encode()))
        assert str(refused.value) == complaint


def test_the_stage_record_shown_is_one() -> None:
    (text,) = examples("stage-record")
    record = read_stage_record(text.encode())
    assert_all_fields_shown(text, record)


def test_the_notification_shown_means_the_event_shown() -> None:
    (text,) = examples("notification")
    origin = Origin(topic="product-images.raw", partition=0, offset=0)
    reader = EntryReader(KeyPattern.parse(DEFAULT_PATTERN))
    found = reader.read(text.encode(), origin, timestamp_ms=0, priority=Priority.LIVE, started_at=1_795_400_000.0)
    (record,) = found.events
    assert f"{record.raw}\n" in examples("raw-event")
    assert found.ignored == ("ObjectRemoved:Delete",)


def test_the_terminal_record_shown_is_one() -> None:
    (text,) = examples("terminal-record")
    assert_all_fields_shown(text, Terminal.model_validate_json(text))


def assert_all_fields_shown(text: str, model: Frozen) -> None:
    assert [name for name in type(model).model_fields if f'"{name}":' not in text] == []


def letter_headers() -> set[str]:
    """The headers of a letter that has everything: read, about a job, with a traceback."""
    value = examples("raw-event")[0].encode()
    record = InRecord("product-images.raw", 0, 7, b"MUG-1", value, 0)
    origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
    read = first_record(value, origin, timestamp_ms=0, priority=Priority.LIVE, started_at=0.0)
    verdict = DeadLetter(Reason.BUG, "error", traceback="where", facts=dict.fromkeys(LETTER_FACTS, "1"))
    return {
        name
        for name, _ in write_letter(
            "product-images.dead-letter", "upscale", record, verdict, past=Past(), read=read
        ).headers
    }


def test_the_headers_of_a_letter_are_all_described() -> None:
    table = rows(section(DOCS / "events.md", "Letter"))
    assert {name for row in table for name in code(row[0])} == letter_headers()


def test_the_state_machine_drawn_has_the_ledgers_states() -> None:
    drawing = re.findall(r"```mermaid\n(.*?)```", (DOCS / "architecture.md").read_text(), re.DOTALL)[0]
    arrows = re.findall(r"^\s*([a-z]+|\[\*\]) --> ([a-z]+|\[\*\])", drawing, re.MULTILINE)
    assert {state for arrow in arrows for state in arrow} - {"[*]"} == set(LedgerState)


def test_the_walk_drawn_is_the_packages() -> None:
    import stream  # noqa: PLC0415 - its docstring is the walk

    assert stream.__doc__
    drawn = re.findall(r"```\n(broker\.poll.*?)```", (DOCS / "architecture.md").read_text(), re.DOTALL)[0]
    assert [line.strip() for line in drawn.splitlines()] == [
        line.strip() for line in stream.__doc__.splitlines() if line.startswith("    ")
    ]


def test_the_price_books_told_are_the_shipped_ones() -> None:
    table = [row for row in rows((DOCS / "money.md").read_text()) if len(row) == 6]
    told = {code(row[0])[0]: [Decimal(cell) for cell in row[2:5]] for row in table}
    books = shipped_books()
    assert told == {
        name: [book.credits[each] for each in ("remove-bg", "replace-bg", "upscale")] for name, book in books.items()
    }
    plans = [row for row in rows((DOCS / "money.md").read_text()) if len(row) == 5]
    for name, dollars, credits_, rate, rate_in_may in plans:
        for book in books.values():
            plan = book.plan(name)
            figures = (plan.dollars, plan.credits, plan.requests_per_minute)
            shown = (dollars, credits_, rate_in_may if book is books["may-2026"] else rate)
            assert [f"{figure:,}" if figure is not None else "unknown" for figure in figures] == [
                cell.partition(":")[0] for cell in shown
            ]


def test_the_price_book_shown_can_be_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"<!-- example: price-book -->\n```yaml\n(.*?)```", (DOCS / "money.md").read_text(), re.DOTALL)
    (tmp_path / "book.yaml").write_text(text)
    assert load_prices(str(tmp_path / "book.yaml")).credits["upscale"] == Decimal("45.5")


def test_the_commands_and_exit_codes_told_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    table = rows(section(ROOT / "README.md", "Commands and exit codes"))
    told = {name.removeprefix("skustream ") for row in table for name in code(row[0])}
    group = get_command(app)
    true = set()
    for name, command in getattr(group, "commands", {}).items():
        true |= {f"{name} {sub}" for sub in getattr(command, "commands", {})} or {name}
    assert told == true
    assert [int(row[0]) for row in table if row[0].isdigit()] == list(Exit)
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z0-9]+)", readme)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_names_and_links_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    names = {name for field in Settings.model_fields for name in environment_names(field)} | {CONFIG}
    told = {
        name
        for name in re.findall(r"\bSKUSTREAM_[A-Z0-9_]*[A-Z0-9]\b", text)
        if not name.startswith(ENVIRONMENT_PREFIX)
    }
    assert told - names - {ENVIRONMENT_PREFIX.rstrip("_")} == set()
    metrics = {metric.name for metric in CATALOGUE}
    assert {name for name in re.findall(r"(?<![:\w])skustream_[a-z0-9_]+", text) if name.startswith(PREFIX)} <= metrics
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_document_of_a_letter_is_described() -> None:
    letter = read_letter(InRecord("t", 0, 0, None, None, 0))
    table = rows(section(DOCS / "dead-letters.md", "The document"))
    assert {name for row in table for name in code(row[0])} == document(letter).keys()
    assert {name for row in table for name in code(row[1]) if row[0] == "`dialect`"} == set(Dialect)


def test_the_options_of_letters_are_described() -> None:
    table = rows(section(DOCS / "dead-letters.md", "Choosing"))
    told = {name for row in table[:6] for name in code(row[0])}
    command = get_command(app)
    listing = getattr(command, "commands", {})["dlq"].commands["list"]
    others = {
        "--limit",
        "--newest",
        "--distinct",
        "--config",
        "--bootstrap-servers",
        "--topic-prefix",
        "--json",
        "--help",
    }
    assert told == {name for option in listing.params for name in option.opts if name.startswith("--")} - others
