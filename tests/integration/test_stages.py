"""A stage with its real doors and a misbehaving provider: bought once (L2), adopted (L7), outages cost nobody (L8)."""

import asyncio
import hashlib
import os
from collections import Counter
from collections.abc import Coroutine, Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from stream.core.errors import Resource, StreamError
from stream.ledger.port import Entry, LedgerState
from stream.pixelapi.port import JobReport
from stream.records import StageRecord
from stream.simulator import Simulator
from stream.stages import outage
from stream.stages.desk import Result, Unbroken
from stream.stages.handler import StageHandler
from stream.stages.intake import take_in
from tests.integration.shop import Worktable, open_shop, until
from tests.services.waiting import free_ports

if TYPE_CHECKING:
    from stream.downloads.port import Downloads

KONG = {"status": 502, "shape": "message", "message": "An invalid response was received from the upstream server"}
POISON = {"status": 500, "shape": "detail-string", "message": "Unsupported colour profile in picture"}


def names(word: str, count: int) -> list[str]:
    return [f"{word}{number}" for number in range(count)]


def paused(table: Worktable, resource: Resource) -> bool:
    return any(f": {resource} (" in reason for reason in table.environment.reasons())


async def test_a_gateways_502_after_the_job_was_taken_is_looked_up_and_adopted(tmp_path: Path) -> None:
    """JSON or not: whoever stands between us and the API does not know what became of the order."""
    async with open_shop(tmp_path, faults=[{"kind": "accept-error", **KONG}]) as shop, shop.counter() as table:
        table.take(*(shop.event(name) for name in names("SKU", 3)))
        assert await table.ended(3) == dict.fromkeys(names("SKU", 3), "completed")
        assert shop.jobs() == Counter(names("SKU", 3))
        assert shop.asked("/account/usage") >= 3
        assert table.forwarded("SKU0")["credits"] == "10"


async def test_a_job_that_the_books_list_is_followed_although_its_buyer_noted_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The buyer's refusal is written while somebody else reads the books: bought once, and not left as `released`."""
    async with open_shop(tmp_path, faults=[{"kind": "accept-error", **KONG}]) as shop, shop.counter() as table:
        doubt, find = table.desk.ledger.doubt, table.desk.api.find
        doubted: list[Entry] = []

        async def doubt_told(entry: Entry, detail: str) -> Entry:
            doubted.append(await doubt(entry, detail))
            return doubted[-1]

        async def find_late(mark: str) -> JobReport | None:
            refused = await table.desk.ledger.release(doubted[-1], "refused, said late")
            assert refused.state is LedgerState.RELEASED
            return await find(mark)

        monkeypatch.setattr(table.desk.ledger, "doubt", doubt_told)
        monkeypatch.setattr(table.desk.api, "find", find_late)
        table.take(shop.event("SKU"))
        assert await table.ended(1) == {"SKU": "completed"}
        assert shop.jobs() == {"SKU": 1}


async def test_without_books_a_lost_answer_is_a_persons_business_however_often_it_is_sent(tmp_path: Path) -> None:
    fault = {"kind": "accept-error", **KONG}
    async with open_shop(tmp_path, usage_enabled=False, faults=[fault]) as shop, shop.counter() as table:
        table.take(shop.event("SKU"))
        assert await table.ended(1) == {"SKU": "ambiguous-submit"}
        letter = table.letter("SKU")
        assert letter["job-key"]
        assert letter["error"].endswith("the job may have been bought")
        table.take(shop.event("SKU"))
        await table.ended(2)
        async with shop.counter() as other:
            other.take(shop.event("SKU"))
            assert await other.ended(1) == {"SKU": "ambiguous-submit"}
        assert shop.jobs() == {"SKU": 1}
        assert shop.asked("/image/", method="POST") == 1


async def test_while_results_cannot_be_fetched_events_wait_and_none_becomes_a_letter(tmp_path: Path) -> None:
    fault = {"kind": "error", "at": "download", "status": 503}
    async with open_shop(tmp_path, faults=[fault]) as shop, shop.counter() as table:
        table.take(*(shop.event(name) for name in names("SKU", 8)))
        await until(lambda: paused(table, Resource.API_RESULTS), "the pause")
        seen = shop.downloads()
        await until(lambda: shop.downloads() > seen + 8, "a long outage")
        assert table.delivered == []
        shop.behave(faults=[])
        assert await table.ended(8) == dict.fromkeys(names("SKU", 8), "completed")
        assert shop.jobs() == Counter(names("SKU", 8))
        assert not table.environment.is_paused()


async def test_while_photos_cannot_be_fetched_events_wait_and_none_becomes_a_letter(tmp_path: Path) -> None:
    """Their host refuses every connection; then it stands up again."""
    port = free_ports(1)[0]
    async with open_shop(tmp_path) as shop, shop.counter() as table:
        skus = names("SKU", 6)
        table.take(*(shop.event(sku, raw_url=f"http://127.0.0.1:{port}/photos/{sku}.jpg") for sku in skus))
        await until(lambda: paused(table, Resource.SOURCES), "the pause")
        spent = table.heard.retries["transient"]
        tries = table.heard.retries["unavailable"]
        await until(lambda: table.heard.retries["unavailable"] > tries + 4, "a long outage")
        assert table.delivered == []
        assert table.heard.retries["transient"] == spent, "an outage spends no attempts"
        async with Simulator(port=port, photos=shop.photos):
            assert await table.ended(6) == dict.fromkeys(skus, "completed")


async def test_names_that_do_not_resolve_are_an_outage_after_three_photos(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop, shop.counter() as table:
        events = [shop.event(name, raw_url=f"https://pim.invalid/{name}.jpg") for name in names("SKU", 4)]
        table.take(*events)
        await until(lambda: paused(table, Resource.SOURCES), "the pause")
        assert table.delivered == []
        assert table.heard.retries["transient"] <= 2


async def test_pictures_that_pixelapi_cannot_stomach_end_as_letters_and_stop_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 in the API's own words: as many of them as make an outage, and good ones behind them."""
    monkeypatch.setattr(outage, "FIRST_TRY_SECONDS", 1.0)
    monkeypatch.setattr(outage, "LONGEST_TRY_SECONDS", 1.0)
    fault = {"kind": "error", "at": "submit", "match": {"picture": "POISON"}, **POISON}
    async with open_shop(tmp_path, faults=[fault]) as shop, shop.counter() as table:
        poisons, good = names("POISON", 3), names("GOOD", 6)
        table.take(*(shop.event(name) for name in poisons))
        await until(lambda: paused(table, Resource.API_OUTAGE), "the pause")
        table.take(*(shop.event(name) for name in good))
        wanted = dict.fromkeys(poisons, "retries-exhausted") | dict.fromkeys(good, "completed")
        assert await table.ended(9) == wanted
        assert shop.jobs() == Counter(good)
        assert not table.environment.is_paused()


async def test_a_job_whose_polls_are_barred_stops_nobody_and_ends_overdue(tmp_path: Path) -> None:
    """A 403 for one job only (another account's, say), while others are answered."""
    fault = {"kind": "error", "at": "poll", "status": 403, "match": {"picture": "BARRED"}}
    async with open_shop(tmp_path, deadline_seconds=1.0, faults=[fault]) as shop, shop.counter() as table:
        table.take(shop.event("BARRED"))
        await until(lambda: paused(table, Resource.API_ACCESS), "the pause")
        for number in range(200):  # what the wicket lets in while it lasts, and everybody afterwards
            if "BARRED" in table.ends():
                break
            table.take(shop.event(f"GOOD{number}"))
            await until(lambda: f"GOOD{number}" in table.ends(), f"GOOD{number}")  # noqa: B023 - awaited at once
        ends = table.ends()
        assert ends.pop("BARRED") == "job-overdue"
        assert table.letter("BARRED")["job-ids"]
        assert set(ends.values()) == {"completed"}
        assert set(shop.jobs().values()) == {1}
        table.take(shop.event("LAST"))
        await until(lambda: "LAST" in table.ends(), "the last one")
        assert not table.environment.is_paused()


async def test_a_photo_replaced_between_a_crash_and_the_hand_over_buys_no_second_job(tmp_path: Path) -> None:
    slow = {"minimum_seconds": 0.8, "maximum_seconds": 0.8}
    async with open_shop(tmp_path, default_latency=slow) as shop:
        event = shop.event("SKU", version=None)
        async with shop.counter() as first:
            first.take(event)
            await until(lambda: shop.asked("/image/") > 0, "the first poll")
            await first.vanish()
        photo = shop.photos / "SKU.jpg"
        photo.write_bytes(photo.read_bytes() + b"\0")  # other bytes, another ETag
        async with shop.counter() as second:
            second.take(event)
            assert await second.ended(1) == {"SKU": "completed"}
        assert shop.jobs() == {"SKU": 1}
        assert second.forwarded("SKU")["credits"] == "10"


async def test_a_photo_replaced_while_it_is_taken_in_is_never_filed_under_the_old_ones_name(tmp_path: Path) -> None:
    """The server was asked for the version, then the photo changed, then it was fetched. Later the old one is back."""
    async with open_shop(tmp_path) as shop, shop.counter() as table:
        first, photo = shop.event("SKU", version=None), shop.photos / "SKU.jpg"
        old, since = photo.read_bytes(), photo.stat().st_mtime_ns

        class Replaced:
            """The door, with somebody who replaces the photo behind the first question."""

            asked = False

            def __getattr__(self, name: str) -> Any:
                return getattr(table.desk.downloads, name)

            async def version_of(self, url: str) -> str | None:
                told = await table.desk.downloads.version_of(url)
                if not self.asked:
                    self.asked = True
                    photo.write_bytes(old + b"\0")
                return told

        desk = replace(table.desk, downloads=cast("Downloads", Replaced()))
        (record,) = table.read(first).events
        taken = await take_in(desk, record)
        assert taken.assets["raw"].sha256 == hashlib.sha256(old + b"\0").hexdigest()
        photo.write_bytes(old)
        os.utime(photo, ns=(since, since))
        again = (await take_in(desk, table.read(replace(first, offset=first.offset + 1)).events[0])).assets["raw"]
        assert again.sha256 == hashlib.sha256(old).hexdigest()


class Cut:
    """Runs a coroutine and cancels its task while it waits for the `at`-th time; counts how often it waited."""

    def __init__(self, work: Coroutine[Any, Any, object], at: int) -> None:
        self._work = work
        self._at = at
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, object]:
        inner = self._work.__await__()
        sent: BaseException | None = None
        while True:
            try:
                future = inner.throw(sent) if sent is not None else inner.send(None)
            except StopIteration as end:
                return end.value
            self.waits += 1
            task = asyncio.current_task()
            if self.waits == self._at and task is not None:
                asyncio.get_running_loop().call_soon(task.cancel)
            sent = None
            try:
                yield future
            except BaseException as error:  # noqa: BLE001 - whatever comes from outside belongs inside
                sent = error


class Cuttable(Unbroken):
    """As when the process dies: nothing is kept from being cut."""

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return await work


async def run_cut(handler: StageHandler, record: StageRecord, at: int) -> int:
    """One walk, cut at its `at`-th wait; returns how often it waited in all."""
    cut = Cut(handler.handle(record), at)

    async def walk() -> None:
        await cut

    with suppress(asyncio.CancelledError, StreamError):
        await asyncio.create_task(walk())
    return cut.waits


@pytest.mark.parametrize("dies", [False, True], ids=["revoked", "dies"])
@pytest.mark.parametrize("usage_enabled", [True, False], ids=["books", "no-books"])
async def test_a_walk_cut_at_any_await_buys_one_job_at_the_most(
    tmp_path: Path, *, dies: bool, usage_enabled: bool
) -> None:
    """Revoked, the submit runs on and the next owner adopts its job. Cut off in it, the books or a person decide."""
    instant = {"minimum_seconds": 0.0, "maximum_seconds": 0.0}
    async with (
        open_shop(tmp_path, default_latency=instant, usage_enabled=usage_enabled) as shop,
        shop.counter() as first,
        shop.counter() as second,
    ):
        desk = replace(first.desk, unbroken=Cuttable()) if dies else first.desk
        handler = StageHandler(desk.pipeline.stages[0], desk)
        waits = await run_cut(handler, first.read(shop.event("WHOLE")).events[0], 0)
        assert waits > 20
        at_once = asyncio.Semaphore(6)

        async def scene(at: int) -> None:
            event = shop.event(f"SKU{at}", version=None)
            async with at_once:
                (record,) = first.read(event).events
                await first.handler.admit(record)
                await run_cut(handler, record, at)
            second.take(event)

        await asyncio.gather(*(scene(at) for at in range(1, waits + 1)))
        ends = await second.ended(waits)
        assert set(shop.jobs().values()) == {1}
        others = {sku: end for sku, end in ends.items() if end != "completed"}
        assert set(others.values()) <= ({"ambiguous-submit"} if dies else set())
        assert len(others) < waits / 2
