"""`skustream dlq resume` at the counter: whom it told, and one line for a mistake."""

import asyncio
import json
from pathlib import Path

import pytest

from stream.core.errors import Reason
from stream.ledger.resumes import Heard, Resumes
from stream.objects.folder import FolderStore
from stream.objects.options import StoreOptions
from tests.contract.stores import HastyClock, recorder
from tests.unit.cli.conftest import Skustream

STAGES = ("remove-bg", "upscale", "lifestyle", "thumbnails")


def heard(folder: Path, stage: str, reason: Reason | None) -> Heard | None:
    store = FolderStore(folder, StoreOptions(), recorder=recorder(), clock=HastyClock())
    return asyncio.run(Resumes(store).latest(stage, reason))


def test_it_tells_every_stage_and_says_so(skustream: Skustream, tmp_path: Path) -> None:
    told = skustream("dlq", "resume", "--why", "mended", "--store", tmp_path.as_uri())
    assert told.exit_code == 0, told.output
    assert told.stdout.splitlines()[:4] == [f"told  {stage}: every reason" for stage in STAGES]
    for stage in STAGES:
        found = heard(tmp_path, stage, None)
        assert found is not None
        assert found.resume.why == "mended"
        assert "@" in found.resume.by


def test_it_tells_one_stage_about_some_reasons(skustream: Skustream, tmp_path: Path) -> None:
    words = ("--stage", "upscale", "--reason", "job-failed", "--reason", "bug", "--by", "ann", "--json")
    told = skustream("dlq", "resume", "--why", "\udcff" + "x" * 9_000, "--store", tmp_path.as_uri(), *words)
    assert json.loads(told.stdout) == [
        {"stage": "upscale", "reason": "job-failed"}, {"stage": "upscale", "reason": "bug"},
    ]  # fmt: skip
    found = heard(tmp_path, "upscale", Reason.JOB_FAILED)
    assert found is not None
    assert (found.resume.by, len(found.resume.why)) == ("ann", 500)
    assert heard(tmp_path, "upscale", None) is None


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--why", " "), "--why: got nothing"),
        (("--why", "x", "--stage", "up"), "--stage: got 'up'; expected one of remove-bg, upscale"),
        (
            ("--why", "x", "--reason", "invalid-image"),
            "--reason: got 'invalid-image'; letters of malformed input never",
        ),
        (("--why", "x", "--reason", "\x1b[31m"), "--reason: got '\\x1b[31m'; expected one of api-rejected"),
        (("--why", "x"), "SKUSTREAM_STORE is not set"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(skustream: Skustream, words: tuple[str, ...], line: str) -> None:
    told = skustream("dlq", "resume", *words)
    assert told.exit_code == 2, told.output
    assert told.stderr.startswith(f"skustream: {line}")
    assert len(told.stderr.splitlines()) == 1
