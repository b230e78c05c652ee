"""The wheel that the image installs, built from what the Dockerfile copies."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.rendered import ROOT, image


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the pinned backend, in a folder that holds the image's build context and nothing else."""
    context = tmp_path_factory.mktemp("context")
    for name in image().copied:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, context / name)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(context / "dist")],
        cwd=context, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (built,) = (context / "dist").glob("*.whl")
    return built
