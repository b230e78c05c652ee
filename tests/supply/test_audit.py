"""The audit is green only for what was looked up; where nobody could be asked, that is said and not hidden."""

import json
from typing import Any

import pytest

from tests.supply.audit import DATABASES, LOCKS, ROOT, Code, Looked, audit, believed, command, judge

CLEAN = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
HOLE = {**CLEAN, "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["3.14.6"], "aliases": [], "description": ""}]}
SKIPPED = {"name": "orjson", "skip_reason": "Dependency not found on PyPI and could not be audited: orjson (3.11)"}


def answer(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("code", "packages", "expected", "words"),
    [
        (0, [CLEAN], Looked(True, Code.CLEAN, ()), "1 packages, no known vulnerability"),
        (1, [CLEAN, HOLE], Looked(True, Code.FOUND, ()), "aiohttp 3.14.5: PYSEC-2026-1, mended in: 3.14.6"),
        (0, [CLEAN, SKIPPED], Looked(True, Code.FOUND, ()), "orjson: not in the database"),
        # pip-audit says 0 and "no known vulnerabilities" here
        (0, [SKIPPED, SKIPPED], Looked(False, Code.CLEAN, ()), "knows none of 2 packages"),
        (1, [CLEAN], Looked(True, Code.BROKEN, ()), "named nothing"),
    ],
)
def test_what_pip_audit_says_is_taken_at_its_meaning(
    code: int, packages: list[dict[str, Any]], expected: Looked, words: str
) -> None:
    looked = judge("pypi", code, answer(*packages), "No known vulnerabilities found")
    assert (looked.reached, looked.code) == (expected.reached, expected.code)
    assert words in looked.lines[0]


@pytest.mark.parametrize(
    ("chatter", "code"),
    [
        ("...\nrequests.exceptions.ConnectionError: HTTPSConnectionPool(...)", Code.CLEAN),
        ("requests.exceptions.HTTPError: 403 Client Error\npip_audit._service.interface.ServiceError", Code.CLEAN),
        ("ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed", Code.CLEAN),
        ("Traceback (most recent call last):\nKeyError: 'vulns'", Code.BROKEN),
        ("ERROR: invalid requirements input", Code.BROKEN),
        ("", Code.BROKEN),
    ],
)
def test_only_a_silent_database_is_no_failure(chatter: str, code: Code) -> None:
    looked = judge("osv", 1, "", chatter)
    assert (looked.reached, looked.code) == (code is Code.BROKEN, code)


def test_where_nobody_answers_it_is_said_loudly() -> None:
    said: list[str] = []
    assert audit(lambda name: Looked(False, Code.CLEAN, (f"{name}: no answer",)), said.append) is Code.CLEAN
    assert [line for line in said if "no answer" in line] == [f"audit: {name}: no answer" for name in DATABASES]
    assert any("NOT AUDITED" in line for line in said)
    assert any("UNKNOWN" in line for line in said)


def test_the_second_database_is_asked_where_the_first_is_silent() -> None:
    answers = {"pypi": Looked(False, Code.CLEAN, ("no feed",)), "osv": Looked(True, Code.FOUND, ("a hole",))}
    said: list[str] = []
    assert audit(answers.__getitem__, said.append) is Code.FOUND
    assert said == ["audit: no feed", "audit: a hole"]


def test_a_database_that_does_not_know_what_everybody_knows_is_none() -> None:
    clean = Looked(True, Code.CLEAN, ("50 packages",))
    knows = Looked(True, Code.FOUND, ("jinja2 2.11.2: PYSEC-2021-66, mended in: 2.11.3",))
    assert believed("pypi", clean, knows) is clean
    for known in (clean, Looked(False, Code.CLEAN, ("no answer",)), Looked(True, Code.BROKEN, ("ended",))):
        assert not believed("pypi", clean, known).reached


def test_every_lock_of_the_image_is_audited() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert all(lock in dockerfile and str(ROOT / lock) in command("pypi", LOCKS) for lock in LOCKS)


def test_the_front_door_and_ci_run_it() -> None:
    makefile, ci = (ROOT / "Makefile").read_text(), (ROOT / ".ci/run").read_text()
    assert "$(BIN)/python -m tests.supply.audit" in makefile
    assert "$(BIN)/python -m tests.supply.sbom" in makefile
    assert "\nmake audit " in ci
