"""The living room: colours come in, photos of a lamp, a chair, a candle, a plant and a toy go out."""
# ruff: noqa: E501 - an SVG path broken over lines reads worse than a long one

import math
import random
from typing import TYPE_CHECKING

from stream.demo.drawings.lettering import small_print, word
from stream.demo.drawings.props import area, disc, ground, line, mouth
from stream.demo.drawings.solids import Flat, Puff, Shade, Turned
from stream.demo.drawings.studio import Photo

if TYPE_CHECKING:
    from stream.demo.drawings.canvas import Layer


def _leaf(x: float, y: float, turn: float, length: float, wide: float) -> str:
    return (
        f'<path transform="translate({x:.1f} {y:.1f}) rotate({turn:.1f})" fill="#fff" '
        f'd="M0 0Q{-wide:.1f} {-length * 0.45:.1f} 0 {-length:.1f}Q{wide:.1f} {-length * 0.45:.1f} 0 0Z"/>'
    )


def plant(pot: str = "#c9744b", backdrop: str = "sage") -> Photo:
    """A snake-leaved plant in a clay pot: thin tips and gaps, hard to cut out."""
    dice = random.Random(5)
    layers: list[Layer] = [*ground(112, 22), Shade('<ellipse cx="120" cy="30" rx="170" ry="24"/>', 26, 0.2)]
    body = Turned(
        ((-214, 124), (-206, 128), (-170, 128), (-164, 122), (-20, 92), (-6, 88), (0, 82)),
        pot,
        "matte",
        tilt=0.18,
        grain=0.06,
    )
    layers += [body, mouth(-212, 126, 0.18, pot, "#3a2a20", 11)]
    layers.append(Turned(((-206, 112), (-205, 113)), "#2d211a", "matte", tilt=0.18))
    greens = ("#3f7a3d", "#4f9148", "#2f6636", "#62a052", "#478a4b")
    for i in range(15):
        turn = (i - 7) * 9.5 + dice.uniform(-7, 7)
        length = dice.uniform(200, 330) * math.cos(math.radians(turn * 0.75))
        shape = _leaf((i - 7) * 9, -206 + dice.uniform(-6, 10), turn, length, dice.uniform(30, 46))
        vein = (
            f'<g transform="translate({(i - 7) * 9:.1f} -206) rotate({turn:.1f})">'
            + line(f"M0 -10V{-length * 0.93:.1f}", 1.6, "#dbe8b8", 'opacity=".55"')
            + "</g>"
        )
        layers.append(Puff(shape, shape.replace("#fff", greens[i % 5]) + vein, "satin", 14, 0.7, drop=0.3 * (i % 2)))
    front = f'<path d="M-126 -212A126 23 0 0 0 126 -212L126 -203A126 24 0 0 1 -126 -203Z" fill="{pot}"/>'
    layers.append(Puff(front.replace(pot, "#fff"), front, "matte", 4, 0.4))
    return Photo(layers, backdrop, 800, 1000, scale=1.38, floor=0.88)


def candle(wax: str = "#efe4cf", label: str = "#ffffff", backdrop: str = "linen") -> Photo:
    """A scented candle in a tinted glass, burning."""
    art = (
        f'<rect x="-70" y="-150" width="140" height="104" fill="{label}"/><rect x="-64" y="-144" width="128" height="92" '
        'fill="none" stroke="#333" stroke-width="1"/>'
        + word("FIG LEAF", 0, -128, 13, "#2a2a2a", weight=0.6)
        + word("SOY WAX", 0, -100, 7, "#666")
        + small_print(0, -80, 70, 3, "#888", 7)
    )
    flame = '<path d="M0 -318Q-15 -286 -9 -272Q0 -262 9 -272Q15 -286 0 -318Z" fill="#ffd979"/><path d="M0 -304Q-7 -284 -4 -275Q0 -270 4 -275Q7 -284 0 -304Z" fill="#fffbe8"/>'
    glow = '<defs><radialGradient id="w"><stop offset="0" stop-color="#ffd98a" stop-opacity=".75"/><stop offset="1" stop-color="#ffd98a" stop-opacity="0"/></radialGradient></defs><circle cx="0" cy="-288" r="96" fill="url(#w)"/>'
    layers: list[Layer] = [
        *ground(112, 21),
        Turned(((-236, 118), (-230, 120), (-40, 120), (-12, 117), (0, 104)), wax, "gloss", art, tilt=0.19),
        mouth(-236, 119, 0.19, "#f3efe8", "#d9cbb0", 6),
        disc(-228, 108, 0.17, wax, 0.3),
        Flat(
            '<ellipse cx="0" cy="-230" rx="62" ry="10" fill="#fff3cf" opacity=".8"/>'
            + line("M0 -230V-266", 3.4, "#2a2420")
        ),
        Flat(glow + flame),
        Flat(
            '<path d="M-119 -236A119 22.6 0 0 0 119 -236" fill="none" stroke="#fff" stroke-opacity=".8" stroke-width="2.4"/>'
        ),
    ]
    return Photo(layers, backdrop, scale=1.4, floor=0.81)


def lamp(shade: str = "#f0e6d2", base: str = "#5f7f86", backdrop: str = "wood") -> Photo:
    """A table lamp with a linen shade, switched on."""
    glow = (
        '<defs><radialGradient id="w"><stop offset="0" stop-color="#fff0cc" stop-opacity=".62"/>'
        '<stop offset="1" stop-color="#fff0cc" stop-opacity="0"/></radialGradient></defs>'
        '<ellipse cx="0" cy="-400" rx="330" ry="260" fill="url(#w)"/>'
    )
    weave = "".join(
        f'<rect x="{x}" y="-560" width=".8" height="240" fill="#a68f66" opacity=".28"/>' for x in range(-300, 300, 5)
    )
    warm = (
        '<defs><radialGradient id="h" cx=".5" cy=".62" r=".42"><stop offset="0" stop-color="#fffbe9"/>'
        '<stop offset="1" stop-color="#ffe3a6" stop-opacity="0"/></radialGradient></defs>'
        '<rect x="-320" y="-560" width="640" height="250" fill="url(#h)"/>'
    )
    layers: list[Layer] = [
        *ground(92, 15),
        Flat(glow),
        Turned(((-340, 9), (-232, 9)), "#c9a86a", "chrome", tilt=0.1),
        Turned(
            ((-240, 16), (-226, 22), (-206, 44), (-160, 86), (-110, 100), (-60, 84), (-24, 60), (-12, 62), (0, 66)),
            base,
            "gloss",
            tilt=0.13,
        ),
        Flat('<ellipse cx="0" cy="-330" rx="176" ry="16" fill="#b89a68"/>'),
        Turned(((-548, 112), (-546, 113), (-334, 175), (-330, 176)), shade, "matte", weave + warm, tilt=0.09),
        mouth(-548, 112, 0.09, shade, "#fff4d2", 3),
    ]
    return Photo(layers, backdrop, 800, 1000, scale=1.44, floor=0.88)


def chair(seat: str = "#d9a21b", wood: str = "#c69460", backdrop: str = "grey") -> Photo:
    """A moulded shell chair on wooden legs."""
    shell = (
        "M-128 -560Q-150 -566 -150 -520Q-150 -420 -132 -350Q-160 -330 -170 -296Q-176 -262 -140 -252Q0 -226 140 -252Q176 -262 170 -296"
        "Q160 -330 132 -350Q150 -420 150 -520Q150 -566 128 -560Q0 -596 -128 -560Z"
    )
    lip = "M-170 -300Q-150 -330 -100 -336Q0 -350 100 -336Q150 -330 170 -300Q178 -260 140 -251Q0 -225 -140 -251Q-178 -260 -170 -300Z"
    fold = '<path d="M-120 -352Q0 -384 120 -352Q60 -334 0 -334T-120 -352Z"/>'
    back = line("M-78 -262L-112 -46", 15) + line("M78 -262L112 -46", 15)
    front = line("M-110 -256L-158 0", 18) + line("M110 -256L158 0", 18)
    struts = line("M-128 -150L104 -70M128 -150L-104 -70M-128 -154H128", 5)
    layers: list[Layer] = [
        Shade('<ellipse cx="20" cy="-16" rx="230" ry="40"/>', 34, 0.34),
        Shade('<ellipse cx="-156" cy="4" rx="20" ry="6"/><ellipse cx="160" cy="4" rx="20" ry="6"/>', 5, 0.6),
        Shade('<ellipse cx="-110" cy="-42" rx="16" ry="5"/><ellipse cx="114" cy="-42" rx="16" ry="5"/>', 5, 0.5),
        Puff(back, back.replace("#fff", "#a2744a"), "satin", 7),
        Puff(struts, struts.replace("#fff", "#3a3a3c"), "chrome", 3),
        Puff(front, front.replace("#fff", wood), "satin", 8),
        Puff(area(shell), area(shell, seat), "satin", 52, 0.8, drop=0.12),
        Shade(fold, 12, 0.36),
        Puff(area(lip), area(lip, seat), "satin", 34, 0.9, drop=0.2, see_through=0.92),
    ]
    return Photo(layers, backdrop, 800, 1000, scale=1.4, floor=0.89)


def duck(colour: str = "#f6c21c", beak: str = "#ef7a1a", backdrop: str = "blue") -> Photo:
    """A rubber duck."""
    body = (
        "M-214 -150Q-190 -176 -150 -170Q-60 -166 -20 -210Q40 -230 120 -210Q196 -200 236 -246Q262 -250 258 -190Q250 -60 150 -14"
        "Q40 14 -90 -4Q-210 -30 -214 -150Z"
    )
    wing = "M-20 -150Q60 -196 176 -160Q206 -150 186 -124Q130 -60 50 -66Q-20 -76 -20 -150Z"
    bill = "M-226 -316Q-290 -330 -300 -300Q-302 -282 -270 -276Q-300 -262 -280 -248Q-250 -240 -210 -262Z"

    def low(markup: str) -> str:
        return f'<g transform="translate(6 42)">{markup}</g>'

    eye = (
        '<ellipse cx="-172" cy="-342" rx="15" ry="19" fill="#fff"/><ellipse cx="-176" cy="-340" rx="9.5" ry="13" fill="#171717"/>'
        '<circle cx="-180" cy="-346" r="3.6" fill="#fff"/>'
    )
    layers: list[Layer] = [
        *ground(150, 7, 8, 0.85),
        Puff(area(body), area(body, colour), "satin", 80, 1.1),
        Puff(
            '<circle cx="-130" cy="-258" r="112"/>',
            f'<circle cx="-130" cy="-258" r="112" fill="{colour}"/>',
            "gloss",
            84,
            1.1,
            drop=0.16,
        ),
        Puff(area(wing), area(wing, colour), "satin", 34, 0.8, drop=0.2),
        Puff(low(area(bill)), low(area(bill, beak)), "gloss", 20, drop=0.12),
        Flat(low(line("M-292 -280Q-260 -272 -226 -284", 3, "#9c4208") + eye)),
    ]
    return Photo(layers, backdrop, scale=1.2, floor=0.8, shift=0.03)
