"""The wardrobe shelf: colours come in, photos of a bag, a watch and headphones go out."""
# ruff: noqa: E501 - an SVG path broken over lines reads worse than a long one

import math

from stream.demo.drawings.canvas import Layer
from stream.demo.drawings.lettering import word
from stream.demo.drawings.props import area, line, stitches
from stream.demo.drawings.solids import Flat, Puff, Shade
from stream.demo.drawings.studio import Photo


def _buckle(x: float, y: float) -> list[Layer]:
    ring = f'<rect x="{x - 17}" y="{y - 13}" width="34" height="26" rx="5" fill="none" stroke="#fff" stroke-width="6"/>'
    return [Puff(ring, ring.replace("#fff", "#d9b25c"), "chrome", 3, drop=0.4)]


def bag(leather: str = "#9a5b34", edge: str = "#5f3519", thread: str = "#e8cda6", backdrop: str = "beige") -> Photo:
    """A leather tote with two handles and a front pocket."""
    body = "M-186 -300Q-188 -308 -178 -308H178Q188 -308 186 -300L222 -24Q224 0 200 2Q0 14 -200 2Q-224 0 -222 -24Z"
    pocket = "M-124 -196Q0 -188 124 -196L134 -58Q134 -44 120 -43Q0 -36 -120 -43Q-134 -44 -134 -58Z"
    flap = "M-130 -204Q0 -196 130 -204L134 -160Q80 -132 0 -130Q-80 -132 -134 -160Z"
    far = "M-104 -300Q-108 -520 0 -524T104 -300"
    near = "M-112 -252Q-124 -478 0 -482T112 -252"
    tabs = area("M-128 -274H-96V-208H-128Z") + area("M96 -274H128V-208H96Z")
    seams = (
        stitches("M-178 -298L-212 -20Q-206 -8 -190 -8Q0 2 190 -8Q206 -8 212 -20L178 -298", thread)
        + stitches("M-118 -60Q-118 -54 -112 -53Q0 -46 112 -53L120 -60", thread)
        + stitches("M-126 -160Q-76 -138 0 -136Q76 -138 126 -160", thread)
    )
    folds = area("M-150 -296Q-120 -150 -170 -30L-160 -30Q-104 -150 -138 -296Z", "#fff", 'opacity=".6"') + area(
        "M150 -296Q124 -150 176 -30L166 -30Q108 -150 138 -296Z", "#fff", 'opacity=".6"'
    )
    layers: list[Layer] = [
        Shade('<ellipse cx="40" cy="8" rx="270" ry="34"/>', 34, 0.36),
        Shade('<ellipse cx="4" cy="5" rx="216" ry="11"/>', 6, 0.6),
        Puff(line(far, 17), line(far, 17, edge), "satin", 8, grain=0.14),
        Puff(area(body), area(body, leather), "satin", 44, 0.75, relief=folds, rise=9, grain=0.3),
        Puff(area(pocket), area(pocket, leather), "satin", 10, 0.5, grain=0.3, drop=0.28),
        Puff(area(flap), area(flap, leather), "satin", 12, 0.6, grain=0.3, drop=0.34),
        Puff(line(near, 18), line(near, 18, leather), "satin", 9, grain=0.14, drop=0.26),
        Puff(tabs, tabs.replace("#fff", leather), "satin", 6, 0.6, grain=0.2, drop=0.3),
        Flat(f'<g opacity=".8">{seams}</g>' + word("HOLM", 0, -92, 14, edge, weight=0.8)),
        *_buckle(-112, -262),
        *_buckle(112, -262),
    ]
    clasp = '<circle cx="0" cy="-146" r="9" fill="#fff"/>'
    layers.append(Puff(clasp, clasp.replace("#fff", "#d9b25c"), "chrome", 8, drop=0.4))
    return Photo(layers, backdrop, scale=1.22, floor=0.89)


def _ring(radius: float, width: float, colour: str = "#fff") -> str:
    return f'<circle cx="0" cy="-300" r="{radius}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _dial(face: str, ink: str, accent: str) -> str:
    marks = ""
    for i in range(60):
        turn = math.radians(i * 6)
        inner, wide = (82, 5.5) if i % 5 == 0 else (92, 1.5)
        s, c = math.sin(turn), -math.cos(turn)
        marks += line(f"M{s * inner:.1f} {-300 + c * inner:.1f}L{s * 99:.1f} {-300 + c * 99:.1f}", wide, ink)
    hands = (
        line("M-10 -294L-48 -328", 8, ink)
        + line("M-12 -290L58 -352", 5.6, ink)
        + line("M6 -330L-18 -212", 2, accent)
        + f'<circle cx="0" cy="-300" r="7" fill="{accent}"/>'
    )
    small = (
        f'<circle cx="0" cy="-258" r="25" fill="none" stroke="{ink}" stroke-opacity=".5" stroke-width="1.4"/>'
        + line("M0 -258L12 -272", 2, ink)
        + '<rect x="50" y="-309" width="26" height="18" fill="#f5f5f0"/>'
        + word("24", 63, -305, 10, "#222", weight=0.9)
    )
    glass = (
        '<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#fff" stop-opacity=".42"/>'
        '<stop offset=".42" stop-color="#fff" stop-opacity=".08"/><stop offset=".43" stop-color="#fff" stop-opacity="0"/></linearGradient>'
        '<radialGradient id="s"><stop offset=".8" stop-color="#000" stop-opacity="0"/><stop offset="1" stop-color="#000" stop-opacity=".5"/></radialGradient></defs>'
        '<circle cx="0" cy="-300" r="106" fill="url(#s)"/>'
    )
    sheen = '<circle cx="0" cy="-300" r="106" fill="url(#g)"/>'
    return f'<circle cx="0" cy="-300" r="107" fill="{face}"/>{marks}{word("ORBE", 0, -354, 11, ink)}{small}{glass}{hands}{sheen}'


def watch(face: str = "#16283f", strap: str = "#3b2a20", accent: str = "#e2a93b", backdrop: str = "concrete") -> Photo:
    """A wristwatch lying flat, steel case, leather strap."""
    upper = "M-62 -396Q-54 -420 -52 -440L-46 -640Q-46 -650 -36 -650H36Q46 -650 46 -640L52 -440Q54 -420 62 -396Z"
    lower = "M-62 -204Q-54 -180 -52 -160L-44 30Q-42 56 0 58Q42 56 44 30L52 -160Q54 -180 62 -204Z"
    lugs = "".join(
        f'<path transform="translate({x} {y}) scale({sx} {sy})" d="M0 0Q-4 -30 -16 -44L10 -48Q28 -30 34 0Z"/>'
        for x, y, sx, sy in ((-92, -376, 1, 1), (92, -376, -1, 1), (-92, -224, 1, -1), (92, -224, -1, -1))
    )
    holes = "".join(f'<ellipse cx="0" cy="{y}" rx="4.5" ry="5.5" fill="#0d0906"/>' for y in range(-70, 34, 30))
    seams = stitches("M-50 -400L-38 -640M50 -400L38 -640M-50 -200L-36 24Q-30 46 0 48Q30 46 36 24L50 -200", "#c9ab84", 2)
    crown = '<rect x="124" y="-315" width="26" height="30" rx="5"/>'
    flat = '<circle cx="0" cy="-300" r="128"/>' + area(upper) + area(lower)
    layers: list[Layer] = [
        Shade(f'<g transform="translate(22 20)">{flat}</g>', 22, 0.42),
        Shade(f'<g transform="translate(5 7)">{flat}</g>', 6, 0.45),
        Puff(area(upper) + area(lower), area(upper, strap) + area(lower, strap), "satin", 24, 0.7, grain=0.28),
        Flat(f'<g opacity=".8">{seams}</g>{holes}'),
        Puff(crown, crown.replace("/>", ' fill="#fff"/>'), "brushed", 9),
        Puff(lugs, lugs.replace("/>", ' fill="#fff"/>'), "chrome", 14, drop=0.3),
        Puff(_ring(116, 26), _ring(116, 26), "chrome", 13, 1.3, drop=0.3),
        Flat(_dial(face, "#f0eee8", accent)),
        Puff(_ring(107, 5), _ring(107, 5), "chrome", 2.5),
    ]
    return Photo(layers, backdrop, 800, 1000, scale=1.24, floor=0.88)


def headphones(
    shell: str = "#2a2c30", cushion: str = "#4a3528", metal: str = "#e6e2da", backdrop: str = "sage"
) -> Photo:
    """Over-ear headphones, standing, seen from the front."""
    band = "M-206 -236Q-226 -520 0 -524T206 -236"
    pad = "M-176 -372Q-146 -484 0 -486T176 -372"
    rods = line("M-207 -300L-204 -190", 13) + line("M207 -300L204 -190", 13)

    def cup(side: int) -> list[Layer]:
        outer = f'<ellipse cx="{side * 212}" cy="-136" rx="58" ry="126" transform="rotate({side * -5} {side * 212} -136)" fill="#fff"/>'
        inner = f'<ellipse cx="{side * 158}" cy="-134" rx="46" ry="112" transform="rotate({side * -5} {side * 158} -134)" fill="#fff"/>'
        rim = outer.replace('fill="#fff"', 'fill="none" stroke="#fff" stroke-width="5"')
        return [
            Puff(inner, inner.replace("#fff", cushion), "satin", 40, 0.9, grain=0.2),
            Puff(outer, outer.replace("#fff", shell), "satin", 46, 1.0, drop=0.3),
            Puff(rim, rim.replace("#fff", metal), "chrome", 3),
        ]

    layers: list[Layer] = [
        Shade('<ellipse cx="24" cy="-2" rx="300" ry="26"/>', 26, 0.34),
        Shade('<ellipse cx="-196" cy="-8" rx="74" ry="10"/><ellipse cx="200" cy="-8" rx="74" ry="10"/>', 6, 0.6),
        Puff(line(band, 34), line(band, 34, shell), "satin", 16),
        Puff(line(pad, 40), line(pad, 40, cushion), "satin", 20, 1.0, grain=0.2, drop=0.2),
        Puff(rods, rods, "chrome", 6),
        *cup(-1),
        *cup(1),
        Flat(word("L", -216, -150, 16, "#8b8d92") + word("R", 216, -150, 16, "#8b8d92")),
    ]
    return Photo(layers, backdrop, scale=1.24, floor=0.89)
