"""The made catalog: enough photos, sound files, the same pixels for the same seed, and a child that does the work."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import pyvips

from stream.demo import photos
from stream.demo.drawings.studio import BACKDROPS, encode, shoot
from stream.demo.photos import BROKEN_SKU, RenderFailed, catalog, render, render_in_child


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole catalog, drawn once, the way people draw it by hand."""
    folder = tmp_path_factory.mktemp("photos")
    subprocess.run([sys.executable, "-m", "stream.demo.photos", "--out", str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(autouse=True)
def _svg_allowed() -> Iterator[None]:
    """Other tests may have blocked SVG for the whole process, as workers do: open it here, close it again."""
    try:
        pyvips.Image.svgload_buffer(b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')
    except pyvips.Error:
        pyvips.operation_block_set("VipsForeignLoadSvg", False)
        yield
        pyvips.operation_block_set("VipsForeignLoadSvg", True)
    else:
        yield


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _keep(monkeypatch: pytest.MonkeyPatch, *skus: str) -> None:
    """Cut the catalog down to a few articles, keeping the real drawings."""
    rows = [row for row in photos._table() if row[0] in skus]
    monkeypatch.setattr(photos, "_table", lambda: rows)


def test_catalog_has_at_least_26_articles_besides_the_one_meant_to_fail() -> None:
    """Names are unique, safe in a path, and do not depend on the seed."""
    articles = catalog()
    skus = [article.sku_id for article in articles]
    assert len(set(skus)) == len(articles) == len({article.file_name for article in articles})
    assert BROKEN_SKU in skus
    assert len(articles) - 1 >= 26
    assert all(re.fullmatch(r"[a-z0-9-]+\.(jpg|png)", article.file_name) for article in articles)
    assert catalog(1) == catalog(2)


def test_catalog_holds_the_hard_cases_and_one_png() -> None:
    notes = [article.note for article in catalog()]
    assert notes.count("glass") >= 2
    assert notes.count("white on white") >= 2
    assert notes.count("chrome") >= 2
    assert [article.file_name.endswith(".png") for article in catalog()].count(True) == 1


def test_only_the_broken_photo_is_called_broken() -> None:
    """The simulator fails by file name, so no sound article may carry the word."""
    assert [a.sku_id for a in catalog() if "broken" in a.file_name or "404" in a.file_name] == [BROKEN_SKU]


def test_every_photo_decodes_as_what_its_name_says(shelf: Path) -> None:
    sizes = set()
    for article in catalog():
        image = pyvips.Image.new_from_file(str(shelf / article.file_name), fail_on="warning")
        loader = "pngload" if article.file_name.endswith(".png") else "jpegload"
        assert image.get("vips-loader").startswith(loader)
        assert (image.bands, image.format, image.interpretation) == (3, "uchar", "srgb")
        # A picture, not an even sheet: decoding all of it must show contrast.
        assert image.deviate() > 12, article.sku_id
        sizes.add((image.width, image.height))
    assert {(512, 512), (512, 640), (640, 512)} <= sizes


def test_no_drafts_are_left_beside_the_photos(shelf: Path) -> None:
    assert {path.name for path in shelf.iterdir()} == {article.file_name for article in catalog()}


def test_no_product_is_cut_off_at_the_top(shelf: Path) -> None:
    """The topmost pixels are wall: along them nothing changes sharply."""
    for article in catalog():
        image = pyvips.Image.new_from_file(str(shelf / article.file_name)).gaussblur(2)
        assert image.crop(0, 0, image.width, 3).sobel().max() < 60, article.sku_id


def test_same_seed_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And another seed other pixels, so a re-shot photo is a new source version."""
    _keep(monkeypatch, "MUG-101-RED", "BOX-601-MILK")
    for folder, seed in (("one", 7), ("two", 7), ("three", 8)):
        render(tmp_path / folder, seed)
    for name in ("mug-101-red.jpg", "box-601-milk.jpg"):
        assert _digest(tmp_path / "one" / name) == _digest(tmp_path / "two" / name)
        assert _digest(tmp_path / "one" / name) != _digest(tmp_path / "three" / name)


def test_render_keeps_what_is_there_and_makes_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _keep(monkeypatch, "MUG-101-RED", "BOX-601-MILK")
    (tmp_path / "mug-101-red.jpg").write_bytes(b"mine")
    heard: list[tuple[int, int]] = []
    render(tmp_path, progress=lambda done, total: heard.append((done, total)))
    assert (tmp_path / "mug-101-red.jpg").read_bytes() == b"mine"
    assert (tmp_path / "box-601-milk.jpg").stat().st_size > 10_000
    assert heard == [(1, 2), (2, 2)]


def test_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        photos._write(tmp_path / "a.jpg", b"content")
    assert list(tmp_path.iterdir()) == []


async def test_child_hears_and_returns_the_catalog(shelf: Path) -> None:
    """With all files there the child draws nothing, and still reports each one."""
    heard: list[tuple[int, int]] = []
    articles = await render_in_child(shelf, progress=lambda done, total: heard.append((done, total)))
    assert articles == catalog()
    assert heard[-1] == (len(articles), len(articles))


async def test_child_draws_although_its_parent_blocks_untrusted_loaders(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers set VIPS_BLOCK_UNTRUSTED; an inherited block would stop every drawing."""
    monkeypatch.setenv("VIPS_BLOCK_UNTRUSTED", "1")
    wanted = shelf / "box-601-milk.jpg"
    before = _digest(wanted)
    wanted.unlink()
    await render_in_child(shelf)
    assert _digest(wanted) == before


async def test_failing_child_is_reported_with_its_words(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with pytest.raises(RenderFailed, match=r"(?s)code 1.*(FileExists|NotADirectory)"):
        await render_in_child(blocker)


@pytest.mark.parametrize("backdrop", sorted(BACKDROPS))
def test_every_backdrop_can_be_shot_in_both_formats(backdrop: str) -> None:
    from stream.demo.drawings.studio import Photo  # noqa: PLC0415 - a small scene of its own

    image = shoot(Photo((), backdrop, 160, 120), 3)
    assert (image.width, image.height) == (102, 77)
    for name, magic in (("a.png", b"\x89PNG"), ("a.jpg", b"\xff\xd8\xff")):
        assert encode(image, name).startswith(magic)


def test_drawings_know_no_file_and_no_address() -> None:
    """SVG is made here and nowhere else: nothing in it may reach for a file or a network."""
    folder = Path(photos.__file__).parent / "drawings"
    text = "".join(path.read_text() for path in folder.glob("*.py")).replace('xmlns="http://www.w3.org/2000/svg"', "")
    for word in ("http:", "https:", "href", "<image", "@import", "url(file"):
        assert word not in text
