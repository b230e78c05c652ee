from pathlib import Path

import pytest

from stream.core.errors import Misconfigured
from stream.objects.choose import open_store
from stream.objects.folder import FolderStore
from stream.objects.options import InputMode, StoreOptions
from stream.objects.s3 import S3Store
from tests.contract.stores import HastyClock, recorder


async def test_an_address_opens_its_store(tmp_path: Path) -> None:
    folder = await open_store((tmp_path / "a b").as_uri(), recorder=recorder(), clock=HastyClock())
    assert isinstance(folder, FolderStore)
    await folder.create("doc", b"{}")
    assert (tmp_path / "a b" / "doc").read_bytes() == b"{}"
    bucket = await open_store("s3://some-bucket/a/b/", recorder=recorder(), clock=HastyClock())
    assert isinstance(bucket, S3Store)
    assert bucket.public_url("k.png").endswith("amazonaws.com/a/b/k.png")
    await bucket.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory:",
        "/var/data",
        "gs://bucket",
        "file://server/share",
        "file://relative",
        "file:relative",
        "file:///",
        "s3://",
        "s3://b",
        "s3://Bucket/x",
        "s3://bucket/../x",
        "s3://bucket/a//b",
        "s3://bucket/x?versionId=1",
        "http://[broken",
    ],
)
async def test_an_address_that_names_no_store_is_refused_with_a_way_out(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"s3://bucket|bucket name"):
        await open_store(url, recorder=recorder(), clock=HastyClock())


async def test_keys_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(Misconfigured) as told:
        await open_store("s3://AKIA:hidden@bucket/x", recorder=recorder(), clock=HastyClock())
    assert "hidden" not in str(told.value)


async def test_a_public_mode_without_a_public_address_is_refused() -> None:
    options = StoreOptions(input_mode=InputMode.PUBLIC)
    for url in ("s3://bucket", "file:///var/data"):
        with pytest.raises(Misconfigured, match="public base URL"):
            await open_store(url, options, recorder=recorder(), clock=HastyClock())


async def test_an_endpoint_that_is_no_url_is_refused() -> None:
    options = StoreOptions(endpoint_url="minio:9000")
    with pytest.raises(Misconfigured, match="cannot use"):
        await open_store("s3://bucket", options, recorder=recorder(), clock=HastyClock())
