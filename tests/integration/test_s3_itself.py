"""What the ledger rests on, shown on the server itself: conditions hold, and signatures are checked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from tests.services.s3 import S3Server

pytestmark = pytest.mark.s3


def _client(server: S3Server, secret_key: str = S3Server.secret_key) -> Any:
    return get_session().create_client(
        "s3", endpoint_url=server.endpoint_url, region_name=server.region, aws_access_key_id=server.access_key,
        aws_secret_access_key=secret_key, config=AioConfig(s3={"addressing_style": "path"}),
    )  # fmt: skip


@pytest.fixture
async def client(s3: S3Server) -> AsyncIterator[Any]:
    async with _client(s3) as opened:
        yield opened


@pytest.fixture
def bucket(s3: S3Server, prefix: str) -> str:
    return s3.create_bucket(prefix)


async def _refusal(call: Any) -> int:
    with pytest.raises(ClientError) as refused:
        await call
    status = refused.value.response["ResponseMetadata"]["HTTPStatusCode"]
    assert isinstance(status, int)
    return status


async def test_a_second_create_is_refused_with_412(client: Any, bucket: str) -> None:
    await client.put_object(Bucket=bucket, Key="claim", Body=b"first", IfNoneMatch="*")
    assert await _refusal(client.put_object(Bucket=bucket, Key="claim", Body=b"second", IfNoneMatch="*")) == 412
    answer = await client.get_object(Bucket=bucket, Key="claim")
    async with answer["Body"] as body:
        assert await body.read() == b"first"


async def test_of_twenty_racing_creates_one_wins(client: Any, bucket: str) -> None:
    async def create(number: int) -> int | None:
        try:
            await client.put_object(Bucket=bucket, Key="claim", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as lost:
            assert lost.response["ResponseMetadata"]["HTTPStatusCode"] == 412  # noqa: PT017 - most of them lose
            return None
        return number

    winners = [number for number in await asyncio.gather(*map(create, range(20))) if number is not None]
    assert len(winners) == 1
    answer = await client.get_object(Bucket=bucket, Key="claim")
    async with answer["Body"] as body:
        assert await body.read() == str(winners[0]).encode()


async def test_a_change_of_an_older_version_is_refused_with_412(client: Any, bucket: str) -> None:
    first = await client.put_object(Bucket=bucket, Key="claim", Body=b"first")
    second = await client.put_object(Bucket=bucket, Key="claim", Body=b"second", IfMatch=first["ETag"])
    assert second["ETag"] != first["ETag"]
    stale = client.put_object(Bucket=bucket, Key="claim", Body=b"third", IfMatch=first["ETag"])
    assert await _refusal(stale) == 412


async def test_a_change_of_what_does_not_exist_is_refused(client: Any, bucket: str) -> None:
    change = client.put_object(Bucket=bucket, Key="nothing", Body=b"x", IfMatch='"0123456789abcdef0123456789abcdef"')
    assert await _refusal(change) in (404, 412)


async def test_a_wrong_secret_is_refused_with_403(s3: S3Server, bucket: str) -> None:
    async with _client(s3, secret_key="not-the-secret-key") as stranger:
        assert await _refusal(stranger.put_object(Bucket=bucket, Key="claim", Body=b"x")) == 403
