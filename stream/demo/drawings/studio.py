"""The studio: a product's layers come in, a finished photo file goes out, with the faults a real camera has."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyvips

from stream.demo.drawings.canvas import Canvas, Layer, View


@dataclass(frozen=True, slots=True)
class Backdrop:
    """Paper or table: colours of wall and floor, and where the two meet (share of the frame's height)."""

    wall: str
    floor: str
    meet: float = 0.62
    blur: float = 26.0
    wood: bool = False
    weave: float = 0.0


BACKDROPS = {
    "grey": Backdrop("#c3c5c7", "#b4b6b8"),
    "dove": Backdrop("#d8d8d6", "#cfcecb", blur=60),
    "white": Backdrop("#eff0f1", "#f4f4f3", blur=70),
    "beige": Backdrop("#dccdb6", "#cfbea3", blur=40),
    "linen": Backdrop("#e2dacb", "#d9cfbd", weave=5.0),
    "blue": Backdrop("#b4cbdc", "#a5bfd2", blur=44),
    "pink": Backdrop("#e5c6c2", "#dcb9b5", blur=36),
    "sage": Backdrop("#bac5b2", "#adb9a4", blur=36),
    "sand": Backdrop("#d2bd9a", "#c6af8a", blur=18),
    "slate": Backdrop("#565c63", "#484d53", blur=34),
    "wood": Backdrop("#cfc7bb", "#a97a4e", meet=0.66, blur=7, wood=True),
    "walnut": Backdrop("#d9dbd9", "#75503a", meet=0.68, blur=7, wood=True),
    "concrete": Backdrop("#b6b3ae", "#a3a09b", meet=0.7, blur=10, weave=3.0),
}


@dataclass(frozen=True, slots=True)
class Photo:
    """One shot: the frame in pixels, the paper, the product's size in the frame and its layers from back to front."""

    layers: Sequence[Layer]
    backdrop: str = "grey"
    width: int = 800
    height: int = 800
    scale: float = 1.0
    floor: float = 0.84
    shift: float = 0.0

    def view(self) -> View:
        """Where the product stands."""
        left = self.width * (0.5 + self.shift)
        return View(self.width, self.height, left, self.height * self.floor, self.scale)


def _planks(width: int, height: int, seed: int) -> Any:
    """Wood grain around 1.0: long streaks along the table."""
    # Made narrow and stretched: grain is long, and noise costs by area.
    narrow = width // 8 + 8
    streaks = pyvips.Image.perlin(narrow, height, cell_size=8, seed=seed)
    streaks += pyvips.Image.gaussnoise(narrow, height, sigma=0.5, mean=0, seed=seed).conv(
        pyvips.Image.new_from_array([[1, 1, 1]], scale=3)
    )
    streaks = streaks.resize(8, vscale=1, kernel="cubic").crop(0, 0, width, height)
    return streaks * 0.07 + 1


def _paper(backdrop: Backdrop, view: View, seed: int) -> Any:
    width, height = view.width, view.height
    lamp = random.Random(seed).uniform(0.3, 0.5)
    wall = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width // 4}" height="{height // 4}" viewBox="0 0 1 1" '
        'preserveAspectRatio="none"><defs>'
        f'<linearGradient id="f" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#000" stop-opacity=".16"/>'
        '<stop offset=".35" stop-color="#000" stop-opacity="0"/><stop offset="1" stop-color="#fff" stop-opacity=".13"/>'
        f'</linearGradient><radialGradient id="l" cx="{lamp:.2f}" cy=".36" r=".75">'
        '<stop offset="0" stop-color="#fff" stop-opacity=".34"/><stop offset="1" stop-color="#fff" stop-opacity="0"/>'
        f'</radialGradient></defs><rect x="-1" y="-1" width="3" height="3" fill="{backdrop.wall}"/>'
        f'<rect x="-1" y="{backdrop.meet}" width="3" height="2" fill="{backdrop.floor}"/>'
        f'<rect x="-1" y="{backdrop.meet}" width="3" height="{1 - backdrop.meet:.3f}" fill="url(#f)"/>'
        '<rect width="1" height="1" fill="url(#l)"/></svg>'
    )
    small = pyvips.Image.svgload_buffer(wall.encode())[0:3].cast("float")
    # The joint of wall and floor is out of focus; blurring a padded copy keeps the frame's edge clean.
    pad = 20
    soft = small.embed(pad, pad, small.width + 2 * pad, small.height + 2 * pad, extend="copy")
    soft = soft.gaussblur(backdrop.blur / 4, precision="approximate").crop(pad, pad, small.width, small.height)
    paper = soft.resize(width / small.width, vscale=height / small.height, kernel="linear")
    paper = paper.crop(0, 0, width, height)
    if backdrop.wood:
        top = int(height * backdrop.meet)
        board = paper.crop(0, top, width, height - top) * _planks(width, height - top, seed)
        paper = paper.insert(board, 0, top)
    if backdrop.weave:
        paper += _grain().crop(seed % 97, seed % 89, width, height).gaussblur(0.9) * (backdrop.weave * 1.6)
    return paper


@cache
def _grain() -> Any:
    """Sensor noise around 0, made once and cut out at a new place for every photo."""
    return pyvips.Image.gaussnoise(1200, 1200, sigma=1.0, mean=0, seed=42).gaussblur(0.4).copy_memory()


def _lens(canvas: Any, seed: int) -> Any:
    """Vignette, a breath of softness, colour cast, sensor noise."""
    width, height = canvas.width, canvas.height
    spot = pyvips.Image.xyz(width // 8, height // 8)
    across = (spot[0] / (width / 8) - 0.5) * 1.1
    down = (spot[1] / (height / 8) - 0.48) * 1.1
    dark = ((across * across + down * down) * -0.26 + 1.01).resize(
        width / (width // 8), vscale=height / (height // 8), kernel="linear"
    )
    dark = dark.embed(0, 0, width, height, extend="copy")
    soft = canvas.clamp(min=0, max=255).cast("uchar").gaussblur(0.5) * dark
    cast = random.Random(seed)
    soft *= [1 + cast.uniform(-0.012, 0.018), 1.0, 1 + cast.uniform(-0.02, 0.012)]
    grain = _grain()
    left, top = cast.randrange(grain.width - width), cast.randrange(grain.height - height)
    return soft + grain.crop(left, top, width, height) * 2.1


def shoot(photo: Photo, seed: int) -> Any:
    """The photo as an uchar sRGB image; the same seed gives the same pixels.

    Drawn at `photo.width` x `photo.height` and developed at `DEVELOPED` of that: finer, and a demo's worth of pixels.
    """
    view = photo.view()
    canvas = Canvas(_paper(BACKDROPS[photo.backdrop], view, seed))
    for layer in photo.layers:
        layer.paint(canvas, view)
    image = _lens(canvas.image(), seed).clamp(min=0, max=255).cast("uchar").resize(DEVELOPED)
    return image.copy(interpretation="srgb")


def encode(image: Any, name: str) -> bytes:
    """JPEG or PNG bytes, by the file name's ending."""
    if name.endswith(".png"):
        # pyvips is untyped: name the type once, here.
        png: bytes = image.pngsave_buffer(compression=6, keep="none")
        return png
    jpeg: bytes = image.jpegsave_buffer(Q=91, optimize_coding=True, keep="none")
    return jpeg


DEVELOPED = 0.64
Drawing = Callable[[], Photo]
