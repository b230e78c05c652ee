"""Replays and discards from the page: only where enabled, the price first, and a plan that has changed is refused."""

import re

from stream.broker.scan import Scanner
from stream.console.errands import Errands, Stand
from stream.console.guard import FORM_TOKEN
from stream.console.opening import Opened
from stream.core.errors import Reason
from stream.replays.book import read_marks
from stream.replays.marks import Mark
from stream.settings import Delivery
from tests.console.shop import Browser, Shop, browsing, form_token, seen
from tests.console.test_letters import discarded, known

ENABLED = {"console_allow_replay": True, "delivery": Delivery.AT_LEAST_ONCE}
"""Librdkafka's own broker has no transactions."""


async def test_without_being_enabled_it_only_shows(shop: Shop) -> None:
    shop.publish(shop.failed(shop.sent("CUP"), Reason.RETRIES_EXHAUSTED))
    async with shop.open() as opened, browsing(opened) as browser:
        await known(opened, 1)
        page = await browser.get("/letters")
        assert "read-only" in page
        assert 'method="post"' not in page
        (cookie,) = list(browser.session.cookie_jar)
        session = opened.site.guard.sessions.read(cookie.value)
        assert session is not None
        token = opened.site.guard.sessions.form_token(session)  # the forms' own: it is not for that that they fail
        for path in ("/plan", "/approve", "/discard"):
            status, told = await browser.post(path, {FORM_TOKEN: token, "why": "x", "count": "1"})
            assert (status, "only shows" in told) == (403, True)
        await browser.get("/errand?id=x", status=403)
    assert marks_of(shop) == []


async def begun(browser: Browser, path: str, **fields: str) -> str:
    """A form of the list of letters, sent: where it leads."""
    page = await browser.get("/letters")
    status, location = await browser.post(path, {FORM_TOKEN: form_token(page), **fields})
    assert status == 303, location
    return location


async def stood(opened: Opened, location: str, *stands: Stand) -> None:
    errands = opened.site.errands
    assert isinstance(errands, Errands)
    errand = errands.find(location.partition("id=")[2])
    assert errand is not None
    await seen(lambda: errand.stand in stands, f"{stands}, it is {errand.stand} {errand.trouble}")


async def test_the_price_comes_before_the_button_and_every_letter_goes_back_once(shop: Shop) -> None:
    shop.publish(*(shop.failed(shop.sent(sku), Reason.RETRIES_EXHAUSTED) for sku in ("RED-CUP", "BLUE-CUP", "HAT")))
    async with shop.open(**ENABLED) as opened, browsing(opened) as browser:
        await known(opened, 3)
        location = await begun(browser, "/plan", sku="cup", why="the network is back")
        await stood(opened, location, Stand.PLANNED)
        assert marks_of(shop) == []
        page = await browser.get(location)
        assert "Put 2 letters back for at most 140 credits" in page
        assert "the network is back" in page
        fields = {name: hidden(page, name) for name in (FORM_TOKEN, "errand", "plan_id")}
        assert (await browser.post("/approve", fields))[0] == 303
        await stood(opened, location, Stand.DONE)
        assert (await browser.post("/approve", fields))[0] == 303  # pressed twice
        marks = marks_of(shop)
        assert len(marks) == 2
        assert {(mark.why, mark.plan_id) for mark in marks} == {("the network is back", fields["plan_id"])}
        assert retried(shop) == 2
        await seen(lambda: len(opened.site.index.letters.decisions) == 1, "the decision")
        assert "2 letters replayed" in await browser.get("/decisions")
        assert "Under way" in await browser.get(location)


async def test_a_plan_that_has_changed_is_refused_with_the_new_price(shop: Shop) -> None:
    shop.publish(*(shop.failed(shop.sent(sku), Reason.RETRIES_EXHAUSTED) for sku in ("A", "B")))
    async with shop.open(**ENABLED) as opened, browsing(opened) as browser:
        await known(opened, 2)
        location = await begun(browser, "/plan")
        await stood(opened, location, Stand.PLANNED)
        page = await browser.get(location)
        fields = {name: hidden(page, name) for name in (FORM_TOKEN, "errand", "plan_id")}
        at = next(row.at for row in opened.site.index.letters.newest if row.sku_id == "A")
        shop.publish(discarded(shop, at.topic, at.partition, at.offset))
        await browser.post("/approve", fields)
        await stood(opened, location, Stand.CHANGED)
        page = await browser.get(location)
        assert "Nothing was put back: the plan has changed" in page
        assert "Put 1 letter back for at most 70 credits" in page
        assert len(marks_of(shop)) == 1
        assert retried(shop) == 0
        for wrong in ("", "1-70-x", "2-140-000000000000-000000000000"):
            await browser.post("/approve", {**fields, "plan_id": wrong})
            await stood(opened, location, Stand.CHANGED)
        await browser.post("/approve", {**fields, "plan_id": hidden(page, "plan_id")})
        await stood(opened, location, Stand.DONE)
        assert retried(shop) == 1


async def test_what_would_fail_again_stays_and_says_why(shop: Shop) -> None:
    shop.publish(shop.failed(shop.sent("A"), Reason.AMBIGUOUS_SUBMIT))
    async with shop.open(**ENABLED) as opened, browsing(opened) as browser:
        await known(opened, 1)
        location = await begun(browser, "/plan", at=str(opened.site.index.letters.newest[0].at))
        await stood(opened, location, Stand.PLANNED)
        assert "asked by" in await browser.get(location)


async def test_letters_are_discarded_with_a_reason_and_only_those_that_were_seen(shop: Shop) -> None:
    shop.publish(*(shop.failed(shop.sent(sku), Reason.SOURCE_MISSING) for sku in ("A", "B")))
    async with shop.open(**ENABLED) as opened, browsing(opened) as browser:
        await known(opened, 2)
        token = form_token(await browser.get("/letters"))
        assert (await browser.post("/discard", {FORM_TOKEN: token, "count": "2", "why": " "}))[0] == 400
        assert (await browser.post("/discard", {FORM_TOKEN: token, "count": "1", "why": "x"}))[0] == 409
        assert (await browser.post("/discard", {FORM_TOKEN: token, "at": "x/0/0", "count": "1", "why": "x"}))[0] == 404
        newest = hidden(await browser.get("/letters"), "newest")
        older = next(str(row.at) for row in opened.site.index.letters.newest if str(row.at) != newest)
        as_many_but_others = {FORM_TOKEN: token, "count": "2", "newest": older, "why": "x"}
        assert (await browser.post("/discard", as_many_but_others))[0] == 409
        location = await begun(browser, "/discard", count="2", newest=newest, why="never photographed\nand gone")
        await stood(opened, location, Stand.DONE)
        assert [mark.why for mark in marks_of(shop)] == ["never photographed and gone"] * 2
        await seen(lambda: len(opened.site.index.letters.decisions) == 1, "the decision")
        assert "No letter fits" in await browser.get("/letters")
        assert (await browser.post("/plan", {FORM_TOKEN: token}))[0] == 400
        assert retried(shop) == 0


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]


def marks_of(shop: Shop) -> list[Mark]:
    """The marks as they lie in the topic."""
    with Scanner({"bootstrap.servers": shop.servers}) as scanner:
        return list(read_marks(scanner, shop.topics.replays))


def retried(shop: Shop) -> int:
    """How many records wait to be taken up."""
    with Scanner({"bootstrap.servers": shop.servers}) as scanner:
        spans = scanner.spans([shop.topics.retry("now")])
        return sum(span.high - span.low for span in spans.values())
