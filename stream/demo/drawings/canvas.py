"""The easel: where a product stands in the frame, and the pixels layers are painted on.

Coordinates of every product: x to the right of its middle, y *down* from the table, so standing things have y < 0.
"""

import math
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pyvips

_PIXEL_BYTES: Final = 12
"""Three bands of 32-bit floats, 0..255."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the frame in pixels. Layers work in theirs alone: most products fill a third of the frame."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class View:
    """Where a product stands: frame in pixels, the place of its (0, 0), pixels per unit."""

    width: int
    height: int
    left: float
    floor: float
    scale: float

    def svg(self, markup: str, box: Box | None = None, shrink: float = 1.0) -> Any:
        """Product markup as an RGBA uchar image of `box` (the whole frame when None), `shrink` times smaller."""
        box = box or Box(0, 0, self.width, self.height)
        scale = self.scale / shrink
        left, floor = (self.left - box.left) / shrink, (self.floor - box.top) / shrink
        page = (
            f'<svg xmlns="http://www.w3.org/2000/svg" '
            f'width="{math.ceil(box.width / shrink)}" height="{math.ceil(box.height / shrink)}">'
            f'<g transform="translate({left:.3f} {floor:.3f}) scale({scale:.5f})">{markup}</g></svg>'
        )
        return pyvips.Image.svgload_buffer(page.encode())

    def clip(self, left: float, top: float, right: float, bottom: float) -> Box:
        """The part of the frame between these edges in pixels, never empty."""
        x0, y0 = min(max(math.floor(left), 0), self.width - 1), min(max(math.floor(top), 0), self.height - 1)
        x1, y1 = min(math.ceil(right), self.width), min(math.ceil(bottom), self.height)
        return Box(x0, y0, max(x1 - x0, 1), max(y1 - y0, 1))

    def extent(self, mask: Any, shrink: int, margin: float = 0.0) -> Box:
        """The box round everything visible in a mask of the whole frame, `shrink` times smaller."""
        left, top, width, height = mask.find_trim(threshold=1, background=[0])
        pad = shrink + margin
        return self.clip(
            left * shrink - pad, top * shrink - pad, (left + width) * shrink + pad, (top + height) * shrink + pad
        )


class Canvas:
    """The picture being painted. Held as plain memory: libvips would copy the whole frame for every layer."""

    def __init__(self, image: Any) -> None:
        self.width: Final[int] = image.width
        self.height: Final[int] = image.height
        self._pixels = bytearray(image.cast("float").write_to_memory())

    def cut(self, box: Box) -> Any:
        """What is painted inside a box: three float bands, 0..255."""
        pixels, run = memoryview(self._pixels), box.width * _PIXEL_BYTES
        rows = b"".join(pixels[start : start + run] for start in self._starts(box))
        return pyvips.Image.new_from_memory(rows, box.width, box.height, 3, "float")

    def put(self, patch: Any, box: Box) -> None:
        """Paint a float patch of the box's size over it."""
        fresh, run = memoryview(patch.cast("float").write_to_memory()), box.width * _PIXEL_BYTES
        for row, start in enumerate(self._starts(box)):
            self._pixels[start : start + run] = fresh[row * run : (row + 1) * run]

    def blend(self, colour: Any, alpha: Any, box: Box) -> None:
        """Paint `colour` (float RGB) with `alpha` (0..1) over a box."""
        below = self.cut(box)
        self.put(below + (colour - below) * alpha, box)

    def image(self) -> Any:
        """The whole picture: three float bands."""
        return pyvips.Image.new_from_memory(bytes(self._pixels), self.width, self.height, 3, "float")

    def _starts(self, box: Box) -> range:
        stride = self.width * _PIXEL_BYTES
        first = box.top * stride + box.left * _PIXEL_BYTES
        return range(first, first + box.height * stride, stride)


class Layer(Protocol):
    """One thing in the picture."""

    def paint(self, canvas: Canvas, view: View) -> None:
        """Paint this over what is on the canvas."""
        ...
