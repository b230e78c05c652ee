"""What is built: everything a user needs is in it, nothing else is, and it works where the source tree is not."""

import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

from stream.contract import files
from tests.deploy.rendered import ROOT
from tests.services.wheel import Installed, build


def tracked(folder: str) -> set[str]:
    """The files of the tree that git knows or would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.splitlines() if (ROOT / name).exists()}


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as packed:
        return set(packed.namelist())


def test_the_wheel_holds_the_package_its_data_and_the_licence_and_nothing_else(installed: Installed) -> None:
    names = names_in(installed.wheel)
    (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
    assert {name for name in names if not name.startswith(info)} == tracked("stream")
    assert {"stream/py.typed", "stream/pipeline.yaml", "stream/prices.yaml", f"{info}/licenses/LICENSE"} <= names
    with zipfile.ZipFile(installed.wheel) as packed:
        told = packed.read(f"{info}/METADATA").decode()
    assert "License-Expression: Apache-2.0" in told
    assert "Requires-Python: >=3.11" in told
    assert all(f"Classifier: Programming Language :: Python :: 3.{minor}\n" in told for minor in (11, 12, 13))


def test_the_sdist_builds_the_same_wheel(installed: Installed, tmp_path: Path) -> None:
    sdist = build("sdist", tmp_path / "sdist", ROOT)
    with tarfile.open(sdist) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    assert (source / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert names_in(build("wheel", tmp_path / "again", source)) == names_in(installed.wheel)


def test_it_is_the_wheel_that_is_imported(installed: Installed, tmp_path: Path) -> None:
    told = installed.run(installed.python, "-c", "import stream; print(stream.__file__)", cwd=tmp_path)
    assert Path(told.stdout.strip()).is_relative_to(installed.home), told.stderr


def test_the_commands_work_from_anywhere(installed: Installed, tmp_path: Path) -> None:
    version = installed.run("skustream", "version", cwd=tmp_path)
    assert version.stdout.startswith("skustream 0."), version.stderr
    shown = installed.run("skustream", "pipeline", "show", "--json", cwd=tmp_path)
    assert [row["stage"] for row in json.loads(shown.stdout)] == ["remove-bg", "upscale", "lifestyle", "thumbnails"]
    written = installed.run("skustream", "contract", "--out", "made", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    committed = ROOT / "docs/contract"
    names = (
        files.ASYNCAPI_FILE,
        files.RAW_EVENT_FILE,
        files.COMPLETED_FILE,
        files.LETTER_HEADERS_FILE,
        files.MARK_FILE,
    )
    for name in names:
        assert (tmp_path / "made" / name).read_bytes() == (committed / name).read_bytes()


def test_the_console_prints_its_pages_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    """Templates, style sheet and script lie in the package, and not only beside its source."""
    code = (
        "from stream.console.paper import STATIC_FILES, printer, static_content; "
        "print([printer().get_template(name) is not None for name in printer().list_templates()], "
        "all(static_content(name) for name in STATIC_FILES))"
    )
    told = installed.run(installed.python, "-c", code, cwd=tmp_path)
    assert told.stdout.count("True") > 8, told.stderr
    help_ = installed.run("skustream", "console", "--help", cwd=tmp_path)
    assert "--allow-replay" in help_.stdout, help_.stderr


def test_the_demo_runs_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    told = installed.run("skustream", "demo", "--count", "2", "--out", tmp_path / "demo", cwd=tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert (summary["total"], summary["success"]) == (2, 1)
    assert (tmp_path / "demo" / "report.html").exists()
