"""Formats do not change by accident: today's code reads every older byte to its meaning, and writes the newest ones."""

import json

import pytest

from stream.core.errors import CorruptDocument, Rejected, Resource, Unavailable
from stream.events import Kept
from stream.ledger.documents import read_document
from stream.ledger.port import LedgerState
from stream.records import StageRecord, read_stage_record
from stream.retries import read_note
from tests.frozen.cases import GOLDEN, Case
from tests.frozen.documents import DOCUMENTS, JOBS
from tests.frozen.names import all_names
from tests.frozen.records import NOTE, RECORDS

CASES = [*DOCUMENTS, *RECORDS]
NAMES = GOLDEN / "names.json"
FILES = [pytest.param(case, number, id=path.name) for case in CASES for number, path in case.files().items()]
HINT = "a format changed: tests/frozen/README.md says what that asks for"
TOMORROW = {"added": {"by": "tomorrow"}, "also": [1]}


@pytest.mark.parametrize(("case", "generation"), FILES)
def test_every_generations_bytes_are_read_to_their_meaning(case: Case, generation: int) -> None:
    assert case.read(case.files()[generation].read_bytes()) == case.meaning(generation)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if case.write is not None])
def test_what_is_written_today_are_the_newest_bytes(case: Case) -> None:
    assert case.write is not None
    written, files = case.write(case.value), case.files()
    assert files, f"{case.name} was never frozen: {written.decode()}"
    assert files[max(files)].read_bytes() == written, HINT


def test_names_and_hashes_never_change() -> None:
    """A changed job key means buying everything twice; a changed group, reading everything twice."""
    assert all_names() == json.loads(NAMES.read_text()), HINT


def test_every_format_of_ours_is_frozen_and_every_file_is_somebodys() -> None:
    versioned = {kind for kind in _kinds(Kept) if "v" in kind.model_fields}
    assert versioned == {type(case.value) for case in CASES} & versioned
    assert {job.state for job in JOBS.values()} == set(LedgerState)
    belonging = {path for case in CASES for path in case.files().values()}
    assert {path for path in GOLDEN.iterdir() if path.is_file()} == {*belonging, NAMES}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if isinstance(case.value, Kept)])
def test_what_a_newer_version_adds_is_passed_over(case: Case) -> None:
    """Anywhere in it: old and new workers stand side by side while an upgrade rolls (0030)."""
    newest = json.loads(case.files()[max(case.files())].read_bytes())
    assert case.read(json.dumps(_of_tomorrow(newest)).encode()) == case.value


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in DOCUMENTS])
def test_a_document_of_a_newer_format_is_no_events_fault(case: Case) -> None:
    """No letter, and nothing bought over it: intake pauses until the version that can read it runs here."""
    newest = json.loads(case.files()[max(case.files())].read_bytes())
    with pytest.raises(Unavailable, match=rf"a newer version wrote the document {case.name} \(format 2\)") as refused:
        case.read(json.dumps({**newest, "v": 2, "state": "unheard-of"}).encode())
    assert refused.value.resource is Resource.OURSELVES
    with pytest.raises(CorruptDocument):
        read_document(type(case.value), case.name, json.dumps({**newest, "v": "2"}).encode())


def test_headers_of_tomorrow_are_not_looked_at() -> None:
    added = ("skustream.added", b"tomorrow")
    assert read_note((added, *NOTE.headers(), added)) == NOTE


def test_a_record_of_a_newer_format_is_refused() -> None:
    """Who may write into a topic could otherwise stop a fleet with one record; its letter can be put back."""
    (case,) = (case for case in RECORDS if case.name == "between.least")
    assert isinstance(case.value, StageRecord)
    told = json.loads(case.value.encode())
    with pytest.raises(Rejected, match="v: wrong value; got 2"):
        read_stage_record(json.dumps({**told, "v": 2}).encode())


def _kinds(kind: type[Kept]) -> set[type[Kept]]:
    return {kind}.union(*map(_kinds, kind.__subclasses__()))


def _of_tomorrow(node: object, *, is_map: bool = False) -> object:
    """With unknown fields in every object, but not among the names of assets."""
    if isinstance(node, list):
        return [_of_tomorrow(each) for each in node]
    if not isinstance(node, dict):
        return node
    grown = {name: _of_tomorrow(each, is_map=name == "assets") for name, each in node.items()}
    return grown if is_map else {**grown, **TOMORROW}
