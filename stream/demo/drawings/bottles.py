"""The bottle shelf: colours come in, photos of bottles, jars and cans go out."""
# ruff: noqa: E501 - an SVG path broken over lines reads worse than a long one

from typing import TYPE_CHECKING

from stream.demo.drawings.lettering import small_print, word
from stream.demo.drawings.props import area, disc, ground, line, mouth
from stream.demo.drawings.solids import Flat, Puff, Turned
from stream.demo.drawings.studio import Photo

if TYPE_CHECKING:
    from stream.demo.drawings.canvas import Layer


def _label(half: float, top: float, tall: float, colour: str, extra: str = "") -> str:
    return f'<rect x="{-half}" y="{top}" width="{half * 2}" height="{tall}" fill="{colour}" {extra}/>'


def wine(glass: str = "#14301c", paper: str = "#efe6d0", foil: str = "#6d1420") -> Photo:
    """A Bordeaux bottle with foil and paper label, upright frame."""
    art = (
        _label(100, -236, 148, paper)
        + _label(92, -231, 1.6, "#9c7a34")
        + _label(92, -96, 1.6, "#9c7a34")
        + word("MONTBRAY", 0, -212, 12, "#3a2418", weight=0.75)
        + word("GRANDE RESERVE", 0, -186, 4.6, "#8a6a2c")
        + '<path d="M-26 -142 V-158 H-18 V-166 H-10 V-158 H-4 V-172 H4 V-158 H10 V-166 H18 V-158 H26 V-142 Z" '
        'fill="none" stroke="#3a2418" stroke-width="1.6"/>'
        + word("2019", 0, -130, 9, "#3a2418")
        + small_print(0, -113, 84, 2, "#8a7458", 6)
    )
    cap = f'<rect x="-999" y="-640" width="1998" height="152" fill="{foil}"/>' + _label(200, -500, 2, "#c8a85a")
    body = Turned(
        (
            (-620, 26),
            (-606, 29.5),
            (-588, 29.5),
            (-582, 26),
            (-520, 26.5),
            (-440, 28),
            (-396, 36),
            (-352, 66),
            (-310, 79),
            (-270, 80),
            (-100, 80),
            (-14, 79),
            (-3, 74),
            (0, 70),
        ),
        glass,
        "gloss",
        art + cap,
        tilt=0.08,
    )
    return Photo([*ground(78, 9), body, disc(-620, 26, 0.1, foil)], "beige", 800, 1000, scale=1.28, floor=0.9)


def dropper(glass: str = "#8a4310", paper: str = "#f3efe6", backdrop: str = "linen", name: str = "ALDER") -> Photo:
    """A pharmacy bottle with rubber dropper."""
    art = (
        _label(150, -214, 166, paper)
        + word(name, 0, -194, 17, "#2a2a28", weight=0.8)
        + word("FACE OIL", 0, -162, 9, "#5b5a54")
        + line("M-44 -142H44", 1.2, "#2a2a28")
        + small_print(0, -130, 104, 5, "#8d8a82", 8.5)
        + word("30 ML", 0, -72, 8, "#5b5a54")
    )
    body = Turned(
        ((-310, 40), (-296, 42), (-284, 46), (-268, 78), (-246, 98), (-222, 102), (-40, 102), (-10, 100), (0, 90)),
        glass,
        "gloss",
        art,
        tilt=0.13,
    )
    ridges = "".join(
        f'<rect x="{x}" y="-372" width="3" height="58" fill="#000" opacity=".5"/>' for x in range(-70, 71, 8)
    )
    collar = Turned(((-372, 44), (-366, 47), (-314, 47), (-308, 46)), "#1e1d1c", "satin", ridges, tilt=0.13)
    bulb = Turned(
        ((-500, 12), (-494, 22), (-480, 27), (-440, 27), (-410, 26), (-386, 32), (-374, 36)),
        "#232221",
        "satin",
        tilt=0.1,
    )
    layers: list[Layer] = [*ground(98, 15), body, collar, disc(-371, 43, 0.13, "#2b2a29"), bulb]
    return Photo(layers, backdrop, scale=1.18, floor=0.87)


def pump(body_colour: str = "#7fae9b", cap: str = "#f5f5f2", name: str = "FERN", backdrop: str = "pink") -> Photo:
    """A shampoo bottle with pump."""
    art = (
        word(name, 0, -292, 26, "#ffffff", weight=0.55)
        + word("SHAMPOO", 0, -240, 11, "#ffffff")
        + line("M-30 -214H30", 1.2, "#ffffff")
        + small_print(0, -120, 92, 4, "#ffffff", 8)
        + '<path d="M0 -196Q26 -176 0 -146Q-26 -176 0 -196M0 -190V-140" fill="none" stroke="#fff" stroke-width="1.8"/>'
    )
    body = Turned(
        ((-372, 30), (-362, 42), (-346, 74), (-322, 92), (-296, 96), (-60, 96), (-16, 94), (-4, 88), (0, 82)),
        body_colour,
        "satin",
        art,
        tilt=0.12,
    )
    neck = Turned(((-424, 30), (-418, 33), (-376, 33), (-370, 31)), cap, "satin", tilt=0.12)
    stem = Turned(((-486, 9), (-424, 9)), cap, "satin", tilt=0.12)
    path = (
        "M-96 -478Q-98 -500 -60 -502L20 -506Q30 -506 30 -496V-484Q30 -476 20 -476L-60 -484Q-78 -484 -80 -470L-94 -468Z"
    )
    head = Puff(area(path), area(path, cap), "satin", 12, drop=0.1)
    return Photo([*ground(90, 13), body, neck, disc(-423, 30, 0.12, cap), stem, head], backdrop, 800, 1000, 1.45, 0.88)


def spray(body_colour: str = "#f4f6f7", liquid: str = "#2a7fc0", trigger: str = "#d6332b") -> Photo:
    """A cleaning spray with trigger head."""
    art = (
        _label(140, -270, 190, liquid)
        + '<path d="M-140 -270H140V-214Q0 -256 -140 -190Z" fill="#fff" opacity=".22"/>'
        + word("BRIO", 0, -226, 36, "#ffffff", weight=1.0)
        + word("GLASS CLEANER", 0, -176, 10, "#fff3b0")
        + small_print(0, -144, 100, 4, "#dcecf8", 9)
    )
    body = Turned(
        (
            (-420, 24),
            (-400, 28),
            (-372, 52),
            (-330, 66),
            (-300, 78),
            (-262, 86),
            (-90, 88),
            (-20, 92),
            (-6, 90),
            (0, 82),
        ),
        body_colour,
        "satin",
        art,
        tilt=0.12,
    )
    collar = Turned(((-452, 26), (-446, 30), (-420, 30), (-414, 28)), trigger, "satin", tilt=0.12)
    head = "M-92 -522L-86 -552Q-40 -566 30 -560Q62 -556 66 -520L60 -478Q30 -452 14 -452H-22Q-26 -480 -44 -500Q-66 -506 -92 -506Z"
    lever = "M-52 -506Q-74 -470 -86 -414Q-92 -398 -80 -398Q-70 -398 -66 -414Q-54 -466 -28 -490Z"
    layers: list[Layer] = [
        *ground(86, 13),
        body,
        collar,
        Puff(area(lever), area(lever, "#f2f2f0"), "satin", 9),
        Puff(area(head), area(head, trigger), "satin", 20, drop=0.2),
        Puff(area("M-112 -530H-86V-502H-112Z"), area("M-112 -530H-86V-502H-112Z", "#f2f2f0"), "satin", 8),
    ]
    return Photo(layers, "grey", 800, 1000, scale=1.36, floor=0.89)


def perfume(liquid: str = "#e9b48c", cap: str = "#d9b064", backdrop: str = "dove") -> Photo:
    """A square glass flacon, rose liquid, metal cap."""
    glass = (
        '<defs><linearGradient id="g" x1="0" x2="1"><stop offset="0" stop-color="#fff" stop-opacity=".85"/>'
        '<stop offset=".05" stop-color="#8c8f93" stop-opacity=".55"/><stop offset=".1" stop-color="#fff" stop-opacity=".3"/>'
        '<stop offset=".9" stop-color="#fff" stop-opacity=".2"/><stop offset=".95" stop-color="#6d7075" stop-opacity=".6"/>'
        '<stop offset="1" stop-color="#fff" stop-opacity=".7"/></linearGradient>'
        f'<linearGradient id="q" x1="0" x2="1" y1="0" y2="1"><stop offset="0" stop-color="{liquid}" stop-opacity=".72"/>'
        f'<stop offset=".5" stop-color="{liquid}" stop-opacity=".95"/><stop offset="1" stop-color="{liquid}" stop-opacity=".7"/>'
        '</linearGradient><linearGradient id="k" x1="0" x2="0" y1="0" y2="1"><stop offset="0" stop-color="#fff" stop-opacity=".6"/>'
        '<stop offset=".2" stop-color="#fff" stop-opacity=".1"/><stop offset="1" stop-color="#3d3a38" stop-opacity=".3"/></linearGradient></defs>'
        '<rect x="-150" y="-310" width="300" height="318" rx="20" fill="url(#g)" stroke="#777b80" stroke-opacity=".5"/>'
        '<rect x="-150" y="-310" width="300" height="318" rx="20" fill="url(#k)"/>'
        '<rect x="-122" y="-262" width="244" height="236" rx="10" fill="url(#q)"/>'
        '<rect x="-122" y="-262" width="244" height="7" fill="#fff" opacity=".45"/>'
        '<path d="M-2 -300V-60Q-8 -44 -20 -36" fill="none" stroke="#fff" stroke-opacity=".5" stroke-width="4"/>'
        '<path d="M-136 -296H-104L-112 -8H-136Z" fill="#fff" opacity=".5"/><path d="M70 -262H108L60 -26H22Z" fill="#fff" opacity=".16"/>'
        '<path d="M-128 -18H128L140 0H-140Z" fill="#fff" opacity=".4"/>'
        '<rect x="-66" y="-190" width="132" height="92" fill="#fdfaf4" opacity=".93"/>'
    )
    text = word("NOEMIE", 0, -166, 19, "#3d342a", weight=0.5) + word("PARIS", 0, -128, 8, "#8d7b62")
    layers: list[Layer] = [
        *ground(146, 9),
        Flat(glass + text),
        Turned(((-344, 42), (-330, 44), (-312, 44)), "#c9a25a", "chrome", tilt=0.06),
        Turned(((-458, 54), (-452, 58), (-346, 58), (-340, 56)), cap, "chrome", tilt=0.07),
        disc(-457, 55, 0.08, cap, 0.6),
    ]
    return Photo(layers, backdrop, scale=1.2, floor=0.85)


def flask(colour: str = "#23272b", backdrop: str = "concrete") -> Photo:
    """A powder-coated steel drinking bottle."""
    art = word("NORDA", 0, -250, 24, "#e9e7e2", weight=0.55)
    body = Turned(
        ((-474, 48), (-462, 52), (-440, 66), (-404, 84), (-370, 88), (-30, 88), (-6, 84), (0, 80)),
        colour,
        "satin",
        art,
        tilt=0.12,
        grain=0.02,
    )
    steel = Turned(((-498, 50), (-492, 51), (-474, 51)), "#ffffff", "brushed", tilt=0.12)
    lid = Turned(((-566, 44), (-560, 50), (-504, 52), (-497, 51)), "#17191b", "satin", tilt=0.12)
    loop = "M-36 -556Q-40 -610 0 -610T36 -556"
    layers: list[Layer] = [
        *ground(84, 13),
        body,
        steel,
        lid,
        disc(-564, 45, 0.13, "#24272a"),
        Puff(line(loop, 15), line(loop, 15, "#1b1d1f"), "satin", 7),
    ]
    return Photo(layers, backdrop, 800, 1000, scale=1.36, floor=0.9)


def jar(honey: str = "#d98a12", lid: str = "#e8c04a") -> Photo:
    """A honey jar on a wooden table."""
    art = (
        _label(112, -190, 128, "#fbf4df")
        + word("WILDHAG", 0, -172, 16, "#5b3a12", weight=0.8)
        + '<path d="M0 -142L17 -132V-112L0 -102L-17 -112V-132Z" fill="#e6a92c" stroke="#5b3a12" stroke-width="2"/>'
        + word("HONEY", 0, -92, 11, "#5b3a12")
        + small_print(0, -74, 70, 2, "#b29a6a", 6)
    )
    body = Turned(
        ((-276, 104), (-268, 104), (-258, 110), (-236, 126), (-210, 130), (-40, 130), (-12, 126), (0, 112)),
        honey,
        "gloss",
        art,
        tilt=0.17,
    )
    glow = Flat(
        '<defs><linearGradient id="g" x1="0" x2="0" y1="0" y2="1"><stop offset="0" stop-color="#fff4c8" stop-opacity=".0"/>'
        '<stop offset="1" stop-color="#ffe9a8" stop-opacity=".5"/></linearGradient></defs>'
        '<path d="M-118 -44Q0 -16 118 -44V-6Q0 34 -112 2Z" fill="url(#g)"/>'
    )
    cap = Turned(((-330, 106), (-324, 110), (-284, 111), (-274, 111)), lid, "brushed", tilt=0.17)
    layers: list[Layer] = [*ground(124, 22), body, glow, cap, disc(-329, 107, 0.17, lid, 0.5)]
    return Photo(layers, "wood", scale=1.36, floor=0.83)


def can(colour: str = "#e2483d", stripe: str = "#fff3e2", name: str = "ZESTO", backdrop: str = "blue") -> Photo:
    """A drinks can, half litre, with a printed wave."""
    art = (
        f'<path d="M-160 -190Q-80 -250 0 -190T160 -190V-120Q80 -60 0 -120T-160 -120Z" fill="{stripe}"/>'
        f'<path d="M-160 -104Q-80 -164 0 -104T160 -104V-92Q80 -32 0 -92T-160 -92Z" fill="#f6b23c"/>'
        f'<g transform="rotate(-4 0 -170)">{word(name, 4, -168, 24, colour, weight=1.15)}</g>'
        + word("BLOOD ORANGE", 0, -300, 7.5, stripe)
        + word("330 ML", 0, -40, 8, stripe)
        + "".join(
            f'<circle cx="{x}" cy="{y}" r="{r}" fill="#fff" opacity=".5"/>'
            for x, y, r in ((-60, -262, 6), (-44, -284, 4), (52, -270, 5), (70, -252, 8), (30, -60, 5), (-40, -58, 4))
        )
    )
    steel = Turned(((-392, 76), (-386, 79), (-378, 80), (-366, 84)), "#ffffff", "brushed", tilt=0.15)
    body = Turned(((-370, 82), (-356, 92), (-338, 98), (-30, 98), (-14, 92), (-8, 88)), colour, "gloss", art, tilt=0.15)
    foot = Turned(((-14, 90), (-6, 84), (0, 76)), "#e4e6e8", "brushed", tilt=0.15)
    tab = '<ellipse cx="8" cy="-394" rx="26" ry="5" fill="#d5d8da" stroke="#7d8184" stroke-width="1.5"/>'
    layers: list[Layer] = [
        *ground(84, 14),
        foot,
        body,
        steel,
        mouth(-391, 76, 0.15, "#d9dcde", "#a9adb0", 7),
        Flat(tab),
    ]
    return Photo(layers, backdrop, scale=1.42, floor=0.84)
