"""skustream as a stranger has it: the wheel in a fresh environment, and the page's files in a folder of their own.

The dependencies are the ones of the environment that runs the tests (they are read from there, not installed again);
skustream itself comes from the wheel alone: the source tree is on nobody's path.
"""

import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/library.md"
SECONDS = 170


@dataclass(frozen=True, slots=True)
class Installed:
    """`home`: the environment's folder. `wheel`: what was installed there."""

    home: Path
    wheel: Path

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.home / "bin/python"

    def run(self, *command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of the environment, in a folder that is not ours, with nothing of ours in its surroundings."""
        path = f"{self.home / 'bin'}:/usr/bin:/bin"
        return subprocess.run(
            list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=SECONDS,
            env={"PATH": path, "HOME": str(cwd), "LANG": "C.UTF-8", **environment},
        )  # fmt: skip


def build(kind: str, folder: Path, source: Path = ROOT) -> Path:
    """The wheel or sdist of `source`, by the build backend itself: no network."""
    told = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)],
        cwd=source, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel, built and installed."""
    wheel = build("wheel", tmp_path_factory.mktemp("wheel"))
    home = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True)
    place = Installed(home, wheel)
    told = place.run(place.python, "-m", "pip", "install", "--no-index", "--no-deps", wheel, cwd=home)
    assert told.returncode == 0, told.stderr
    (packages,) = (home / "lib").glob("python*/site-packages")
    # A folder named in a .pth file is read, its own .pth files are not: the editable source stays unknown.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The page's files, as a reader would lay them down."""
    for name, text in re.findall(r"<!-- file: (\S+) -->\n```[a-z]+\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "shop" / "__init__.py").write_text('"""A shop."""\n')
    return tmp_path
