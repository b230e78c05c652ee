"""The `Dockerfile`, as far as it can be proved without Docker: linted, its copies complete, its locks closed."""

import re
import subprocess
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.deploy.rendered import DOCKERFILE, ROOT, image

HADOLINT = Path(sysconfig.get_path("scripts")) / "hadolint"


def hadolint(file: Path) -> tuple[int, str]:
    done = subprocess.run([HADOLINT, "--failure-threshold", "style", file], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_hadolint_finds_nothing() -> None:
    assert hadolint(DOCKERFILE) == (0, "")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("FROM python:3.13-slim-trixie AS base", "FROM python AS base"),
        ('ENTRYPOINT ["skustream"]', "ENTRYPOINT skustream"),
        ("WORKDIR /build", "WORKDIR build"),
    ],
)
def test_hadolint_finds_what_is_wrong(right: str, wrong: str, tmp_path: Path) -> None:
    text = DOCKERFILE.read_text()
    assert right in text
    (tmp_path / "Dockerfile").write_text(text.replace(right, wrong))
    assert hadolint(tmp_path / "Dockerfile")[0] != 0


def test_it_runs_skustream_as_nobody_in_particular() -> None:
    found = image()
    assert found.entrypoint == ("skustream",)
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", found.user)
    assert found.bases == ("python:3.13-slim-trixie",)


def test_it_says_what_it_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    told = {name.removeprefix("org.opencontainers.image."): text for name, text in image().labels.items()}
    assert told["description"]
    assert (told["title"], told["version"], told["licenses"]) == (
        project["name"],
        project["version"],
        project["license"],
    )
    assert told["base.name"] == f"docker.io/library/{image().bases[0]}"
    assert told["revision"] == "$REVISION"


def test_what_is_installed_is_in_a_lock_with_its_hash() -> None:
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    installs = re.findall(r"pip (?:--python \S+ )?(install|wheel) ([^&\n]*)", text)
    assert len(installs) == 4
    for _, options in installs:
        assert "--require-hashes" in options or "--no-deps" in options, options
        assert "--no-build-isolation" in options or "--only-binary :all:" in options or "--no-index" in options, options
    for lock in ("requirements.lock", "requirements-build.lock"):
        pins = (ROOT / lock).read_text()
        assert len(re.findall(r"^\S+==\S+", pins, re.MULTILINE)) <= pins.count("--hash=sha256:")
        assert "://" not in pins
    assert "://" not in re.sub(r"^#.*$", "", text, flags=re.MULTILINE)


def test_the_build_lock_pins_the_build_system() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pinned = re.findall(r"^(\S+==\S+)", (ROOT / "requirements-build.lock").read_text(), re.MULTILINE)
    assert set(project["build-system"]["requires"]) <= set(project["dependency-groups"]["build"])
    assert set(project["build-system"]["requires"]) <= set(pinned)


def test_the_build_context_holds_what_is_copied_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(image().copied)


def test_the_wheel_is_built_from_what_is_copied(wheel: Path) -> None:
    """The build sees the image's context only, with the backend of requirements-build.lock and no network."""
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = [path for path in (ROOT / "stream").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {str(path.relative_to(ROOT)) for path in ours} <= names
    assert not any(name.startswith("tests/") for name in names)
