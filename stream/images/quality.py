"""Cheap judgement of a cut-out: whether anything is left of the product, and anything gone of the background.

Comes in: a finished picture. Goes out: one share.
"""

from pathlib import Path

import pyvips

from stream.images.inspect import kind_of
from stream.images.loading import damaged, open_picture

_LOOK_SIDE = 256
_VISIBLE_ABOVE = 10


def alpha_share(path: Path) -> float:
    """The share (0 to 1) of pixels with alpha above 10 of 255, on a view of at most 256 px; 1.0 without transparency.

    Near 0 the product was lost, 1.0 nothing was cut out. Blocks. Raises `NotAPicture`.
    """
    image = open_picture(path, kind_of(path))
    if not image.hasalpha():
        return 1.0
    alpha = image.extract_band(image.bands - 1)
    if alpha.format == "ushort":
        alpha = alpha >> 8
    try:
        small = alpha.cast("uchar").thumbnail_image(_LOOK_SIDE, height=_LOOK_SIDE, size="down", no_rotate=True)
        return float((small > _VISIBLE_ABOVE).avg()) / 255.0
    except pyvips.Error as error:
        raise damaged(error, path) from None
