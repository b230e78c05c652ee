"""The peers we are compared with: in a virtual environment of their own under build/, never among our dependencies.

Goes out: the Python that has them, or why there is none.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import Size

FOLDER = Path("build/peers")
PYRALLEL, PILLOW = "pyrallel-consumer==1.0.0", "pillow==12.0.0"
NEEDS = (3, 12)
"""Pyrallel Consumer asks for it."""


class PeerMissing(Exception):
    """The peer cannot be had here; the message says why."""


def python_with(requirement: str, size: Size) -> Path:
    """A Python that has `requirement` installed; a small run installs nothing. Raises PeerMissing."""
    home = FOLDER / requirement.partition("=")[0]
    python = home / "bin" / "python"
    ready = home / f".has-{requirement}"
    if ready.exists():
        return python
    if size is Size.SMALL:
        raise PeerMissing(f"{requirement} is installed by a full run only")
    base = _python_3_12() if requirement == PYRALLEL else sys.executable
    commands = ([base, "-m", "venv", "--clear", str(home)], [str(python), "-m", "pip", "install", "-q", requirement])
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            raise PeerMissing(f"{requirement} cannot be installed: {lines[-1][:200]}")
    ready.touch()
    return python


def _python_3_12() -> str:
    """A Python 3.12 or newer: ours, one on the path, or one of pyenv's."""
    if sys.version_info >= NEEDS:
        return sys.executable
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [
        shutil.which("python3.12"),
        shutil.which("python3.13"),
        *map(str, sorted(kept.glob("3.1[23].*/bin/python"))),
    ]
    for python in found:
        if python is not None and _runs(python):
            return python
    raise PeerMissing("Pyrallel Consumer needs Python 3.12, and none was found on the path or with pyenv")


def _runs(python: str) -> bool:
    """Whether it is more than a shim of a version that is switched off."""
    asked = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 12))"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0  # noqa: S603
