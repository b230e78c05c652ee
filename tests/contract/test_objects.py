"""What every store promises, asked of all three."""

import asyncio
import hashlib
import itertools
import json
import secrets
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream.objects import keys
from stream.objects.memory import MemoryStore
from stream.objects.port import MAX_DOCUMENT_BYTES, ObjectStore
from tests.contract.stores import folder_store, s3_store
from tests.services.s3 import S3Server

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
BIG_BYTES = 64 * 1024 * 1024
HOSTILE_IDS = ["a b", "../../etc/passwd", "ü/%2F", "~", "", "x" * 300, "a\x00b", "🧢", ".", "CON", "_ledger"]


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> tuple[S3Server, str]:
    return s3, s3.create_bucket(f"t{secrets.token_hex(5)}")


@pytest.fixture(params=["memory", "folder", pytest.param("s3", marks=pytest.mark.s3)])
async def store(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> AsyncIterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "folder":
        async with folder_store(tmp_path / "store") as folder:
            yield folder
    else:
        server, bucket = request.getfixturevalue("bucket")
        # Fifty writers of one key keep SeaweedFS busy for seconds; the impatient read back and see who won.
        async with s3_store(server, bucket, prefix, timeout_seconds=3.0) as opened:
            yield opened


def spooled(folder: Path, content: bytes, name: str = "spooled") -> tuple[Path, str]:
    path = folder / name
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


async def test_the_probe_passes(store: ObjectStore) -> None:
    await store.probe()


async def test_a_created_document_reads_back_with_its_tag_and_age(store: ObjectStore) -> None:
    assert await store.read("a/doc.json") is None
    tag = await store.create("a/doc.json", b'{"owner": 1}')
    found = await store.read("a/doc.json")
    assert found is not None
    assert (found.body, found.tag) == (b'{"owner": 1}', tag)
    assert 0 <= found.age_seconds < 60


async def test_create_keeps_what_stands(store: ObjectStore) -> None:
    assert await store.create("doc", b"first") is not None
    assert await store.create("doc", b"second") is None
    found = await store.read("doc")
    assert found is not None
    assert found.body == b"first"


async def test_the_same_body_again_counts_as_ones_own_write(store: ObjectStore) -> None:
    tag = await store.create("doc", b"nonce 1")
    assert await store.create("doc", b"nonce 1") == tag
    assert tag is not None
    second = await store.replace("doc", b"nonce 2", tag)
    assert second is not None
    assert await store.replace("doc", b"nonce 2", tag) == second


async def test_replace_needs_the_present_version(store: ObjectStore) -> None:
    assert await store.replace("doc", b"nothing stands here", '"no tag"') is None
    first = await store.create("doc", b"1")
    assert first is not None
    second = await store.replace("doc", b"2", first)
    assert second is not None
    assert await store.replace("doc", b"3", first) is None
    assert await store.replace("other", b"3", second) is None
    found = await store.read("doc")
    assert found is not None
    assert (found.body, found.tag) == (b"2", second)
    assert await store.read("other") is None


async def test_of_fifty_racing_creates_exactly_one_wins(store: ObjectStore) -> None:
    bodies = [json.dumps({"owner": number}).encode() for number in range(50)]
    tags = await asyncio.gather(*(store.create("race", body) for body in bodies))
    winners = [body for body, tag in zip(bodies, tags, strict=True) if tag is not None]
    found = await store.read("race")
    assert found is not None
    assert winners == [found.body]


async def test_of_fifty_racing_replaces_exactly_one_wins(store: ObjectStore) -> None:
    tag = await store.create("race", b"start")
    assert tag is not None
    bodies = [json.dumps({"owner": number}).encode() for number in range(50)]
    tags = await asyncio.gather(*(store.replace("race", body, tag) for body in bodies))
    winners = [body for body, new in zip(bodies, tags, strict=True) if new is not None]
    found = await store.read("race")
    assert found is not None
    assert winners == [found.body]


async def test_no_update_is_lost_among_twenty_writers(store: ObjectStore) -> None:
    """None may also mean "landed, and another wrote on top": a writer looks for its own mark before it goes again."""
    assert await store.create("counter", b'{"count": 0, "by": []}') is not None

    async def increment(owner: int) -> None:
        for _ in range(1000):
            found = await store.read("counter")
            assert found is not None
            if owner in (standing := json.loads(found.body))["by"]:
                return
            body = json.dumps({"count": standing["count"] + 1, "by": [*standing["by"], owner]}).encode()
            if await store.replace("counter", body, found.tag) is not None:
                return
        pytest.fail("never got through")

    await asyncio.gather(*(increment(owner) for owner in range(20)))
    found = await store.read("counter")
    assert found is not None
    counted = json.loads(found.body)
    assert (counted["count"], sorted(counted["by"])) == (20, list(range(20)))


async def test_a_document_too_large_is_refused(store: ObjectStore) -> None:
    largest = b"x" * MAX_DOCUMENT_BYTES
    tag = await store.create("doc", largest)
    assert tag is not None
    for write in (store.create("other", largest + b"x"), store.replace("doc", largest + b"x", tag)):
        with pytest.raises(ValueError, match="1048577 bytes"):
            await write
    found = await store.read("doc")
    assert found is not None
    assert found.body == largest


async def test_the_first_file_put_is_kept(store: ObjectStore, tmp_path: Path) -> None:
    path, sha256 = spooled(tmp_path, b"first picture")
    other, other_sha256 = spooled(tmp_path, b"another picture", "other")
    put = await store.put_file("sku/main/x-1.png", path, content_type="image/png", sha256=sha256)
    again = await store.put_file("sku/main/x-1.png", other, content_type="image/png", sha256=other_sha256)
    assert put == again == await store.stat("sku/main/x-1.png")
    assert (put.key, put.content_type, put.bytes, put.sha256) == ("sku/main/x-1.png", "image/png", 13, sha256)
    target = tmp_path / "target"
    assert await store.get_file("sku/main/x-1.png", target, max_bytes=13) == put
    assert target.read_bytes() == b"first picture"


async def test_an_empty_file_is_a_file(store: ObjectStore, tmp_path: Path) -> None:
    path, sha256 = spooled(tmp_path, b"")
    put = await store.put_file("empty.png", path, content_type="image/png", sha256=sha256)
    assert (put.bytes, put.sha256) == (0, EMPTY_SHA256)
    assert await store.stat("empty.png") == put
    assert (await store.get_file("empty.png", tmp_path / "target", max_bytes=0)).bytes == 0


async def test_of_racing_puts_one_file_stands_and_all_are_told_so(store: ObjectStore, tmp_path: Path) -> None:
    files = [spooled(tmp_path, b"%d" % number, f"spooled-{number}") for number in range(10)]
    facts = await asyncio.gather(
        *(store.put_file("race.jpg", path, content_type="image/jpeg", sha256=sha256) for path, sha256 in files)
    )
    assert {fact.sha256 for fact in facts} == {(await store.get_file("race.jpg", tmp_path / "t", max_bytes=9)).sha256}


async def test_a_file_other_than_announced_is_not_stored(store: ObjectStore, tmp_path: Path) -> None:
    path, _ = spooled(tmp_path, b"changed since")
    with pytest.raises(ValueError, match="sha256"):
        await store.put_file("wrong.png", path, content_type="image/png", sha256=EMPTY_SHA256)
    assert await store.stat("wrong.png") is None


async def test_a_file_that_is_gone_is_the_callers_fault(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await store.put_file("x.png", tmp_path / "gone", content_type="image/png", sha256=EMPTY_SHA256)


async def test_what_is_not_there_is_not_found(store: ObjectStore, tmp_path: Path) -> None:
    assert await store.stat("nowhere/x.png") is None
    with pytest.raises(FileNotFoundError):
        await store.get_file("nowhere/x.png", tmp_path / "target", max_bytes=10)
    assert not (tmp_path / "target").exists()


async def test_a_file_beyond_the_cap_leaves_nothing_behind(store: ObjectStore, tmp_path: Path) -> None:
    path, sha256 = spooled(tmp_path, b"eleven byte")
    await store.put_file("x.png", path, content_type="image/png", sha256=sha256)
    with pytest.raises(ValueError, match="more than 10"):
        await store.get_file("x.png", tmp_path / "target", max_bytes=10)
    assert not (tmp_path / "target").exists()


async def told_by(store: ObjectStore, prefix: str, after: str = "") -> list[str]:
    return [found.key async for found in store.list_keys(prefix, after=after)]


async def test_a_listing_tells_each_key_below_its_prefix_once_with_its_size(store: ObjectStore) -> None:
    told = ["A/main/x.json", "A/side/x.json", "A-1/main/x.json", "_ledger/jobs/ab/abcd.json", "a~20b/main/x.json", "z"]
    for number, key in enumerate(told):
        await store.create(key, b"x" * number)
    found = [listed async for listed in store.list_keys("")]
    assert {listed.key: listed.bytes for listed in found} == {key: number for number, key in enumerate(told)}
    assert len(found) == len(told)
    assert await told_by(store, "A/") == ["A/main/x.json", "A/side/x.json"]
    assert sorted(await told_by(store, "A")) == ["A-1/main/x.json", "A/main/x.json", "A/side/x.json"]
    assert await told_by(store, "_ledger/jobs/ab/ab") == ["_ledger/jobs/ab/abcd.json"]
    assert await told_by(store, "", after="_ledger0") == ["a~20b/main/x.json", "z"]
    assert await told_by(store, "A/", after="A/main/x.json") == ["A/side/x.json"]
    assert await told_by(store, "nowhere/") == []


async def test_a_listing_of_many_pages_tells_each_key_once_and_each_folder_in_one_piece(store: ObjectStore) -> None:
    told = [f"S{number % 7}/main/{number}.json" for number in range(2_100)]
    at_once = asyncio.Semaphore(16)

    async def write(key: str) -> None:
        async with at_once:
            await store.create(key, key.encode())

    await asyncio.gather(*map(write, told))
    found = await told_by(store, "")
    assert sorted(found) == sorted(told)
    assert [folder for folder, _ in itertools.groupby(key.split("/")[0] for key in found)] == [
        f"S{number}" for number in range(7)
    ]


async def test_an_empty_store_lists_nothing(store: ObjectStore) -> None:
    assert await told_by(store, "") == []


async def test_a_deleted_asset_is_gone_and_may_be_deleted_and_put_again(store: ObjectStore, tmp_path: Path) -> None:
    key, other = (keys.asset_key("S", "main", "raw", digit * 20, "png") for digit in "ab")
    path, sha256 = spooled(tmp_path, b"picture")
    for each in (key, other):
        await store.put_file(each, path, content_type="image/png", sha256=sha256)
    await store.delete_asset(key)
    await store.delete_asset(key)
    assert await store.stat(key) is None
    assert await told_by(store, "") == [other]
    assert (await store.put_file(key, path, content_type="image/png", sha256=sha256)).bytes == 7


@pytest.mark.parametrize(
    "key",
    [
        keys.manifest_key("S", "main"), keys.job_key_path("ab12"), keys.newest_path("S", "main"), "", "S", "S/main/",
        "../S/main/raw-aaaaaaaaaaaaaaaaaaaa.png", "S/main/raw-aaaaaaaaaaaaaaaaaaaa.png/..", "S/main/holiday-1.jpg",
        "_ledger/jobs/raw-aaaaaaaaaaaaaaaaaaaa.png",
    ],
)  # fmt: skip
async def test_what_is_no_asset_cannot_be_deleted(store: ObjectStore, key: str) -> None:
    if key:
        await store.create("S/main/manifest.json", b"{}")
    with pytest.raises(ValueError, match="not an asset's key"):
        await store.delete_asset(key)


@pytest.mark.parametrize("hostile", HOSTILE_IDS)
async def test_hostile_ids_make_keys_every_store_takes(store: ObjectStore, hostile: str, tmp_path: Path) -> None:
    key = keys.asset_key(hostile, hostile, hostile, "3f9a", "png")
    path, sha256 = spooled(tmp_path, hostile.encode())
    put = await store.put_file(key, path, content_type="image/png", sha256=sha256)
    assert await store.stat(key) == put
    assert store.public_url(key).endswith(f"/{key}")
    for document in (keys.manifest_key(hostile, hostile), keys.newest_path(hostile, hostile)):
        assert await store.create(document, b"{}") is not None
        assert await store.read(document) is not None


async def test_a_large_file_passes_through_little_memory(store: ObjectStore, tmp_path: Path) -> None:
    if isinstance(store, MemoryStore):
        return  # keeping files in memory is what it is
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(BIG_BYTES)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    tracemalloc.start()
    try:
        await store.put_file("big.png", path, content_type="image/png", sha256=sha256)
        got = await store.get_file("big.png", tmp_path / "back", max_bytes=BIG_BYTES)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (got.bytes, got.sha256) == (BIG_BYTES, sha256)
    assert peak_bytes < BIG_BYTES / 4
