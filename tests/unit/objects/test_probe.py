"""Servers that answer 200 to everything, or check first and write later, or say no: the probe knows them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web
from pydantic import SecretStr
from structlog.testing import capture_logs

from stream.core.errors import Misconfigured, Unavailable
from stream.objects.options import StoreOptions
from tests.contract.stores import opened

_ERROR = "<Error><Code>{}</Code><Message>no</Message></Error>"
_GATHERED = 8


@dataclass
class Bucketlet:
    """The smallest thing that speaks S3; what it honours is the test's choice."""

    none_match: bool = True
    match: bool = True
    atomic: bool = True
    forgets_racers: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    checked: int = 0

    async def serve(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return self._error(404, "NoSuchKey")
        if request.method == "DELETE":
            self.objects.pop(request.path, None)
            return web.Response(status=204)
        body = await request.read()
        for header, status in self.refused.items():
            if header in request.headers:
                return self._error(status, "NotImplemented")
        if b"racer" in body and self.forgets_racers:
            self.forgets_racers -= 1
            return self._error(500, "InternalError")
        if not self._holds(request):
            return self._error(412, "PreconditionFailed")
        if not self.atomic:
            await self._until_all_have_checked()
        self.objects[request.path] = body
        return web.Response(headers={"ETag": _etag(body)})

    def _holds(self, request: web.Request) -> bool:
        standing = self.objects.get(request.path)
        wanted = request.headers.get("If-Match")
        if "If-None-Match" in request.headers and self.none_match:
            return standing is None
        return wanted is None or not self.match or (standing is not None and _etag(standing) == wanted)

    async def _until_all_have_checked(self) -> None:
        self.checked += 1
        for _ in range(50):
            if self.checked >= _GATHERED:
                return
            await asyncio.sleep(0.005)

    def _error(self, status: int, code: str) -> web.Response:
        return web.Response(status=status, text=_ERROR.format(code), content_type="application/xml")


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


@pytest.fixture
def bucketlet() -> Bucketlet:
    return Bucketlet()


@pytest.fixture
async def options(bucketlet: Bucketlet) -> AsyncIterator[StoreOptions]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", bucketlet.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    keys = SecretStr("made-up")
    yield StoreOptions(endpoint_url=f"http://{host}:{port}", region="r", access_key=keys, secret_key=keys)
    await runner.cleanup()


async def test_a_server_that_honours_conditions_passes_and_is_left_clean(
    bucketlet: Bucketlet, options: StoreOptions
) -> None:
    async with opened("s3://bucket/p", options) as store:
        await store.probe()
    assert bucketlet.objects == {}


@pytest.mark.parametrize(
    ("flaw", "told"),
    [
        ({"none_match": False}, "If-None-Match is ignored"),
        ({"match": False}, "If-Match is ignored"),
        ({"refused": {"If-None-Match": 501}}, "If-None-Match is refused with HTTP 501 NotImplemented"),
        ({"refused": {"If-Match": 501}}, "If-Match is refused with HTTP 501 NotImplemented"),
        ({"atomic": False}, "of 8 racing creates were acknowledged"),
    ],
)
async def test_a_server_that_could_buy_twice_is_refused_or_overruled_loudly(
    bucketlet: Bucketlet, options: StoreOptions, flaw: dict[str, object], told: str
) -> None:
    for name, value in flaw.items():
        setattr(bucketlet, name, value)
    async with opened("s3://bucket/p", options) as store:
        with pytest.raises(Misconfigured, match=told):
            await store.probe()
    assert bucketlet.objects == {}
    bucketlet.checked = 0
    overruling = replace(options, overrule_conditions=True)
    if bucketlet.refused:  # nothing could be written at all: there is nothing to overrule
        async with opened("s3://bucket/p", overruling) as store:
            with pytest.raises(Misconfigured, match=told):
                await store.probe()
        return
    with capture_logs() as logs:
        async with opened("s3://bucket/p", overruling) as store:
            await store.probe()
    assert [(log["event"], log["log_level"]) for log in logs] == [("store-conditions-overruled", "warning")]


async def test_a_server_that_refuses_us_is_unavailable_not_misconfigured(
    bucketlet: Bucketlet, options: StoreOptions
) -> None:
    async with opened("s3://bucket/p", options) as store:
        for header in ("If-None-Match", "If-Match"):
            bucketlet.refused = {header: 403}
            with pytest.raises(Unavailable, match="access refused"):
                await store.probe()
            bucketlet.refused = {header: 500}
            with pytest.raises(Unavailable, match="no answer"):
                await store.probe()


@pytest.mark.parametrize("atomic", [True, False])
async def test_racers_without_an_answer_prove_nothing(
    bucketlet: Bucketlet, options: StoreOptions, *, atomic: bool
) -> None:
    bucketlet.forgets_racers = 3
    bucketlet.atomic = atomic
    async with opened("s3://bucket/p", options) as store:
        if atomic:
            await store.probe()
        else:
            with pytest.raises(Misconfigured, match="5 of 8 racing creates"):
                await store.probe()
