"""What Grafana does between a board's file and Prometheus: variables put in, windows chosen, questions asked.

Comes in: a board's JSON, what a person chose. Goes out: for each query and each variable, the answer of a Prometheus.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

ALL = "$__all"
POINTS = 300
"""A panel asks for about as many points as it is wide."""
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::\w+)?\})")
_SPECIAL = re.compile(r"[\\^$.*+?()|\[\]{}/-]")


@dataclass(frozen=True, slots=True)
class Moment:
    """What a board shows, in Unix seconds, of a Prometheus that scrapes so often."""

    since: float
    until: float
    scrape_seconds: float

    @property
    def step_seconds(self) -> float:
        """Grafana's `$__interval`: never finer than scrapes are."""
        return max((self.until - self.since) / POINTS, self.scrape_seconds)

    def words(self) -> dict[str, str]:
        """Grafana's own variables."""
        window = max(self.step_seconds + self.scrape_seconds, 4 * self.scrape_seconds)
        return {
            "__interval": f"{self.step_seconds * 1000:.0f}ms",
            "__rate_interval": f"{window * 1000:.0f}ms",
            "__range": f"{self.until - self.since:.0f}s",
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of one panel, with variables put in."""

    panel: str
    expr: str
    is_instant: bool
    legend: str = ""

    def saying(self, expr: str) -> "Asked":
        """The same with another expression."""
        return replace(self, expr=expr)


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every panel with queries."""
    return [panel for panel in board["panels"] if panel["type"] not in {"row", "text"}]


def words_of(board: Mapping[str, Any], chosen: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Each variable's text in a query: of several values `(a|b)`, escaped; of all the variable's own word for it."""
    found = {}
    for variable in board["templating"]["list"]:
        name = variable["name"]
        if variable["type"] == "query":
            values = chosen.get(name, [ALL])
            found[name] = variable["allValue"] if list(values) == [ALL] else _several(values)
        else:
            found[name] = variable["query"]
    return found


def _several(values: Sequence[str]) -> str:
    # Twice: once for the regular expression, once for the string it stands in.
    escaped = [_SPECIAL.sub(lambda found: "\\\\" + found[0], value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def put_in(text: str, words: Mapping[str, str]) -> str:
    """`text` with its variables replaced. Raises KeyError for one that the board does not have."""
    return _VARIABLE.sub(lambda found: words[found[1] or found[2]], text)


def questions(board: Mapping[str, Any], words: Mapping[str, str]) -> Iterator[Asked]:
    """Every query of every panel."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield Asked(panel["title"], put_in(target["expr"], words), target["instant"], target["legendFormat"])


class Prometheus:
    """A Prometheus, asked as Grafana asks it."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, asked: Asked, moment: Moment) -> list[dict[str, Any]]:
        """The series of an answer. Raises ValueError with Prometheus's own words where it refuses."""
        if asked.is_instant:
            return list(self._call("query", {"query": asked.expr, "time": f"{moment.until:.3f}"})["result"])
        return list(self._call("query_range", {
            "query": asked.expr, "start": f"{moment.since:.3f}", "end": f"{moment.until:.3f}",
            "step": f"{moment.step_seconds:.3f}",
        })["result"])  # fmt: skip

    def values(self, definition: str, words: Mapping[str, str], moment: Moment) -> list[str]:
        """The values that a variable's `label_values(selector, label)` offers. Raises ValueError."""
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", put_in(definition, words))
        if found is None:
            raise ValueError(f"not a label's values: {definition}")
        told = {"match[]": found[1], "start": f"{moment.since:.3f}", "end": f"{moment.until:.3f}"}
        return list(self._call(f"label/{found[2]}/values", told))

    def _call(self, path: str, told: Mapping[str, str]) -> Any:
        address = f"http://{self._address}/api/v1/{path}?{urllib.parse.urlencode(told)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            with refused:
                raise ValueError(json.load(refused)["error"]) from None
