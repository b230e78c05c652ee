"""Small pictures for a screen: any sound JPEG, PNG or WebP file in, a WebP of bounded size out.

Comes in: a path, of a file whose content nobody vouches for. Goes out: bytes, or None.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyvips

MAX_PIXELS: Final = 120_000_000
_LOADERS: Final = ("jpegload", "pngload", "webpload")


@dataclass(frozen=True, slots=True)
class Preview:
    """A WebP picture; sizes in pixels, `clear` when it has transparency."""

    content: bytes
    width: int
    height: int
    clear: bool


def preview(path: Path, side_pixels: int) -> Preview | None:
    """`path` no larger than `side_pixels`, or None where it is no sound JPEG, PNG or WebP of sane size. Blocks."""
    try:
        header = pyvips.Image.new_from_file(str(path), access="sequential")
        if not header.get("vips-loader").startswith(_LOADERS) or header.width * header.height > MAX_PIXELS:
            return None
        small = pyvips.Image.thumbnail(str(path), side_pixels, height=side_pixels, size="down", fail_on="error")
        small = small.copy_memory()
        content = small.webpsave_buffer(Q=80, alpha_q=90, effort=2, keep="none")
    except pyvips.Error:
        return None
    return Preview(content, small.width, small.height, bool(small.hasalpha()))
