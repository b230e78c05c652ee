"""Raw photos: a coloured ball on an uneven light ground, small enough that pictures cost little of the machine."""

from pathlib import Path

import pyvips

SIDE = 96
GROUND = [244, 243, 240]


def draw(folder: Path, name: str, *, colour: int) -> None:
    """Write the photo `name` into `folder`; photos of different `colour` have different bytes."""
    picture = pyvips.Image.black(SIDE * 2, SIDE * 2, bands=3).linear([1, 1, 1], GROUND).cast("uchar")
    picture = picture.copy(interpretation="srgb").copy_memory()
    ink = [30 + colour * 37 % 170, 30 + colour * 61 % 170, 30 + colour * 97 % 170]
    picture = picture.draw_circle(ink, SIDE, SIDE, SIDE // 2 + colour % 20, fill=True).shrink(2, 2)
    noise = pyvips.Image.gaussnoise(SIDE, SIDE, mean=0, sigma=1.0, seed=colour)
    whole = (picture + noise).cast("uchar").copy(interpretation="srgb")
    # Written beside and moved: the provider may be reading the old one.
    fresh = folder / f".{name}.part.jpg"
    whole.write_to_file(str(fresh), Q=88)
    fresh.rename(folder / name)
