"""The console as a person uses it: Chromium, against a real Kafka, a real S3 server, workers and the simulator.

Nothing here looks inside: what counts is what stands on the screen, in the topics and in the provider's books.
"""

import secrets
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.composed.plant import Plant
from tests.conftest import _demand
from tests.console.process import ConsoleProcess, create_topics
from tests.services.chromium import PATIENCE_MS, find_chromium, open_chromium
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.s3 import S3Server

pytestmark = [pytest.mark.kafka, pytest.mark.s3]
HOSTILE = "<img src=x onerror=alert(1)>"
REFUSED = "VASE"
expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Desk:
    """A plant at work, the console on it, and somebody who looks. `complaints`: what the browser itself objected to."""

    plant: Plant
    console: ConsoleProcess
    browser: BrowserContext
    complaints: list[str] = field(default_factory=list)

    def look(self, path: str) -> Page:
        """A fresh tab at that path; errors of the page and of its policy are collected."""
        page = self.browser.new_page()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))
        page.goto(self.console.url + path)
        return page

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, kafka: KafkaCluster | ExistingKafka, s3: S3Server) -> Iterator[Desk]:
    """Three sound photos, and one that PixelAPI refuses to enlarge."""
    binary = _demand(find_chromium)
    folder = tmp_path_factory.mktemp("desk")
    plant = Plant(kafka, s3, folder, f"desk{secrets.token_hex(5)}", behaviour={"faults": [refusal()]})
    console: ConsoleProcess | None = None
    try:
        plant.worker()
        cup = plant.event("CUP", batch_id="spring")
        plant.send(cup, *(plant.event(sku, batch_id="spring") for sku in ("HAT", REFUSED)))
        plant.send({**cup, "sku_id": HOSTILE, "event_id": "hostile"})
        console = ConsoleProcess(plant, "--allow-replay")
        create_topics(console.environment)
        plant.wait_ended(4)
        with open_chromium(binary, folder / "profile") as browser:
            yield Desk(plant, console, browser)
    finally:
        if console is not None:
            console.stop()
        plant.close()


def refusal() -> dict[str, object]:
    match = {"url": f"{REFUSED}/main/transparent"}
    return {"kind": "error", "at": "submit", "status": 422, "match": match, "message": "the vase is too thin"}


@pytest.fixture
def calm(desk: Desk) -> Iterator[Desk]:
    """The desk, for one test; at its end the browser must have had nothing to object to."""
    desk.complaints.clear()
    yield desk
    for page in desk.browser.pages[1:]:
        page.close()
    assert desk.complaints == []


def test_a_failed_photo_is_found_looked_at_priced_replayed_and_seen_to_finish(calm: Desk) -> None:
    page = calm.look("/batch?id=spring")
    expect(page.locator("dl.tiles")).to_contain_text("Failed 1", use_inner_text=True)
    page.get_by_role("link", name="api-rejected").click()
    page.get_by_label("SKU").fill("vas")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name=REFUSED).click()
    expect(page.get_by_role("heading", name="api-rejected")).to_contain_text("in upscale")
    expect(page.get_by_text("the vase is too thin").first).to_be_visible()
    expect(page.get_by_text("What to do:")).to_be_visible()
    assert shown_pixels(page, f"{REFUSED}: Cut out") > 0
    page.get_by_text("headers", exact=False).last.click()
    expect(page.get_by_role("rowheader", name="skustream.origin.offset")).to_be_visible()
    calm.plant.provider.behave(faults=[])  # the person calls PixelAPI
    before = calm.plant.provider.accepted()
    page.get_by_text("Replay or discard this letter").click()
    page.get_by_label("Why (stands in the record)").fill("PixelAPI takes thin vases now")
    page.get_by_role("button", name="Show the plan and its price").click()
    button = page.get_by_role("button", name="Put 1 letter back for 60 credits")  # the cut-out is paid for
    expect(button).to_be_visible()
    assert calm.plant.provider.accepted() == before
    button.click()
    expect(page.get_by_text("1 letter put back.")).to_be_visible()
    expect(page.locator("section", has_text="How they went on")).to_contain_text("Finished 1", use_inner_text=True)
    assert calm.plant.provider.accepted() == before + 2  # upscale and lifestyle
    assert calm.plant.watcher.look().by_event()  # the end is in the topics
    page.get_by_role("link", name="Decisions").first.click()
    expect(page.get_by_text("PixelAPI takes thin vases now")).to_be_visible()
    page.goto(f"{calm.console.url}/image?sku={REFUSED}")
    expect(page.get_by_text("Lifestyle", exact=True)).to_be_visible()
    page.goto(f"{calm.console.url}/letters")
    expect(page.get_by_text("No letter fits")).to_be_visible()


def test_the_gallery_is_used_by_keyboard_alone(calm: Desk) -> None:
    page = calm.look("/gallery?sku=CUP")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    names: list[str] = []
    while "Cut out" not in (names[-1:] or [""])[0]:
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.querySelector('img')?.alt ?? ''"))
        assert len(names) < 30, names
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    zoom = page.locator("dialog#zoom")
    expect(zoom).to_be_visible()
    expect(zoom.get_by_text("CUP: Cut out")).to_be_visible()
    page.wait_for_function("() => document.querySelector('#zoom img').naturalWidth > 0")
    assert "conic-gradient" in zoom.locator("img").evaluate("each => getComputedStyle(each).backgroundImage")
    page.keyboard.press("ArrowRight")
    expect(zoom.get_by_text("CUP: Upscaled")).to_be_visible()
    page.keyboard.press("Escape")
    expect(zoom).to_be_hidden()
    focused = page.evaluate("document.activeElement.querySelector('img').alt")
    assert focused.startswith("CUP: Upscaled")


def test_a_batch_moves_while_somebody_looks_at_it(calm: Desk) -> None:
    name = f"live-{secrets.token_hex(3)}"
    calm.plant.send(calm.plant.event(f"{name}-1", batch_id=name, stages=["remove-bg"]))
    page = calm.look("/batches")
    page.get_by_role("link", name=name).click()  # it comes without a reload
    tiles = page.locator("dl.tiles")
    expect(tiles).to_contain_text("Finished 1", use_inner_text=True)
    calm.plant.send(calm.plant.event(f"{name}-2", batch_id=name, stages=["remove-bg"]))
    expect(tiles).to_contain_text("Finished 2", use_inner_text=True)
    expect(tiles).to_contain_text("Credits 20", use_inner_text=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_room_fits_a_phone_and_nothing_written_by_strangers_runs(calm: Desk, scheme: str) -> None:
    page = calm.look("/batches")
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 360, "height": 740})
    hostile = "/image?sku=" + page.evaluate("name => encodeURIComponent(name)", HOSTILE)
    for path in ("/batches", "/batch?id=spring", "/gallery", "/letters?state=all", "/decisions", hostile):
        page.goto(calm.console.url + path)
        wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path} is {wide} px too wide"
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    assert shown_pixels(page, f"{HOSTILE}: Raw photo") > 0


def test_ctrl_c_ends_it_in_order(desk: Desk) -> None:
    console = ConsoleProcess(desk.plant)
    assert console.stop(signal.SIGINT) == 0
    assert "Traceback" not in console.log.read_text()


def shown_pixels(page: Page, alt: str) -> int:
    """The width of a picture as it came; 0 where it did not."""
    picture = page.get_by_alt_text(alt)
    picture.scroll_into_view_if_needed()
    page.wait_for_function("each => each.complete", arg=picture.element_handle())
    width: int = picture.evaluate("each => each.naturalWidth")
    return width
