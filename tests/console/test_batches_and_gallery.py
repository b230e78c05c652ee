"""Batches, their images page by page, and results: read from real topics and a real store."""

import re
from collections.abc import Mapping

from stream.broker.port import OutRecord
from stream.catalog.notes import BatchNotes
from stream.catalog.submitting import submission_of
from stream.console.index import BatchView
from stream.console.opening import Opened
from stream.core.errors import Reason
from stream.events import Priority
from stream.records import Status
from tests.console.shop import CDN, Shop, browsing, event, seen


async def test_a_batch_tells_counts_credits_and_every_image(shop: Shop) -> None:
    good, bad, old, _ = (shop.sent(sku, batch_id="spring") for sku in ("GOOD", "BAD", "OLD", "RUNNING"))
    made = await shop.asset("GOOD", "transparent")
    shop.publish(
        shop.finished(good, transparent=made), shop.failed(bad, error="the cat sat on it"),
        shop.finished(old, Status.SUPERSEDED),
    )  # fmt: skip
    async with shop.open() as opened, browsing(opened) as browser:
        await seen(lambda: "spring" in batches_of(opened) and batches_of(opened)["spring"].standing.total == 4, "all")
        page = await browser.get("/batches")
        assert ">spring<" in page
        assert re.search(r"<dt>Images</dt><dd>4</dd>", page)
        assert re.search(r"<dt>Credits</dt><dd>30</dd>", page)  # 10 for the asset, 20 for the job that failed
        page = await browser.get("/batch?id=spring")
        for words in ("GOOD", "BAD", "OLD", "RUNNING", "the cat sat on it", "50.0%", "in progress", "superseded"):
            assert words in page
        only = await browser.get("/batch?id=spring&status=failed")
        assert "BAD" in only
        assert "GOOD" not in only
        assert "GOOD" in await browser.get("/batch?id=spring&sku=goo")
        await browser.get("/batch?id=autumn", status=404)


def batches_of(opened: Opened) -> Mapping[str, BatchView]:
    return opened.site.index.batches


async def test_images_are_paged(shop: Shop) -> None:
    names = [f"SKU-{number:03}" for number in range(120)]
    shop.all_sent([OutRecord(shop.topics.raw, name.encode(), event(name, batch_id="large")) for name in names])
    async with shop.open() as opened, browsing(opened) as browser:
        await seen(lambda: "large" in batches_of(opened) and len(batches_of(opened)["large"].entries) == 120, "all")
        for asked, first in (("1", "SKU-000"), ("3", "SKU-100"), ("99", "SKU-100"), ("x", "SKU-000")):
            page = await browser.get(f"/batch?id=large&page={asked}")
            shown = re.findall(r"SKU-\d+", page)
            assert shown[0] == first
            assert len(shown) == (20 if first == "SKU-100" else 50)


async def test_the_gallery_shows_the_raw_photo_beside_each_asset(shop: Shop) -> None:
    sent = shop.sent("CUP", batch_id="spring")
    names = ("raw", "transparent", "lifestyle", "lifestyle-400-webp")
    assets = {name: await shop.asset("CUP", name, "webp" if "webp" in name else "png") for name in names}
    shop.publish(shop.finished(sent, **assets))
    async with shop.open() as opened, browsing(opened) as browser:
        await seen(lambda: len(opened.site.index.newest) == 1, "the image")
        page = await browser.get("/gallery?batch=spring&sku=cu")
        titles = re.findall(r"<strong>([^<]+)</strong>", page)
        assert titles == ["Raw photo", "Cut out", "Lifestyle"]
        assert "1 thumbnail<" in page
        assert "64 \N{MULTIPLICATION SIGN} 64 px" in page
        image = await browser.get("/image?sku=CUP")
        assert f'href="{CDN}/{assets["transparent"].key}"' in image
        assert "lifestyle-400-webp" in image
        assert "No image fits" in await browser.get("/gallery?batch=autumn")


async def test_a_failed_images_photo_is_found_in_the_store(shop: Shop) -> None:
    """Most letters fail at the first stage: no record names the photo, though it is re-hosted."""
    photo = await shop.asset("BAD", "raw", "jpg")
    shop.publish(shop.failed(shop.sent("BAD", batch_id="spring"), Reason.API_REJECTED))
    async with shop.open() as opened, browsing(opened) as browser:
        await seen(lambda: "spring" in batches_of(opened) and batches_of(opened)["spring"].standing.failed == 1, "it")
        await browser.get(f"/picture?key={photo.key}", status=404)  # nobody has named it yet
        assert f"key={photo.key.replace('/', '%2F')}" in await browser.get("/batch?id=spring")
        await browser.get(f"/picture?key={photo.key}")


async def test_a_batch_is_listed_before_its_first_record_and_a_strange_note_is_passed_over(shop: Shop) -> None:
    submission = submission_of(
        source="catalog.csv", at=1_795_350_000.0, topic=shop.topics.raw, priority=Priority.LIVE, rows=7, events=7,
        skipped=0, is_sample=False,
    )  # fmt: skip
    await BatchNotes(shop.store).open("noted", submission, images=7, starts={})
    for name, body in (("broken", b"{}"), ("~zz", b"<script>"), ("other", b'{"batch_id": "noted"}')):
        await shop.store.create(f"_batches/{name}.json", body)
    async with shop.open() as opened, browsing(opened) as browser:
        await seen(lambda: "noted" in batches_of(opened), "the note")
        assert set(batches_of(opened)) == {"noted"}
        assert "7 images were noted by a submit" in await browser.get("/batch?id=noted")
