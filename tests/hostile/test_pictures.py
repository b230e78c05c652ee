"""Every hostile picture is refused in words, quickly and in little memory; every odd one is a picture, upright."""

import subprocess
import sys
from pathlib import Path

import pytest
import pyvips

from stream.images.inspect import ImageLimits, inspect, verify
from stream.images.loading import NotAPicture, harden
from stream.images.segments import MOST_SCANS, check_scans
from stream.images.thumbnails import make
from stream.operations import ThumbnailParams
from tests.hostile import pictures

LIMITS = ImageLimits(max_bytes=64 * 1024 * 1024)
ONE = ThumbnailParams(widths=(40,), formats=("jpeg",))
WORST_SIDE = 7_071
"""Squared, the largest picture we take."""
MOST_BYTES = 700 * 1024 * 1024
"""What one picture may add to a process: measured 0.45 GB at the most (docs/decisions/0016-hostile-pictures.md)."""


@pytest.fixture(autouse=True)
def hardened() -> None:
    harden()


def placed(folder: Path, content: bytes) -> Path:
    path = folder / "secret-place"
    path.write_bytes(content)
    return path


def look(path: Path) -> tuple[int, int]:
    """As the worker does; the size as seen."""
    picture = inspect(path, LIMITS)
    verify(path)
    return picture.width, picture.height


@pytest.mark.parametrize("name", pictures.HOSTILE)
def test_a_hostile_picture_is_refused_in_words(tmp_path: Path, name: str) -> None:
    content, words = pictures.HOSTILE[name]
    with pytest.raises(NotAPicture, match=words) as refused:
        look(placed(tmp_path, content()))
    assert refused.value.detail.isprintable()
    assert len(refused.value.detail) < 250
    assert "secret-place" not in refused.value.detail


@pytest.mark.parametrize("name", pictures.ODD)
def test_an_odd_picture_is_taken_and_becomes_plain(tmp_path: Path, name: str) -> None:
    path = placed(tmp_path, pictures.ODD[name]())
    assert min(look(path)) >= pictures.SIDE * 3 // 4
    (made,) = make(path, ONE, tmp_path / "out")
    thumbnail = pyvips.Image.new_from_file(str(made.path))
    assert (thumbnail.bands, thumbnail.format, thumbnail.interpretation) == (3, "uchar", "srgb")
    if name != "jpeg-of-100-scans":  # that one is a grey nothing
        red, green, blue = thumbnail.getpoint(made.width // 2 + 2, made.height // 2)
        if name == "png-in-grey":
            assert red == green == blue
        else:
            assert red > 140
            assert max(green, blue) < 100


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    """Raw photos and bought pictures alike: red stands where EXIF says that the upper left is."""
    upright = pyvips.Image.black(80, 40, bands=3).copy(interpretation="srgb").copy_memory()
    upright = upright.draw_rect([255, 0, 0], 0, 0, 40, 20, fill=True)
    path = placed(tmp_path, pictures.turned(orientation, suffix, _as_stored(upright, orientation)))
    assert look(path) == (80, 40)
    (made,) = make(path, ThumbnailParams(widths=(80,), formats=("jpeg",)), tmp_path / "out")
    assert (made.width, made.height) == (80, 40)
    thumbnail = pyvips.Image.new_from_file(str(made.path))
    assert thumbnail.getpoint(10, 8) == pytest.approx([255, 0, 0], abs=25)
    assert all(thumbnail.getpoint(x, y)[0] < 60 for x, y in ((70, 8), (10, 34), (70, 34)))
    assert look(made.path) == (80, 40)


def _as_stored(upright: pyvips.Image, orientation: int) -> pyvips.Image:
    """The pixels whose orientation tag turns them into `upright` (EXIF 2.32, tag 0x0112)."""
    undo = {
        1: lambda image: image, 2: lambda image: image.fliphor(), 3: lambda image: image.rot180(),
        4: lambda image: image.flipver(), 5: lambda image: image.rot90().fliphor(), 6: lambda image: image.rot270(),
        7: lambda image: image.rot270().fliphor(), 8: lambda image: image.rot90(),
    }  # fmt: skip
    return undo[orientation](upright)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("interlaced", lambda: pictures.flat_png(WORST_SIDE, WORST_SIDE, depth=16, interlaced=True)),
        ("empty blocks", lambda: pictures.empty_blocks_png(WORST_SIDE, WORST_SIDE, 16 * 1024 * 1024)),
        ("scans", lambda: pictures.progressive(7_000, 7_000, MOST_SCANS, components=4)),
        ("webp", lambda: pictures.saved(".webp", _flat(), lossless=True, effort=0)),
        ("metadata", lambda: pictures.jpeg_with(pictures.segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 900)),
    ],
)
def test_the_worst_that_passes_the_caps_stays_within_memory(tmp_path: Path, name: str, content: pictures.Maker) -> None:
    """Whoever passed the caps is decoded and made small, in 0.45 GB at the most (measured)."""
    path = placed(tmp_path, content())
    assert path.stat().st_size < LIMITS.max_bytes
    grown_bytes, said = _cost(path, tmp_path)
    assert said == "taken", name
    assert grown_bytes < MOST_BYTES, name


def _flat() -> pyvips.Image:
    return (
        pyvips.Image.black(WORST_SIDE, WORST_SIDE)
        .linear([0] * 4, [9, 8, 7, 6])
        .cast("uchar")
        .copy(interpretation="srgb")
    )


@pytest.mark.parametrize(
    "name", ["png-of-69-bytes", "png-of-169-megapixels", "jpeg-of-5000-scans", "png-of-texts", "png-of-chunks"]
)
def test_refusing_a_bomb_costs_next_to_nothing(tmp_path: Path, name: str) -> None:
    """The header decides, before libvips has seen more than that."""
    content, words = pictures.HOSTILE[name]
    grown_bytes, said = _cost(placed(tmp_path, content()), tmp_path)
    assert words in said
    assert grown_bytes < 30 * 1024 * 1024


def _cost(path: Path, folder: Path) -> tuple[int, str]:
    """In a process of its own, so that its peak is its own: how much it grew, and what it said."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.hostile.costs", str(path), str(folder)],
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    grown_bytes, said = run.stdout.split(" ", 1)
    return int(grown_bytes), said.strip()


@pytest.mark.parametrize("fill", [b"", b"\xff", b"\xff" * 3_000_000, b"\0" * 2_000_000])
@pytest.mark.parametrize("between", [b"", b"\xff\xd0", b"\xff\x01\x00\xff\x00"])
def test_scans_cannot_be_hidden_from_the_count(tmp_path: Path, fill: bytes, between: bytes) -> None:
    """Fillers, stuffed bytes, restarts and rubbish between segments, as libjpeg skips them."""
    scan = pictures.segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + b"\x7f"
    content = b"\xff\xd8" + fill + between.join([scan] * (MOST_SCANS + 1)) + b"\xff\xd9"
    with pytest.raises(NotAPicture, match="scans"):
        check_scans(placed(tmp_path, content))


def test_what_stands_in_segments_or_behind_the_end_is_no_scan(tmp_path: Path) -> None:
    """A preview in the metadata has scans of its own, and so has the second picture that telephones append."""
    inner = pictures.progressive(SIDE_OF_PREVIEW, SIDE_OF_PREVIEW, 90)
    assert len(inner) < 60_000
    content = pictures.jpeg_with(pictures.segment(0xE1, b"Exif\0\0" + inner)) + inner * 5
    look(placed(tmp_path, content))


SIDE_OF_PREVIEW = 16
