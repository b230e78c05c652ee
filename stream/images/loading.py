"""The gate in front of libvips: which loaders exist at all, and how a foreign file is opened.

Comes in: a path whose kind its first bytes have told. Goes out: a lazy picture, or `NotAPicture`.
"""

import os
from enum import StrEnum
from pathlib import Path

os.environ.setdefault("VIPS_CONCURRENCY", "1")  # one picture per thread; libvips reads this when it is loaded
import pyvips

SRGB_BANDS = 3


class NotAPicture(Exception):
    """The bytes are not a picture we take; the message says why, for a person. The caller knows whose fault it is."""

    def __init__(self, detail: str) -> None:
        """`detail`: one line without paths."""
        self.detail = detail
        super().__init__(detail)


class Format(StrEnum):
    """The file formats we take."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"

    @property
    def content_type(self) -> str:
        """As HTTP calls it."""
        return f"image/{self.value}"

    @property
    def extension(self) -> str:
        """As file names end, without the dot."""
        return "jpg" if self is Format.JPEG else self.value


def harden() -> None:
    """Leave libvips three loaders, one thread per picture and no operation cache; for the whole process, repeatable.

    Its other loaders (SVG, GIF, TIFF, HEIF, its own format ...) are attack surface for formats nobody sends us.
    """
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for kind in ("Jpeg", "Png", "Webp"):
        pyvips.operation_block_set(f"VipsForeignLoad{kind}", False)
    # Cached sequential readers fail when they are read again, and no file is asked for twice.
    pyvips.cache_set_max(0)
    if hasattr(pyvips, "concurrency_set"):  # pyvips 3.2; before that the environment variable above is the only way
        pyvips.concurrency_set(1)


def open_picture(path: Path, kind: Format) -> pyvips.Image:
    """The picture at `path`, read from top to bottom once; header only until pixels are asked for.

    Damage is an error, not grey rows. Raises `NotAPicture`.
    """
    load = {Format.JPEG: pyvips.Image.jpegload, Format.PNG: pyvips.Image.pngload, Format.WEBP: pyvips.Image.webpload}
    try:
        return load[kind](str(path), access="sequential", fail_on="error")
    except pyvips.Error as error:
        raise damaged(error, path) from None


def damaged(error: pyvips.Error, path: Path) -> NotAPicture:
    """What libvips complained about, as ours. Raises MemoryError where that was it: no fault of the picture."""
    text = f"{error.message} {error.detail}"
    if "out of memory" in text:
        raise MemoryError("libvips is out of memory")
    lines = [line.strip() for line in str(error.detail).replace(str(path), "the file").splitlines() if line.strip()]
    return NotAPicture(f"the file is damaged or cut short ({(lines or ['no details'])[0][:120]})")
