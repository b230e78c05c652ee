"""The bill of materials: CycloneDX, made from the lock without asking anybody. `make sbom`.

Comes in: requirements.lock, pyproject.toml. Goes out: one JSON file, without times and random names in it.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
TARGET = ROOT / "dist/skustream.cdx.json"
VERSION = "1.6"
"""Of CycloneDX."""


def make(target: Path) -> Path:
    """Write it there. Raises CalledProcessError; what cyclonedx-py says goes to stderr."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", "requirements", "--pyproject", str(ROOT / "pyproject.toml"),
         "--spec-version", VERSION, "--output-reproducible", "--short-PURLs",
         "--no-validate",  # the test does, more strictly
         "--output-file", str(target), str(LOCK)],
        check=True,
        # A lock is a flat list: which package wanted which is not in it, and the library warns of that.
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    return target


if __name__ == "__main__":
    print(make(TARGET))  # noqa: T201 - the answer of this command
