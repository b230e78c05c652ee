"""The rules as shipped, and what stands in their expressions."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yaml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*.yaml"))
RUNBOOK = ROOT / "docs" / "runbook"
SCRAPED = {"namespace", "job", "instance"}
"""Labels that Prometheus itself puts on."""


def all_rules() -> list[dict[str, Any]]:
    """Every rule, in the order of the files."""
    return [
        rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]
    ]  # fmt: skip


ALERTS = {rule["alert"]: rule for rule in all_rules() if "alert" in rule}
RECORDED = {rule["record"]: rule for rule in all_rules() if "record" in rule}


@dataclass(frozen=True, slots=True)
class Selector:
    """One metric in an expression, with what is asked of its labels."""

    name: str
    asked: tuple[tuple[str, str, str], ...]


def selectors(expr: str) -> list[Selector]:
    """The series that an expression reads; what rules record is left out."""
    plain = re.sub(r"\b\w+:\w+:\w+\b", "", expr)
    return [
        Selector(name, tuple(re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', asked)))
        for name, asked in re.findall(r"\b(skustream_\w+|up)\b(\{[^}]*\})?", plain)
    ]


def recorded(expr: str) -> set[str]:
    """The recorded series that an expression reads."""
    return set(re.findall(r"\b\w+:\w+:\w+\b", expr))


def matched(expr: str) -> set[str]:
    """The labels by which an expression sums and matches."""
    found = re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", expr)
    return {label.strip() for labels in found for label in labels.split(",")}
