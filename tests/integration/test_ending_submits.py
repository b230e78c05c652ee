"""A worker that ends sends no submit late: what its successor's first window must not meet is left to it (L3)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stream import assembly
from stream.core.clock import SystemClock
from stream.core.deadline import Deadline
from tests.integration.shop import open_shop, until


async def test_a_submit_that_waits_for_a_slow_store_is_left_to_the_next_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_shop(tmp_path) as shop:
        event = shop.event("SKU")
        async with shop.counter() as first:
            claims, goes_on = asyncio.Event(), asyncio.Event()
            claim = first.desk.ledger.claim

            async def slow(*words: Any, **more: Any) -> Any:
                entry = await claim(*words, **more)
                claims.set()
                await goes_on.wait()
                return entry

            monkeypatch.setattr(first.desk.ledger, "claim", slow)
            first.take(event)
            await until(claims.is_set, "it is granted and claims")
            await first.vanish()
            ending = asyncio.create_task(assembly._drain(first.desk, Deadline.after(SystemClock(), 60.0)))
            await asyncio.sleep(0)
            goes_on.set()
            assert await ending == 0, "what was at the counter has ended"
            assert shop.asked("/image/", method="POST") == 0
        async with shop.counter() as second:
            second.take(event)
            assert await second.ended(1) == {"SKU": "completed"}
        assert shop.jobs() == {"SKU": 1}
