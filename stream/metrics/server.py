"""The window to the watchers: `/metrics`, `/livez` and `/readyz` on one port.

Comes in: GET requests. Goes out: the recorder's page, and the reasons why the process is not live or not ready.
It answers on the worker's own loop: a loop that stands still answers no probe, which is what a probe should find.
"""

from collections.abc import Callable
from typing import Protocol

import orjson
from aiohttp import web

from stream.core.errors import Misconfigured

Reasons = Callable[[], list[str]]
"""Why not, as words for a person; empty when all is well."""


class Exposing(Protocol):
    """A recorder that can be scraped."""

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The page and its content type."""
        ...


class HealthServer:
    """Serves `recorder`, `live` and `ready` on `host`:`port` (0: a free one, then told by `port`)."""

    def __init__(self, recorder: Exposing, *, live: Reasons, ready: Reasons, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._recorder = recorder
        self._live = live
        self._ready = ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises `Misconfigured` when the address cannot be had."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError as error:
            await self.stop()
            raise Misconfigured(
                f"SKUSTREAM_HTTP_HOST={self.host}, SKUSTREAM_HTTP_PORT={self.port}: cannot listen there "
                f"({error.strerror or error}); choose another port, or 0 for a free one"
            ) from None
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port; idempotent."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, request: web.Request) -> web.Response:
        page, content_type = self._recorder.exposition(request.headers.get("Accept", ""))
        return web.Response(body=page, headers={"Content-Type": content_type})

    async def _livez(self, _: web.Request) -> web.Response:
        return _answer(self._live)

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(self._ready)


def _answer(ask: Reasons) -> web.Response:
    reasons = ask()
    body = {"status": "failing" if reasons else "ok", "reasons": reasons}
    return web.Response(
        body=orjson.dumps(body),
        status=503 if reasons else 200,
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
    )
