"""The workbench: silhouettes, turned bodies and flat art come in, lit pixels on a canvas go out.

Coordinates of every product: x to the right of its middle, y *down* from the table, so standing things have y < 0.
A `View` says where the product stands in the frame and how many pixels one unit is.
"""

import math
from array import array
from dataclasses import dataclass
from typing import Any, Protocol

import pyvips

from stream.demo.drawings.light import lit

_LUMP = 3
"""Puffed heights are made at a third of the size: they are smooth, and blurs cost by area."""


@dataclass(frozen=True, slots=True)
class View:
    """Where a product stands: frame in pixels, the place of its (0, 0), pixels per unit."""

    width: int
    height: int
    left: float
    floor: float
    scale: float

    def svg(self, markup: str, shrink: float = 1.0) -> Any:
        """Product markup as an RGBA uchar image of the frame, `shrink` times smaller."""
        width, height = math.ceil(self.width / shrink), math.ceil(self.height / shrink)
        scale, left, floor = self.scale / shrink, self.left / shrink, self.floor / shrink
        page = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{width}" height="{height}">'
            f'<g transform="translate({left:.3f} {floor:.3f}) scale({scale:.5f})">{markup}</g></svg>'
        )
        return pyvips.Image.svgload_buffer(page.encode())


class Layer(Protocol):
    """One thing on the canvas."""

    def paint(self, canvas: Any, view: View) -> Any:
        """`canvas` (three float bands, 0..255) with this layer over it."""
        ...


def _over(canvas: Any, colour: Any, alpha: Any, left: int, top: int) -> Any:
    """Put `colour` (float RGB) with `alpha` (0..1) on the canvas at a place inside it."""
    below = canvas.crop(left, top, colour.width, colour.height)
    return canvas.insert(below + (colour - below) * alpha, left, top).copy_memory()


def _flatten(art: Any) -> tuple[Any, Any]:
    return art[0:3].cast("float"), art[3].cast("float") / 255


@dataclass(frozen=True, slots=True)
class Flat:
    """SVG as it is: faces of boxes, rims, lettering."""

    markup: str

    def paint(self, canvas: Any, view: View) -> Any:
        """See `Layer`."""
        colour, alpha = _flatten(view.svg(self.markup))
        return _over(canvas, colour, alpha, 0, 0)


@dataclass(frozen=True, slots=True)
class Shade:
    """A soft shadow: SVG whose alpha darkens what lies below it."""

    markup: str
    blur: float
    strength: float = 0.5

    def paint(self, canvas: Any, view: View) -> Any:
        """See `Layer`."""
        mask = view.svg(self.markup, 4)[3].cast("float") / 255
        soft = mask.gaussblur(max(self.blur * view.scale / 4, 0.3))
        soft = soft.resize(4, kernel="linear").crop(0, 0, view.width, view.height)
        warm = [1.0, 1.02, 1.05]
        return (canvas * (soft * [-self.strength * w for w in warm] + 1)).copy_memory()


@dataclass(frozen=True, slots=True)
class Puff:
    """A silhouette blown up to a cushion: `shape` gives the outline, `art` the colours, `relief` small heights.

    `radius` is how far from the outline the cushion rounds off; `grain` roughens it (cloth, leather);
    `drop` is the strength of the shadow it throws on what lies below.
    """

    shape: str
    art: str
    material: str = "satin"
    radius: float = 30
    swell: float = 1.0
    relief: str = ""
    rise: float = 3.0
    grain: float = 0.0
    drop: float = 0.0
    see_through: float = 1.0

    def paint(self, canvas: Any, view: View) -> Any:
        """See `Layer`."""
        mask = view.svg(self.shape)[3]
        left, top, width, height = mask.find_trim(threshold=8, background=[0])
        if width == 0 or height == 0:
            return canvas
        if self.drop:
            canvas = Shade(f'<g transform="translate(3 7)">{self.shape}</g>', 7, self.drop).paint(canvas, view)
        edge = mask.crop(left, top, width, height).cast("float") / 255
        across, down = self._normals(edge, view, left, top)
        shine = lit(self.material, across, down)
        art, own = _flatten(view.svg(self.art).crop(left, top, width, height))
        colour = art * shine[0] + shine[1] * 255
        return _over(canvas, colour, edge * own * self.see_through, left, top)

    def _normals(self, edge: Any, view: View, left: int, top: int) -> tuple[Any, Any]:
        reach = self.radius * view.scale
        pad = math.ceil(reach * 1.5) // _LUMP * _LUMP + _LUMP
        room = edge.embed(pad, pad, edge.width + 2 * pad, edge.height + 2 * pad)
        small = room.shrink(_LUMP, _LUMP).gaussblur(max(reach / 1.7 / _LUMP, 0.4), precision="float")
        depth = small.resize(_LUMP, kernel="cubic") * 2 - 1
        depth = depth.crop(pad, pad, edge.width, edge.height).clamp(min=0.003, max=1)
        height = (depth * (depth * -1 + 2)) ** 0.5 * (reach * self.swell)
        if self.relief:
            bumps = view.svg(self.relief).crop(left, top, edge.width, edge.height)
            height += (bumps[1] * (bumps[3].cast("float") / 255)).gaussblur(1.1) * (self.rise * view.scale / 255)
        if self.grain:
            rough = pyvips.Image.gaussnoise(edge.width, edge.height, sigma=self.grain, mean=0, seed=11)
            height += rough.gaussblur(0.9)
        slope_x = height.conv(pyvips.Image.new_from_array([[-1, 0, 1]], scale=2))
        slope_y = height.conv(pyvips.Image.new_from_array([[-1], [0], [1]], scale=2))
        length = (slope_x * slope_x + slope_y * slope_y + 1) ** 0.5
        return slope_x * -1 / length, slope_y * -1 / length


@dataclass(frozen=True, slots=True)
class Turned:
    """A body of revolution: `outline` is (y, radius) from top to bottom; `tilt` is the sine of the camera's height.

    `art` is SVG wrapped round the widest part: x is the way round it (0 faces the camera), y as in the outline;
    empty means plain `colour`. `clear` is how much of the background is seen through (glass).
    """

    outline: tuple[tuple[float, float], ...]
    colour: str = "#888"
    material: str = "satin"
    art: str = ""
    tilt: float = 0.14
    centre: float = 0.0
    clear: float = 0.0
    grain: float = 0.0

    def paint(self, canvas: Any, view: View) -> Any:
        """See `Layer`."""
        first, last = self.outline[0][0], self.outline[-1][0]
        widest = max(radius for _, radius in self.outline) * view.scale + 2
        middle = view.left + self.centre * view.scale
        left, right = max(int(middle - widest), 0), min(int(middle + widest) + 1, view.width)
        top = max(int(view.floor + first * view.scale) - 1, 0)
        bottom = min(int(view.floor + last * view.scale + widest * self.tilt) + 2, view.height)
        place = pyvips.Image.xyz(right - left, bottom - top)
        across = place[0] + (left - middle)
        down = (place[1] + (top - view.floor)) / view.scale
        table = self._table(view)
        row = self._rows(across / view.scale, down, table)
        found = self._look(table, row)
        reach, slope = found[0] * view.scale, found[1]
        turn = (across / reach.clamp(min=0.5, max=9999)).clamp(min=-1, max=1)
        inside = (reach - across.abs() + 0.5).clamp(min=0, max=1)
        inside *= ((row - first) * view.scale + 1).clamp(min=0, max=1)
        inside *= ((row * -1 + last) * view.scale + 0.5).clamp(min=0, max=1)
        shine = self._shine(turn, slope)
        art = self._art(turn, (row - first) / (last - first), view)
        if self.clear:
            below = canvas.crop(left, top, art.width, art.height)
            art = art * (1 - self.clear) + (art / 255 * below) * self.clear
        return _over(canvas, art * shine[0] + shine[1] * 255, inside, left, top)

    def _table(self, view: View) -> Any:
        """Radius and slope for each half pixel from top to bottom, one row each."""
        steps = max(int((self.outline[-1][0] - self.outline[0][0]) * view.scale * 2), 8)
        spots = list(smooth(self.outline, steps))
        run = (self.outline[-1][0] - self.outline[0][0]) / steps
        rows = array("f")
        for i, radius in enumerate(spots):
            slope = (spots[min(i + 1, steps)] - spots[max(i - 1, 0)]) / (run * (2 if 0 < i < steps else 1))
            rows.extend((radius, max(-6.0, min(6.0, slope))) * 2)
        return pyvips.Image.new_from_memory(rows.tobytes(), 2, len(spots), 2, "float")

    def _look(self, table: Any, row: Any) -> Any:
        first, last = self.outline[0][0], self.outline[-1][0]
        place = ((row - first) * ((table.height - 1) / (last - first))).clamp(min=0, max=table.height - 1)
        index = (place * 0).bandjoin(place)
        return table.mapim(index, interpolate=pyvips.Interpolate.new("bilinear"), extend="copy")

    def _rows(self, across: Any, down: Any, table: Any) -> Any:
        """The height on the body seen at each pixel: found by a few steps, since the front hangs lower by its depth."""
        row = down
        for pull in (1.0, 0.7, 0.6):
            radius = self._look(table, row)[0]
            depth = (radius * radius - across * across).clamp(min=0, max=1e9) ** 0.5
            row = row * (1 - pull) + (down - depth * self.tilt) * pull
        return row.copy_memory()

    def _shine(self, turn: Any, slope: Any) -> Any:
        facing = (turn * turn * -1 + 1) ** 0.5
        length = (slope * slope + 1) ** 0.5
        down = slope * -1 / length * math.cos(math.asin(self.tilt)) + facing / length * self.tilt
        if self.grain:
            rough = pyvips.Image.gaussnoise(turn.width, turn.height, sigma=self.grain, mean=0, seed=5)
            down += rough.gaussblur(0.8)
        return lit(self.material, turn / length, down)

    def _art(self, turn: Any, part: Any, view: View) -> Any:
        first, tall = self.outline[0][0], self.outline[-1][0] - self.outline[0][0]
        round_half = max(radius for _, radius in self.outline) * math.pi / 2
        wide_px = max(int(round_half * 2 * view.scale), 8) if self.art else 8
        tall_px = max(int(tall * view.scale), 8)
        page = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide_px}" height="{tall_px}" '
            f'viewBox="{-round_half:.3f} {first} {round_half * 2:.3f} {tall}" preserveAspectRatio="none">'
            f'<rect x="-999" y="-999" width="1998" height="1998" fill="{self.colour}"/>{self.art}</svg>'
        )
        paper = pyvips.Image.svgload_buffer(page.encode())[0:3].cast("float")
        if not self.art:
            return (part * 0).bandjoin([part * 0, part * 0]) + paper(4, 4)[:3]
        index = (turn.asin() * (wide_px / 180) + wide_px / 2).bandjoin(part * (tall_px - 1))
        return paper.mapim(index, interpolate=pyvips.Interpolate.new("bilinear"), extend="copy")


def smooth(outline: tuple[tuple[float, float], ...], steps: int) -> list[float]:
    """Radii at `steps` + 1 equal heights along a monotone curve through the outline's points (Fritsch-Carlson)."""
    ys, rs = [y for y, _ in outline], [r for _, r in outline]
    rise = [(rs[i + 1] - rs[i]) / (ys[i + 1] - ys[i]) for i in range(len(ys) - 1)]
    inner = [0.0 if a * b <= 0 else 2 * a * b / (a + b) for a, b in zip(rise, rise[1:], strict=False)]
    tangent = [rise[0], *inner, rise[-1]]
    radii, part = [], 0
    for step in range(steps + 1):
        y = ys[0] + (ys[-1] - ys[0]) * step / steps
        while part < len(rise) - 1 and y > ys[part + 1]:
            part += 1
        run = ys[part + 1] - ys[part]
        t = (y - ys[part]) / run
        a, b = rs[part], rs[part + 1]
        keep, bend, pull = 2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t, t**3 - t**2
        radii.append(max(keep * a + bend * run * tangent[part] + (1 - keep) * b + pull * run * tangent[part + 1], 0.01))
    return radii
