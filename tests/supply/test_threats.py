"""SECURITY.md: every threat names what proves its defence, and those tests exist."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()
DEMANDED = ("SSRF", "Bombs", "Poisoned events", "Stolen key", "Hostile console input", "Supply chain")


def rows() -> list[list[str]]:
    """Threat, defence, proofs."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| **")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@cache
def names_of(path: str) -> frozenset[str]:
    """Names of the tests of a file, those of classes too."""
    tree = ast.parse((ROOT / path).read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_every_threat_has_tests_and_they_exist() -> None:
    assert all(len(row) == 3 for row in rows())
    told = {row[0]: re.findall(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`", row[2]) for row in rows()}
    assert all(told.values())
    assert [(path, name) for tests in told.values() for path, name in tests if name not in names_of(path)] == []


def test_the_threats_that_matter_are_there() -> None:
    names = " ".join(row[0] for row in rows())
    assert [threat for threat in DEMANDED if f"**{threat}**" not in names] == []


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert [link for link in links if not (ROOT / link).exists()] == []
