"""Letters: found by filter, shown with their picture and what to do, and harmless whatever is in them."""

import html
import json
import re
from urllib.parse import quote

from stream.broker.port import OutRecord
from stream.console.opening import Opened
from stream.core.errors import Reason
from stream.core.reasons import CARDS
from stream.records import dump
from stream.replays.marks import Fate, Mark
from tests.console.shop import CDN, Shop, browsing, seen
from tests.console.test_strangers import HOSTILE


def listed(page: str) -> list[str]:
    """The SKUs of a list of letters."""
    return re.findall(r'<bdi class="sku">([^<]*)</bdi>', page)


def links(page: str) -> list[str]:
    return [html.unescape(path) for path in re.findall(r'href="(/letter\?[^"]+)"', page)]


async def known(opened: Opened, count: int) -> None:
    await seen(lambda: len(opened.site.index.letters.newest) == count, f"{count} letters")


async def test_letters_are_filtered_by_reason_stage_sku_batch_and_state(shop: Shop) -> None:
    asset = await shop.asset("RED-CUP", "transparent")
    shop.publish(
        shop.failed(shop.sent("RED-CUP", batch_id="spring"), Reason.JOB_OVERDUE, transparent=asset),
        shop.failed(shop.sent("BLUE-CUP", batch_id="spring"), Reason.SOURCE_MISSING),
        shop.failed(shop.sent("HAT", batch_id="autumn"), Reason.SOURCE_MISSING),
    )
    async with shop.open() as opened, browsing(opened) as browser:
        await known(opened, 3)
        hat = next(row.at for row in opened.site.index.letters.newest if row.sku_id == "HAT")
        shop.publish(discarded(shop, hat.topic, hat.partition, hat.offset))
        await seen(lambda: opened.site.index.letters.decision_about(hat) is not None, "the mark")
        for asked, skus in (
            ("", {"RED-CUP", "BLUE-CUP"}), ("?reason=job-overdue", {"RED-CUP"}), ("?stage=remove-bg", {"BLUE-CUP"}),
            ("?sku=cup", {"RED-CUP", "BLUE-CUP"}), ("?batch=spring&sku=blue", {"BLUE-CUP"}), ("?batch=autumn", set()),
            ("?state=discarded", {"HAT"}), ("?state=all", {"RED-CUP", "BLUE-CUP", "HAT"}),
            ("?state=replayed", set()), ("?state=nonsense", {"RED-CUP", "BLUE-CUP"}),
        ):  # fmt: skip
            assert set(listed(await browser.get(f"/letters{asked}"))) == skus, asked
        page = await browser.get(links(await browser.get("/letters?state=discarded"))[0])
        assert "by ada@desk: seen to" in html.unescape(page)


def discarded(shop: Shop, topic: str, partition: int, offset: int) -> OutRecord:
    mark = Mark(
        fate=Fate.DISCARDED, topic=topic, partition=partition, offset=offset, at_ms=1_795_350_900_000, by="ada@desk",
        why="seen to",
    )  # fmt: skip
    return OutRecord(shop.topics.replays, str(mark.letter).encode(), dump(mark))


async def test_a_letter_tells_what_happened_what_to_do_and_shows_its_picture(shop: Shop) -> None:
    photo = await shop.asset("CUP", "raw", "jpg")
    sentence = "raw_url: https://user:pass@x.example.com/a.jpg?X-Amz-Signature=5ec4e7 answered 404"
    shop.publish(shop.failed(shop.sent("CUP", batch_id="spring"), Reason.SOURCE_MISSING, error=sentence))
    async with shop.open() as opened, browsing(opened) as browser:
        await known(opened, 1)
        page = html.unescape(await browser.get(links(await browser.get("/letters"))[0]))
        card = CARDS[Reason.SOURCE_MISSING]
        for words in (card.what, card.way_out, "skustream.origin.topic", "remove-bg"):
            assert words in page
        assert f'src="/preview?key={quote(photo.key, safe="")}' in page
        assert f'href="{CDN}/{photo.key}"' in page
        for secret in ("5ec4e7", "user:pass"):
            assert secret not in page
            assert secret not in await browser.get("/letters")
        image = await browser.get("/image?sku=CUP")
        assert "source-missing" in image


async def test_letters_of_strangers_are_shown_and_do_nothing(shop: Shop) -> None:
    topic = shop.topics.dead_letter
    connect = (("__connect.errors.topic", b"t"), ("__connect.errors.exception.class.name", HOSTILE.encode()))
    ours = (
        ("skustream.reason", HOSTILE.encode()), ("skustream.stage", HOSTILE.encode()), ("skustream.error", b"\xff\x00"),
        ("skustream.sku-id", HOSTILE.encode()), ("skustream.history", b"["), (HOSTILE, HOSTILE.encode()),
        ("skustream.credits", b"NaN"), ("skustream.traceback", HOSTILE.encode()),
    )  # fmt: skip
    shop.publish(
        OutRecord(topic, None, None), OutRecord(topic, b"\xff", b"\xff\xfe" * 400),
        OutRecord(topic, b"c", b"{}", connect),
        OutRecord(topic, b"h", json.dumps({"sku_id": HOSTILE, "raw_url": HOSTILE}).encode(), ours),
        OutRecord(topic, b"d", (b'{"sku_id":"DEEP","a":' + b"[" * 500 + b"]" * 500 + b"}")),
    )  # fmt: skip
    async with shop.open() as opened, browsing(opened) as browser:
        await known(opened, 5)
        page = await browser.get("/letters")
        pages = [page, *[await browser.get(link) for link in links(page)]]
        assert len(pages) == 6
        for shown in pages:
            assert "<script>alert" not in shown
            assert "<img src=x" not in shown
        for path in ("/letter", "/letter?at=x", f"/letter?at={topic}/0/999", f"/letter?at={shop.topics.raw}/0/0"):
            await browser.get(path, status=404)


async def test_a_large_letter_is_cut_and_costs_little(shop: Shop) -> None:
    value = json.dumps({"sku_id": "LARGE", "raw_url": "https://x.example.com/a", "attributes": {"a": "x" * 900_000}})
    shop.publish(OutRecord(shop.topics.dead_letter, b"L", value.encode(), (("skustream.reason", b"bug"),)))
    async with shop.open() as opened, browsing(opened) as browser:
        await known(opened, 1)
        page = await browser.get(links(await browser.get("/letters"))[0])
        assert len(page) < 150_000
        assert "skustream dlq show" in page
