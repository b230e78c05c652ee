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
_WORK_SIDE = 640  # masks are found at this size and grown afterwards
_NEAR = 3.0  # Lab distance that is background whatever the noise
_ROUGHNESS = 2.6
_SMOOTH_SLOPE = 10.0
_LEAK = 9  # pixels; narrower gaps in an outline are closed
_SMOOTH_REACH = 14.0  # Lab distance from the first guess that is still believed
_ROUGHEST = 5.0
_ENDS_APART = 20.0
_FAINT = 0.02
_RAMP = 9.0  # Lab distance over which an edge pixel becomes opaque at least
_HOLE_SHARE = 0.0008  # enclosed background smaller than this share of the picture is a highlight, not a hole
_SPECK_SHARE = 0.0003
_RIM = 11  # pixels
_RIM_DISTANCE = 9.0  # mean Lab distance in the rim of a hole
_DEEPEST_SHADE = 0.45  # share of the lightness a shadow leaves
_SHADOW_SLOPE = 13.0
_SHADOW_TINT = 3.5
_FRONTS = (7, 21)  # pixels
_MOST_SHADOW = 0.45  # of product and shadow together, at least this share is product
_MAXIMUM_REGIONS = 60_000


def cut_out(image: pyvips.Image) -> pyvips.Image:
    """RGBA of the same size. Never fails on an opaque picture: with nothing to be found, nothing is kept."""
    rgb = image.flatten(background=_WHOLE) if image.hasalpha() else image
    rgb = rgb.copy_memory()
    shrink = min(1.0, _WORK_SIDE / max(rgb.width, rgb.height))
    small = rgb.resize(shrink, kernel="lanczos3").copy_memory() if shrink < 1 else rgb
    lab = small.colourspace("lab").copy_memory()
    ground, noise = _studied(lab)
    alpha = _alpha(lab, ground, noise).copy_memory()
    there = ground.copy(interpretation="lab").colourspace("srgb").cast("float").copy_memory()
    if shrink < 1:
        alpha, there = _grown(alpha, rgb), _grown(there, rgb)
    colours = _decontaminated(rgb, there, alpha)
    return colours.bandjoin(alpha.cast("uchar")).copy(interpretation="srgb").copy_memory()


def _grown(image: pyvips.Image, to: pyvips.Image) -> pyvips.Image:
    return image.resize(to.width / image.width, vscale=to.height / image.height, kernel="linear").copy_memory()


def _studied(lab: pyvips.Image) -> tuple[pyvips.Image, pyvips.Image]:
    """What the background looks like everywhere (Lab), and how rough it is there (Lab distance).

    First guess: each row runs from its left end to its right end, as walls, floors and tables do. From there everything
    smooth that hangs together with the border is taken for background and spread sideways behind the product.
    """
    ends = max(lab.width // 24, 2)
    guess = _between(lab.crop(0, 0, ends, lab.height), lab.crop(lab.width - ends, 0, ends, lab.height), lab)
    off = lab.dE76(guess).copy_memory()
    rough = _between(off.crop(0, 0, ends, lab.height), off.crop(lab.width - ends, 0, ends, lab.height), off)
    rough = (rough > _ROUGHEST).ifthenelse(_ROUGHEST, rough).copy_memory()
    slope = _slope(lab)
    likely = ((slope < _SMOOTH_SLOPE) & (off < _SMOOTH_REACH)) | (off < rough * 2 + 1)
    found = _flooded(likely.rank(_LEAK, _LEAK, 0).copy_memory())
    ground = _spread(lab, found, guess)
    return ground, _spread(lab.dE76(ground).copy_memory(), found, rough)


def _between(left: pyvips.Image, right: pyvips.Image, like: pyvips.Image) -> pyvips.Image:
    """Each row from the mean of its left end to the mean of its right end."""
    ends = [end.shrinkh(end.width).gaussblur(2) for end in (left, right)]
    share = pyvips.Image.xyz(like.width, like.height).extract_band(0) / like.width
    if like.bands > 1:
        ends = _agreed(ends[0], ends[1], like)
    one, other = (end.resize(like.width, vscale=1, kernel="nearest") for end in ends)
    return (one * (1 - share) + other * share).copy(interpretation=like.interpretation).copy_memory()


def _agreed(one: pyvips.Image, other: pyvips.Image, lab: pyvips.Image) -> list[pyvips.Image]:
    """Where the ends of a row differ much, the product reaches one of them: both take the end more like the rest."""
    top = lab.crop(0, 0, lab.width, max(lab.height // 24, 2))
    ends = [end.copy(interpretation="lab") for end in (one, other)]
    usual = ends[0].new_from_image([top.extract_band(band).avg() for band in range(3)]).copy(interpretation="lab")
    differ = ends[0].dE76(ends[1]) > _ENDS_APART
    nearer = (ends[0].dE76(usual) < ends[1].dE76(usual)).ifthenelse(ends[0], ends[1])
    return [differ.ifthenelse(nearer, end) for end in ends]


def _spread(values: pyvips.Image, mask: pyvips.Image, otherwise: pyvips.Image) -> pyvips.Image:
    """Means of `values` where the mask is, near by and further off sideways; `otherwise` where there are none."""
    # Means are smooth: a quarter of the size is enough to find them.
    coarse = [image.resize(0.25, kernel="linear").copy_memory() for image in (mask / _WHOLE, values, otherwise)]
    weight, painted, result = coarse
    both = (painted * weight).bandjoin(weight).copy_memory()
    for across, down in ((24, 2), (6, 2), (2, 2)):
        means = _blurred(both, across, down)
        sums, shares = means.extract_band(0, n=values.bands), means.extract_band(values.bands)
        result = ((sums + result * _FAINT) / (shares + _FAINT)).copy_memory()
    return _grown(result, values).copy(interpretation=values.interpretation)


def _blurred(image: pyvips.Image, across: int, down: int) -> pyvips.Image:
    small = image.resize(max(1 / across, 4 / image.width), vscale=max(1 / down, 4 / image.height), kernel="linear")
    return _grown(small.gaussblur(1.5), image)


def _alpha(lab: pyvips.Image, ground: pyvips.Image, noise: pyvips.Image) -> pyvips.Image:
    """0 to 255 as float: opaque inside, a ramp at the edge, nothing outside."""
    distance = lab.dE76(ground).copy_memory()
    calm = distance.gaussblur(0.8).copy_memory()
    near = _at_least(noise * _ROUGHNESS, _NEAR)
    solid = _solid(lab, ground, calm, near)
    if solid.avg() < _WHOLE * _LITTLE:  # nothing found: perhaps white on white, so look more closely
        near = near / 3
        solid = _solid(lab, ground, calm, near)
    # Within two pixels of the outline the distance, against that of its neighbours, says how much product it holds.
    reach = _at_least(distance.rank(5, 5, 24) - near / 2, _RAMP)
    ramp = _clamped((distance - near / 2) / reach * 255.0)
    inner = solid.rank(5, 5, 0)
    edge = (solid == _WHOLE).ifthenelse(ramp, 0)
    return (inner == _WHOLE).ifthenelse(255.0, edge)


def _at_least(image: pyvips.Image, least: float) -> pyvips.Image:
    return (image < least).ifthenelse(least, image).copy_memory()


def _solid(here: pyvips.Image, there: pyvips.Image, calm: pyvips.Image, near: pyvips.Image) -> pyvips.Image:
    """255 where the product is, 0 elsewhere."""
    flat = (calm < near).copy_memory()
    shaded = (flat | _shadow(here, there)).copy_memory()
    outside = _flooded(flat)
    with_shadow = (outside == 0).avg()
    for front in _FRONTS:
        # Where a shadow is as dark as the product it leaks into it through gaps: only a broad front gets on.
        narrow, wide = shaded.rank(front, front, 0).copy_memory(), front * front - 1
        background = (outside | (_flooded(narrow).rank(front, front, wide) & shaded)).copy_memory()
        if (background == 0).avg() > with_shadow * _MOST_SHADOW:
            break
    else:
        background = outside  # all fronts leaked: rather keep the shadow than lose the product
    background = (
        background | _holes((shaded & (background == 0)).copy_memory(), calm < near * 1.8, calm)
    ).copy_memory()
    return _without_specks((background == 0).rank(3, 3, 0).rank(3, 3, 8).copy_memory())


def _slope(lab: pyvips.Image) -> pyvips.Image:
    """How steeply lightness and colour change, summed."""
    steep = lab.gaussblur(1.2).sobel()
    return (steep.extract_band(0) + steep.extract_band(1) + steep.extract_band(2)).copy_memory()


def _shadow(here: pyvips.Image, there: pyvips.Image) -> pyvips.Image:
    """255 where the picture is the background, only somewhat darker, and without an edge: a soft shadow."""
    light, ground_light = here.extract_band(0), _at_least(there.extract_band(0), 1.0)
    # In the shade colours fade with the light, so what is left of the background's colour is its share of the light.
    share = light / ground_light
    tint = (here.extract_band(1, n=2) - there.extract_band(1, n=2) * share).abs()
    plain = (tint.extract_band(0) < _SHADOW_TINT) & (tint.extract_band(1) < _SHADOW_TINT)
    return plain & (share < 1.02) & (share > _DEEPEST_SHADE) & (_slope(here) < _SHADOW_SLOPE)  # noqa: PLR2004 -- noise


def _flooded(candidates: pyvips.Image) -> pyvips.Image:
    """255 for the candidates that hang together with the border. A frame of one pixel lets all four sides take part."""
    width, height = candidates.width, candidates.height
    framed = candidates.embed(1, 1, width + 2, height + 2, extend="background", background=255)
    return (framed.copy_memory().draw_flood(_INK, 0, 0, equal=True) == _INK).crop(1, 1, width, height).copy_memory()


def _holes(enclosed: pyvips.Image, flat: pyvips.Image, calm: pyvips.Image) -> pyvips.Image:
    """Enclosed background that is a hole, like that of a mug's handle: large, truly flat, and with a marked rim.

    Without the rim it is the bright middle of something white on white.
    """
    core = _large((enclosed & flat).rank(3, 3, 0).copy_memory(), _HOLE_SHARE)
    if core.max() == 0:
        return core
    labels = (core == _WHOLE).ifthenelse(core.labelregions().cast("ushort"), 0).cast("ushort").copy_memory()
    grown = labels.rank(_RIM, _RIM, _RIM * _RIM - 1)
    rims = (core == 0).ifthenelse(grown, 0).cast("ushort")
    marked = _means(calm, rims) > _RIM_DISTANCE
    holes = labels.maplut(marked.cast("uchar")) & core
    return holes.rank(5, 5, 24).rank(3, 3, 8) & enclosed


def _means(values: pyvips.Image, labels: pyvips.Image) -> pyvips.Image:
    """The mean of `values` for each label, as a table."""
    sums = values.hist_find_indexed(labels, combine="sum")
    counts = labels.hist_find()
    return sums / (counts == 0).ifthenelse(1, counts)


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
