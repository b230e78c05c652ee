"""The contact printer: an asset's file comes in, a small picture goes out as a data: address for the page."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.images import previews

SIDE_PIXELS: Final = 360
"""Longest side of a preview; shown at half that on dense screens."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture for the page: `source` is a data: address, sizes are in pixels, `clear` when it has transparency."""

    source: str
    width: int
    height: int
    clear: bool


def preview(path: Path, side_pixels: int = SIDE_PIXELS) -> Preview | None:
    """`path` as WebP no larger than `side_pixels`, or None where it is no sound JPEG, PNG or WebP of sane size."""
    small = previews.preview(path, side_pixels)
    if small is None:
        return None
    source = "data:image/webp;base64," + base64.b64encode(small.content).decode()
    return Preview(source, small.width, small.height, small.clear)
