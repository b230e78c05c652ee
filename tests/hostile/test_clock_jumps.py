"""The time of day jumps by days while events run: nothing is bought twice, nothing ends overdue."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest

import stream
from stream.core.clock import SystemClock
from tests.integration.shop import HastyClock, open_shop, until

DAY_SECONDS = 86_400.0
DECIDERS = (
    "core/deadline.py", "quota/*.py", "pixelapi/waits.py", "runtime/environment.py", "runtime/inflight.py",
    "runtime/wicket.py", "runtime/worker.py", "runtime/verdict.py", "stages/follow.py", "stages/outage.py",
    "stages/pace.py", "stages/purchase.py", "stages/intake.py",
)  # fmt: skip
"""Rooms that limit, wait, retry or give up."""


@pytest.mark.parametrize("rooms", DECIDERS)
def test_the_time_of_day_decides_nothing(rooms: str) -> None:
    """It is told in records, logs and metrics; whoever waits or ages asks the monotonic clock, or the store's."""
    found = sorted(Path(stream.__file__).parent.glob(rooms))
    assert found
    for path in found:
        assert not re.search(r"\.wall\(\)|time\.time\(|datetime\.now\(", path.read_text()), path.name


async def test_events_run_on_while_the_time_of_day_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day back, a day forth, each time anybody looks; the store keeps its own time, as a server does."""
    lots = random.Random(7)

    def wall(_self: HastyClock) -> float:
        return SystemClock().wall() + lots.choice((-DAY_SECONDS, 0.0, DAY_SECONDS))

    monkeypatch.setattr(HastyClock, "wall", wall)
    slow = {"minimum_seconds": 0.2, "maximum_seconds": 0.6}
    async with open_shop(tmp_path, default_latency=slow, rate={"requests": None}) as shop, shop.counter() as table:
        monkeypatch.setattr(table.desk.objects, "_clock", SystemClock())
        skus = [f"SKU{number}" for number in range(12)]
        table.take(*(shop.event(sku) for sku in skus))
        assert await table.ended(len(skus)) == dict.fromkeys(skus, "completed")
        assert shop.jobs() == Counter(skus)
        assert all(0 <= _seconds(table.forwarded(sku)) < DAY_SECONDS / 2 for sku in skus)


async def test_a_job_that_outlasts_its_deadline_is_overdue_whatever_the_time_of_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that stands still, and one that runs backwards, do not hold a job for ever."""
    backwards = iter(range(10**9, 0, -1000))
    never = [{"kind": "never-ends"}]
    async with open_shop(tmp_path, deadline_seconds=0.5, faults=never) as shop, shop.counter() as table:
        monkeypatch.setattr(table.desk.objects, "_clock", SystemClock())
        monkeypatch.setattr(HastyClock, "wall", lambda _self: float(next(backwards)))
        table.take(shop.event("SKU"))
        await until(lambda: table.delivered, "the end")
        assert table.ends() == {"SKU": "job-overdue"}
        assert shop.jobs() == {"SKU": 1}


def _seconds(end: dict[str, object]) -> float:
    assets = end["assets"]
    assert isinstance(assets, dict)
    return float(assets["transparent"]["seconds"])
