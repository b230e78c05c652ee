"""Every credit as PixelAPI's own books have it: told early, late, twice or never; for less or more than our book."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from stream.ledger.port import JobRecord
from tests.integration.shop import Heard, open_shop, until

OPERATION = "remove-bg"
BOOK = Decimal(10)
TOLD = [
    pytest.param({"credits_in_submit": True, "credits_in_poll": False}, id="submit"),
    pytest.param({"credits_in_submit": False, "credits_in_poll": True}, id="poll"),
    pytest.param({"credits_in_submit": True, "credits_in_poll": True}, id="both"),
]


def bill(*heard: Heard) -> Decimal:
    return sum((each.credits["spent"] - each.credits["refunded"] for each in heard), Decimal(0))


def priced(credits_: str) -> dict[str, Any]:
    return {"prices_credits": {"remove-background": credits_}}


def noted(folder: Path) -> list[Decimal]:
    """What each bought job cost, as the ledger's documents have it."""
    paths = (folder / "store" / "_ledger" / "jobs").rglob("*.json")
    jobs = [JobRecord.model_validate_json(path.read_bytes()) for path in paths]
    return [job.total_credits for job in jobs if job.operation == OPERATION]


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("price", ["12.5", "4"])
@pytest.mark.parametrize("charge", ["submit", "success"])
async def test_another_price_than_the_books_is_noted_once_wherever_it_is_told(
    tmp_path: Path, told: dict[str, bool], price: str, charge: str
) -> None:
    async with open_shop(tmp_path, charge=charge, **told, **priced(price)) as shop, shop.counter() as table:
        with structlog.testing.capture_logs() as logs:
            table.take(*(shop.event(f"SKU{number}") for number in range(3)))
            assert set((await table.ended(3)).values()) == {"completed"}
        assert shop.simulator.book.net_credits == 3 * Decimal(price)
        assert [Decimal(table.forwarded(f"SKU{n}")["assets"]["transparent"]["credits"]) for n in range(3)] == [
            Decimal(price)
        ] * 3
        assert noted(tmp_path) == [Decimal(price)] * 3
        assert bill(table.heard) == shop.simulator.book.net_credits
        assert table.heard.mismatches == {OPERATION: 3}
        warnings = [line for line in logs if line["event"] == "price-mismatch"]
        assert [(line["operation"], line["told_credits"], line["book_credits"]) for line in warnings] == [
            (OPERATION, price, "10")
        ]


@pytest.mark.parametrize("told", TOLD)
async def test_the_books_own_price_is_no_news(tmp_path: Path, told: dict[str, bool]) -> None:
    async with open_shop(tmp_path, **told) as shop, shop.counter() as table:
        with structlog.testing.capture_logs() as logs:
            table.take(shop.event("SKU"))
            await table.ended(1)
        assert bill(table.heard) == shop.simulator.book.net_credits == BOOK
        assert table.heard.mismatches == {}
        assert [line for line in logs if line["event"] == "price-mismatch"] == []


async def test_where_nothing_is_told_the_book_stands_in(tmp_path: Path) -> None:
    async with open_shop(tmp_path, credits_in_submit=False, **priced("12.5")) as shop, shop.counter() as table:
        table.take(shop.event("SKU"))
        await table.ended(1)
        assert bill(table.heard) == BOOK
        assert noted(tmp_path) == [BOOK]
        assert table.heard.mismatches == {}


@pytest.mark.parametrize("refund", [True, False], ids=["refunded", "kept"])
@pytest.mark.parametrize("charge", ["submit", "success"])
async def test_a_failed_attempt_costs_what_its_last_answer_says(tmp_path: Path, charge: str, *, refund: bool) -> None:
    """The first of two numbered attempts fails: a price told late corrects that attempt's amount and no other's."""
    rules: dict[str, Any] = {"charge": charge, "refund_failed": refund, "credits_in_poll": True}
    fault = {"kind": "failed", "times": 1, "message": "no subject"}
    async with open_shop(tmp_path, faults=[fault], **rules, **priced("12.5")) as shop, shop.counter() as table:
        table.take(shop.event("SKU"))
        assert await table.ended(1) == {"SKU": "completed"}
        net = shop.simulator.book.net_credits
        assert net == (Decimal("12.5") if refund else Decimal(25))
        assert Decimal(table.forwarded("SKU")["assets"]["transparent"]["credits"]) == net
        assert noted(tmp_path) == [net]
        assert bill(table.heard) == net


@pytest.mark.parametrize("told", TOLD)
async def test_a_job_handed_over_is_corrected_once_between_its_owners(tmp_path: Path, told: dict[str, bool]) -> None:
    slow = {"minimum_seconds": 0.6, "maximum_seconds": 0.6}
    async with open_shop(tmp_path, default_latency=slow, **told, **priced("12.5")) as shop:
        event = shop.event("SKU")
        async with shop.counter() as first:
            first.take(event)
            await until(lambda: shop.asked("/image/") > 0, "the first poll")
            await first.vanish()
        async with shop.counter() as second, shop.counter() as third:
            second.take(event)
            third.take(event)
            assert await second.ended(1) == await third.ended(1) == {"SKU": "completed"}
            heard = (first.heard, second.heard, third.heard)
            assert bill(*heard) == shop.simulator.book.net_credits == Decimal("12.5")
            assert sum(each.mismatches[OPERATION] for each in heard) == 1
            assert noted(tmp_path) == [Decimal("12.5")]


async def test_a_synchronous_answer_names_its_price_once(tmp_path: Path) -> None:
    async with open_shop(tmp_path, dialects="edit", **priced("12.5")) as shop, shop.counter() as table:
        table.take(shop.event("SKU"))
        assert await table.ended(1) == {"SKU": "completed"}
        assert shop.asked("/image/") == 1, "the other dialect was tried, and no job polled"
        assert bill(table.heard) == shop.simulator.book.net_credits == Decimal("12.5")
        assert (noted(tmp_path), table.heard.mismatches) == ([Decimal("12.5")], {OPERATION: 1})


@pytest.mark.parametrize("refund", [True, False], ids=["refunded", "kept"])
async def test_a_blocked_job_costs_what_its_last_answer_says(tmp_path: Path, *, refund: bool) -> None:
    rules: dict[str, Any] = {"refund_blocked": refund, "credits_in_poll": True}
    async with open_shop(tmp_path, faults=[{"kind": "blocked"}], **rules) as shop, shop.counter() as table:
        table.take(shop.event("SKU"))
        assert await table.ended(1) == {"SKU": "job-blocked"}
        net = shop.simulator.book.net_credits
        assert bill(table.heard) == net == (0 if refund else BOOK)
        assert (noted(tmp_path), Decimal(table.letter("SKU")["credits"])) == ([net], net)
        assert table.heard.mismatches == {}, "what a blocked job costs is no price of the book's"
