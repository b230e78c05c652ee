"""The scissors: a product is cut out of its photo by colour, without any model.

An opaque sRGB picture comes in, the same picture with a soft alpha channel goes out. The background is estimated from
the border as a smooth surface; what resembles it *and* hangs together with the border is background, a soft shadow on
it too. It is honest work, not magic: white on white loses faint parts, glass keeps its rims.
"""

from __future__ import annotations

import pyvips

_WHOLE = 255
_INK = 128
_LITTLE = 0.004
_WORK_SIDE = 1024  # masks are found at this size and grown afterwards
_NEAR = 3.0  # Lab distance that is background whatever the noise
_RAMP = 9.0  # Lab distance over which an edge pixel becomes opaque
_HOLE_SHARE = 0.0008  # enclosed background smaller than this share of the picture is a highlight, not a hole
_SPECK_SHARE = 0.0003
_SHADOW_DEPTH = 26.0  # Lab lightness a shadow may take away
_SHADOW_SLOPE = 8.0
_SHADOW_TINT = 3.5
_FRONT = 7  # pixels
_MAXIMUM_REGIONS = 60_000


def cut_out(image: pyvips.Image) -> pyvips.Image:
    """RGBA of the same size. Never fails on an opaque picture: with nothing to be found, nothing is kept."""
    rgb = image.flatten(background=_WHOLE) if image.hasalpha() else image
    shrink = min(1.0, _WORK_SIDE / max(rgb.width, rgb.height))
    small = rgb.resize(shrink, kernel="lanczos3").copy_memory() if shrink < 1 else rgb
    ground = _ground(small).copy_memory()
    alpha = _alpha(small, ground).copy_memory()
    if shrink < 1:
        alpha = alpha.resize(rgb.width / alpha.width, vscale=rgb.height / alpha.height, kernel="linear")
        ground = ground.resize(rgb.width / ground.width, vscale=rgb.height / ground.height, kernel="linear")
    colours = _decontaminated(rgb, ground, alpha)
    return colours.bandjoin(alpha.cast("uchar")).copy(interpretation="srgb").copy_memory()


def _ground(image: pyvips.Image) -> pyvips.Image:
    """The background's colour everywhere: medians of eight places along the border, spread smoothly."""
    width, height = image.width, image.height
    side = max(min(width, height) // 12, 4)
    lefts, tops = (0, (width - side) // 2, width - side), (0, (height - side) // 2, height - side)
    patches = {
        (row, column): _median(image.crop(left, top, side, side))
        for row, top in enumerate(tops)
        for column, left in enumerate(lefts)
        if (row, column) != (1, 1)
    }
    usual = [sorted(colour[band] for colour in patches.values())[len(patches) // 2] for band in range(3)]
    # A product that reaches the border must not pass for background there.
    kept = {place: colour if _apart(colour, usual) < 48 else usual for place, colour in patches.items()}  # noqa: PLR2004
    middles = [kept[0, 1], kept[1, 0], kept[1, 2], kept[2, 1]]
    kept[1, 1] = [sum(colour[band] for colour in middles) / 4 for band in range(3)]
    bands = [
        pyvips.Image.new_from_array([[kept[row, column][band] for column in range(3)] for row in range(3)])
        for band in range(3)
    ]
    grid = bands[0].bandjoin(bands[1:]).cast("float").resize(32, kernel="cubic")
    fitted = grid.resize(width / grid.width, vscale=height / grid.height, kernel="linear")
    return fitted.copy(interpretation="srgb")


def _median(patch: pyvips.Image) -> list[float]:
    return [float(patch.extract_band(band).percent(50)) for band in range(3)]


def _apart(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _alpha(image: pyvips.Image, ground: pyvips.Image) -> pyvips.Image:
    """0 to 255 as float: opaque inside, a ramp at the edge, nothing outside."""
    here, there = image.colourspace("lab"), ground.colourspace("lab")
    distance = here.dE76(there).copy_memory()
    calm = distance.gaussblur(0.8).copy_memory()
    near = max(_NEAR, _border_noise(calm) * 1.4)
    solid = _solid(here, there, calm, near)
    if solid.avg() < _WHOLE * _LITTLE:  # nothing found: perhaps white on white, so look more closely
        near /= 3
        solid = _solid(here, there, calm, near)
    # Within two pixels of the outline the distance itself says how much product an edge pixel holds.
    ramp = _clamped((distance - near / 2) * (255.0 / _RAMP))
    inner = solid.rank(5, 5, 0)
    edge = (solid == _WHOLE).ifthenelse(ramp, 0)
    return _clamped((inner == _WHOLE).ifthenelse(255.0, edge).gaussblur(0.6))


def _solid(here: pyvips.Image, there: pyvips.Image, calm: pyvips.Image, near: float) -> pyvips.Image:
    """255 where the product is, 0 elsewhere."""
    flat = (calm < near).copy_memory()
    shaded = (flat | _shadow(here, there)).copy_memory()
    # Where a shadow is as dark as the product it leaks into it through narrow gaps: only a broad front gets on.
    broad = _flooded(shaded.rank(_FRONT, _FRONT, 0).copy_memory()).rank(_FRONT, _FRONT, _FRONT * _FRONT - 1) & shaded
    background = (_flooded(flat) | broad).copy_memory()
    background = (background | _holes((shaded & (background == 0)).copy_memory(), flat)).copy_memory()
    opened = (background == 0).rank(3, 3, 0).rank(3, 3, 8)
    return _without_specks(opened.copy_memory())


def _shadow(here: pyvips.Image, there: pyvips.Image) -> pyvips.Image:
    """255 where the picture is the background, only somewhat darker, and without an edge: a soft shadow."""
    difference = here - there
    light, red, yellow = (difference.extract_band(band) for band in range(3))
    slope = here.extract_band(0).gaussblur(1.2).sobel()
    return (
        (red.abs() < _SHADOW_TINT)
        & (yellow.abs() < _SHADOW_TINT)
        & (light < 1)
        & (light > -_SHADOW_DEPTH)
        & (slope < _SHADOW_SLOPE)
    )


def _border_noise(calm: pyvips.Image) -> float:
    """How far the border itself strays from the estimate: the 80th percentile of its calmest half, in Lab units."""
    width, height = calm.width, calm.height
    deep = max(min(width, height) // 50, 2)
    strips = [
        calm.crop(0, 0, width, deep),
        calm.crop(0, height - deep, width, deep),
        calm.crop(0, 0, deep, height),
        calm.crop(width - deep, 0, deep, height),
    ]
    found = sorted((strip * 100).cast("ushort").percent(80) / 100 for strip in strips)
    return float(found[1])


def _flooded(candidates: pyvips.Image) -> pyvips.Image:
    """255 for the candidates that hang together with the border. A frame of one pixel lets all four sides take part."""
    width, height = candidates.width, candidates.height
    framed = candidates.embed(1, 1, width + 2, height + 2, extend="background", background=255)
    return (framed.copy_memory().draw_flood(_INK, 0, 0, equal=True) == _INK).crop(1, 1, width, height).copy_memory()


def _holes(enclosed: pyvips.Image, flat: pyvips.Image) -> pyvips.Image:
    """Enclosed background large enough to be a hole, like that of a mug's handle; its middle must be truly flat."""
    core = _large((enclosed & flat).rank(3, 3, 0).copy_memory(), _HOLE_SHARE)
    return core.rank(5, 5, 24).rank(3, 3, 8) & enclosed


def _without_specks(solid: pyvips.Image) -> pyvips.Image:
    return _large(solid, _SPECK_SHARE)


def _large(mask: pyvips.Image, share: float) -> pyvips.Image:
    """255 for the regions of the mask that cover at least this share of the picture."""
    regions, found = mask.labelregions(segments=True)
    if found["segments"] > _MAXIMUM_REGIONS:
        return mask
    labels = regions.cast("ushort")
    sizes = labels.hist_find()
    # Every label holds pixels of one kind only, so masking the large ones with the mask is exact.
    keep = (sizes >= share * mask.width * mask.height).cast("uchar")
    return (labels.maplut(keep) & mask).copy_memory()


def _clamped(image: pyvips.Image) -> pyvips.Image:
    return (image > _WHOLE).ifthenelse(_WHOLE, (image < 0).ifthenelse(0, image))


def _decontaminated(rgb: pyvips.Image, ground: pyvips.Image, alpha: pyvips.Image) -> pyvips.Image:
    """Takes the background's share out of edge pixels: what is seen is alpha x product + (1 - alpha) x ground."""
    share = alpha / 255
    pure = (rgb - ground * (1 - share)) / (share < 0.05).ifthenelse(0.05, share)  # noqa: PLR2004 -- not by nothing
    mixed = (share > 0.05) & (share < 0.98)  # noqa: PLR2004 -- only edges
    return mixed.ifthenelse(_clamped(pure), rgb).cast("uchar")
