"""The three fences of gc, each at the moment it was built for: whoever overtakes, what a manifest shows exists."""

from pathlib import Path

import pytest

from stream.collector.fates import Books
from stream.collector.sweep import Sweep
from stream.core.errors import Reason, Rejected
from stream.ledger.port import LedgerState
from stream.objects.keys import job_key_path, manifest_key, newest_path
from stream.records import StageRecord
from stream.stages.recipes import job_name
from tests.unit.collector.interrupted import InterruptedStore
from tests.unit.collector.walker import JOBS, SKU, Plot

MANIFEST = manifest_key(SKU, "main")


@pytest.fixture
def store() -> InterruptedStore:
    return InterruptedStore()


@pytest.fixture
def plot(store: InterruptedStore, tmp_path: Path) -> Plot:
    return Plot(store, tmp_path)


async def swept(plot: Plot) -> Books:
    return await Sweep(plot.store, plot.ledger, older_than_seconds=0.0, wanted=True).run()


async def old_and_new(plot: Plot) -> tuple[StageRecord, StageRecord]:
    return await plot.walk(plot.record(sequence=1, photo="a")), await plot.walk(plot.record(sequence=2, photo="b"))


async def copy_with_old_assets(plot: Plot) -> StageRecord:
    """Of the newest event's place, found to mean the old photo: its assets are all there, and it is not stale."""
    copy = plot.record(sequence=2, photo="a", offset=9)
    return await plot.stage(await plot.stage(copy, "raw"), "transparent")


async def expect_whole(plot: Plot) -> None:
    manifest = await plot.manifest()
    assert manifest is not None
    assert [key for key in manifest.shown_keys() if not plot.store.stands(key)] == []


async def state(plot: Plot, record: StageRecord, name: str = "raw") -> LedgerState:
    entry = await plot.ledger.look(job_name(record, [name]).key)
    assert entry is not None
    return entry.state


async def test_a_publisher_frozen_before_its_write_cannot_show_what_was_deleted_meanwhile(
    plot: Plot, store: InterruptedStore
) -> None:
    """It had asked the ledger; two whole runs of gc go by. The manifest was written anew: it has to ask again."""
    await old_and_new(plot)
    copy = await copy_with_old_assets(plot)

    async def two_runs() -> None:
        await swept(plot)
        assert (await swept(plot)).deleted_assets == 2

    store.before_write[MANIFEST] = two_runs
    with pytest.raises(Rejected) as refused:
        await plot.show(copy)
    assert refused.value.reason is Reason.ASSET_MISSING
    await expect_whole(plot)


async def test_a_publisher_between_mark_and_collection_keeps_its_assets(plot: Plot, store: InterruptedStore) -> None:
    await old_and_new(plot)
    copy = await copy_with_old_assets(plot)
    await swept(plot)
    store.before_write[MANIFEST] = lambda: plot.show(copy)  # gc is about to write the manifest anew
    books = await swept(plot)
    assert (books.collected_jobs, books.spared_jobs, books.deleted_assets) == (0, 2, 0)
    await expect_whole(plot)
    assert await state(plot, copy) is LedgerState.SETTLED


async def test_a_job_taken_back_at_the_last_moment_is_not_deleted(plot: Plot, store: InterruptedStore) -> None:
    old, _ = await old_and_new(plot)
    await swept(plot)
    job = job_name(old, ["raw"]).key
    store.before_write[job_key_path(job)] = lambda: plot.ledger.usable(job)  # gc is about to collect it
    books = await swept(plot)
    assert (books.collected_jobs, books.spared_jobs) == (1, 1)
    assert store.stands(old.assets["raw"].key)
    assert await state(plot, old) is LedgerState.SETTLED


async def test_an_event_admitted_after_the_first_look_at_the_newest_keeps_what_it_read(
    plot: Plot, store: InterruptedStore
) -> None:
    """It read `settled` before another run's mark; this run saw the mark, and looks at the newest once more."""
    old, _ = await old_and_new(plot)
    again = plot.record(sequence=3, photo="a")

    async def admitted() -> None:
        nonlocal again
        await plot.newest.record(again)
        again = await plot.stage(again, "raw")
        for name in JOBS:
            entry = await plot.ledger.look(job_name(old, [name]).key)
            assert entry is not None
            assert await plot.ledger.condemn(entry)

    store.after_read[newest_path(SKU, "main")] = admitted
    books = await swept(plot)
    assert (books.spared_jobs, books.deleted_assets) == (2, 0)
    await plot.show(await plot.stage(again, "transparent"))
    await expect_whole(plot)


async def test_two_runs_side_by_side_delete_the_same_and_nothing_more(plot: Plot, store: InterruptedStore) -> None:
    old, new = await old_and_new(plot)
    await swept(plot)
    job = job_name(old, ["raw"]).key
    store.before_write[job_key_path(job)] = lambda: swept(plot)
    await swept(plot)
    await swept(plot)
    assert [store.stands(asset.key) for asset in old.assets.values()] == [False, False]
    assert [store.stands(asset.key) for asset in new.assets.values()] == [True, True]


async def test_a_worker_that_thaws_after_the_collection_leaves_a_file_that_the_next_run_removes(plot: Plot) -> None:
    """Its PUT comes when the job it polled is long collected: nobody shows that file, nor uses its key again."""
    old, _ = await old_and_new(plot)
    for _ in range(2):
        await swept(plot)
    late = old.assets["raw"].key
    await plot.store.create(late, b"late")
    again = await plot.walk(plot.record(sequence=3, photo="a"))
    await swept(plot)
    assert not plot.store.stands(late)
    assert all(plot.store.stands(asset.key) for asset in again.assets.values())
