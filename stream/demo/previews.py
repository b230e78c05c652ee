"""The contact printer: an asset's file comes in, a small picture goes out as a data: address for the page."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyvips

SIDE_PIXELS: Final = 360
"""Longest side of a preview; shown at half that on dense screens."""

_MAX_PIXELS: Final = 120_000_000
_LOADERS: Final = ("jpegload", "pngload", "webpload")


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture for the page: `source` is a data: address, sizes are in pixels, `clear` when it has transparency."""

    source: str
    width: int
    height: int
    clear: bool


def preview(path: Path, side_pixels: int = SIDE_PIXELS) -> Preview | None:
    """`path` as WebP no larger than `side_pixels`, or None where it is no sound JPEG, PNG or WebP of sane size."""
    try:
        header = pyvips.Image.new_from_file(str(path), access="sequential")
        if not header.get("vips-loader").startswith(_LOADERS) or header.width * header.height > _MAX_PIXELS:
            return None
        small = pyvips.Image.thumbnail(str(path), side_pixels, height=side_pixels, size="down", fail_on="error")
        small = small.copy_memory()
        content = small.webpsave_buffer(Q=80, alpha_q=90, effort=2, keep="none")
    except pyvips.Error:
        return None
    source = "data:image/webp;base64," + base64.b64encode(content).decode()
    return Preview(source, small.width, small.height, bool(small.hasalpha()))
