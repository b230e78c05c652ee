"""S3 alone: lost answers resolved truthfully behind a proxy that loses them, and what the web sees of an object."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from pydantic import SecretStr

from stream.core.errors import Resource, Unavailable
from stream.objects.choose import open_store
from stream.objects.keys import asset_key
from stream.objects.options import InputMode, StoreOptions
from stream.objects.port import ObjectStore
from tests.contract.stores import Calls, HastyClock, opened, recorder, s3_options, s3_store
from tests.services.proxy import Fault, FaultyProxy
from tests.services.s3 import S3Server
from tests.services.waiting import free_ports

pytestmark = pytest.mark.s3

LOSSES = [fault for fault in Fault if fault not in {Fault.CUT_MIDWAY, Fault.LATE_ANSWER}]


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    return s3.create_bucket(f"t{secrets.token_hex(5)}")


@pytest.fixture
async def proxy(s3: S3Server) -> AsyncIterator[FaultyProxy]:
    server = urlsplit(s3.endpoint_url)
    assert server.hostname is not None
    assert server.port is not None
    async with FaultyProxy(server.hostname, server.port) as proxy:
        yield proxy


@pytest.fixture
async def direct(s3: S3Server, bucket: str, prefix: str) -> AsyncIterator[ObjectStore]:
    async with s3_store(s3, bucket, prefix) as store:
        yield store


@pytest.fixture
async def lossy(s3: S3Server, bucket: str, prefix: str, proxy: FaultyProxy) -> AsyncIterator[ObjectStore]:
    """The same keys as `direct`, seen through the proxy."""
    async with s3_store(s3, bucket, prefix, endpoint_url=proxy.url, timeout_seconds=2.0) as store:
        await store.read("warm")  # a pooled connection: aiohttp sends a PUT again by itself when one dies
        yield store


@pytest.mark.parametrize("losses", [*([fault] for fault in LOSSES), LOSSES[:3], [Fault.CUT_ANSWER] * 3])
async def test_a_create_whose_answers_are_lost_is_still_ours(
    direct: ObjectStore, lossy: ObjectStore, proxy: FaultyProxy, losses: list[Fault]
) -> None:
    proxy.plan("PUT", *losses)
    tag = await lossy.create("doc", b"ours")
    await proxy.release()
    found = await direct.read("doc")
    assert proxy.struck > 0
    assert found is not None
    assert (found.body, found.tag) == (b"ours", tag)


@pytest.mark.parametrize("losses", [*([fault] for fault in LOSSES), LOSSES[:3], [Fault.CUT_ANSWER] * 3])
async def test_a_replace_whose_answers_are_lost_is_still_ours(
    direct: ObjectStore, lossy: ObjectStore, proxy: FaultyProxy, losses: list[Fault]
) -> None:
    before = await direct.create("doc", b"before")
    assert before is not None
    proxy.plan("PUT", *losses)
    tag = await lossy.replace("doc", b"ours", before)
    await proxy.release()
    found = await direct.read("doc")
    assert proxy.struck > 0
    assert found is not None
    assert (found.body, found.tag) == (b"ours", tag)


@pytest.mark.parametrize("loss", LOSSES)
async def test_another_mans_document_is_never_taken_for_ours(
    direct: ObjectStore, lossy: ObjectStore, proxy: FaultyProxy, loss: Fault
) -> None:
    tag = await direct.create("doc", b"theirs")
    assert tag is not None
    proxy.plan("PUT", loss)
    assert await lossy.create("doc", b"ours") is None
    newer = await direct.replace("doc", b"theirs, newer", tag)
    proxy.plan("PUT", loss)
    assert await lossy.replace("doc", b"ours", tag) is None
    await proxy.release()
    found = await direct.read("doc")
    assert found is not None
    assert (found.body, found.tag) == (b"theirs, newer", newer)


async def test_a_request_that_arrives_after_all_changes_nothing_anymore(
    direct: ObjectStore, lossy: ObjectStore, proxy: FaultyProxy
) -> None:
    proxy.plan("PUT", Fault.HOLD_REQUEST)
    first = await lossy.create("doc", b"first")
    assert first is not None
    second = await lossy.replace("doc", b"second", first)
    assert await proxy.release() == [b"412"]
    found = await direct.read("doc")
    assert found is not None
    assert (found.body, found.tag) == (b"second", second)


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_put_whose_answer_is_lost_stands_once(
    lossy: ObjectStore, proxy: FaultyProxy, loss: Fault, tmp_path: Path
) -> None:
    path = tmp_path / "spooled"
    path.write_bytes(b"picture")
    sha256 = hashlib.sha256(b"picture").hexdigest()
    proxy.plan("PUT", loss)
    put = await lossy.put_file("x.png", path, content_type="image/png", sha256=sha256)
    assert proxy.struck > 0
    assert put == await lossy.stat("x.png")
    assert put.sha256 == sha256


async def test_a_server_that_takes_long_to_store_a_file_is_waited_for(
    lossy: ObjectStore, proxy: FaultyProxy, tmp_path: Path
) -> None:
    body = secrets.token_bytes(512 * 1024)  # granted 1 s, and 8 s for its size; the answer takes 2 s
    path = tmp_path / "spooled"
    path.write_bytes(body)
    proxy.plan("PUT", Fault.LATE_ANSWER)
    await lossy.put_file("x.png", path, content_type="image/png", sha256=hashlib.sha256(body).hexdigest())
    assert proxy.struck > 0
    assert (proxy.requests["PUT"], proxy.requests["HEAD"]) == (1, 0)


@pytest.mark.parametrize("loss", [Fault.CUT_MIDWAY, Fault.CUT_ANSWER, Fault.SWALLOW_ANSWER, Fault.ERROR_ANSWER])
async def test_a_read_goes_again(
    direct: ObjectStore, lossy: ObjectStore, proxy: FaultyProxy, loss: Fault, tmp_path: Path
) -> None:
    await direct.create("doc", b"whole")
    proxy.plan("GET", loss)
    found = await lossy.read("doc")
    assert found is not None
    assert found.body == b"whole"
    proxy.plan("GET", loss)
    await lossy.get_file("doc", tmp_path / "target", max_bytes=10)
    assert (tmp_path / "target").read_bytes() == b"whole"
    assert proxy.struck == 2


async def test_a_store_that_never_answers_is_unavailable(lossy: ObjectStore, proxy: FaultyProxy) -> None:
    for method in ("PUT", "GET"):
        proxy.plan(method, *[Fault.SWALLOW_ANSWER] * 20)
    with pytest.raises(Unavailable) as told:
        await lossy.create("doc", b"ours")
    assert told.value.resource is Resource.STORE


@pytest.mark.parametrize("loss", [Fault.CUT_MIDWAY, Fault.CUT_ANSWER, Fault.SWALLOW_ANSWER, Fault.ERROR_ANSWER])
async def test_a_listing_and_a_deletion_go_again(
    direct: ObjectStore, lossy: ObjectStore, proxy: FaultyProxy, loss: Fault, tmp_path: Path
) -> None:
    key = asset_key("S", "main", "raw", "a" * 20, "png")
    path = tmp_path / "spooled"
    path.write_bytes(b"picture")
    await direct.put_file(key, path, content_type="image/png", sha256=hashlib.sha256(b"picture").hexdigest())
    proxy.plan("GET", loss)
    assert [found.key async for found in lossy.list_keys("S/")] == [key]
    proxy.plan("DELETE", loss)
    await lossy.delete_asset(key)
    assert await direct.stat(key) is None
    assert proxy.struck == 2


async def test_a_neighbour_below_another_prefix_is_neither_told_nor_deleted(
    s3: S3Server, bucket: str, prefix: str
) -> None:
    """Two shops in one bucket, one's prefix the beginning of the other's."""
    async with s3_store(s3, bucket, f"{prefix}/shop") as ours, s3_store(s3, bucket, f"{prefix}/shop-2") as theirs:
        key = asset_key("S", "main", "raw", "a" * 20, "png")
        await theirs.create(key, b"theirs")
        await ours.create("S/main/manifest.json", b"ours")
        assert [found.key async for found in ours.list_keys("")] == ["S/main/manifest.json"]
        await ours.delete_asset(key)
        assert await theirs.read(key) is not None


@pytest.mark.parametrize("trouble", ["nobody listens", "wrong keys", "no bucket"])
async def test_trouble_names_bucket_and_endpoint_and_no_secret(
    s3: S3Server, bucket: str, trouble: str, tmp_path: Path
) -> None:
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}" if trouble == "nobody listens" else s3.endpoint_url
    name = "not-there" if trouble == "no bucket" else bucket
    options = s3_options(s3, endpoint_url=endpoint)
    if trouble == "wrong keys":
        options = replace(options, secret_key=SecretStr("hidden-wrong-secret"))
    path = tmp_path / "spooled"
    path.write_bytes(b"x")
    sha256 = hashlib.sha256(b"x").hexdigest()
    calls = Calls()
    async with opened(f"s3://{name}/p", options, calls) as store:
        for call in (
            store.probe(),
            store.read("doc"),
            store.create("doc", b"ours"),
            store.replace("doc", b"ours", '"tag"'),
            store.put_file("x.png", path, content_type="image/png", sha256=sha256),
            store.get_file("x.png", tmp_path / "target", max_bytes=1),
        ):
            with pytest.raises(Unavailable, match=rf"bucket '{name}' at {endpoint}") as told:
                await call
            assert told.value.resource is Resource.STORE
            assert "secret" not in str(told.value)
            assert s3.access_key not in str(told.value)
    assert calls.failed_actions == {"probe": 1, "read": 1, "create": 1, "replace": 1, "put": 1, "get": 1}


async def test_a_document_ages_by_the_servers_clock(s3: S3Server, bucket: str, prefix: str) -> None:
    clock, calls = HastyClock(ahead_seconds=1e9), Calls()
    store = await open_store(f"s3://{bucket}/{prefix}", s3_options(s3), recorder=recorder(calls), clock=clock)
    try:
        await store.create("doc", b"{}")
        found = await store.read("doc")
    finally:
        await store.aclose()
    assert found is not None
    assert 0 <= found.age_seconds < 60
    assert calls.stored_actions == {"create": 1, "read": 1}


@pytest.mark.parametrize("url_of", ["presigned", "presigned elsewhere"])
async def test_a_presigned_url_serves_the_file_to_anybody(
    s3: S3Server, bucket: str, prefix: str, url_of: str, tmp_path: Path
) -> None:
    options = replace(s3_options(s3), input_mode=InputMode.PRESIGNED)
    if url_of == "presigned elsewhere":
        options = replace(options, presign_endpoint_url=s3.endpoint_url.replace("127.0.0.1", "localhost"))
    path = tmp_path / "spooled"
    path.write_bytes(b"picture")
    async with opened(f"s3://{bucket}/{prefix}", options) as store, aiohttp.ClientSession() as anybody:
        sha256 = hashlib.sha256(b"picture").hexdigest()
        await store.put_file("a~20b/x.png", path, content_type="image/png", sha256=sha256)
        await store.create("a~20b/manifest.json", b"{}")
        url = await store.fetch_url("a~20b/x.png", valid_seconds=60)
        assert url is not None
        assert ("localhost" in url) == (url_of == "presigned elsewhere")
        async with anybody.get(url) as answer:
            assert (answer.status, await answer.read()) == (200, b"picture")
            assert answer.headers["Content-Type"] == "image/png"
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        async with anybody.get(str(await store.fetch_url("a~20b/manifest.json", valid_seconds=60))) as answer:
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["Cache-Control"] == "no-cache"
        async with anybody.get(store.public_url("a~20b/x.png")) as answer:
            assert answer.status == 403  # signed or not at all: the bucket is not public


async def test_an_object_put_by_another_program_is_hashed_by_reading(direct: ObjectStore) -> None:
    await direct.create("foreign.json", b"no hash recorded")
    facts = await direct.stat("foreign.json")
    assert facts is not None
    assert facts.sha256 == hashlib.sha256(b"no hash recorded").hexdigest()


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        (StoreOptions(), "presigned"),
        (StoreOptions(public_base_url="https://cdn.example"), "public"),
        (StoreOptions(public_base_url="http://cdn.example"), "presigned"),
        (StoreOptions(endpoint_url="http://minio:9000"), "upload"),
        (StoreOptions(endpoint_url="http://minio:9000", presign_endpoint_url="https://s3.example"), "presigned"),
        (StoreOptions(input_mode=InputMode.UPLOAD, public_base_url="https://cdn.example"), "upload"),
        (StoreOptions(input_mode=InputMode.PUBLIC, public_base_url="http://cdn.example"), "public"),
    ],
)
async def test_the_input_mode_decides_what_pixelapi_is_given(options: StoreOptions, mode: str) -> None:
    keyed = replace(options, access_key=SecretStr("made-up"), secret_key=SecretStr("made-up"), region="eu-west-1")
    async with opened("s3://bucket/p", keyed) as store:
        url = await store.fetch_url("a/x.png", valid_seconds=60)
    if url is None:
        assert mode == "upload"
    else:
        assert ("X-Amz-Signature" in url) == (mode == "presigned")
        assert url.split("?")[0].endswith("/p/a/x.png" if mode == "presigned" else "cdn.example/a/x.png")
