"""Thumbnails: right sizes, right colours, never enlarged, nothing carried along but the mark of AI."""

from pathlib import Path
from typing import Any

import pytest
import pyvips

from stream.core.errors import Resource, Unavailable
from stream.images.inspect import ImageLimits, inspect
from stream.images.loading import NotAPicture
from stream.images.thumbnails import Thumbnail, make
from stream.operations import ThumbnailParams
from tests.unit.images import samples

SMALL = ThumbnailParams(widths=(160, 80, 40), formats=("webp", "jpeg"))
ONE = ThumbnailParams(widths=(40,), formats=("jpeg",))


def _sizes(made: list[Thumbnail]) -> list[tuple[int, str, int, int]]:
    return [(each.width_requested, each.format, each.width, each.height) for each in made]


def _colour(path: Path, x: int, y: int) -> list[float]:
    return [float(value) for value in pyvips.Image.new_from_file(str(path)).getpoint(x, y)]


def _one(image: pyvips.Image, tmp_path: Path, name: str = "in.png", **options: Any) -> Path:
    path = samples.write(image, tmp_path / name, **options)
    return make(path, ONE, tmp_path / "out")[0].path


def test_every_width_in_every_format_and_the_facts_are_true(tmp_path: Path) -> None:
    path = samples.write(samples.noise(200, 100), tmp_path / "in.jpg")
    made = make(path, SMALL, tmp_path / "out")
    assert _sizes(made) == [(width, kind, width, width // 2) for width in (160, 80, 40) for kind in ("webp", "jpeg")]
    for each in made:
        picture = inspect(each.path, ImageLimits())
        assert (picture.width, picture.height, picture.format) == (each.width, each.height, each.format)
        assert (picture.content_type, picture.extension) == (each.content_type, each.extension)
        assert each.path.stat().st_size == each.bytes
        assert each.path.suffix == f".{each.extension}"
        assert not picture.has_alpha


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (200, [(160, 160), (80, 80), (40, 40)]),
        (100, [(160, 100), (80, 80), (40, 40)]),
        (80, [(160, 80), (80, 80), (40, 40)]),
        (20, [(160, 20)]),
    ],
)
def test_nothing_is_enlarged_and_the_largest_is_always_there(
    tmp_path: Path, width: int, expected: list[tuple[int, int]]
) -> None:
    path = samples.write(samples.noise(width, width), tmp_path / "in.png")
    made = make(path, ThumbnailParams(widths=(80, 160, 40), formats=("webp",)), tmp_path / "out")
    assert [(each.width_requested, each.width) for each in made] == expected


def test_equal_pixels_are_one_file(tmp_path: Path) -> None:
    path = samples.write(samples.noise(80, 80), tmp_path / "in.png")
    made = make(path, SMALL, tmp_path / "out")
    assert [each.path.name for each in made] == ["160.webp", "160.jpg", "160.webp", "160.jpg", "40.webp", "40.jpg"]


@pytest.mark.parametrize(("width", "height"), [(1000, 3), (3, 1000), (16, 16)])
def test_extreme_shapes_keep_at_least_one_pixel(tmp_path: Path, width: int, height: int) -> None:
    path = samples.write(samples.noise(width, height), tmp_path / "in.png")
    made = make(path, SMALL, tmp_path / "out")
    assert all(each.width >= 1 and each.height >= 1 for each in made)
    assert made[0].width == min(width, 160)


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_transparency_becomes_the_colour_asked_for(tmp_path: Path, suffix: str) -> None:
    path = samples.write(samples.cut_out(80, 80, 0.5), tmp_path / f"in.{suffix}")
    made = make(path, ThumbnailParams(widths=(40,), formats=("jpeg",), flatten="#00ff00"), tmp_path / "out")
    assert _colour(made[0].path, 35, 20) == pytest.approx([0, 255, 0], abs=8)
    assert _colour(made[0].path, 5, 20) == pytest.approx([255, 0, 0], abs=8)


def test_a_transparent_16_bit_picture_is_flattened_on_white(tmp_path: Path) -> None:
    deep = (samples.cut_out(80, 80, 0.5).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    out = _one(deep, tmp_path, bitdepth=16)
    assert _colour(out, 35, 20) == pytest.approx([255, 255, 255], abs=3)
    assert _colour(out, 5, 20) == pytest.approx([255, 0, 0], abs=8)


def test_orientation_is_applied_once(tmp_path: Path) -> None:
    image = samples.plain(80, 40, [255, 0, 0]).join(samples.plain(80, 40, [0, 0, 255]), "horizontal").copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    path = samples.write(image, tmp_path / "in.jpg")
    made = make(path, ONE, tmp_path / "out")
    assert (made[0].width, made[0].height) == (40, 160)
    assert _colour(made[0].path, 20, 20) == pytest.approx([255, 0, 0], abs=12)
    assert _colour(made[0].path, 20, 140) == pytest.approx([0, 0, 255], abs=12)
    assert inspect(made[0].path, ImageLimits()).width == 40


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    cyan = samples.plain(80, 80, [255, 0, 0, 0]).copy(interpretation="cmyk")
    out = _one(cyan, tmp_path, "in.jpg")
    red, green, blue = _colour(out, 20, 20)
    assert red < 100 < min(green, blue)


def test_grey_and_palette_and_interlaced_become_plain_rgb(tmp_path: Path) -> None:
    grey = _one(samples.plain(80, 80, [128, 128, 128]).extract_band(0).copy(interpretation="b-w"), tmp_path, "g.png")
    assert _colour(grey, 20, 20) == pytest.approx([128] * 3, abs=3)
    palette = _one(samples.plain(80, 80, [10, 200, 30]), tmp_path, "p.png", palette=True)
    assert _colour(palette, 20, 20) == pytest.approx([10, 200, 30], abs=6)
    interlaced = _one(samples.plain(80, 80, [10, 200, 30]), tmp_path, "i.png", interlace=True)
    assert _colour(interlaced, 20, 20) == pytest.approx([10, 200, 30], abs=6)


def test_a_foreign_profile_is_applied_and_a_broken_one_survived(tmp_path: Path) -> None:
    green = samples.plain(80, 80, [60, 200, 60])
    wide = green.icc_transform("p3", input_profile="srgb", depth=8)
    assert wide.getpoint(0, 0) != green.getpoint(0, 0), "the profile changes the numbers"
    assert _colour(_one(wide, tmp_path, "wide.png"), 20, 20) == pytest.approx([60, 200, 60], abs=6)
    broken = green.copy()
    broken.set_type(pyvips.GValue.blob_type, "icc-profile-data", b"\0" * 132 + b"garbage" * 20)
    assert _colour(_one(broken, tmp_path, "broken.jpg"), 20, 20) == pytest.approx([60, 200, 60], abs=8)


def test_only_the_mark_of_ai_is_carried_on(tmp_path: Path) -> None:
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description dc:creator="Jane Doe" '
        b'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>'
    )
    image = samples.noise(80, 80).copy()
    image.set_type(pyvips.GValue.blob_type, "xmp-data", xmp)
    for made in make(samples.write(image, tmp_path / "in.jpg"), SMALL, tmp_path / "out"):
        content = made.path.read_bytes()
        assert b"digitalsourcetype/trainedAlgorithmicMedia" in content
        assert b"Jane Doe" not in content


def test_other_metadata_stays_behind(tmp_path: Path) -> None:
    image = samples.noise(80, 80).copy()
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta>Jane Doe</x:xmpmeta>")
    for made in make(samples.write(image, tmp_path / "in.jpg"), SMALL, tmp_path / "out"):
        assert b"xmpmeta" not in made.path.read_bytes()


@pytest.mark.parametrize(("name", "bands"), [("in.jpg", 3), ("in.png", 3), ("in.png", 4), ("in.webp", 3)])
def test_a_file_cut_short_makes_no_thumbnail(tmp_path: Path, name: str, bands: int) -> None:
    path = samples.shortened(samples.write(samples.noise(300, 200, bands), tmp_path / name))
    with pytest.raises(NotAPicture):
        make(path, SMALL, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_not_the_pictures_fault(tmp_path: Path) -> None:
    path = samples.write(samples.noise(80, 80), tmp_path / "in.png")
    (tmp_path / "out").write_text("a file stands in the way")
    with pytest.raises(Unavailable) as caught:
        make(path, SMALL, tmp_path / "out")
    assert caught.value.resource is Resource.DISK
