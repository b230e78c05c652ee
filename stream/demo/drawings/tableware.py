"""The kitchen table: colours come in, photos of mugs, glasses, a kettle and a tap go out."""
# ruff: noqa: E501 - an SVG path broken over lines reads worse than a long one

import random
from typing import TYPE_CHECKING

from stream.demo.drawings.props import area, disc, ground, line, mouth
from stream.demo.drawings.solids import Flat, Puff, Shade, Turned
from stream.demo.drawings.studio import Photo

if TYPE_CHECKING:
    from stream.demo.drawings.canvas import Layer


def mug(
    colour: str = "#c8402f", inside: str = "#f4efe6", backdrop: str = "grey", art: str = "", material: str = "gloss"
) -> Photo:
    """A mug with its handle to the right; the hole in the handle shows the backdrop."""
    handle = "M128 -232Q236 -250 236 -150T124 -52"
    tilt = 0.2
    layers: list[Layer] = [
        *ground(128, 24),
        Shade('<ellipse cx="206" cy="20" rx="70" ry="14"/>', 16, 0.3),
        Puff(line(handle, 32), line(handle, 32, colour), material, 16),
        Turned(
            ((-290, 138), (-284, 140), (-270, 139), (-80, 136), (-34, 130), (-10, 116), (0, 106)),
            colour,
            material,
            art,
            tilt=tilt,
        ),
        mouth(-290, 138.5, tilt, colour, inside, 9),
    ]
    return Photo(layers, backdrop, scale=1.32, floor=0.82, shift=-0.05)


def speckled_mug() -> Photo:
    """A stoneware mug: raw clay foot, oat glaze, iron specks."""
    iron = random.Random(3)
    dots = "".join(
        f'<circle cx="{iron.uniform(-218, 218):.1f}" cy="{iron.uniform(-290, 0):.1f}" r="{iron.uniform(0.6, 2.6):.1f}" '
        'fill="#6b4a30" opacity=".8"/>'
        for _ in range(190)
    )
    drip = "M-230 -66Q-190 -54 -150 -64T-60 -58T30 -66T120 -56T230 -64V10H-230Z"
    art = dots + area(drip, "#b98b63")
    return mug("#e3d8c3", "#d8ccb5", "walnut", art, "satin")


def wine_glass(drink: str = "#5c0f1e") -> Photo:
    """A stemmed glass, a third full."""
    tilt = 0.12
    bowl = (
        (-560.0, 78.0),
        (-520.0, 92.0),
        (-460.0, 106.0),
        (-410.0, 108.0),
        (-360.0, 96.0),
        (-318.0, 66.0),
        (-290.0, 30.0),
        (-276.0, 11.0),
        (-262.0, 7.5),
    )
    stem = (
        (-264.0, 7.5),
        (-240.0, 6.0),
        (-90.0, 6.0),
        (-40.0, 8.0),
        (-18.0, 16.0),
        (-8.0, 46.0),
        (-3.0, 92.0),
        (0.0, 98.0),
    )
    filled = ((-436.0, 103.0), (-410.0, 103.0), (-360.0, 92.0), (-318.0, 62.0), (-296.0, 30.0), (-288.0, 12.0))
    rim = (
        '<ellipse cx="0" cy="-560" rx="78" ry="9.4" fill="#fff" fill-opacity=".12" stroke="#fff" stroke-opacity=".8" '
        'stroke-width="2.2"/><ellipse cx="0" cy="-559" rx="78" ry="9.4" fill="none" stroke="#555" stroke-opacity=".4" stroke-width="1"/>'
    )
    shine = (
        '<path d="M-84 -500Q-92 -440 -76 -372L-62 -378Q-76 -436 -68 -504Z" fill="#fff" opacity=".62"/>'
        '<path d="M78 -480Q86 -430 76 -390L70 -392Q78 -430 71 -478Z" fill="#fff" opacity=".4"/>'
    )
    layers: list[Layer] = [
        Shade('<ellipse cx="60" cy="10" rx="130" ry="20"/>', 26, 0.16),
        Shade('<ellipse cx="4" cy="3" rx="98" ry="12"/>', 4, 0.34),
        Shade('<ellipse cx="70" cy="14" rx="60" ry="6"/>', 8, 0.16),
        Turned(stem, "#f2f5f6", "glass", tilt=tilt, clear=0.86),
        Turned(filled, drink, "gloss", tilt=tilt, clear=0.12),
        disc(-436, 103, tilt, drink, 0.5),
        Turned(bowl, "#f6f8f8", "glass", tilt=tilt, clear=0.9),
        Flat(rim + shine),
    ]
    return Photo(layers, "dove", 800, 1000, scale=1.4, floor=0.9)


def carafe(water: str = "#bcd6da") -> Photo:
    """A glass carafe half full of water, with a cork."""
    tilt = 0.14
    body = (
        (-500.0, 54.0),
        (-492.0, 52.0),
        (-440.0, 46.0),
        (-390.0, 50.0),
        (-330.0, 78.0),
        (-260.0, 112.0),
        (-180.0, 130.0),
        (-90.0, 132.0),
        (-30.0, 122.0),
        (-8.0, 106.0),
        (0.0, 92.0),
    )
    filled = ((-232.0, 115.0), (-180.0, 125.0), (-90.0, 127.0), (-30.0, 117.0), (-14.0, 100.0))
    cork = Turned(((-552, 48), (-546, 51), (-470, 44)), "#c69a66", "matte", tilt=tilt, grain=0.12)
    shine = (
        '<path d="M-106 -236Q-122 -160 -108 -60L-88 -54Q-100 -150 -84 -250Z" fill="#fff" opacity=".5"/>'
        '<ellipse cx="6" cy="6" rx="84" ry="9" fill="#fff" opacity=".35"/>'
    )
    layers: list[Layer] = [
        Shade('<ellipse cx="70" cy="16" rx="170" ry="26"/>', 26, 0.2),
        Shade('<ellipse cx="4" cy="4" rx="104" ry="17"/>', 5, 0.36),
        cork,
        disc(-551, 49, tilt, "#cfa572"),
        Turned(filled, water, "glass", tilt=tilt, clear=0.55),
        Flat(
            f'<ellipse cx="0" cy="-232" rx="115" ry="15" fill="{water}" fill-opacity=".55" stroke="#fff" stroke-opacity=".7"/>'
        ),
        Turned(body, "#eff5f5", "glass", tilt=tilt, clear=0.84),
        Flat(shine),
    ]
    return Photo(layers, "blue", 800, 1000, scale=1.42, floor=0.87)


def kettle() -> Photo:
    """A chrome stove kettle with a black handle."""
    spout = "M112 -96Q176 -120 196 -206L234 -224Q226 -110 150 -44Z"
    arch = "M-118 -250Q-134 -420 0 -424T118 -250"
    layers: list[Layer] = [
        *ground(160, 28),
        Puff(area(spout), area(spout, "#ffffff"), "chrome", 20, swell=1.2),
        Turned(
            (
                (-266, 62),
                (-256, 84),
                (-236, 112),
                (-200, 142),
                (-150, 160),
                (-90, 168),
                (-40, 168),
                (-12, 160),
                (0, 150),
            ),
            "#ffffff",
            "chrome",
            tilt=0.17,
        ),
        Turned(((-284, 30), (-280, 48), (-272, 62), (-264, 68)), "#f4f4f4", "chrome", tilt=0.17),
        Turned(((-322, 12), (-316, 20), (-306, 21), (-296, 12), (-282, 10)), "#1b1b1c", "gloss", tilt=0.1),
        Puff(
            line("M-118 -200V-262", 15) + line("M118 -200V-262", 15),
            line("M-118 -200V-262", 15) + line("M118 -200V-262", 15),
            "chrome",
            8,
        ),
        Puff(line(arch, 29), line(arch, 29, "#1d1d1f"), "gloss", 14, drop=0.12),
    ]
    return Photo(layers, "grey", 1000, 800, scale=1.42, floor=0.84, shift=-0.03)


def tap() -> Photo:
    """A chrome gooseneck tap on a pale counter."""
    neck = "M0 -60V-420Q0 -540 118 -540T232 -424V-372"
    lever = "M40 -128L132 -168"
    layers: list[Layer] = [
        *ground(56, 10),
        Shade('<ellipse cx="190" cy="16" rx="180" ry="10"/>', 18, 0.2),
        Puff(line(neck, 38), line(neck, 40), "chrome", 19),
        Turned(((-396, 21), (-392, 24), (-360, 24), (-356, 22)), "#fff", "chrome", centre=232, tilt=0.1),
        Turned(
            ((-190, 26), (-184, 32), (-70, 32), (-60, 33), (-20, 34), (-14, 50), (0, 54)), "#fff", "chrome", tilt=0.13
        ),
        Puff(line(lever, 15), line(lever, 15), "chrome", 7.5, drop=0.15),
        Turned(((-150, 19), (-146, 21), (-110, 21), (-106, 19)), "#fff", "chrome", centre=36, tilt=0.1),
    ]
    return Photo(layers, "white", 800, 1000, scale=1.42, floor=0.89, shift=-0.13)
