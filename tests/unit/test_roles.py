"""The rights on the page are those that the code asks for and that the tests on a real broker give."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stream.cli.main import app
from stream.pipeline import default_pipeline
from stream.roles import Grant, Kind, Role, grants
from stream.topics import Topics

PAGE = Path(__file__).parents[2] / "docs/security.md"
MAP, TOPICS = default_pipeline(), Topics()


def table() -> list[str]:
    """Every resource with what each role may do there, as lines of Markdown."""
    held = {role: grants(role, TOPICS, MAP) for role in Role}
    resources = dict.fromkeys((each.kind, each.name, each.is_prefix) for wanted in held.values() for each in wanted)
    lines = [f"| | {' | '.join(Role)} |", f"|---{'|---' * len(Role)}|"]
    for kind, name, is_prefix in resources:
        cells = [
            ", ".join(one for each in held[role] if (each.kind, each.name) == (kind, name) for one in each.operations)
            for role in Role
        ]
        pattern = ", prefixed" if is_prefix else ""
        lines.append(f"| {kind} `{name}`{pattern} | {' | '.join(cells)} |".replace("|  ", "| "))
    return lines


def test_the_page_has_every_right_of_every_role() -> None:
    text = PAGE.read_text()
    (shown,) = re.findall(r"<!-- rights -->\n(.*?)\n\n", text, re.DOTALL)
    assert shown.splitlines() == table()


def test_the_command_says_them_for_any_prefix_and_stage() -> None:
    words = [
        "topics",
        "acls",
        "--role",
        "worker",
        "--principal",
        "User:w",
        "--topic-prefix",
        "shop",
        "--stage",
        "upscale",
    ]
    told = CliRunner().invoke(app, words, env={"SKUSTREAM_TOPIC_PREFIX": ""})
    assert told.exit_code == 0
    assert told.stdout.splitlines() == [
        grant.command("User:w") for grant in grants(Role.WORKER, Topics("shop"), MAP, ["upscale"])
    ]
    assert "--group shop.upscale\n" in told.stdout
    assert "--transactional-id shop.upscale. --resource-pattern-type prefixed" in told.stdout
    assert "shop.lifestyle." not in told.stdout


def test_a_role_that_is_none_is_refused_with_those_there_are() -> None:
    told = CliRunner().invoke(app, ["topics", "acls", "--role", "root"])
    assert told.exit_code == 2
    assert told.stderr == "skustream: --role: got 'root'; expected worker, topics, pim, submit, reader, operator\n"


@pytest.mark.parametrize("role", list(Role))
def test_no_role_may_delete_alter_or_do_anything_at_all(role: Role) -> None:
    held: list[Grant] = grants(role, TOPICS, MAP)
    beginning = f"{TOPICS.prefix}."
    assert {one for each in held for one in each.operations} <= {
        "Read", "Write", "Describe", "DescribeConfigs", "Create",
    }  # fmt: skip
    assert all(len(each.name) > len(beginning) and each.name.startswith(beginning) for each in held)
    if role is not Role.OPERATOR:
        written = {each.name for each in held if "Write" in each.operations}
        assert not written & {TOPICS.replays, TOPICS.operator}


def test_a_worker_of_one_stage_writes_nothing_that_lies_before_it() -> None:
    """It would not start without such a right, and could put back what others have done."""
    for stage in MAP.stages:
        held = grants(Role.WORKER, TOPICS, MAP, [stage.name])
        used = {each.name for each in held if each.kind is Kind.TOPIC and {"Read", "Write"} & set(each.operations)}
        assert used == MAP.touches(stage.name, TOPICS)
        ends = {TOPICS.completed, TOPICS.dead_letter, *TOPICS.retries()}
        written = {each.name for each in held if each.kind is Kind.TOPIC and "Write" in each.operations}
        assert written == ends | set(MAP.topics_between(TOPICS)[MAP.index(stage.name) :])
