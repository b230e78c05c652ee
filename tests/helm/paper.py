"""What is written about the chart's values, made from `values.yaml` and the settings: `python -m tests.helm.paper`.

Comes in: the `# --` comments and defaults, `Settings`, docs/settings.md, deploy/prometheus/rules. Goes out:
`values.schema.json`, closed, `README.md`, and the rules as the chart carries them. A test compares all with what is
made anew.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stream.settings import Settings
from stream.settings.reading import environment_names
from tests.helm.value_rules import OWN_SETTINGS, RULES
from tests.oncall.rules import RULES as ALERTING

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/skustream"

INTRODUCTION = """# The chart

skustream on Kubernetes. How to install and run it, and what was proved: [docs/kubernetes.md](../../docs/kubernetes.md).
This page and `values.schema.json` are made from `values.yaml` by `python -m tests.helm.paper`. A value that is
not named here is refused, and so is one of a wrong type.

```sh
helm install catalog helm/skustream --values my-values.yaml
```

The least that must be said (`ci/` has more sets, each rendered by the tests):

```yaml
{least}
```

## Values

| value | default | meaning |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its path with dots, its default, what its comment says; `is_section` where it holds others."""

    path: str
    default: Any
    meaning: str

    @property
    def is_section(self) -> bool:
        """Whether it only holds other values."""
        return isinstance(self.default, dict) and bool(self.default)


def values() -> list[Value]:
    """Every value in the order of the file. Raises ValueError for one without a comment."""
    text = (CHART / "values.yaml").read_text()
    defaults = yaml.safe_load(text)
    found: list[Value] = []
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        if told := re.match(r"^ *# (-- )?(.*)$", line):
            comment = [told[2]] if told[1] else [*comment, told[2]] if comment else []
        elif named := re.match(r"^( *)([A-Za-z]+):", line):
            path = [*path[: len(named[1]) // 2], named[2]]
            if not comment:
                raise ValueError(f"{'.'.join(path)} in values.yaml has no `# --` comment")
            found.append(Value(".".join(path), _at(defaults, path), " ".join(comment)))
            comment = []
        else:
            comment = []
    return found


def _at(content: Any, path: list[str]) -> Any:
    for name in path:
        content = content[name]
    return content


def schema() -> dict[str, Any]:
    """The closed schema: every value has a type and a description."""
    root: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#", "title": "skustream", "type": "object",
        "additionalProperties": False,
        "properties": {
            "global": {"type": "object", "description": "Helm's own, where this chart is part of another; not read."},
        },
    }  # fmt: skip
    for value in values():
        *above, name = value.path.split(".")
        place = root
        for part in above:
            place = place["properties"][part]
        place["properties"][name] = _settings(value) if value.path == "settings" else _property(value)
    return root


def _property(value: Value) -> dict[str, Any]:
    kinds = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}
    found: dict[str, Any] = {"type": kinds[type(value.default)], "description": value.meaning}
    if value.is_section:
        return found | {"additionalProperties": False, "properties": {}}
    return found | RULES.get(value.path, {})


def _settings(value: Value) -> dict[str, Any]:
    model = Settings.model_json_schema(by_alias=False)
    told = _meanings()
    properties = {}
    for name, kind in model["properties"].items():
        if name not in OWN_SETTINGS:
            plain = {key: kind[key] for key in kind.keys() - {"default", "title", "ge", "$ref", "format"}}
            if "$ref" in kind:
                plain |= {key: model["$defs"]["Delivery"][key] for key in ("type", "enum")}
            if "anyOf" in plain:
                options = [dict(option) for option in plain.pop("anyOf") if option["type"] != "null"]
                for option in options:
                    option.pop("format", None)
                plain |= options[0] if len(options) == 1 else {"anyOf": options}
            properties[name] = {"description": told[name], **dict(sorted(plain.items()))}
    return {
        "type": "object", "description": value.meaning, "additionalProperties": False, "properties": properties,
    }  # fmt: skip


def _meanings() -> dict[str, str]:
    """Field → what docs/settings.md says of it, links taken off."""
    by_name = {environment_names(field)[0]: field for field in Settings.model_fields}
    rows = re.findall(r"^\| `([A-Z_]+)`[^|]*\|[^|]*\| (.*) \|$", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    return {by_name[name]: re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text) for name, text in rows if name in by_name}


def readme() -> str:
    """The chart's own page."""
    least = "\n".join((CHART / "ci/minimal-values.yaml").read_text().splitlines()[1:])
    rows = [
        f"| `{value.path}` | `{json.dumps(value.default)}` | {value.meaning} |"
        for value in values()
        if not value.is_section
    ]
    return INTRODUCTION.replace("{least}", least) + "\n".join(rows) + "\n"


def schema_text() -> str:
    """The schema as its file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def rule_files() -> dict[Path, str]:
    """The alerting rules inside the chart, where helm can read them: path → text."""
    return {CHART / "files/rules" / path.name: path.read_text() for path in ALERTING}


if __name__ == "__main__":
    for path, text in rule_files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (CHART / "values.schema.json").write_text(schema_text())
    (CHART / "README.md").write_text(readme())
