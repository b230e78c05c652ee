"""The wheel, built of what the image's build is given, and installed where the source tree is not.

The dependencies are the ones of the environment that runs the tests (they are read from there, not installed again);
skustream itself comes from the wheel alone: the source tree is on nobody's path.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.rendered import ROOT, image

SECONDS = 300


@dataclass(frozen=True, slots=True)
class Installed:
    """`home`: the environment's folder. `wheel`: what was installed there."""

    home: Path
    wheel: Path

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.home / "bin/python"

    @property
    def reads(self) -> list[Path]:
        """Every folder that a process of it reads, beside the system's own."""
        return [self.home, dependencies(), Path(sys.base_prefix)]

    def run(self, *command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of the environment, in a folder that is not ours, with nothing of ours in its surroundings."""
        path = f"{self.home / 'bin'}:/usr/bin:/bin"
        return subprocess.run(
            list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=SECONDS,
            env={"PATH": path, "HOME": str(cwd), "LANG": "C.UTF-8", **environment},
        )  # fmt: skip


def dependencies() -> Path:
    """Where the packages lie of the environment that runs the tests."""
    return Path(sysconfig.get_path("purelib"))


def build(kind: str, folder: Path, source: Path) -> Path:
    """The wheel or sdist of `source`, by the pinned build backend itself: no network."""
    told = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)],
        cwd=source, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    (built,) = folder.iterdir()
    return built


def build_as_the_image(folder: Path) -> Path:
    """The wheel, built in a folder that holds the image's build context and nothing else."""
    context = folder / "context"
    for name in image().copied:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, context / name)
    return build("wheel", folder / "dist", context)


def install(wheel: Path, home: Path) -> Installed:
    """A fresh environment with the wheel in it."""
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True)
    place = Installed(home, wheel)
    told = place.run(place.python, "-m", "pip", "install", "--no-index", "--no-deps", wheel, cwd=home)
    assert told.returncode == 0, told.stderr
    (packages,) = (home / "lib").glob("python*/site-packages")
    # A folder named in a .pth file is read, its own .pth files are not: the editable source stays unknown.
    (packages / "dependencies.pth").write_text(f"{dependencies()}\n")
    return place
