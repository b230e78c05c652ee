"""Probes and metrics on one port."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from stream.core.clock import SystemClock
from stream.core.errors import Misconfigured
from stream.metrics.catalogue import Known
from stream.metrics.prometheus import PrometheusRecorder
from stream.metrics.server import HealthServer
from stream.metrics.silent import SilentRecorder
from stream.pipeline import default_pipeline
from stream.topics import Topics


class Window:
    """A running server whose health the test decides."""

    def __init__(self) -> None:
        self.ill: list[str] = []
        self.unready: list[str] = ["not in the group yet"]
        recorder = PrometheusRecorder(Known.of(default_pipeline(), Topics()), SystemClock())
        self.server = HealthServer(
            recorder, live=lambda: self.ill, ready=lambda: self.unready, host="127.0.0.1", port=0
        )  # fmt: skip

    async def get(self, path: str, **headers: str) -> tuple[int, str, bytes]:
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as answer:
            return answer.status, answer.headers["Content-Type"], await answer.read()


@pytest.fixture
async def window() -> AsyncIterator[Window]:
    opened = Window()
    await opened.server.start()
    yield opened
    await opened.server.stop()


async def test_probes_tell_their_reasons(window: Window) -> None:
    assert (await window.get("/livez"))[::2] == (200, b'{"status":"ok","reasons":[]}')
    failing = b'{"status":"failing","reasons":["not in the group yet"]}'
    assert await window.get("/readyz") == (503, "application/json", failing)
    window.unready, window.ill = [], ["the poll thread stands still"]
    assert (await window.get("/readyz"))[0] == 200
    assert (await window.get("/livez"))[0] == 503


async def test_metrics_come_in_the_scrapers_format(window: Window) -> None:
    status, content_type, page = await window.get("/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    assert b"skustream_last_progress_timestamp_seconds" in page
    _, content_type, page = await window.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert page.endswith(b"# EOF\n")


async def test_nothing_else_is_served(window: Window) -> None:
    assert (await window.get("/"))[0] == 404


async def test_a_taken_port_is_a_clear_misconfiguration(window: Window) -> None:
    second = HealthServer(SilentRecorder(), live=list, ready=list, host="127.0.0.1", port=window.server.port)
    with pytest.raises(Misconfigured, match=rf"SKUSTREAM_HTTP_PORT={window.server.port}: cannot listen there"):
        await second.start()


async def test_stopping_twice_is_one_stop(window: Window) -> None:
    await window.server.stop()
    await window.server.stop()
