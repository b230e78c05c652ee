"""The bench where pictures are opened, worked on and packed again.

Encoded bytes and an operation come in; encoded bytes go out. Everything here runs in the workshop's threads: libvips
releases the GIL. JPEG, PNG and WebP only, like the real provider.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

os.environ.setdefault("VIPS_CONCURRENCY", "1")  # one picture per thread; libvips reads this when it is loaded
import pyvips

from stream.simulator.cutout import cut_out
from stream.simulator.faults import Operation
from stream.simulator.scenes import compose_scene, compose_shadow

if TYPE_CHECKING:
    from collections.abc import Mapping

MAXIMUM_BYTES = 20 * 1024 * 1024
MINIMUM_SIDE = 16
MAXIMUM_SIDE = 8192
MAXIMUM_PIXELS = 50_000_000
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
# The answers of one run are not asked for again, so operation results are not worth keeping.
pyvips.cache_set_max(0)


class BadPictureError(Exception):
    """The bytes are not a picture this provider takes; the message says why."""


@dataclass(frozen=True, slots=True)
class Made:
    """An encoded result; `suffix` is png or jpg."""

    content: bytes
    suffix: str


def inspect(content: bytes, operation: Operation, params: Mapping[str, Any]) -> None:
    """Read only the header. Raises BadPictureError for what is refused before anything is charged."""
    if len(content) > MAXIMUM_BYTES:
        raise BadPictureError(f"Image is larger than {MAXIMUM_BYTES} bytes")
    image = _open(content)
    side = max(image.width, image.height)
    if min(image.width, image.height) < MINIMUM_SIDE:
        raise BadPictureError(f"Image is too small: {image.width}x{image.height}, at least {MINIMUM_SIDE} px")
    scale = int(params.get("scale", 4)) if operation is Operation.UPSCALE else 1
    if side * scale > MAXIMUM_SIDE or image.width * image.height * scale * scale > MAXIMUM_PIXELS:
        raise BadPictureError(f"Image is too large: {image.width}x{image.height} at scale {scale}")


def render(operation: Operation, content: bytes, params: Mapping[str, Any], scene_format: str) -> Made:
    """Do the work. Raises BadPictureError when the bytes turn out not to be a whole picture."""
    image = _upright(_open(content))
    if operation is Operation.UPSCALE:
        return _packed(upscale(image, int(params.get("scale", 4))), "png")
    cut = image if _is_cut(image) else cut_out(image)
    if operation is Operation.REMOVE_BACKGROUND:
        return _packed(cut, "png")
    if operation is Operation.ADD_SHADOW:
        return _packed(compose_shadow(cut, params), "png")
    prompt = str(params.get("prompt") or params.get("scene_prompt") or "")
    return _packed(compose_scene(cut, prompt), scene_format)


def upscale(image: pyvips.Image, scale: int) -> pyvips.Image:
    """Lanczos on premultiplied pixels, then a mild unsharp mask on the colours; alpha stays as resized."""
    if not image.hasalpha():
        return _sharpened(image.resize(scale, kernel="lanczos3"))
    grown = image.premultiply().resize(scale, kernel="lanczos3")
    plain = grown.unpremultiply().cast("uchar").copy_memory()
    return _sharpened(plain.extract_band(0, n=3)).bandjoin(plain.extract_band(3)).copy(interpretation="srgb")


def _sharpened(image: pyvips.Image) -> pyvips.Image:
    mask = pyvips.Image.new_from_array([[-1, -2, -1], [-2, 28, -2], [-1, -2, -1]], scale=16)
    return image.conv(mask, precision="integer").cast("uchar").copy(interpretation="srgb")


def _open(content: bytes) -> pyvips.Image:
    if not content.startswith(_MAGIC):
        raise BadPictureError("Image could not be decoded: JPEG, PNG and WebP are accepted")
    try:
        return pyvips.Image.new_from_buffer(content, "", fail_on="error")
    except pyvips.Error as error:
        raise BadPictureError("Image could not be decoded") from error


def _upright(image: pyvips.Image) -> pyvips.Image:
    """Three or four bands of 8 bit sRGB, turned as the camera meant it, in memory."""
    try:
        image = image.autorot()
        if image.interpretation != "srgb" or image.format != "uchar":
            image = image.colourspace("srgb").cast("uchar")
        if image.bands > 4:  # noqa: PLR2004 -- red, green, blue, alpha
            image = image.extract_band(0, n=4)
        return image.copy_memory()
    except pyvips.Error as error:  # pixels are decoded here, not when the header was read
        raise BadPictureError("Image could not be decoded") from error


def _is_cut(image: pyvips.Image) -> bool:
    """Whether the picture already has a background that can be seen through."""
    return bool(image.hasalpha()) and image.extract_band(image.bands - 1).min() < 128  # noqa: PLR2004 -- half


def _packed(image: pyvips.Image, form: str) -> Made:
    if form == "png":
        return Made(image.write_to_buffer(".png", compression=1, filter="sub", keep="none"), "png")
    return Made(image.write_to_buffer(".jpg", Q=90, keep="none"), "jpg")
