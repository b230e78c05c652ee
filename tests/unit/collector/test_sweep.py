"""What gc finds, condemns, deletes and leaves alone, step by step on one image."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from stream.collector.fates import MOST_NAMED, Books, Fate, Verdict
from stream.collector.sweep import Sweep
from stream.core.errors import Reason, Rejected
from stream.ledger.port import LedgerState
from stream.objects.keys import job_key_path, manifest_key, newest_path
from stream.objects.port import Listed
from stream.records import StageRecord
from stream.stages.recipes import job_name
from tests.unit.collector.walker import JOBS, PRICE, SKU, GatedStore, Plot
from tests.unit.runtime.scene import WoundClock

DAY = 24 * 3600.0


@pytest.fixture
def clock() -> WoundClock:
    return WoundClock()


@pytest.fixture
def plot(tmp_path: Path, clock: WoundClock) -> Plot:
    return Plot(GatedStore(clock=clock), tmp_path)


async def swept(plot: Plot, *, older_than_seconds: float = 0.0, wanted: bool = True) -> Books:
    return await Sweep(plot.store, plot.ledger, older_than_seconds=older_than_seconds, wanted=wanted).run()


async def replaced(plot: Plot) -> tuple[StageRecord, StageRecord]:
    """An old event and a newer one of another photo, both published."""
    return await plot.walk(plot.record(sequence=1, photo="a")), await plot.walk(plot.record(sequence=2, photo="b"))


def keys(record: StageRecord) -> list[str]:
    return [asset.key for asset in record.assets.values()]


def stands(plot: Plot, record: StageRecord) -> list[bool]:
    return [plot.store.stands(key) for key in keys(record)]


async def states(plot: Plot, record: StageRecord) -> set[LedgerState]:
    entries = [await plot.ledger.look(job_name(record, [name]).key) for name in JOBS]
    return {entry.state for entry in entries if entry is not None}


async def test_what_a_manifest_shows_is_left_alone(plot: Plot) -> None:
    record = await plot.walk(plot.record(sequence=1, photo="a"))
    for _ in range(3):
        books = await swept(plot)
    assert stands(plot, record) == [True, True]
    assert {fate: tally.assets for fate, tally in books.by_fate.items() if tally.assets} == {Fate.SHOWN: 2}
    assert (books.images, books.condemned_jobs, books.deleted_assets) == (1, 0, 0)


async def test_superseded_assets_are_told_with_bytes_and_price_and_a_dry_run_changes_nothing(plot: Plot) -> None:
    old, _ = await replaced(plot)
    before = dict(plot.store._objects)
    for _ in range(2):
        books = await swept(plot, wanted=False)
    assert plot.store._objects == before
    tally = books.by_fate[Fate.SUPERSEDED]
    assert (tally.jobs, tally.assets, tally.bytes, tally.credits) == (2, 2, 14, 2 * PRICE)
    assert books.largest == {f"{SKU}/main": 14}
    assert books.as_json()["fates"]["superseded"] == {"jobs": 2, "assets": 2, "bytes": 14, "credits": "20"}
    assert stands(plot, old) == [True, True]


async def test_the_first_run_condemns_and_one_that_comes_later_deletes(plot: Plot, clock: WoundClock) -> None:
    old, new = await replaced(plot)
    first = await swept(plot, older_than_seconds=30 * DAY)
    assert (first.condemned_jobs, first.deleted_assets) == (2, 0)
    assert await states(plot, old) == {LedgerState.CONDEMNED}
    clock.now += 29 * DAY
    early = await swept(plot, older_than_seconds=30 * DAY)
    assert (early.by_fate[Fate.CONDEMNED].assets, early.deleted_assets) == (2, 0)
    clock.now += 2 * DAY
    planned = await swept(plot, older_than_seconds=30 * DAY, wanted=False)
    assert (planned.by_fate[Fate.DUE].credits, planned.deleted_assets) == (Decimal(20), 0)
    second = await swept(plot, older_than_seconds=30 * DAY)
    assert (second.collected_jobs, second.deleted_assets, second.deleted_bytes) == (2, 2, 14)
    assert (stands(plot, old), stands(plot, new)) == ([False, False], [True, True])
    assert await states(plot, old) == {LedgerState.COLLECTED}
    third = await swept(plot)
    assert (third.by_fate[Fate.SHOWN].assets, third.objects) == (2, 3)


async def test_a_condemned_job_that_is_needed_again_is_free(plot: Plot) -> None:
    old, _ = await replaced(plot)
    await swept(plot)
    again = await plot.walk(plot.record(sequence=3, photo="a"))
    assert keys(again) == keys(old)
    assert await states(plot, old) == {LedgerState.SETTLED}
    await swept(plot)
    assert stands(plot, again) == [True, True]
    assert set(plot.bought.values()) == {1}


async def test_a_collected_job_that_is_needed_again_is_bought_anew_under_other_keys(plot: Plot) -> None:
    """An immutable URL never changes its content: a cache may hold the old bytes for a year."""
    old, _ = await replaced(plot)
    for _ in range(2):
        await swept(plot)
    again = await plot.walk(plot.record(sequence=3, photo="a"))
    assert set(keys(again)) & set(keys(old)) == set()
    assert stands(plot, again) == [True, True]
    manifest = await plot.manifest()
    assert manifest is not None
    assert manifest.shown_keys() == set(keys(again))
    raw = job_name(old, ["raw"]).key
    assert (plot.bought[raw, 0], plot.bought[raw, 1]) == (1, 1)
    entry = await plot.ledger.look(raw)
    assert entry is not None
    assert (entry.record.attempt, len(entry.record.collected)) == (2, 1)


async def test_while_the_newest_event_shows_nothing_yet_everything_of_its_image_stays(plot: Plot) -> None:
    """It may have read `settled` a moment ago, or lie among the letters."""
    old, new = await replaced(plot)
    await swept(plot)
    await plot.newest.record(plot.record(sequence=3, photo="a"))
    for _ in range(2):
        books = await swept(plot)
    assert (stands(plot, old), stands(plot, new)) == ([True, True], [True, True])
    assert books.by_fate[Fate.UNFINISHED].assets == 2
    assert books.deleted_assets == 0


async def test_an_image_without_a_manifest_or_a_newest_event_stays(plot: Plot) -> None:
    old, _ = await replaced(plot)
    del plot.store._objects[newest_path(SKU, "main")]
    await swept(plot)
    del plot.store._objects[manifest_key(SKU, "main")]
    await swept(plot)
    assert stands(plot, old) == [True, True]
    assert await states(plot, old) == {LedgerState.SETTLED}


async def test_what_an_overtaken_event_bought_and_never_showed_is_found_too(plot: Plot) -> None:
    older = plot.record(sequence=1, photo="a")
    await plot.newest.record(older)
    older = await plot.stage(older, "raw")
    await plot.walk(plot.record(sequence=2, photo="b"))
    for _ in range(2):
        await swept(plot)
    assert stands(plot, older) == [False]


async def test_files_of_jobs_under_way_and_of_unknown_ones_stay(plot: Plot) -> None:
    old, _ = await replaced(plot)
    running, unknown = (job_key_path(job_name(old, [name]).key) for name in JOBS)
    body = orjson.loads(plot.store._objects[running].body)
    del plot.store._objects[running], plot.store._objects[unknown]
    await plot.store.create(running, orjson.dumps({**body, "state": "accepted"}))
    for _ in range(2):
        books = await swept(plot)
    assert stands(plot, old) == [True, True]
    assert (books.by_fate[Fate.UNDER_WAY].assets, books.by_fate[Fate.UNKNOWN].assets) == (1, 1)


async def test_a_run_that_died_between_collecting_and_deleting_is_finished_by_the_next(plot: Plot) -> None:
    old, new = await replaced(plot)
    await swept(plot)
    for name in JOBS:
        entry = await plot.ledger.look(job_name(old, [name]).key)
        assert entry is not None
        assert await plot.ledger.collect(entry)
    planned = await swept(plot, wanted=False)
    assert (planned.by_fate[Fate.LEFTOVER].assets, planned.by_fate[Fate.LEFTOVER].credits) == (2, Decimal(0))
    assert (await swept(plot, older_than_seconds=30 * DAY)).deleted_assets == 2
    assert (stands(plot, old), stands(plot, new)) == ([False, False], [True, True])


@pytest.mark.parametrize("damage", ["manifest", "foreign manifest", "job", "newest", "another job document"])
async def test_an_image_with_a_damaged_document_is_told_and_left_alone(plot: Plot, damage: str) -> None:
    old, _ = await replaced(plot)
    job = job_key_path(job_name(old, ["raw"]).key)
    key = {"job": job, "newest": newest_path(SKU, "main"), "another job document": job}.get(
        damage, manifest_key(SKU, "main")
    )
    standing = plot.store._objects.pop(key)
    if damage == "foreign manifest":
        await plot.store.create(key, orjson.dumps({**orjson.loads(standing.body), "sku_id": "OTHER"}))
    elif damage == "another job document":
        plot.store._objects[key] = standing
        await plot.store.create(f"{key}.bak", b"{}")
    else:
        await plot.store.create(key, b"{nope")
    for _ in range(2):
        books = await swept(plot)
    assert stands(plot, old) == [True, True]
    assert (books.damaged_images, books.by_fate[Fate.DAMAGED].assets, books.deleted_assets) == (1, 4, 0)
    assert key in books.damage[0]


async def test_foreign_objects_and_other_images_are_left_alone(plot: Plot, tmp_path: Path) -> None:
    await replaced(plot)
    foreign = ["holiday.jpg", f"{SKU}/main/notes.txt", "a/b/c/raw-aaaaaaaaaaaaaaaaaaaa.png", "_ledger/x", "zz/top.png"]
    for key in foreign:
        await plot.store.create(key, b"not ours")
    for _ in range(3):
        books = await swept(plot)
    assert all(plot.store.stands(key) for key in foreign)
    assert books.foreign == 4


async def test_a_months_old_record_whose_assets_are_gone_ends_clearly_and_shows_nothing(plot: Plot) -> None:
    """A copy of the newest event, found to mean another photo, waited somewhere for longer than `--older-than`."""
    copy = plot.record(sequence=2, photo="a", offset=3)
    copy = await plot.stage(await plot.stage(copy, "raw"), "transparent")
    await plot.walk(plot.record(sequence=2, photo="b"))
    for _ in range(2):
        await swept(plot)
    before = await plot.manifest()
    with pytest.raises(Rejected) as refused:
        await plot.show(copy)
    assert refused.value.reason is Reason.ASSET_MISSING
    assert await plot.manifest() == before


async def test_the_answer_names_the_largest_images_and_stays_small() -> None:
    books = Books()
    for number in range(10 * MOST_NAMED):
        books.damaged(f"document {number}")
    assert (len(books.damage), books.damaged_images) == (MOST_NAMED, 10 * MOST_NAMED)
    assert Verdict(Fate.SHOWN, ()).credits == 0


class Noting(GatedStore):
    """A store that notes where its listings begin."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[tuple[str, str]] = []

    async def list_keys(self, prefix: str, *, after: str = "") -> AsyncGenerator[Listed, None]:
        self.listed.append((prefix, after))
        async for found in super().list_keys(prefix, after=after):
            yield found


async def test_the_store_is_listed_without_the_ledger(tmp_path: Path) -> None:
    """There may be more documents there than of anything else."""
    store = Noting()
    plot = Plot(store, tmp_path)
    for sku in ("A", "a"):
        await store.create(f"{sku}/main/note.txt", b"")
    await replaced(plot)
    store.listed.clear()
    books = await swept(plot, wanted=False)
    assert store.listed[0] == ("", "")
    assert ("", "_ledger0") in store.listed
    assert books.objects == 2 + 5
