"""The stores under contract, opened for a test."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from pydantic import SecretStr

from stream.core.clock import SystemClock
from stream.metrics.port import Recorder
from stream.objects.choose import open_store
from stream.objects.options import StoreOptions
from stream.objects.port import ObjectStore
from tests.services.s3 import S3Server


class HastyClock(SystemClock):
    """Real time, but pauses between tries pass at once; `ahead_seconds` puts our wall clock wrong."""

    def __init__(self, ahead_seconds: float = 0.0) -> None:
        self.ahead_seconds = ahead_seconds

    def wall(self) -> float:
        return super().wall() + self.ahead_seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


class Calls:
    """A recorder that hears only the store."""

    def __init__(self) -> None:
        self.stored_actions: Counter[str] = Counter()
        self.failed_actions: Counter[str] = Counter()

    def stored(self, action: str, seconds: float) -> None:
        assert seconds >= 0
        self.stored_actions[action] += 1

    def store_failed(self, action: str) -> None:
        self.failed_actions[action] += 1


def recorder(calls: Calls | None = None) -> Recorder:
    return cast("Recorder", calls or Calls())


def s3_options(server: S3Server, *, endpoint_url: str | None = None) -> StoreOptions:
    return StoreOptions(
        endpoint_url=endpoint_url or server.endpoint_url,
        region=server.region,
        access_key=SecretStr(server.access_key),
        secret_key=SecretStr(server.secret_key),
    )


@asynccontextmanager
async def s3_store(
    server: S3Server,
    bucket: str,
    prefix: str = "some/prefix",
    *,
    endpoint_url: str | None = None,
    timeout_seconds: float = 10.0,
) -> AsyncIterator[ObjectStore]:
    options = replace(s3_options(server, endpoint_url=endpoint_url), timeout_seconds=timeout_seconds)
    async with opened(f"s3://{bucket}/{prefix}", options) as store:
        yield store


@asynccontextmanager
async def folder_store(root: Path) -> AsyncIterator[ObjectStore]:
    async with opened(root.as_uri(), StoreOptions()) as store:
        yield store


@asynccontextmanager
async def opened(url: str, options: StoreOptions, calls: Calls | None = None) -> AsyncIterator[ObjectStore]:
    store = await open_store(url, options, recorder=recorder(calls), clock=HastyClock())
    try:
        yield store
    finally:
        await store.aclose()
