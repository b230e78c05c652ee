"""What a file says it is: its header is read and judged before a single pixel is decoded.

Comes in: a spooled file and limits. Goes out: a `Picture`, or `NotAPicture`. `verify` then decodes it to the end.
"""

from dataclasses import dataclass
from pathlib import Path

import pyvips

from stream.images.chunks import frames
from stream.images.loading import Format, NotAPicture, damaged, open_picture
from stream.images.segments import check_scans

_START_BYTES = 16
_SIDEWAYS = range(5, 9)  # EXIF orientations that swap the sides
_KNOWN_OTHERS = (
    (b"GIF8", "a GIF"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"BM", "a BMP"),
    (b"%PDF", "a PDF"),
    (b"8BPS", "a Photoshop file"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\3\4", "a ZIP"),
    (b"{", "JSON"),
)


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """`max_pixels` of the decoded picture, `max_side` in pixels, `max_bytes` of the file."""

    max_pixels: int = 50_000_000
    max_side: int = 10_000
    max_bytes: int = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Picture:
    """A file's facts from its header. `width` and `height` in pixels as seen: upright by its EXIF tag."""

    format: Format
    content_type: str
    extension: str
    width: int
    height: int
    has_alpha: bool
    pages: int


def inspect(path: Path, limits: ImageLimits) -> Picture:
    """The facts of the file at `path`; blocks, briefly. Raises `NotAPicture`, and OSError where it cannot be read."""
    size_bytes = path.stat().st_size
    if size_bytes > limits.max_bytes:
        raise NotAPicture(f"the file has {size_bytes} bytes, more than {limits.max_bytes}")
    kind = kind_of(path)
    if kind is Format.JPEG:
        check_scans(path)
    pages = frames(path) if kind is Format.PNG else 1  # before libvips sees it, which shows its first frame only
    image = open_picture(path, kind)
    if image.get_typeof("n-pages"):
        pages = max(pages, int(image.get("n-pages")))
    if pages != 1:
        raise NotAPicture("the picture is animated; send a still one")
    _check_size(image.width, image.height, limits)
    width, height = seen_size(image)
    return Picture(kind, kind.content_type, kind.extension, width, height, bool(image.hasalpha()), pages)


def verify(path: Path) -> None:
    """Decode the file at `path` to its end, row by row; blocks. Raises `NotAPicture` when it is damaged or cut short.

    Call `inspect` first: it refuses what is too large to decode. Memory: a few rows; progressive JPEGs, interlaced PNGs
    and WebPs take up to their whole frame.
    """
    image = open_picture(path, kind_of(path))
    try:
        image.avg()
    except pyvips.Error as error:
        raise damaged(error, path) from None


def kind_of(path: Path) -> Format:
    """The format that the first bytes tell; names and headers of servers are not asked. Raises `NotAPicture`."""
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    if start.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format.PNG
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return Format.WEBP
    raise NotAPicture(f"the file is {_guess(start)}; JPEG, PNG and WebP are taken")


def _guess(start: bytes) -> str:
    if not start:
        return "empty"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "a web page, SVG or XML"
    if start[4:8] == b"ftyp":
        return "AVIF, HEIC or a video"
    return next((name for magic, name in _KNOWN_OTHERS if start.startswith(magic)), "of an unknown kind")


def _check_size(width: int, height: int, limits: ImageLimits) -> None:
    if max(width, height) > limits.max_side:
        raise NotAPicture(f"the picture is {width}x{height}; a side may have {limits.max_side} pixels")
    if width * height > limits.max_pixels:
        raise NotAPicture(f"the picture is {width}x{height}; it may have {limits.max_pixels} pixels")


def seen_size(image: pyvips.Image) -> tuple[int, int]:
    """Width and height in pixels as a viewer sees it that heeds the EXIF orientation."""
    orientation = int(image.get("orientation")) if image.get_typeof("orientation") else 1
    return (image.height, image.width) if orientation in _SIDEWAYS else (image.width, image.height)
