"""The limiter with a backlog: how much of a contract it uses, and whether the provider ever says 429.

The real limiter and the real client ask a simulator in a process of its own, which enforces the contract as a sliding
window at arrival; on the way a request is held up to half a second, each for another time. Three contracts per 60 s,
beside each other: 200, 60 and 5 requests. The first window, with its burst, is not counted.

    python -m benchmarks.limiter
"""

import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from pydantic import SecretStr

from benchmarks import figures
from benchmarks.figures import Figure, Size, step
from stream.core.clock import SystemClock
from stream.metrics.silent import SilentRecorder
from stream.pixelapi.client import HttpPixelApi
from stream.quota.memory import MemoryQuota
from stream.quota.port import Ask, AskKind
from stream.quota.window import Contract
from tests.composed.provider import API_KEY, Provider

TARGETS = {200: 98.0, 60: 95.0, 5: 80.0}
"""Requests of the contract, and the least share of it to be used, in percent."""
JITTER_SECONDS = 0.5
ASKERS = 40


@dataclass(frozen=True, slots=True)
class Scale:
    """How long a window is, and how many are counted after the first."""

    window_seconds: float
    windows: int


SCALES = {Size.FULL: Scale(60.0, 3), Size.SMALL: Scale(1.0, 1)}


def measure(size: Size) -> list[Figure]:
    """All contracts at once, each with a provider of its own."""
    scale = SCALES[size]
    with tempfile.TemporaryDirectory(prefix="skustream-bench-") as folder:
        providers = {requests: _provider(Path(folder), requests, scale) for requests in TARGETS}
        try:
            uvloop.run(_spend_all(providers, scale))
            return [figure for requests, provider in providers.items() for figure in _told(provider, requests, scale)]
        finally:
            for provider in providers.values():
                provider.stop()


def _provider(folder: Path, requests: int, scale: Scale) -> Provider:
    own = folder / str(requests)
    own.mkdir()
    rate = {"requests": requests, "window_seconds": scale.window_seconds}
    return Provider(own, {"rate": rate, "arrival_jitter_seconds": min(JITTER_SECONDS, scale.window_seconds / 10)})


async def _spend_all(providers: dict[int, Provider], scale: Scale) -> None:
    ends = time.monotonic() + scale.window_seconds * (scale.windows + 1)
    async with asyncio.TaskGroup() as group:
        for requests, provider in providers.items():
            group.create_task(_spend(provider, Contract(requests, scale.window_seconds), ends))
        while (left := ends - time.monotonic()) > 0:
            step(f"three contracts with backlog, {left:.0f} s left")
            await asyncio.sleep(min(5.0, left))


async def _spend(provider: Provider, contract: Contract, ends: float) -> None:
    """A backlog: there is always somebody who waits for a grant."""
    clock, recorder = SystemClock(), SilentRecorder()
    quota = MemoryQuota(contract, clock=clock, recorder=recorder)
    api = HttpPixelApi(
        base_url=provider.base_url, api_key=SecretStr(API_KEY), clock=clock, recorder=recorder,
        on_throttle=quota.throttle,
    )  # fmt: skip

    async def ask() -> None:
        while True:
            grant = await quota.admit(Ask(AskKind.ACCOUNT))
            try:
                await api.balance()
            finally:
                grant.answered()

    askers = [asyncio.create_task(ask()) for _ in range(ASKERS)]
    done, waiting = await asyncio.wait(askers, timeout=ends - time.monotonic())
    for asker in waiting:
        asker.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await api.aclose()
    for asker in done:
        asker.result()  # nobody stops asking but by a bug


def _told(provider: Provider, requests: int, scale: Scale) -> list[Figure]:
    """What the provider counted."""
    arrived = sorted(float(each["arrived"]) for each in provider.ledger()["requests"])
    counted = [at for at in arrived if at - arrived[0] >= scale.window_seconds]
    summary: dict[str, Any] = provider.summary(scale.window_seconds)
    spacing = (counted[-1] - counted[0]) / (len(counted) - 1) if len(counted) > 1 else float("inf")
    share = 100 * scale.window_seconds / spacing / requests
    note = f"{len(counted)} requests in {scale.windows} windows, at most {summary['most_requests_in_window']} in any"
    name = f"share of {requests} requests per {scale.window_seconds:g} s"
    return [
        Figure(name, share, "%", at_least=TARGETS[requests], note=note),
        Figure(f"answers of 429 at {requests}", float(summary["throttled"]), at_most=0),
    ]


if __name__ == "__main__":
    sys.exit(figures.run(__doc__, measure))
