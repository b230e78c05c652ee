"""Thumbnails: CPU per picture, against the floor and against naive Pillow.

The floor decodes the picture once and encodes every size, already resized in memory: no resizing, no flattening, no
files. Naive Pillow opens the picture for each size and format, resizes it and saves, with the same qualities.
Photos and cut-outs of 2,048 and 4,096 pixels, drawn here; sizes and formats are the default pipeline's.

    python -m benchmarks.thumbnails
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import figures, peers
from benchmarks.figures import Figure, Size, step
from stream.images.loading import harden
from stream.images.thumbnails import make
from stream.operations import ThumbnailParams

# After `stream.images`, which tells libvips to use one thread per picture.
import pyvips  # isort: skip

MOST_OF_FLOOR = 1.3


@dataclass(frozen=True, slots=True)
class Scale:
    """Sides in pixels, and how often."""

    sides: tuple[int, ...]
    rounds: int


SCALES = {Size.FULL: Scale((2048, 4096), 5), Size.SMALL: Scale((512,), 1)}


def measure(size: Size) -> list[Figure]:
    """Each picture by all three, one after the other, in rounds."""
    scale = SCALES[size]
    harden()
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="skustream-bench-") as folder:
        for side in scale.sides:
            for suffix in ("png", "jpg"):
                path = _draw(Path(folder), side, suffix)
                step(f"{side} px {suffix.upper()}: ours, the floor, Pillow, {scale.rounds} rounds")
                found += _compare(path, f"{side} px {suffix.upper()}", size, Path(folder))
    return found


def _compare(path: Path, name: str, size: Size, folder: Path) -> list[Figure]:
    params = ThumbnailParams()
    ready = [_resized(path, width, params.flatten) for width in params.widths]
    ours: list[float] = []
    floor: list[float] = []
    theirs: list[float] = []
    missing = ""
    for _ in range(SCALES[size].rounds):
        ours.append(_cpu_seconds(lambda: make(path, params, folder / "ours")))
        floor.append(_cpu_seconds(lambda: _floor(path, ready)))
        try:
            theirs.append(_pillow_cpu_seconds(path, params, folder, size))
        except peers.PeerMissing as error:
            missing = str(error)
    of_floor = median(mine / least for mine, least in zip(ours, floor, strict=True))
    of_pillow = median(mine / its for mine, its in zip(ours, theirs, strict=True)) if theirs else None
    return [
        Figure(f"{name}, CPU against the floor", of_floor, "times", at_most=MOST_OF_FLOOR),
        Figure(f"{name}, CPU against naive Pillow", of_pillow, "times", note=missing),
        Figure(f"{name}, CPU per picture", 1000 * median(ours), "ms"),
    ]


def _resized(path: Path, width: int, flatten: str) -> pyvips.Image:
    """What is to be encoded, not yet spoiled by any encoder."""
    image = pyvips.Image.new_from_file(str(path))
    if image.hasalpha():
        image = image.flatten(background=[int(flatten[at : at + 2], 16) for at in (1, 3, 5)])
    return image.thumbnail_image(width, size="down").copy_memory()


def _floor(path: Path, ready: list[pyvips.Image]) -> None:
    """What cannot be saved: decoding once, and every encoding, as `stream.images.thumbnails` asks for it."""
    pyvips.Image.new_from_file(str(path), access="sequential").copy_memory()
    for image in ready:
        image.webpsave_buffer(Q=80, effort=2)
        image.jpegsave_buffer(Q=85, optimize_coding=True)


def _cpu_seconds(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _pillow_cpu_seconds(path: Path, params: ThumbnailParams, folder: Path, size: Size) -> float:
    """Raises PeerMissing."""
    python = str(peers.python_with(peers.PILLOW, size))
    script = str(Path(__file__).with_name("pillow_peer.py"))
    asked = [python, script, str(path), str(folder), *map(str, params.widths)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise peers.PeerMissing(f"Pillow broke: {done.stderr.strip()[-200:]}")
    return float(json.loads(done.stdout)["cpu_seconds"])


def _draw(folder: Path, side: int, suffix: str) -> Path:
    """A product on a ground with the grain of a photo; as PNG a cut-out, whose ground is transparent."""
    plane = pyvips.Image.xyz(side, side)
    across, down = plane[0] / side, plane[1] / side
    inside = ((across - 0.5) ** 2 / 0.09 + (down - 0.5) ** 2 / 0.16) < 1
    grain = pyvips.Image.gaussnoise(side, side, mean=0, sigma=6, seed=1).gaussblur(0.7)
    waves = ((across * 40).math("sin") + (down * 23).math("cos")) * 18
    colours = [inside.ifthenelse(110 + 90 * across + waves + grain, 236 + 10 * down + grain * 0.4)] * 3
    photo = (colours[0] * 0.95).bandjoin([colours[1] * 0.85, colours[2] * 0.75]).cast("uchar")
    photo = photo.copy(interpretation="srgb")
    path = folder / f"{side}.{suffix}"
    if suffix == "png":
        alpha = inside.gaussblur(1.2)
        photo.bandjoin(alpha).cast("uchar").copy(interpretation="srgb").write_to_file(str(path))
    else:
        photo.write_to_file(str(path), Q=92)
    return path


if __name__ == "__main__":
    sys.exit(figures.run(__doc__, measure))
