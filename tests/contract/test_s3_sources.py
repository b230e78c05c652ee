"""Photos in S3, read from a real server: which buckets, whose fault a refusal is, and no more bytes than allowed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from yarl import URL

from stream.core.clock import SystemClock
from stream.core.errors import Reason, Rejected, Resource, Transient, Unavailable
from stream.downloads import elsewhere, hops
from stream.downloads.port import Whose
from stream.downloads.web import HttpDownloads
from stream.objects.options import StoreOptions
from stream.objects.s3_sources import S3Sources
from tests.contract.stores import s3_options
from tests.services.s3 import S3Server
from tests.services.waiting import free_ports
from tests.unit.downloads.hostile import downloads

pytestmark = pytest.mark.s3
BODY = bytes(range(256)) * 10_000


@pytest.fixture
def bucket(s3: S3Server, prefix: str) -> str:
    return s3.create_bucket(prefix)


@asynccontextmanager
async def door(
    folder: Path, options: StoreOptions, *buckets: str, max_bytes: int = 3_000_000
) -> AsyncIterator[HttpDownloads]:
    sources = S3Sources(frozenset(buckets), options, clock=SystemClock())
    async with downloads(folder, s3_reader=sources, max_bytes=max_bytes) as opened:
        yield opened


def address(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{quote(key, safe='/')}"


def put(server: S3Server, bucket: str, key: str, body: bytes = BODY) -> None:
    client = server.client()
    client.put_object(Bucket=bucket, Key=key, Body=body)
    client.close()


async def refusal(opened: HttpDownloads, url: str) -> Exception:
    """What both ways of asking end in: the same error."""
    with pytest.raises(Exception) as told:  # noqa: PT011 - looked at by the caller
        await opened.version_of(url)
    with pytest.raises(type(told.value)) as fetched:
        async with opened.fetch(url, Whose.SOURCE):
            pass
    assert getattr(fetched.value, "reason", None) is getattr(told.value, "reason", None)
    return told.value


@pytest.mark.parametrize("key", ["MUG-1/front.jpg", "MUG-1/red flower+é%41?#.jpg", "MUG-1//.jpg"])
async def test_a_photo_comes_whole_whatever_its_key(s3: S3Server, bucket: str, tmp_path: Path, key: str) -> None:
    put(s3, bucket, key)
    async with (
        door(tmp_path, s3_options(s3), bucket) as opened,
        opened.fetch(address(bucket, key), Whose.SOURCE) as spooled,
    ):
        assert spooled.path.read_bytes() == BODY


def test_dots_in_a_key_lead_nowhere_else() -> None:
    for key in ("MUG-1/../up.jpg", "./MUG-1/x.jpg"):
        read = elsewhere.bucket_and_key(hops.read(address("photos", key)))
        assert read == ("photos", key)
    assert URL("s3://photos/a/../b").raw_path == "/b", "what would happen if the URL were tidied"


async def test_the_version_changes_with_the_object_and_only_then(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    url = address(bucket, "MUG-1/front.jpg")
    async with door(tmp_path, s3_options(s3), bucket) as opened:
        told = []
        for body in (BODY, BODY, b"another"):
            put(s3, bucket, "MUG-1/front.jpg", body)
            told.append(await opened.version_of(url))
    assert told[0] == told[1] != told[2]
    assert str(told[0]).startswith("etag:")


async def test_a_missing_object_or_bucket_is_the_events_trouble(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    async with door(tmp_path, s3_options(s3), bucket, "no-such-bucket") as opened:
        for url in (address(bucket, "none.jpg"), address("no-such-bucket", "none.jpg")):
            error = await refusal(opened, url)
            assert isinstance(error, Rejected)
            assert error.reason is Reason.SOURCE_MISSING
            assert str(error) == f"{url} does not exist"


async def test_only_named_buckets_are_asked(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    """The keys could read it; the event may not choose it."""
    put(s3, bucket, "a.jpg")
    for named in ((), ("other-bucket",)):
        async with door(tmp_path, s3_options(s3), *named) as opened:
            error = await refusal(opened, address(bucket, "a.jpg"))
            assert isinstance(error, Rejected)
            assert error.reason is Reason.SOURCE_REFUSED
            assert "SKUSTREAM_SOURCE_BUCKETS" in str(error)


async def test_an_object_we_may_not_read_is_refused_with_the_way_out(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    put(s3, bucket, "a.jpg")
    stranger = replace(
        s3_options(s3), access_key=SecretStr(s3.stranger_access_key), secret_key=SecretStr(s3.stranger_secret_key)
    )
    async with door(tmp_path, stranger, bucket) as opened:
        error = await refusal(opened, address(bucket, "a.jpg"))
    assert isinstance(error, Rejected)
    assert error.reason is Reason.SOURCE_REFUSED
    assert "s3:GetObject" in str(error)
    assert "AccessDenied" in str(error)


async def test_wrong_keys_are_no_events_fault(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    """L8."""
    wrong = replace(s3_options(s3), secret_key=SecretStr("never-this-one"))
    async with door(tmp_path, wrong, bucket) as opened:
        error = await refusal(opened, address(bucket, "a.jpg"))
    assert isinstance(error, Unavailable)
    assert error.resource is Resource.SOURCES
    assert "never-this-one" not in str(error)


async def test_a_server_that_does_not_answer_is_a_passing_fault(s3: S3Server, tmp_path: Path) -> None:
    gone = replace(s3_options(s3), endpoint_url=f"http://127.0.0.1:{free_ports(1)[0]}")
    async with door(tmp_path, gone, "photos") as opened:
        assert isinstance(await refusal(opened, "s3://photos/a.jpg"), Transient)


async def test_a_photo_over_the_cap_is_refused_before_it_is_read(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    put(s3, bucket, "a.jpg")
    async with door(tmp_path, s3_options(s3), bucket, max_bytes=len(BODY) - 1) as opened:
        with pytest.raises(Rejected) as caught:
            async with opened.fetch(address(bucket, "a.jpg"), Whose.SOURCE):
                pass
    assert caught.value.reason is Reason.INVALID_IMAGE
