"""The photo studio: a cut-out product is set into a scene that follows the words of a prompt.

RGBA comes in; compose_scene gives an opaque RGB picture of the same size, compose_shadow RGBA with a shadow under it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyvips

if TYPE_CHECKING:
    from collections.abc import Mapping

Colour = tuple[float, float, float]

_HORIZON = 0.66  # share of the height where the floor meets the wall
_SCENE_SIDE = 640  # backdrops are soft, so they are made small and grown


@dataclass(frozen=True, slots=True)
class Set:
    """A wall, a floor, and what the floor is made of: plain, wood, marble or sand."""

    wall: Colour
    floor: Colour
    grain: str = "plain"


_SETS = {
    "marble": Set((233, 232, 230), (226, 225, 223), "marble"),
    "wood": Set((232, 224, 212), (176, 128, 84), "wood"),
    "oak": Set((232, 224, 212), (186, 142, 98), "wood"),
    "table": Set((226, 220, 210), (168, 124, 86), "wood"),
    "beach": Set((150, 200, 232), (226, 204, 164), "sand"),
    "sand": Set((232, 214, 188), (222, 196, 156), "sand"),
    "kitchen": Set((222, 228, 226), (236, 234, 230), "marble"),
    "garden": Set((172, 200, 152), (122, 148, 92), "sand"),
    "forest": Set((110, 138, 104), (92, 96, 66), "sand"),
    "concrete": Set((190, 190, 188), (164, 164, 162), "marble"),
    "white": Set((250, 250, 250), (242, 242, 242)),
    "black": Set((40, 40, 44), (28, 28, 31)),
    "dark": Set((52, 52, 58), (36, 36, 40)),
    "grey": Set((196, 198, 200), (178, 180, 183)),
    "gray": Set((196, 198, 200), (178, 180, 183)),
    "pink": Set((246, 208, 214), (238, 188, 198)),
    "blue": Set((186, 210, 236), (158, 188, 222)),
    "green": Set((198, 220, 196), (168, 198, 168)),
    "studio": Set((238, 237, 235), (222, 220, 217)),
}


def set_for(prompt: str) -> Set:
    """The first known word decides; without one, a pastel that hangs on the prompt's hash."""
    words = "".join(letter if letter.isalpha() else " " for letter in prompt.lower()).split()
    for word in words:
        if word.removesuffix("en") in _SETS or word in _SETS:
            return _SETS.get(word) or _SETS[word.removesuffix("en")]
    turn = hashlib.sha256(prompt.encode()).digest()[0] / 256 * 2 * math.pi
    tint = [math.cos(turn + third * 2 * math.pi / 3) for third in range(3)]
    red, green, blue = tint
    return Set((224 + 18 * red, 222 + 18 * green, 220 + 18 * blue), (202 + 24 * red, 200 + 24 * green, 198 + 24 * blue))


def compose_scene(cut: pyvips.Image, prompt: str) -> pyvips.Image:
    """The product standing in its scene, opaque, of the same size."""
    seed = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:2], "big")
    shrink = min(1.0, _SCENE_SIDE / max(cut.width, cut.height))
    width, height = max(round(cut.width * shrink), 1), max(round(cut.height * shrink), 1)
    scene = _backdrop(set_for(prompt), width, height, seed)
    dark = 1 - _contact(cut, width, height)
    lit = (scene * dark).cast("uchar").copy(interpretation="srgb").copy_memory()
    full = lit.resize(cut.width / width, vscale=cut.height / height, kernel="linear")
    return full.composite2(cut, "over").extract_band(0, n=3).copy_memory()


def _backdrop(stage: Set, width: int, height: int, seed: int) -> pyvips.Image:
    """Wall above, floor below a soft horizon, a key light from the upper left, a slight vignette. Float, 3 bands."""
    place = pyvips.Image.xyz(width, height).cast("float")
    across, down = place.extract_band(0) / width, place.extract_band(1) / height
    floor = _clamp01((down - _HORIZON) * (1 / 0.015) + 0.5)
    near = _clamp01((down - _HORIZON) * (1 / (1 - _HORIZON)))
    wall = (0.94 + down * 0.1) * list(stage.wall)
    ground = ((0.9 + near * 0.14) * _grain(stage.grain, width, height, seed)) * list(stage.floor)
    scene = wall * (1 - floor) + ground * floor
    far = ((across - 0.38) ** 2 + (down - 0.3) ** 2) ** 0.5
    return _limited(scene * (1.07 - far * 0.24))


def _grain(kind: str, width: int, height: int, seed: int) -> pyvips.Image:
    """A factor around 1 for each floor pixel."""
    if kind == "wood":
        return _planks(width, height, seed)
    if kind == "marble":
        rough = pyvips.Image.perlin(width, height, cell_size=max(width // 3, 8), seed=seed)
        fine = pyvips.Image.perlin(width, height, cell_size=max(width // 9, 4), seed=seed + 1)
        veins = 1 - _clamp01((rough + fine * 0.5).abs() * 9)
        return 1 - veins * 0.13 + fine * 0.03
    if kind == "sand":
        dots = pyvips.Image.gaussnoise(width, height, mean=0, sigma=0.045, seed=seed)
        dunes = pyvips.Image.perlin(width, height, cell_size=max(width // 6, 4), seed=seed)
        return 1 + dots.gaussblur(0.6) + dunes * 0.04
    return pyvips.Image.black(width, height) + 1.0


def _planks(width: int, height: int, seed: int) -> pyvips.Image:
    fibres = pyvips.Image.gaussnoise(max(width // 24, 4), height, mean=0, sigma=0.09, seed=seed)
    drawn = fibres.resize(width / fibres.width, vscale=1, kernel="cubic").gaussblur(0.7)
    row = (pyvips.Image.xyz(width, height).extract_band(1) / height - _HORIZON) / (1 - _HORIZON)
    # Boards get deeper towards the viewer.
    board = (_clamp01(row) ** 0.7) * 6
    seam = 1 - _clamp01((board - board.floor() - 0.03) * 40)
    tone = ((board.floor() * 2.4 + seed) * 57.3).sin() * 0.05
    return 1 + drawn + tone - seam * 0.3


def _contact(cut: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """0 to 0.7: how dark the floor is. Dense right under the product, a wide soft pool around it."""
    alpha = cut.extract_band(3)
    left, top, wide, high = alpha.find_trim(threshold=40, background=[0])
    if not wide or not high:
        return pyvips.Image.black(width, height) + 0.0
    shrink = width / cut.width
    left, wide, foot = left * shrink, max(wide * shrink, 2), (top + high) * height / cut.height
    place = pyvips.Image.xyz(width, height).cast("float")
    across = (place.extract_band(0) - (left + wide / 2)) / (wide / 2)
    lower = place.extract_band(1) - foot
    dense = _pool(across * 1.05, (lower + 1) / max(wide * 0.035, 2)) * 0.5
    soft = _pool(across / 1.25, (lower - wide * 0.02) / max(wide * 0.12, 4)) * 0.34
    return dense + soft


def _pool(across: pyvips.Image, down: pyvips.Image) -> pyvips.Image:
    """A soft ellipse of radius one, 1 in the middle."""
    return ((across * across + down * down) * -1.6).exp()


def compose_shadow(cut: pyvips.Image, params: Mapping[str, Any]) -> pyvips.Image:
    """The cut-out with a blurred, shifted shadow behind it. Parameters as documented; nonsense means the default."""
    kind = str(params.get("shadow_type", "soft"))
    unit = min(cut.width, cut.height) / 100
    opacity = min(max(_figure(params, "shadow_opacity", 0.45), 0), 1)
    blur = min(max(_figure(params, "shadow_blur", 0.6 if kind == "hard" else 2.5), 0.1), 20) * unit
    shift_x = round(_figure(params, "shadow_offset_x", 2) * unit)
    shift_y = round(_figure(params, "shadow_offset_y", 8 if kind == "floating" else 3) * unit)
    alpha = cut.extract_band(3)
    moved = alpha.embed(shift_x, shift_y, cut.width, cut.height)
    shade = (moved.gaussblur(blur) * opacity).cast("uchar")
    black = pyvips.Image.black(cut.width, cut.height, bands=3).copy(interpretation="srgb")
    return black.bandjoin(shade).composite2(cut, "over").cast("uchar").copy_memory()


def _figure(params: Mapping[str, Any], name: str, default: float) -> float:
    try:
        value = float(params.get(name, default))
    except (TypeError, ValueError):
        return default
    return value if math.isfinite(value) and abs(value) <= 100 else default  # noqa: PLR2004 -- per cent of the side


def _clamp01(image: pyvips.Image) -> pyvips.Image:
    return (image > 1).ifthenelse(1, (image < 0).ifthenelse(0, image))


def _limited(image: pyvips.Image) -> pyvips.Image:
    return (image > 255).ifthenelse(255, (image < 0).ifthenelse(0, image))  # noqa: PLR2004 -- eight bits
