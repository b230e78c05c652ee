"""The shoe rack: colours come in, side views of shoes go out (toe to the left)."""
# ruff: noqa: E501 - an SVG path broken over lines reads worse than a long one

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream.demo.drawings.props import area, line, stitches
from stream.demo.drawings.solids import Flat, Puff, Shade
from stream.demo.drawings.studio import Photo

if TYPE_CHECKING:
    from stream.demo.drawings.canvas import Layer

_UPPER = (
    "M-268 -50Q-282 -104 -232 -126Q-176 -142 -118 -178Q-62 -224 -20 -256Q2 -272 26 -262Q70 -236 120 -236Q168 -238 196 -268"
    "Q218 -290 240 -278Q258 -264 254 -214Q256 -130 268 -52Z"
)
_TOE = "M-268 -50Q-282 -104 -232 -126Q-206 -134 -178 -146Q-150 -112 -166 -50Z"
_GUARD = "M-270 -48Q-276 -84 -258 -98Q-190 -96 -120 -70Q-104 -62 -96 -48Z"
_EYESTAY = (
    "M-140 -166Q-76 -218 -24 -254Q2 -272 26 -262L34 -236Q-20 -196 -76 -138Q-96 -118 -112 -128Q-128 -140 -140 -166Z"
)
_COUNTER = "M150 -48Q156 -120 196 -150Q226 -166 254 -166Q258 -110 268 -48Z"
_TAB = "M206 -268Q218 -290 240 -278Q258 -264 254 -206L218 -206Q206 -240 206 -268Z"
_WAVE = "M-60 -62Q40 -70 96 -120Q130 -154 176 -172Q150 -130 116 -96Q70 -54 -40 -50Z"
_MIDSOLE = (
    "M-282 -30Q-292 -62 -262 -66Q-180 -48 -80 -52Q60 -60 160 -64Q250 -70 276 -66Q292 -58 286 -26Q282 -6 258 -5Q100 0 -90 -1"
    "Q-220 0 -256 -10Q-276 -16 -282 -30Z"
)
_TREAD = "M-276 -20Q-240 -10 -90 -10Q120 -10 286 -22Q284 -2 258 0Q100 6 -90 5Q-226 6 -256 -4Q-272 -10 -276 -20Z"
_TONGUE = "M-66 -218Q-44 -270 -2 -300Q24 -312 44 -292Q52 -262 34 -236Z"
_LINING = "M-10 -262Q40 -284 120 -262Q170 -256 216 -280Q232 -276 226 -250Q160 -206 90 -216Q30 -226 -10 -262Z"


@dataclass(frozen=True, slots=True)
class SneakerColours:
    """What each part of a sneaker is painted with."""

    upper: str = "#2f5f9e"
    trim: str = "#1d3a66"
    wave: str = "#f3f1ea"
    sole: str = "#f2f0ea"
    tread: str = "#b98655"
    laces: str = "#f6f5f1"
    lining: str = "#33363c"


def _lace_rows() -> str:
    rows = []
    for i in range(6):
        x, y = -116 + i * 25.5, -158 - i * 19.2
        rows.append(line(f"M{x - 15} {y - 12}Q{x + 4} {y - 8} {x + 24} {y + 20}", 9.5, "#fff"))
    return "".join(rows)


def _stitching(paint: SneakerColours) -> str:
    thread = "#ffffff" if paint.upper < "#a" else "#b5b5b0"
    return (
        stitches("M-178 -140Q-156 -110 -170 -56", thread)
        + stitches("M-256 -92Q-190 -90 -122 -65", thread)
        + stitches("M-106 -124Q-94 -116 -74 -132Q-18 -190 30 -229", thread)
        + stitches("M157 -56Q162 -116 200 -144Q226 -158 250 -159", thread)
    )


def sneaker(paint: SneakerColours | None = None, backdrop: str = "grey") -> Photo:
    """A low trainer."""
    paint = paint or SneakerColours()
    lace = _lace_rows()
    grooves = "".join(f'<path d="M{x} -12l-4 18h8z" fill="#000" opacity=".25"/>' for x in range(-250, 280, 17))
    lines = line("M-284 -34Q-180 -24 -80 -27T284 -40", 1.6, "#00000030")
    layers: list[Layer] = [
        Shade('<ellipse cx="20" cy="6" rx="310" ry="26"/>', 26, 0.34),
        Shade('<ellipse cx="6" cy="4" rx="282" ry="11"/>', 9, 0.5),
        Shade('<ellipse cx="-6" cy="3" rx="262" ry="4"/>', 2.5, 0.55),
        Puff(area(_LINING), area(_LINING, paint.lining), "matte", 30, 0.3),
        Puff(area(_TONGUE), area(_TONGUE, paint.trim), "matte", 20, grain=0.12),
        Puff(area(_UPPER), area(_UPPER, paint.upper), "matte", 62, 1.15, grain=0.15),
        Puff(area(_WAVE), area(_WAVE, paint.wave), "satin", 5, 0.5, drop=0.16),
        Puff(area(_TOE), area(_TOE, paint.upper), "satin", 34, 0.9, grain=0.1, drop=0.1, see_through=0.75),
        Puff(area(_GUARD), area(_GUARD, paint.trim), "satin", 16, 0.6, grain=0.1, drop=0.2),
        Puff(area(_COUNTER), area(_COUNTER, paint.trim), "satin", 22, 0.6, grain=0.1, drop=0.2),
        Puff(area(_TAB), area(_TAB, paint.wave), "satin", 10, 0.5, drop=0.15),
        Puff(area(_EYESTAY), area(_EYESTAY, paint.trim), "satin", 14, 0.5, grain=0.1, drop=0.25),
        Flat(f'<g opacity=".75">{_stitching(paint)}</g>'),
        Puff(lace, lace.replace("#fff", paint.laces), "matte", 5.5, drop=0.4),
        Puff(area(_MIDSOLE), area(_MIDSOLE, paint.sole) + lines, "satin", 26, 0.75, drop=0.24),
        Puff(area(_TREAD), area(_TREAD, paint.tread) + grooves, "matte", 6, 0.5),
    ]
    return Photo(layers, backdrop, 1000, 800, scale=1.42, floor=0.77)


def white_sneaker() -> Photo:
    """White on white: what background removal finds hard."""
    white = SneakerColours("#f4f4f2", "#ececea", "#fafaf9", "#f7f7f5", "#e9e8e4", "#fbfbfa", "#d6d6d3")
    return sneaker(white, "white")


def boot(leather: str = "#7a4a28", welt: str = "#caa06a", sole: str = "#2b2522", backdrop: str = "wood") -> Photo:
    """A laced leather boot."""
    shaft = (
        "M-24 -420Q60 -436 178 -420Q190 -418 190 -404Q176 -300 206 -200Q232 -110 226 -44L-270 -40Q-286 -96 -244 -122"
        "Q-190 -140 -130 -160Q-56 -186 -40 -240Q-26 -320 -38 -404Q-38 -416 -24 -420Z"
    )
    cap = "M-270 -42Q-286 -96 -244 -122Q-206 -136 -170 -148Q-142 -100 -156 -42Z"
    quarter = "M-34 -400Q-22 -318 -38 -236Q-46 -196 -92 -170L-66 -120Q0 -150 40 -120Q60 -80 60 -42L226 -44Q232 -110 206 -200Q176 -300 190 -404Z"
    tongue = "M-62 -230Q-66 -350 -70 -430Q-66 -452 -30 -450L-10 -420L-30 -240Z"
    pull = "M166 -424Q170 -462 186 -462T200 -420L196 -396H176Z"
    welt_path = "M-284 -38Q-276 -48 -250 -46L230 -48Q244 -46 242 -34L240 -26H-280Z"
    under = "M-282 -30H242V12Q242 18 236 18H98L88 -4Q0 -10 -40 8Q-160 22 -240 12Q-284 4 -282 -30Z"
    laces, eyes = "", ""
    for i in range(8):
        y = -398 + i * 25 + max(0, i - 5) * 3
        x = -30 + (4 if i in (3, 4, 5) else 0) - max(0, i - 5) * 16
        laces += line(f"M{x - 32} {y + 8}Q{x - 10} {y + 6} {x + 14} {y - 2}", 7.5)
        eyes += f'<circle cx="{x + 16}" cy="{y - 2}" r="6" fill="#fff"/>'
    seams = (
        stitches("M-166 -142Q-148 -98 -162 -48", welt)
        + stitches("M-60 -128Q0 -156 46 -122Q66 -84 66 -48", welt)
        + stitches("M-8 -404Q2 -320 -10 -236Q-20 -196 -66 -168", welt)
        + stitches("M196 -210Q176 -216 150 -190Q126 -140 140 -50", welt)
    )
    layers: list[Layer] = [
        Shade('<ellipse cx="30" cy="8" rx="310" ry="28"/>', 26, 0.36),
        Shade('<ellipse cx="-6" cy="16" rx="262" ry="9"/>', 6, 0.6),
        Puff(area(pull), area(pull, "#3b2a1c"), "matte", 6, 0.6),
        Puff(area(tongue), area(tongue, leather), "satin", 18, grain=0.2),
        Puff(area(shaft), area(shaft, leather), "satin", 66, 1.1, grain=0.22),
        Puff(area(cap), area(cap, leather), "gloss", 48, 0.9, grain=0.14, drop=0.12, see_through=0.8),
        Puff(area(quarter), area(quarter, leather), "satin", 40, 0.7, grain=0.22, drop=0.3, see_through=0.9),
        Flat(f'<g opacity=".85">{seams}</g>'),
        Puff(laces, laces.replace("#fff", "#2e241c"), "matte", 4, drop=0.4),
        Puff(eyes, eyes.replace("#fff", "#c79a4e"), "chrome", 5, drop=0.3),
        Puff(area(under), area(under, sole), "matte", 12, 0.6),
        Puff(
            area(welt_path), area(welt_path, welt) + stitches("M-276 -40H238", "#fff3d8", 2), "satin", 9, 0.6, drop=0.2
        ),
    ]
    return Photo(layers, backdrop, 800, 1000, scale=1.28, floor=0.83, shift=0.02)


def heel(colour: str = "#a3142a", inside: str = "#e5c9a8", backdrop: str = "pink") -> Photo:
    """A patent pump with a stiletto heel."""
    upper = (
        "M-262 -14Q-274 -36 -240 -56Q-176 -88 -110 -98Q-86 -90 -62 -66Q10 -60 70 -118Q130 -186 170 -262Q184 -284 206 -280"
        "Q236 -270 246 -200Q250 -156 226 -128Q160 -110 110 -70Q40 -18 -60 -8Q-200 0 -262 -14Z"
    )
    lining = "M-112 -97Q20 -132 108 -196Q160 -240 206 -281Q196 -220 140 -150Q60 -50 -20 -58Q-70 -60 -112 -97Z"
    spike = "M170 -132Q214 -120 232 -156Q244 -170 246 -196Q250 -130 226 -60L216 0H200Q206 -60 176 -106Z"
    sole = (
        "M-262 -14Q-200 0 -60 -8Q40 -18 110 -70Q150 -104 186 -118L190 -108Q150 -92 116 -60Q50 -4 -60 2Q-220 8 -262 -6Z"
    )
    shine = (
        '<path d="M-230 -44Q-180 -76 -124 -86Q-170 -62 -206 -34Z" fill="#fff" opacity=".5"/>'
        '<path d="M216 -262Q236 -230 234 -176Q226 -230 208 -264Z" fill="#fff" opacity=".4"/>'
    )
    layers: list[Layer] = [
        Shade('<ellipse cx="-80" cy="6" rx="230" ry="20"/>', 20, 0.32),
        Shade('<ellipse cx="-130" cy="1" rx="134" ry="7"/>', 4, 0.55),
        Shade('<ellipse cx="214" cy="2" rx="26" ry="5"/>', 3.5, 0.55),
        Shade('<path d="M200 4L330 24L330 34L206 6Z"/>', 10, 0.2),
        Puff(area(spike), area(spike, colour), "gloss", 12),
        Puff(area(lining), area(lining, inside), "matte", 26, 0.5),
        Puff(area(upper), area(upper, colour), "gloss", 40, 1.05, drop=0.12),
        Puff(area(sole), area(sole, "#231512"), "satin", 5, 0.5),
        Flat(shine),
    ]
    return Photo(layers, backdrop, 1000, 800, scale=1.42, floor=0.76, shift=0.0)
