"""The manifest's fence (L5): who may replace whom, at every moment at which another writer may come between."""

from pathlib import Path

import orjson
import pytest

from stream.core.errors import CorruptDocument, Reason, Rejected
from stream.events import Origin, Priority
from stream.objects.keys import manifest_key
from stream.records import StageRecord, first_record
from stream.stages.manifest import publish
from tests.unit.collector.interrupted import InterruptedStore
from tests.unit.collector.walker import SKU, Plot

MANIFEST = manifest_key(SKU, "main")


@pytest.fixture
def store() -> InterruptedStore:
    return InterruptedStore()


@pytest.fixture
def plot(store: InterruptedStore, tmp_path: Path) -> Plot:
    return Plot(store, tmp_path)


async def ready(plot: Plot, *, sequence: int, photo: str, offset: int | None = None) -> StageRecord:
    """With all its assets in the store: a crash may lie between this and the manifest, and minutes."""
    record = plot.record(sequence=sequence, photo=photo, offset=offset)
    return await plot.stage(await plot.stage(record, "raw"), "transparent")


async def shown(plot: Plot) -> set[str]:
    manifest = await plot.manifest()
    assert manifest is not None
    return manifest.shown_keys()


def keys(record: StageRecord) -> set[str]:
    return {asset.key for asset in record.assets.values()}


async def test_an_older_event_never_replaces_a_newer_one(plot: Plot) -> None:
    older, newer = await ready(plot, sequence=1, photo="a"), await ready(plot, sequence=2, photo="b")
    assert await publish(plot.desk, newer) is None
    assert await publish(plot.desk, older) == newer.origin
    assert await shown(plot) == keys(newer)


@pytest.mark.parametrize("first_of_all", [True, False])
async def test_a_manifest_read_before_and_written_after_a_newer_ones_is_not_written(
    plot: Plot, store: InterruptedStore, *, first_of_all: bool
) -> None:
    """A worker frozen for minutes between its read and its write; created or replaced."""
    if not first_of_all:
        await publish(plot.desk, await ready(plot, sequence=1, photo="0"))
    older, newer = await ready(plot, sequence=2, photo="a"), await ready(plot, sequence=3, photo="b")
    store.before_write[MANIFEST] = lambda: publish(plot.desk, newer)
    assert await publish(plot.desk, older) == newer.origin
    assert await shown(plot) == keys(newer)


async def test_of_a_newer_event_overtaken_by_an_older_one_the_newer_one_stands(
    plot: Plot, store: InterruptedStore
) -> None:
    older, newer = await ready(plot, sequence=1, photo="a"), await ready(plot, sequence=2, photo="b")
    store.before_write[MANIFEST] = lambda: publish(plot.desk, older)
    assert await publish(plot.desk, newer) is None
    assert await shown(plot) == keys(newer)


async def test_an_event_that_publishes_again_after_a_crash_changes_nothing(plot: Plot) -> None:
    record = await ready(plot, sequence=1, photo="a")
    for _ in range(2):
        assert await publish(plot.desk, record) is None
    assert await shown(plot) == keys(record)


async def test_of_copies_with_other_pictures_the_one_sent_later_stands_whoever_publishes_last(plot: Plot) -> None:
    """The photo was replaced between the two: a frozen owner of the first copy must not bring the old one back."""
    first = await ready(plot, sequence=1, photo="old", offset=10)
    second = await ready(plot, sequence=1, photo="new", offset=11)
    assert await publish(plot.desk, first) is None
    assert await publish(plot.desk, second) is None
    assert await publish(plot.desk, first) == second.origin
    assert await shown(plot) == keys(second)


async def test_a_copy_with_the_same_pictures_completes_whenever_it_comes(plot: Plot) -> None:
    first, second = [await ready(plot, sequence=1, photo="same", offset=offset) for offset in (10, 11)]
    for record in (second, first):
        assert await publish(plot.desk, record) is None


@pytest.mark.parametrize("damage", [b"{nope", b"", b"\xff\x00", b"[]", b'{"v": 1}', b"null"])
async def test_a_manifest_that_is_none_is_told_and_kept(plot: Plot, store: InterruptedStore, damage: bytes) -> None:
    """A person has to look: to replace it could bring back an older picture, or hide who writes there."""
    await store.create(MANIFEST, damage)
    with pytest.raises(CorruptDocument, match=MANIFEST):
        await publish(plot.desk, await ready(plot, sequence=1, photo="a"))
    found = await store.read(MANIFEST)
    assert found is not None
    assert found.body == damage


async def test_another_images_manifest_is_no_ones_newer_event(plot: Plot, store: InterruptedStore) -> None:
    await publish(plot.desk, await ready(plot, sequence=9, photo="a"))
    standing = await store.read(MANIFEST)
    assert standing is not None
    foreign = orjson.dumps({**orjson.loads(standing.body), "sku_id": "OTHER"})
    assert await store.replace(MANIFEST, foreign, standing.tag) is not None
    with pytest.raises(CorruptDocument, match="another image's"):
        await publish(plot.desk, await ready(plot, sequence=1, photo="b"))


async def test_an_event_ordered_by_another_kind_replaces_nothing(plot: Plot) -> None:
    record = await ready(plot, sequence=1, photo="a")
    await publish(plot.desk, record)
    raw = orjson.dumps({"sku_id": SKU, "raw_url": "https://pim.example/a.jpg"})
    origin = Origin(topic="product-images.raw", partition=0, offset=99)
    other = first_record(raw, origin, timestamp_ms=9_000, priority=Priority.LIVE, started_at=0.0)
    with pytest.raises(Rejected) as refused:
        await publish(plot.desk, other.with_assets(record.assets, source_version="a"))
    assert refused.value.reason is Reason.ORDER_KIND
    assert await shown(plot) == keys(record)


@pytest.mark.parametrize(
    "key",
    [
        "OTHER/main/raw-aaaaaaaaaaaaaaaaaaaa.png",
        "SKU/main/raw-1.png",
        "../x",
        "_ledger/jobs/aa/aa.json",
        "",
        "https://x",
    ],
)
async def test_a_record_that_names_what_is_no_asset_of_its_image_shows_nothing(plot: Plot, key: str) -> None:
    """A topic's contents are hostile until checked; gc would not know that the shop needs such a file."""
    record = await ready(plot, sequence=1, photo="a")
    foreign = record.assets["raw"].model_copy(update={"key": key})
    with pytest.raises(Rejected) as refused:
        await publish(plot.desk, record.with_assets({"raw": foreign}))
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_EVENT, "assets.raw.key")
    assert await plot.manifest() is None
