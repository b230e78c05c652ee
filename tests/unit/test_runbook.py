"""The runbook: a page for each reason and each alert, agreeing with cards and rules; anchors; commands to be typed."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from stream.cli.main import app
from stream.core.errors import Reason
from stream.core.reasons import CARDS
from stream.metrics.catalogue import CATALOGUE
from tests.oncall.rules import ALERTS
from tests.unit.test_docs import DOCS, ROOT, code, rows

RUNBOOK = DOCS / "runbook"
PAGES = sorted(RUNBOOK.glob("*.md"))
TYPED = [
    ROOT / "README.md",
    DOCS / "operations.md",
    DOCS / "reasons.md",
    DOCS / "dead-letters.md",
    DOCS / "replay.md",
    *PAGES,
]
"""Pages whose commands are parsed."""


def words(text: str) -> str:
    """Text without marks and line breaks."""
    return " ".join(text.replace("`", "").replace("**", "").split())


def commands(page: Path) -> list[str]:
    """Every `skustream ...` that stands in a block, as typed; what a shell does with it is left out."""
    blocks = re.findall(r"```(?:sh)?\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line.removeprefix("$ ").removeprefix(".venv/bin/") for block in blocks for line in block.splitlines()]
    return [line.split(" | ")[0] for line in lines if line.startswith("skustream ") and "..." not in line]


def parse(line: str) -> None:
    """As the command line would be read, and nothing done. Raises a usage error."""
    command: Any = get_command(app)
    typed = shlex.split(line, comments=True)[1:]
    while subcommands := getattr(command, "commands", None):
        command = subcommands[typed.pop(0)]
    command.make_context("skustream", typed)


def test_the_table_of_reasons_agrees_with_their_cards() -> None:
    table = [row for row in rows((DOCS / "reasons.md").read_text()) if len(row) == 7]
    assert [code(row[0])[0] for row in table] == list(Reason)
    for row, (reason, card) in zip(table, CARDS.items(), strict=True):
        assert row[0] == f"[`{reason}`](runbook/{reason}.md)"
        assert [words(cell) for cell in row[1:5]] == [card.fault, card.replay, card.what, card.way_out]
        assert row[5:] == ["yes" if card.may_wait else "no", "no" if card.is_malformed else "yes"]


def test_each_reason_has_a_page_and_the_index_names_them_all() -> None:
    assert {page.stem for page in PAGES} == {*Reason, *ALERTS, "README"}
    index = [row for row in rows((RUNBOOK / "README.md").read_text()) if len(row) == 2]
    assert [row[0] for row in index] == [f"[`{reason}`]({reason}.md)" for reason in Reason]
    assert [words(row[1]) for row in index] == [card.what for card in CARDS.values()]


@pytest.mark.parametrize("reason", Reason)
def test_a_page_agrees_with_its_card(reason: Reason) -> None:
    card, text = CARDS[reason], (RUNBOOK / f"{reason}.md").read_text()
    assert text.startswith(f"# `{reason}`\n")
    told = words(text)
    assert f"{card.what} {card.way_out} Fault: {card.fault}. Replay: {card.replay}." in told
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["What it means", "Confirm", "Do", "A replay"]
    assert ("never counted by the flood stop" in re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", told)) is card.is_malformed
    assert ("what-is-tried-again-first" in text) is card.may_wait
    typed = commands(RUNBOOK / f"{reason}.md")
    assert any(line.startswith("skustream dlq ") and f"--reason {reason}" in line for line in typed)
    others = {word for line in typed for word in re.findall(r"--reason (\S+)", line)} - {reason}
    assert not others, "a command about another reason, copied"


def test_the_index_names_every_alert_with_its_severity() -> None:
    index = [row for row in rows((RUNBOOK / "README.md").read_text()) if len(row) == 3]
    assert [row[:2] for row in index] == [
        [f"[`{name}`]({name}.md)", rule["labels"]["severity"]] for name, rule in ALERTS.items()
    ]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alerts_page_says_what_it_means_and_what_to_type(alert: str) -> None:
    text = (RUNBOOK / f"{alert}.md").read_text()
    assert text.startswith(f"# `{alert}`\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["What it means", "Confirm", "Do"]
    confirm = text.partition("## Confirm\n")[2].partition("## Do\n")[0]
    blocks = re.findall(r"```sh\n(.*?)```", confirm, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert lines
    for line in lines:
        assert line.startswith(("skustream ", "curl -s ")), line
        for asked in re.findall(r"127\.0\.0\.1:9464(/\w+)", line):
            assert asked in {"/metrics", "/livez", "/readyz"}
        for pattern in re.findall(r"grep -E '(.*)'", line):
            assert any(re.search(pattern, metric.name) for metric in CATALOGUE), line
    assert len(re.findall(r"^- ", text.partition("## Do\n")[2], re.MULTILINE)) >= 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_whatever_changes_something_is_shown_as_a_dry_run_first(page: Path) -> None:
    for line in commands(page):
        if line.startswith(("skustream dlq replay", "skustream dlq discard")):
            assert line.endswith(" --dry-run"), line


@pytest.mark.parametrize("page", TYPED, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_shown_can_be_typed(page: Path) -> None:
    for line in commands(page):
        if page.parent != RUNBOOK and not line.startswith("skustream dlq "):
            continue  # others may name files that are made first
        try:
            parse(line)
        except Exception as error:
            raise AssertionError(f"{page.name}: {line}: {error}") from error


def test_a_command_that_cannot_be_typed_is_found() -> None:
    with pytest.raises(Exception, match="--resaon"):
        parse("skustream dlq list --resaon job-failed")


def test_anchors_lead_to_headings() -> None:
    for page in [DOCS / "reasons.md", *PAGES]:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([a-z0-9-]+)\)", page.read_text()):
            text = (page.parent / target if target else page).read_text()
            headings = {
                re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-")
                for h in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            }
            assert anchor in headings, f"{page.name}: {target}#{anchor}"
