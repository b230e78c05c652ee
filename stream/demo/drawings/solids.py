"""The workbench: silhouettes, turned bodies and flat art come in, lit pixels go on the canvas."""

import itertools
import math
from array import array
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyvips

from stream.demo.drawings.canvas import Box, Canvas, View
from stream.demo.drawings.light import lit

_SKETCH = 6
"""Outlines are found in a picture this many times smaller."""

_FAT = 60
"""Cushions that round off over more pixels than this are blurred twice."""

_STEPPED = 3
"""Heights enlarged more than this many times show their steps in gloss, and are smoothed."""

_WIDE_BLUR = 24
"""Shadows blurred over more pixels than this are made at an eighth of the size, others at a quarter."""


def _flatten(art: Any) -> tuple[Any, Any]:
    return art[0:3].cast("float"), art[3].cast("float") / 255


@dataclass(frozen=True, slots=True)
class Flat:
    """SVG as it is: faces of boxes, rims, lettering."""

    markup: str

    def paint(self, canvas: Canvas, view: View) -> None:
        """See `Layer`."""
        box = view.extent(view.svg(self.markup, shrink=_SKETCH)[3], _SKETCH)
        colour, alpha = _flatten(view.svg(self.markup, box))
        canvas.blend(colour, alpha, box)


@dataclass(frozen=True, slots=True)
class Shade:
    """A soft shadow: SVG whose alpha darkens what lies below it."""

    markup: str
    blur: float
    strength: float = 0.5

    def paint(self, canvas: Canvas, view: View) -> None:
        """See `Layer`."""
        shrink = 8 if self.blur * view.scale > _WIDE_BLUR else 4
        mask = view.svg(self.markup, shrink=shrink)[3]
        box = view.extent(mask, shrink, self.blur * view.scale * 2.6)
        mask = view.svg(self.markup, box, shrink)[3].cast("float") / 255
        soft = mask.gaussblur(max(self.blur * view.scale / shrink, 0.3), precision="float")
        soft = soft.resize(shrink, kernel="linear").crop(0, 0, box.width, box.height)
        # Shadows on paper are a little warm: blue goes first.
        darker = canvas.cut(box) * (soft * [-self.strength * warmth for warmth in (1.0, 1.02, 1.05)] + 1)
        canvas.put(darker, box)


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

    def paint(self, canvas: Canvas, view: View) -> None:
        """See `Layer`."""
        box = view.extent(view.svg(self.shape, shrink=_SKETCH)[3], _SKETCH)
        if self.drop:
            Shade(f'<g transform="translate(3 7)">{self.shape}</g>', 7, self.drop).paint(canvas, view)
        edge = view.svg(self.shape, box)[3].cast("float") / 255
        across, down = self._normals(view, box)
        shine = lit(self.material, across, down)
        art, own = _flatten(view.svg(self.art, box))
        canvas.blend(art * shine[0] + shine[1] * 255, edge * own * self.see_through, box)

    def _normals(self, view: View, box: Box) -> tuple[Any, Any]:
        height = self._height(view, box)
        slope_x = height.conv(pyvips.Image.new_from_array([[-1, 0, 1]], scale=2))
        slope_y = height.conv(pyvips.Image.new_from_array([[-1], [0], [1]], scale=2))
        length = (slope_x * slope_x + slope_y * slope_y + 1) ** 0.5
        return slope_x * -1 / length, slope_y * -1 / length

    def _height(self, view: View, box: Box) -> Any:
        """The cushion's height in pixels: half a circle from the outline to `radius` inside it."""
        reach = self.radius * view.scale
        shrink = max(min(int(reach / 5), 6), 1)
        pad = math.ceil(reach * 1.5) // shrink * shrink + shrink
        room = Box(box.left - pad, box.top - pad, box.width + 2 * pad, box.height + 2 * pad)
        small = view.svg(self.shape, room, shrink)[3].cast("float") / 255
        depth = small.gaussblur(max(reach / 1.7 / shrink, 0.4), precision="float") * 2 - 1
        if reach > _FAT:
            # A wide blur flattens the rim of round shapes; a narrow one keeps it turning.
            depth = (
                depth.clamp(min=0, max=1) * 0.6 + (small.gaussblur(reach / 5 / shrink, precision="float") * 2 - 1) * 0.4
            )
        depth = (
            depth.copy_memory()
            .resize(shrink, kernel="cubic")
            .crop(pad, pad, box.width, box.height)
            .clamp(min=0.003, max=1)
        )
        height = (depth * (depth * -1 + 2)) ** 0.5 * (reach * self.swell)
        if shrink > _STEPPED:
            height = height.gaussblur(1.6)
        if self.relief:
            bumps = view.svg(self.relief, box)
            height += (bumps[1] * (bumps[3].cast("float") / 255)).gaussblur(1.1) * (self.rise * view.scale / 255)
        if self.grain:
            height += skin(box.width, box.height) * self.grain
        return height.copy_memory()


@cache
def _skin() -> Any:
    """Fine bumps around 0, made once and cut to size."""
    return pyvips.Image.gaussnoise(1024, 1024, sigma=1.0, mean=0, seed=11).gaussblur(0.9).copy_memory()


def skin(width: int, height: int) -> Any:
    """A cut of fine bumps, `width` x `height` pixels, for leather, cloth and clay."""
    return _skin().crop(0, 0, min(width, 1024), min(height, 1024)).embed(0, 0, width, height, extend="mirror")


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

    def paint(self, canvas: Canvas, view: View) -> None:
        """See `Layer`."""
        first, last = self.outline[0][0], self.outline[-1][0]
        widest = max(radius for _, radius in self.outline) * view.scale + 2
        middle = view.left + self.centre * view.scale
        highest, lowest = view.floor + first * view.scale - 1, view.floor + last * view.scale + widest * self.tilt + 2
        box = view.clip(middle - widest, highest, middle + widest, lowest)
        place = pyvips.Image.xyz(box.width, box.height)
        across = (place[0] + (box.left - middle)).copy_memory()
        down = (place[1] + (box.top - view.floor)) / view.scale
        table = self._table(view)
        row = self._rows(across / view.scale, down, table)
        found = self._look(table, row).copy_memory()
        reach, slope = found[0] * view.scale, found[1]
        turn = (across / reach.clamp(min=0.5, max=9999)).clamp(min=-1, max=1).copy_memory()
        inside = (reach - across.abs() + 0.5).clamp(min=0, max=1)
        inside *= ((row - first) * view.scale + 1).clamp(min=0, max=1)
        inside *= ((row * -1 + last) * view.scale + 0.5).clamp(min=0, max=1)
        shine = self._shine(turn, slope)
        art = self._art(turn, (row - first) / (last - first), view)
        if self.clear:
            below = canvas.cut(box)
            art = art * (1 - self.clear) + (art / 255 * below) * self.clear
        canvas.blend(art * shine[0] + shine[1] * 255, inside, box)

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
        row = down = down.copy_memory()
        for pull in (1.0, 0.65):
            radius = self._look(table, row)[0]
            depth = (radius * radius - across * across).clamp(min=0, max=1e9) ** 0.5
            row = row * (1 - pull) + (down - depth * self.tilt) * pull
        return row.copy_memory()

    def _shine(self, turn: Any, slope: Any) -> Any:
        facing = (turn * turn * -1 + 1) ** 0.5
        length = (slope * slope + 1) ** 0.5
        down = slope * -1 / length * math.cos(math.asin(self.tilt)) + facing / length * self.tilt
        if self.grain:
            down += skin(turn.width, turn.height) * self.grain
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
    inner = [0.0 if a * b <= 0 else 2 * a * b / (a + b) for a, b in itertools.pairwise(rise)]
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
