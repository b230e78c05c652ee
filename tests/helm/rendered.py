"""The chart as helm renders it, and the few questions asked of rendered objects again and again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.services.helm import ROOT, Helm

CHART = ROOT / "helm/skustream"
SETS = sorted((CHART / "ci").glob("*.yaml"))
FULL = CHART / "ci/full-values.yaml"
MINIMAL = CHART / "ci/minimal-values.yaml"
STAGES = CHART / "ci/stages-values.yaml"
SCALED = CHART / "ci/autoscaling-values.yaml"
PROXY = CHART / "ci/proxy-values.yaml"
LOWEST, HIGHEST = "1.29", "1.37"
"""Kubernetes: the lowest of Chart.yaml's range, and the highest whose schemas there are."""

Object = dict[str, Any]


@dataclass(slots=True)
class Chart:
    """Rendered once per question: helm takes a third of a second."""

    helm: Helm
    _known: dict[tuple[str, ...], list[Object]] = field(default_factory=dict)

    def objects(self, values: Path, *sets: str, version: str = HIGHEST) -> list[Object]:
        """Everything a release creates, hooks too."""
        arguments = self._arguments(values, sets, version)
        if arguments not in self._known:
            done = self.helm.run(*arguments)
            assert (done.returncode, done.stderr) == (0, ""), done.stderr
            self._known[arguments] = [one for one in yaml.safe_load_all(done.stdout) if one]
        return self._known[arguments]

    def refusal(self, values: Path, *sets: str) -> str:
        """What helm says of values that it must refuse."""
        done = self.helm.run(*self._arguments(values, sets, HIGHEST))
        assert done.returncode != 0, f"{sets} were taken"
        assert done.stdout == ""
        return done.stderr

    def _arguments(self, values: Path, sets: Sequence[str], version: str) -> tuple[str, ...]:
        kubernetes = ("--kube-version", f"{version}.0")
        return ("template", "shop", str(CHART), "--values", str(values), *kubernetes, *options(sets))


def options(sets: Sequence[str]) -> list[str]:
    """Assignments as helm takes them: JSON where the value is a list, a map or text in quotes."""
    kinds = ["--set-json" if one.partition("=")[2][:1] in {"[", "{", '"'} else "--set" for one in sets]
    return [word for pair in zip(kinds, sets, strict=True) for word in pair]


def of_kind(objects: Sequence[Object], *kinds: str) -> list[Object]:
    return [one for one in objects if one["kind"] in kinds]


def pods(objects: Sequence[Object]) -> dict[str, Object]:
    """Pod templates by the name of what makes them."""
    return {one["metadata"]["name"]: one["spec"]["template"] for one in of_kind(objects, "Deployment", "Job")}


def containers(pod: Object) -> list[Object]:
    found: list[Object] = pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    return found


def worker(objects: Sequence[Object], name: str = "shop-skustream") -> Object:
    """The one container of a worker's pod."""
    (one,) = pods(objects)[name]["spec"]["containers"]
    assert isinstance(one, dict)
    return one


def environment(container: Object) -> dict[str, str]:
    """Name → plain value, or `secret NAME/KEY`."""
    found = {}
    for one in container["env"]:
        secret = one.get("valueFrom", {}).get("secretKeyRef")
        found[one["name"]] = one["value"] if secret is None else f"secret {secret['name']}/{secret['key']}"
    return found


def config(objects: Sequence[Object], name: str = "shop-skustream") -> dict[str, Any]:
    """The settings file that a ConfigMap holds."""
    (one,) = [each for each in of_kind(objects, "ConfigMap") if each["metadata"]["name"] == name]
    found = yaml.safe_load(one["data"]["settings.yaml"])
    assert isinstance(found, dict)
    return found


def mebibytes(quantity: str) -> int:
    """`2Gi` → 2048."""
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()  # type: ignore[union-attr] # a failure is a failure
    return int(number) * {"Mi": 1, "Gi": 1024}[unit]
