"""Hostile and odd pictures, made on the spot: no binary lies in the repository.

`HOSTILE` is refused as `invalid-image` with the words beside it; `ODD` is unusual, and a picture all the same.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pyvips

SIDE = 96
Maker = Callable[[], bytes]


def photo(width: int = SIDE, height: int = SIDE) -> pyvips.Image:
    """A red ball on an uneven light ground."""
    picture = pyvips.Image.black(width, height, bands=3).linear([1, 1, 1], [244, 243, 240]).cast("uchar")
    picture = picture.copy(interpretation="srgb").copy_memory()
    picture = picture.draw_circle([180, 40, 36], width // 2, height // 2, min(width, height) // 3, fill=True)
    noise = pyvips.Image.gaussnoise(width, height, mean=0, sigma=1.0, seed=7)
    return (picture + noise).cast("uchar").copy(interpretation="srgb").copy_memory()


def saved(suffix: str, image: pyvips.Image | None = None, **options: Any) -> bytes:
    """The picture (default: the photo) as a file's bytes."""
    return bytes((photo() if image is None else image).write_to_buffer(suffix, **options))


# PNG


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, data: bytes, *, depth: int = 8, colour: int = 6, interlaced: bool = False) -> bytes:
    """A PNG whose header says this, whatever `data` holds."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    body = png_chunk(b"IHDR", head) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def zeros(count: int) -> bytes:
    """So many zero bytes, compressed a thousandfold."""
    squeezer = zlib.compressobj(9)
    whole, rest = divmod(count, 1 << 20)
    parts = [squeezer.compress(bytes(1 << 20)) for _ in range(whole)]
    return b"".join([*parts, squeezer.compress(bytes(rest)), squeezer.flush()])


def flat_png(width: int, height: int, *, depth: int = 8, interlaced: bool = False) -> bytes:
    """A whole, black, transparent RGBA picture: a few hundred kilobytes of file for gigabytes of pixels."""
    pixel_bytes = 4 * depth // 8
    if not interlaced:
        return png(width, height, zeros(height * (1 + width * pixel_bytes)), depth=depth)
    passes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in _ADAM7]
    count = sum(rows * (1 + columns * pixel_bytes) for columns, rows in passes if columns > 0 < rows)
    return png(width, height, zeros(count), depth=depth, interlaced=True)


_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def empty_blocks_png(width: int, height: int, file_bytes: int) -> bytes:
    """A 16-bit RGBA picture behind `file_bytes` of deflate blocks with tables and without content: work for nothing."""
    body = zeros(height * (1 + width * 8))
    return png(
        width, height, body[:2] + _EIGHT_EMPTY_BLOCKS * (file_bytes // len(_EIGHT_EMPTY_BLOCKS)) + body[2:], depth=16
    )


def _eight_empty_blocks() -> bytes:
    """Dynamic Huffman blocks that hold their end only (RFC 1951, 3.2.7); eight, so that they end on a whole byte."""
    bits: list[tuple[int, int]] = []
    for _ in range(8):
        bits += [(0, 1), (2, 2), (0, 5), (0, 5), (18 - 4, 4)]
        lengths = {18: 1, 1: 1}
        order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1)
        bits += [(lengths.get(symbol, 0), 3) for symbol in order]
        bits += [(1, 1), (138 - 11, 7), (1, 1), (118 - 11, 7), (0, 1), (0, 1), (0, 1)]
    number = length = 0
    for value, width in bits:
        number |= value << length
        length += width
    return number.to_bytes(length // 8, "little")


_EIGHT_EMPTY_BLOCKS = _eight_empty_blocks()


def png_with(chunks: bytes) -> bytes:
    """The photo with these chunks before its pixels."""
    still = saved(".png")
    at = still.index(b"IDAT") - 4
    return still[:at] + chunks + still[at:]


# JPEG


def segment(marker: int, body: bytes) -> bytes:
    """One marker with its body."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def progressive(width: int, height: int, scans: int, *, components: int = 1) -> bytes:
    """A grey progressive JPEG that goes over all its blocks `scans` times and says nothing: 56 bytes for each time."""
    blocks = -(-width // 8) * -(-height // 8)
    named = b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    head = segment(0xDB, b"\0" + bytes([1] * 64)) + segment(
        0xC2, struct.pack(">BHHB", 8, height, width, components) + named
    )
    tables = segment(0xC4, b"\0\1" + bytes(15) + b"\0") + segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")
    chosen = b"".join(bytes([number + 1, 0]) for number in range(components))
    flat = segment(0xDA, bytes([components]) + chosen + b"\0\0\0") + _bits("0" * (blocks * components))
    runs, rest = divmod(blocks, 32767)
    silence = "0" + "1" * 14
    ends = silence * runs + (f"0{max(rest, 16384) - 16384:014b}" if rest else "")
    again = [segment(0xDA, bytes([1, number + 1, 0, 1, 63, 0])) + _bits(ends) for number in range(components)]
    return (
        b"\xff\xd8" + head + tables + flat + b"".join(again[at % components] for at in range(scans - 1)) + b"\xff\xd9"
    )


def hidden_scans(side: int, scans: int) -> bytes:
    """A grey progressive JPEG whose scans stand where an undefined marker seems to have a body; libjpeg reads them all.

    It passes the marker by in search of the restart that was due, and finds it inside.
    """
    whole = progressive(side, side, 2)
    at = whole.rindex(b"\xff\xda")
    before, again = whole[:at], whole[at:-2]
    row = -(-side // 8)
    end_of_block = _bits("0" * row)
    restarts = b"".join(bytes([0xFF, 0xD0 + number % 8]) + end_of_block for number in range(row - 1))
    inside = restarts + segment(0xDD, b"\0\0") + again * scans
    in_rows = segment(0xDD, struct.pack(">H", row)) + segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + end_of_block
    return before + in_rows + segment(0x02, inside) + b"\xff\xd9"


def _bits(text: str) -> bytes:
    padded = text + "1" * (-len(text) % 8)
    return int(padded, 2).to_bytes(len(padded) // 8, "big").replace(b"\xff", b"\xff\0")


def jpeg_with(segments: bytes) -> bytes:
    """The photo with these segments before its tables."""
    still = saved(".jpg")
    return still[:2] + segments + still[2:]


def cmyk(*, profile: bool) -> bytes:
    """The photo in four inks, as a print shop sends it."""
    inks = photo().icc_transform("cmyk", input_profile="srgb") if profile else photo().colourspace("cmyk")
    if not profile and inks.get_typeof("icc-profile-data"):
        inks = inks.copy()
        inks.remove("icc-profile-data")
    return saved(".jpg", inks)


def turned(orientation: int, suffix: str = ".jpg", image: pyvips.Image | None = None) -> bytes:
    """The picture with this EXIF orientation, its pixels as they are."""
    image = (photo(SIDE, SIDE * 3 // 4) if image is None else image).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return saved(suffix, image)


# Others


def animated_webp() -> bytes:
    """Two frames."""
    frames = photo().join(photo().invert(), "vertical").copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", SIDE)
    return saved(".webp", frames)


def cut(suffix: str, share: float = 0.6, **options: Any) -> bytes:
    """The first part of the photo's file."""
    whole = saved(suffix, **options)
    return whole[: int(len(whole) * share)]


def deep() -> pyvips.Image:
    """The photo with 16 bit a channel."""
    return (photo().cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")


def see_through() -> pyvips.Image:
    """The photo, transparent in its left half."""
    alpha = pyvips.Image.black(SIDE // 2, SIDE).join(pyvips.Image.black(SIDE - SIDE // 2, SIDE) + 255, "horizontal")
    return photo().bandjoin(alpha.cast("uchar")).copy(interpretation="srgb")


TEXT_BOMB = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(7_900_000))) * 5
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><image href='file:///etc/passwd'/></svg>"

HOSTILE: Mapping[str, tuple[Maker, str]] = {
    "png-of-69-bytes": (lambda: png(100_000, 100_000, zlib.compress(b"")), "100000x100000; a side"),
    "png-of-169-megapixels": (lambda: flat_png(13_000, 13_000), "13000x13000; a side"),
    "png-of-81-megapixels": (lambda: flat_png(9_000, 9_000), "9000x9000; it may have"),
    "png-of-81-megapixels-interlaced": (lambda: flat_png(9_000, 9_000, interlaced=True), "9000x9000; it may have"),
    "png-without-pixels": (lambda: png(500, 500, zlib.compress(b"")), "damaged or cut short"),
    "png-of-texts": (partial(png_with, TEXT_BOMB), "texts unpack to more than"),
    "png-of-chunks": (partial(png_with, png_chunk(b"teSt", b"") * 50_001), "more than 50000 chunks"),
    "png-animated": (partial(png_with, png_chunk(b"acTL", struct.pack(">II", 2, 0))), "animated"),
    "png-cut-short": (partial(cut, ".png"), "damaged or cut short"),
    "jpeg-of-5000-scans": (lambda: progressive(7_000, 7_000, 5_000), "more than 100 scans"),
    "jpeg-of-hidden-scans": (lambda: hidden_scans(80, 200), "more than 100 scans"),
    "jpeg-of-segments": (partial(jpeg_with, segment(0xFE, b"") * 10_001), "more than 10000 segments"),
    "jpeg-of-4-gigapixels": (
        lambda: progressive(8, 8, 2).replace(b"\0\x08\0\x08", b"\xff\xdc\xff\xdc"),
        "65500x65500; a side",
    ),
    "jpeg-cut-short": (partial(cut, ".jpg"), "damaged or cut short"),
    "jpeg-of-nothing": (lambda: b"\xff\xd8\xff\xe0 but no more", "damaged or cut short"),
    "webp-animated": (animated_webp, "animated"),
    "webp-cut-short": (partial(cut, ".webp"), "damaged or cut short"),
    "empty": (lambda: b"", "empty"),
    "html": (lambda: b"\xef\xbb\xbf\n <!DOCTYPE html><title>Just a moment...</title>", "a web page"),
    "json": (lambda: b'{"detail": "expired"}', "JSON"),
    "svg": (lambda: SVG, "a web page, SVG or XML"),
    "gif": (lambda: b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;", "a GIF"),
    "tiff": (lambda: b"II*\0\x08\0\0\0" + bytes(64), "a TIFF"),
    "heif": (lambda: b"\0\0\0\x1cftypheic\0\0\0\0" + bytes(64), "AVIF, HEIC"),
    "pdf": (lambda: b"%PDF-1.7\n" + saved(".jpg"), "a PDF"),
    "zip": (lambda: b"PK\x03\x04" + bytes(64), "a ZIP"),
    "vips": (lambda: b"\xb6\xa6\xf2\x08" + bytes(64), "unknown kind"),
    "jpeg-xl": (lambda: b"\xff\x0a" + bytes(64), "unknown kind"),
    "gif-with-a-jpeg-inside": (lambda: b"GIF89a" + saved(".jpg"), "a GIF"),
    "svg-behind-a-png-signature": (lambda: b"\x89PNG\r\n\x1a\n" + SVG, "damaged or cut short"),
    "svg-behind-a-jpeg-signature": (lambda: b"\xff\xd8\xff" + SVG, "damaged or cut short"),
}

ODD: Mapping[str, Maker] = {
    "jpeg-progressive": partial(saved, ".jpg", interlace=True),
    "jpeg-in-inks": partial(cmyk, profile=True),
    "jpeg-in-inks-without-profile": partial(cmyk, profile=False),
    "jpeg-on-its-side": partial(turned, 6),
    "jpeg-with-a-zip-behind": lambda: saved(".jpg") + b"PK\x03\x04" + bytes(1000),
    "jpeg-of-100-scans": lambda: progressive(SIDE, SIDE, 100),
    "png-interlaced": partial(saved, ".png", interlace=True),
    "png-of-16-bit": lambda: saved(".png", deep(), bitdepth=16),
    "png-of-a-palette": lambda: saved(".png", see_through(), palette=True),
    "png-in-grey": lambda: saved(".png", photo().colourspace("b-w")),
    "png-with-rubbish-behind": lambda: saved(".png") + bytes(1000),
    "webp-without-loss": partial(saved, ".webp", lossless=True),
}
