"""Buying again what is in doubt: a person's decision about one claim, carried out once, at the counter (L2)."""

import asyncio
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from stream.ledger.port import LedgerState
from stream.pixelapi.port import JobReport
from stream.retries import read_note
from stream.stages import outage
from stream.stages.handler import StageHandler
from tests.integration.shop import open_shop
from tests.integration.test_stages import KONG, Cuttable, names, run_cut

LOST = {"kind": "accept-error", "times": 1, **KONG}
PRICE = Decimal(10)


async def test_a_decision_buys_once_more_and_its_repeats_buy_nothing(tmp_path: Path) -> None:
    async with open_shop(tmp_path, usage_enabled=False, faults=[LOST]) as shop, shop.counter() as table:
        event = shop.event("SKU")
        table.take(event)
        assert await table.ended(1) == {"SKU": "ambiguous-submit"}
        claim = await table.claim_of(event)
        assert table.heard.credits == {"ambiguous": PRICE}
        table.replay(event, buy_again=claim)
        assert await table.ended(2) == {"SKU": "completed"}
        assert shop.jobs() == {"SKU": 2}
        assert table.heard.credits == {"ambiguous": PRICE, "spent": PRICE}, "the doubt was counted when it arose"
        table.replay(event, buy_again=claim)
        async with shop.counter() as other:
            other.replay(event, buy_again=claim, replay=2)
            assert await other.ended(1) == {"SKU": "completed"}
        assert await table.ended(3) == {"SKU": "completed"}
        assert shop.jobs() == {"SKU": 2}


async def test_a_decision_about_another_claim_buys_nothing(tmp_path: Path) -> None:
    """Also one that was carried out, and whose own purchase lost its answer, too: that is a new question."""
    twice = {**LOST, "times": 2}
    async with open_shop(tmp_path, usage_enabled=False, faults=[twice]) as shop, shop.counter() as table:
        event = shop.event("SKU")
        table.take(event)
        await table.ended(1)
        claim = await table.claim_of(event)
        table.replay(event, buy_again="0" * 32)
        assert await table.ended(2) == {"SKU": "ambiguous-submit"}
        assert shop.jobs() == {"SKU": 1}
        table.replay(event, buy_again=claim)
        assert await table.ended(3) == {"SKU": "ambiguous-submit"}
        assert shop.jobs() == {"SKU": 2}
        table.replay(event, buy_again=claim)
        assert await table.ended(4) == {"SKU": "ambiguous-submit"}
        assert shop.jobs() == {"SKU": 2}


async def test_without_a_decision_a_replay_buys_nothing(tmp_path: Path) -> None:
    async with open_shop(tmp_path, usage_enabled=False, faults=[LOST]) as shop, shop.counter() as table:
        event = shop.event("SKU")
        table.take(event)
        await table.ended(1)
        table.replay(event)
        assert await table.ended(2) == {"SKU": "ambiguous-submit"}
        assert shop.jobs() == {"SKU": 1}


async def test_the_books_are_asked_first_and_what_they_list_is_adopted(tmp_path: Path) -> None:
    async with open_shop(tmp_path, usage_enabled=False, faults=[LOST]) as shop, shop.counter() as table:
        event = shop.event("SKU")
        table.take(event)
        await table.ended(1)
        shop.behave(usage_enabled=True)
        table.replay(event, buy_again=await table.claim_of(event))
        assert await table.ended(2) == {"SKU": "completed"}
        assert shop.jobs() == {"SKU": 1}


async def test_unread_books_are_no_reason_to_buy_unseen(tmp_path: Path) -> None:
    async with open_shop(tmp_path, usage_enabled=False, faults=[LOST]) as shop, shop.counter() as table:
        event = shop.event("SKU")
        table.take(event)
        await table.ended(1)
        shop.behave(usage_enabled=True, faults=[{"kind": "error", "at": "account", "status": 500}])
        table.replay(event, buy_again=await table.claim_of(event))
        assert await table.ended(2) == {"SKU": "retries-exhausted"}
        assert shop.jobs() == {"SKU": 1}


@pytest.mark.parametrize("is_decided", [True, False])
async def test_an_acceptance_that_comes_late_wins_over_the_decision_and_over_a_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_decided: bool
) -> None:
    """The owner writes its job id down while somebody else asks the books."""
    async with open_shop(tmp_path, usage_enabled=False, faults=[LOST]) as shop, shop.counter() as table:
        event = shop.event("SKU")
        table.take(event)
        await table.ended(1)
        claim = await table.claim_of(event)
        (job,) = shop.simulator.book.jobs.values()
        look, find = table.desk.ledger.look, table.desk.api.find

        async def find_late(mark: str) -> JobReport | None:
            entry = await look(table.letter("SKU")["job-key"])
            assert entry is not None
            accepted = await table.desk.ledger.accept(entry, job_id=job.id, output_url=None, credits_charged=PRICE)
            assert accepted.state is LedgerState.ACCEPTED
            return await find(mark)

        monkeypatch.setattr(table.desk.api, "find", find_late)
        table.replay(event, buy_again=claim if is_decided else None)
        assert await table.ended(2) == {"SKU": "completed"}
        assert shop.jobs() == {"SKU": 1}


@pytest.mark.parametrize("dies", [False, True], ids=["revoked", "dies"])
async def test_a_decision_cut_at_any_await_buys_one_job_more_at_the_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, dies: bool
) -> None:
    """Two workers on one decision, the first one cut anywhere."""
    monkeypatch.setattr(outage, "KEYS_IN_A_ROW", 10**6)  # so many lost answers are an outage, as a rule
    instant = {"minimum_seconds": 0.0, "maximum_seconds": 0.0}
    count = 70
    skus = names("SKU", count)
    async with (
        open_shop(
            tmp_path, default_latency=instant, usage_enabled=False, faults=[{"kind": "accept-error", **KONG}]
        ) as shop,
        shop.counter() as first,
        shop.counter() as second,
    ):
        events = {sku: shop.event(sku) for sku in skus}
        first.take(*events.values())
        await first.ended(count)
        assert set(first.ends().values()) == {"ambiguous-submit"}
        shop.behave(faults=[])
        desk = replace(first.desk, unbroken=Cuttable()) if dies else first.desk
        handler = StageHandler(desk.pipeline.stages[0], desk)
        at_once = asyncio.Semaphore(6)

        async def scene(at: int) -> int:
            event = events[skus[at]]
            returned = first.replayed(event, buy_again=await first.claim_of(event))
            async with at_once:
                (record,) = first.read_again(returned, read_note(returned.headers)).events
                waits = await run_cut(handler, record, at)
            second.take(returned)
            return waits

        waited = await asyncio.gather(*(scene(at) for at in range(count)))
        assert max(waited) < count, "cut at each of its waits"
        ends = await second.ended(count)
        bought = Counter(shop.jobs().values())
        assert set(bought) <= {1, 2}, "the one in doubt, and one by decision"
        others = {sku: end for sku, end in ends.items() if end != "completed"}
        assert set(others.values()) <= ({"ambiguous-submit"} if dies else set())
        assert len(others) < count / 2
