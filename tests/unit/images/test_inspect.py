"""Inspect: the header decides, before a pixel is decoded; verify finds what is missing at the end."""

import zlib
from pathlib import Path

import pytest
import pyvips

from stream.images.inspect import ImageLimits, inspect, verify
from stream.images.loading import Format, NotAPicture
from tests.unit.images import samples

LIMITS = ImageLimits()


@pytest.mark.parametrize(
    ("name", "kind", "content_type", "extension"),
    [
        ("a.jpg", Format.JPEG, "image/jpeg", "jpg"),
        ("a.png", Format.PNG, "image/png", "png"),
        ("a.webp", Format.WEBP, "image/webp", "webp"),
    ],
)
def test_the_three_kinds_are_told_by_their_bytes(
    tmp_path: Path, name: str, kind: Format, content_type: str, extension: str
) -> None:
    path = samples.write(samples.noise(60, 40), tmp_path / name).rename(tmp_path / "without-a-name.exe")
    picture = inspect(path, LIMITS)
    assert (picture.format, picture.content_type, picture.extension) == (kind, content_type, extension)
    assert (picture.width, picture.height, picture.has_alpha, picture.pages) == (60, 40, False, 1)
    verify(path)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_transparency_is_seen(tmp_path: Path, suffix: str) -> None:
    path = samples.write(samples.cut_out(20, 20, 0.5), tmp_path / f"a{suffix}")
    assert inspect(path, LIMITS).has_alpha


@pytest.mark.parametrize("options", [{"palette": True}, {"interlace": True}, {"bitdepth": 16}])
def test_unusual_pngs_are_pictures_too(tmp_path: Path, options: dict[str, object]) -> None:
    image = samples.noise(60, 40)
    if "bitdepth" in options:
        image = (image.cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    path = samples.write(image, tmp_path / "a.png", **options)
    assert inspect(path, LIMITS).width == 60
    verify(path)


def test_sides_are_those_a_viewer_sees(tmp_path: Path) -> None:
    image = samples.noise(60, 40).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    picture = inspect(samples.write(image, tmp_path / "a.jpg"), LIMITS)
    assert (picture.width, picture.height) == (40, 60)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty"),
        (b"\n <!DOCTYPE html><html><body>Just a moment...", "web page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "web page, SVG or XML"),
        (b"GIF89a\x01\0\x01\0\0\0\0;", "a GIF"),
        (b"II*\0\x08\0\0\0", "a TIFF"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"%PDF-1.7", "a PDF"),
        (b'{"detail": "expired"}', "JSON"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "unknown kind"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"\xff\xd8\xff\xe0 but no more", "damaged"),
        (b"RIFF\x04\0\0\0WEBPVP8 ", "damaged"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "secret-place"
    path.write_bytes(content)
    with pytest.raises(NotAPicture, match=complaint) as caught:
        inspect(path, LIMITS)
    assert "secret-place" not in caught.value.detail


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    """69 bytes that would take half a minute and a gigabyte to decode."""
    path = tmp_path / "a.png"
    path.write_bytes(samples.png_bomb(100_000, 100_000))
    with pytest.raises(NotAPicture, match="100000x100000; a side"):
        inspect(path, LIMITS)
    path.write_bytes(samples.png_bomb(9_000, 9_000))
    with pytest.raises(NotAPicture, match="9000x9000; it may have 50000000 pixels"):
        inspect(path, LIMITS)


def test_a_header_without_pixels_is_found_by_verify(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(samples.png_bomb(500, 500))
    inspect(path, LIMITS)
    with pytest.raises(NotAPicture, match="damaged or cut short"):
        verify(path)


def test_too_many_bytes_are_refused_unread(tmp_path: Path) -> None:
    path = samples.write(samples.noise(60, 40), tmp_path / "a.png")
    with pytest.raises(NotAPicture, match="more than 100"):
        inspect(path, ImageLimits(max_bytes=100))


@pytest.mark.parametrize("make", [samples.animated_webp, samples.animated_png])
def test_animations_are_refused(tmp_path: Path, make: object) -> None:
    assert callable(make)
    path = make(tmp_path / ("a.png" if make is samples.animated_png else "a.webp"))
    with pytest.raises(NotAPicture, match="animated"):
        inspect(path, LIMITS)


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.jpg", {}), ("a.jpg", {"interlace": True}), ("a.png", {}), ("a.png", {"interlace": True}), ("a.webp", {})],
)
def test_a_file_cut_short_is_found(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    path = samples.shortened(samples.write(samples.noise(300, 200), tmp_path / name, **options))

    def looked_at() -> None:
        inspect(path, LIMITS)
        verify(path)

    with pytest.raises(NotAPicture, match="damaged or cut short") as caught:
        looked_at()
    assert str(tmp_path) not in caught.value.detail


@pytest.mark.parametrize(
    "content", [b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"]
)
def test_other_loaders_are_gone(content: bytes) -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    for hostile in (content, svg):
        with pytest.raises(pyvips.Error):
            pyvips.Image.new_from_buffer(hostile, "")


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
@pytest.mark.parametrize("after_pixels", [False, True])
def test_texts_that_unpack_to_gigabytes_are_refused_before_libpng_sees_them(
    tmp_path: Path, kind: bytes, *, after_pixels: bool
) -> None:
    """400 kB of compressed comments took 785 MB in libpng at the header alone."""
    body = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0", b"iCCP": b"icc\0\0"}[kind]
    body += zlib.compress(bytes(7_900_000))
    still = samples.write(samples.noise(16, 16), tmp_path / "a.png").read_bytes()
    at = still.index(b"IEND" if after_pixels else b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(still[:at] + samples.png_chunk(kind, body) * 5 + still[at:])
    with pytest.raises(NotAPicture, match="unpack to more than"):
        inspect(tmp_path / "a.png", LIMITS)


def test_honest_texts_are_no_bomb_and_broken_ones_no_crash(tmp_path: Path) -> None:
    still = samples.write(samples.noise(16, 16), tmp_path / "a.png").read_bytes()
    at = still.index(b"IDAT") - 4
    texts = samples.png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>")
    texts += samples.png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"made by hand"))
    texts += samples.png_chunk(b"zTXt", b"Comment\0\0not zlib") + samples.png_chunk(b"zTXt", b"")
    (tmp_path / "a.png").write_bytes(still[:at] + texts + still[at:])
    assert inspect(tmp_path / "a.png", LIMITS).width == 16


def test_chunks_without_end_are_refused(tmp_path: Path) -> None:
    still = samples.write(samples.noise(16, 16), tmp_path / "a.png").read_bytes()
    at = still.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(still[:at] + samples.png_chunk(b"teSt", b"") * 50_001 + still[at:])
    with pytest.raises(NotAPicture, match="chunks"):
        inspect(tmp_path / "a.png", LIMITS)
