"""`skustream gc` at the counter: a plan unless a person says yes, one line for a mistake, exit 1 for damage."""

import asyncio
import json
from pathlib import Path

import orjson
import pytest

from stream.cli.collect import LINES, _size
from stream.collector.fates import Fate
from stream.objects.folder import FolderStore
from stream.objects.options import StoreOptions
from tests.contract.stores import HastyClock, recorder
from tests.unit.cli.conftest import Skustream
from tests.unit.collector.walker import SKU, GatedStore, Plot


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A folder with one image's old and new assets, as a worker leaves it."""

    async def filled() -> None:
        plot = Plot(GatedStore(), tmp_path)
        for sequence, photo in ((1, "old"), (2, "new")):
            await plot.walk(plot.record(sequence=sequence, photo=photo))
        folder = FolderStore(tmp_path / "store", StoreOptions(), recorder=recorder(), clock=HastyClock())
        for key, standing in plot.store._objects.items():
            assert await folder.create(key, standing.body) is not None

    asyncio.run(filled())
    return (tmp_path / "store").as_uri()


def pictures(folder: Path) -> int:
    return len(list((folder / "store").rglob("*.png")))


def test_without_a_yes_it_says_what_it_would_do_and_how(skustream: Skustream, store: str, tmp_path: Path) -> None:
    for words in ((), ("--dry-run",)):
        told = skustream("gc", "--store", store, *words)
        assert told.exit_code == 0, told.output
        assert "2 assets        14 B  superseded, 20 credits to buy again" in told.stdout
        assert f"{SKU}/main" in told.stdout
        assert "Nothing was changed. --yes condemns" in told.stdout
    assert pictures(tmp_path) == 4
    assert not (tmp_path / "store" / ".locks").exists(), "a dry run does not even probe"


def test_two_runs_with_yes_delete_and_tell_it_to_machines(skustream: Skustream, store: str, tmp_path: Path) -> None:
    first = json.loads(skustream("gc", "--store", store, "--yes", "--older-than", "0s", "--json").stdout)
    assert (first["condemned_jobs"], first["deleted_assets"], first["dry_run"]) == (2, 0, False)
    waiting = skustream("gc", "--store", store, "--yes")
    assert "2 assets        14 B  condemned, waiting" in waiting.stdout
    assert pictures(tmp_path) == 4
    second = skustream("gc", "--store", store, "--yes", "--older-than", "0s")
    assert "deleted 2 assets, 14 B" in second.stdout
    assert pictures(tmp_path) == 2


def test_a_damaged_document_is_named_and_is_exit_1(skustream: Skustream, store: str, tmp_path: Path) -> None:
    manifest = tmp_path / "store" / SKU / "main" / "manifest.json"
    manifest.write_bytes(orjson.dumps({"v": 1}))
    told = skustream("gc", "--store", store, "--yes", "--older-than", "0s")
    assert told.exit_code == 1
    assert f"damaged: the document {SKU}/main/manifest.json is not readable" in told.stderr
    assert pictures(tmp_path) == 4


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--yes", "--dry-run"), "--yes and --dry-run exclude each other"),
        (("--older-than", "a month"), "--older-than: got 'a month'; expected a number and s, m, h or d"),
        (("--older-than", "-1d"), "--older-than: got '-1d'"),
        (("--store", "/somewhere"), "--store: got '/somewhere'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(skustream: Skustream, words: tuple[str, ...], line: str) -> None:
    told = skustream("gc", *words)
    assert told.exit_code == 2
    assert told.stderr.startswith(f"skustream: {line}")
    assert len(told.stderr.splitlines()) == 1


def test_a_store_without_conditional_writes_is_only_looked_at(
    skustream: Skustream, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKUSTREAM_STORE_OVERRULE_CONDITIONS", "true")
    assert skustream("gc", "--store", store).exit_code == 0
    told = skustream("gc", "--store", store, "--yes")
    assert told.exit_code == 2
    assert told.stderr.startswith("skustream: SKUSTREAM_STORE_OVERRULE_CONDITIONS=true")


def test_every_fate_has_its_words() -> None:
    assert set(LINES) == {fate.value for fate in Fate}
    assert [_size(size) for size in (0, 999, 1_000, 2_500_000, 10**13)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "2.5 MB",
        "10.0 TB",
    ]
