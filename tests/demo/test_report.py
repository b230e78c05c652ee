"""The contact sheet: escapes what is hostile, carries its pictures inside, says the totals."""

import json
import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

import pytest
import pyvips

from stream.demo.previews import SIDE_PIXELS, preview
from stream.demo.report import AssetView, SkuRow, Summary, write_report, write_summary_json

HOSTILE = "\"><img src=x onerror=alert(1)>'&<script>"


class Page(HTMLParser):
    """What a browser would see: tags with attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def _picture(path: Path, width: int = 640, height: int = 512, *, clear: bool = False) -> Path:
    image = pyvips.Image.xyz(width, height)[0].cast("uchar").bandjoin([90, 140]).copy(interpretation="srgb")
    path.parent.mkdir(parents=True, exist_ok=True)
    (image.bandjoin(128) if clear else image).write_to_file(str(path))
    return path


def _asset(name: str, path: Path, width: int = 640, credit: str | None = "10") -> AssetView:
    paid = None if credit is None else Decimal(credit)
    return AssetView(name, path, "image/jpeg", width, 512, 12_345, paid, None if credit is None else 3.25)


def _row(
    folder: Path, sku: str = "MUG-1", *, status: Literal["completed", "failed", "superseded"] = "completed"
) -> SkuRow:
    assets = (
        _asset("raw", _picture(folder / "raw.jpg"), credit=None),
        _asset("transparent", _picture(folder / "cut.png", clear=True)),
        _asset("upscaled", _picture(folder / "big.png", 1280, 1024, clear=True), 2560),
        _asset("lifestyle", _picture(folder / "scene.jpg")),
        *(
            _asset(f"{kind}-{side}.webp", _picture(folder / f"{kind}-{side}.webp", side, side))
            for kind in "ab"
            for side in (200, 400, 800)
        ),
    )
    if status == "failed":
        return SkuRow(sku, "A mug", status, "the provider failed it", assets[:1], Decimal(0), 4.0)
    return SkuRow(sku, "A mug", status, None, assets, Decimal("75.5"), 21.0)


def _summary(failed: dict[str, str] | None = None, *, reused: bool = False) -> Summary:
    failed = failed or {}
    return Summary(
        2, 2 - len(failed), len(failed), 1 - len(failed) / 2, failed, Decimal("151.25"), 6, 1412, 83.4, reused
    )


def _written(tmp_path: Path, rows: list[SkuRow], summary: Summary | None = None) -> tuple[str, Page]:
    write_report(tmp_path / "report.html", summary or _summary(), rows)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    return text, Page(text)


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    """SKU, title, reason and asset names come from outside; none of them becomes markup."""
    asset = _asset(HOSTILE, _picture(tmp_path / "a b#?%.jpg"))
    row = SkuRow(HOSTILE, HOSTILE, "failed", HOSTILE, (asset,), Decimal(0), 1.0)
    text, page = _written(tmp_path, [row], _summary({HOSTILE: HOSTILE}))
    assert "<script" not in text
    assert not [1 for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert all((image["src"] or "").startswith("data:image/webp;base64,") for image in page.all("img"))
    assert page.words.count(HOSTILE) >= 4


def test_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    """No address, no script, no outside style; pictures are data, and the page forbids itself the rest."""
    text, page = _written(tmp_path, [_row(tmp_path)])
    assert not re.search(r"https?://|//[a-z]", re.sub(r"base64,[^\"]+", "", text), re.IGNORECASE)
    assert len(page.all("img")) == 8
    assert all((image["src"] or "").startswith("data:image/webp;base64,") for image in page.all("img"))
    assert not page.all("script")
    assert not page.all("link")
    policy = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_links_lead_from_the_page_to_the_full_files(tmp_path: Path) -> None:
    """Relative, so the folder can be moved; odd characters are encoded."""
    odd = _asset("raw", _picture(tmp_path / "out" / "javascript:a b#?%é.jpg"))
    text, page = _written(tmp_path, [SkuRow("A", "A", "completed", None, (odd,), Decimal(1), 1.0)])
    links = [link["href"] or "" for link in page.all("a") if not (link["href"] or "").startswith("#")]
    assert links
    assert all(re.fullmatch(r"[A-Za-z0-9_./~%-]+", link) for link in links)
    assert all((tmp_path / unquote(link)).is_file() for link in links)
    assert str(tmp_path) not in text


def test_every_picture_is_described_and_sized(tmp_path: Path) -> None:
    _, page = _written(tmp_path, [_row(tmp_path, "MUG-1")])
    for image in page.all("img"):
        assert (image["alt"] or "").startswith("MUG-1: ")
        assert 0 < int(image["width"] or 0) <= SIDE_PIXELS
    assert page.all("html") == [{"lang": "en"}]


def test_transparent_pictures_lie_on_a_checkerboard(tmp_path: Path) -> None:
    _, page = _written(tmp_path, [_row(tmp_path)])
    frames = [link["class"] for link in page.all("a") if (link.get("class") or "").startswith("frame")]
    assert frames.count("frame clear") == 2


def test_totals_and_figures_are_shown(tmp_path: Path) -> None:
    _, page = _written(tmp_path, [_row(tmp_path)])
    for words in (
        "All 2 photos",
        "100.0%",
        "151.25",
        "1,412",
        "1 min 23 s",
        "75.50 credits",
        "12 kB",
        "10 credits",
        "3.2 s",
        "6 files",
    ):
        assert words in page.words
    assert "4\N{MULTIPLICATION SIGN}" in page.words
    assert "Nothing was bought" not in page.words


def test_reuse_is_said(tmp_path: Path) -> None:
    _, page = _written(tmp_path, [_row(tmp_path)], _summary(reused=True))
    assert "Nothing was bought this time." in page.words


def test_failed_skus_come_first_with_their_reasons(tmp_path: Path) -> None:
    good, bad = _row(tmp_path, "GOOD"), _row(tmp_path, "BAD", status="failed")
    text, page = _written(tmp_path, [good, bad], _summary({"BAD": "the provider failed it"}))
    assert text.index("the provider failed it") < text.index("GOOD: raw photo")
    assert text.index("BAD: raw photo") < text.index("GOOD: raw photo")
    targets = {attributes.get("id") for _, attributes in page.tags}
    jumps = [(link["href"] or "")[1:] for link in page.all("a") if (link["href"] or "").startswith("#")]
    assert set(jumps) <= targets
    assert "1 of 2 photos" in page.words


def test_missing_and_false_files_leave_an_empty_frame(tmp_path: Path) -> None:
    """A report after a bad run is when it is needed most."""
    (tmp_path / "liar.png").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
    assets = (_asset("raw", tmp_path / "gone.jpg"), _asset("transparent", tmp_path / "liar.png"))
    _, page = _written(tmp_path, [SkuRow("A", "A", "completed", None, assets, Decimal(1), 1.0)])
    assert page.all("img") == []
    assert page.words.count("no readable picture") == 2


def test_empty_run_makes_a_page(tmp_path: Path) -> None:
    _, page = _written(tmp_path, [], Summary(0, 0, 0, 0.0, {}, Decimal(0), 0, 0, 0.0, reused=False))
    assert "No photos came in." in page.words


def test_twenty_six_skus_fit_in_six_megabytes(tmp_path: Path) -> None:
    """Previews are bounded, so the page is, whatever the files weigh: noise is the worst case."""
    noise = pyvips.Image.gaussnoise(900, 900, sigma=60, mean=128).cast("uchar")
    path = tmp_path / "noise.png"
    noise.bandjoin([noise.rot90(), noise.rot180()]).copy(interpretation="srgb").write_to_file(str(path), compression=1)
    small, tiny = preview(path), preview(path, 150)
    assert small is not None
    assert tiny is not None
    assert 26 * (4 * len(small.source) + 4 * len(tiny.source)) < 12_000_000
    picture = preview(_picture(tmp_path / "plain.jpg", 900, 900))
    assert picture is not None
    assert 26 * 8 * len(picture.source) < 6_000_000


def test_preview_refuses_truncated_files(tmp_path: Path) -> None:
    whole = _picture(tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    assert preview(tmp_path / "a.png") is None


def test_preview_never_enlarges(tmp_path: Path) -> None:
    small = preview(_picture(tmp_path / "a.png", 20, 10))
    assert small is not None
    assert (small.width, small.height) == (20, 10)


@pytest.mark.parametrize("folder", ["", "deep/er"])
def test_report_lands_whole(tmp_path: Path, folder: str) -> None:
    target = tmp_path / folder / "report.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_report(target, _summary(), [_row(tmp_path / "files")])
    assert [path.name for path in target.parent.glob("*.html")] == ["report.html"]
    assert list(target.parent.glob(".*")) == []


def test_summary_json_has_its_keys(tmp_path: Path) -> None:
    """Credits are decimal text: a float would round them."""
    write_summary_json(tmp_path / "summary.json", _summary({HOSTILE: "bad"}))
    content = json.loads((tmp_path / "summary.json").read_text())
    assert content == {
        "total": 2,
        "success": 1,
        "failed": 1,
        "success_rate": 0.5,
        "failed_skus": [{"sku_id": HOSTILE, "reason": "bad"}],
        "credits": 151.25,
        "submits": 6,
        "requests": 1412,
        "seconds": 83.4,
    }
