"""The packing bench: colours come in, photos of cartons, gift boxes and books go out."""
# ruff: noqa: E501 - an SVG path broken over lines reads worse than a long one

from typing import TYPE_CHECKING

from stream.demo.drawings.lettering import small_print, word
from stream.demo.drawings.props import area, line
from stream.demo.drawings.solids import Flat, Puff, Shade
from stream.demo.drawings.studio import Photo

if TYPE_CHECKING:
    from stream.demo.drawings.canvas import Layer

_FADES = (
    '<defs><linearGradient id="lit" x1="0" x2="1" y1="0" y2="1"><stop offset="0" stop-color="#fff" stop-opacity=".3"/>'
    '<stop offset=".5" stop-color="#fff" stop-opacity="0"/><stop offset="1" stop-color="#000" stop-opacity=".12"/></linearGradient>'
    '<linearGradient id="dim" x1="0" x2="1" y1="0" y2=".4"><stop offset="0" stop-color="#000" stop-opacity=".3"/>'
    '<stop offset="1" stop-color="#000" stop-opacity=".46"/></linearGradient>'
    '<linearGradient id="foot" x1="0" x2="0" y1="0" y2="1"><stop offset=".7" stop-color="#000" stop-opacity="0"/>'
    '<stop offset="1" stop-color="#000" stop-opacity=".2"/></linearGradient></defs>'
)


def _face(points: str, colour: str, *fades: str) -> str:
    veil = "".join(f'<polygon points="{points}" fill="url(#{fade})"/>' for fade in fades)
    return f'<polygon points="{points}" fill="{colour}" stroke="{colour}" stroke-width=".8" stroke-linejoin="round"/>{veil}'


def carton(colour: str = "#f7f7f2", wave: str = "#3c8fd0", name: str = "MEADOW", backdrop: str = "blue") -> Photo:
    """A milk carton with a gable top, seen from its corner."""
    front = _face("-150,-420 70,-440 70,24 -150,0", colour, "lit", "foot")
    side = _face("70,-440 176,-412 176,-2 70,24", colour, "dim", "foot")
    roof = _face("-150,-420 70,-440 78,-536 -112,-518", colour, "lit")
    gable = _face("70,-440 176,-412 78,-536", "#e2e2dc", "dim")
    fin = _face("-112,-518 78,-536 78,-576 -112,-556", colour, "lit")
    art = (
        f'<polygon points="-150,-170 -60,-220 10,-180 70,-210 70,24 -150,0" fill="{wave}"/>'
        f'<polygon points="70,-210 120,-180 176,-220 176,-2 70,24" fill="{wave}"/><polygon points="70,-210 120,-180 176,-220 176,-2 70,24" fill="url(#dim)"/>'
        f'<g transform="matrix(1 -.09 0 1 0 0)">{word(name, -40, -372, 26, "#1d3b55", weight=0.9)}{word("WHOLE MILK", -40, -330, 11, wave)}'
        f'<path d="M-72 -250Q-40 -330 -8 -250Q-4 -214 -40 -214T-72 -250Z" fill="{wave}"/>'
        f"{word('1 L', -40, -66, 24, '#ffffff')}{small_print(-40, -30, 120, 2, '#ffffff', 8)}</g>"
        f'<g transform="matrix(1 .26 0 1 0 0)" opacity=".75">{small_print(124, -420, 70, 14, "#56636e", 11)}</g>'
        + line("M70 -440V24", 1.5, "#00000022")
        + line("M-150 -420L70 -440L176 -412", 1.5, "#00000025")
        + line("M-112 -518L78 -536", 2, "#0000002a")
    )
    cap = line("M-26 -484L-22 -470", 44, "#2d6fa8")
    layers: list[Layer] = [
        Shade('<polygon points="-150,0 70,30 190,0 330,10 260,40 60,50"/>', 22, 0.42),
        Shade('<polygon points="-156,0 70,32 182,0 60,14"/>', 4, 0.6),
        Flat(_FADES + roof + gable + fin + front + side + art),
        Puff(cap, cap, "satin", 15, 0.9, drop=0.25),
    ]
    return Photo(layers, backdrop, 800, 1000, scale=1.34, floor=0.86)


def gift(paper: str = "#b8323e", ribbon: str = "#e8c77c", backdrop: str = "dove") -> Photo:
    """A wrapped box with a satin bow."""
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="5" fill="#fff" opacity=".22"/>'
        for y in range(-230, 0, 34)
        for x in range(-206 + y % 3 * 9, 60, 34)
    )
    front = (
        _face("-220,-230 60,-246 60,34 -220,0", paper)
        + f'<g transform="matrix(1 .03 0 1 0 6)">{dots}</g>'
        + _face("-220,-230 60,-246 60,34 -220,0", "none", "lit", "foot")
    )
    side = _face("60,-246 230,-226 230,-6 60,34", paper, "dim", "foot")
    lid_front = _face("-232,-290 62,-308 62,-228 -232,-216", paper, "lit")
    lid_side = _face("62,-308 242,-286 242,-214 62,-228", paper, "dim")
    top = (
        _face("-232,-290 62,-308 242,-286 -40,-272", paper, "lit")
        + '<polygon points="-232,-290 62,-308 242,-286 -40,-272" fill="#fff" opacity=".12"/>'
    )
    bands = _face("-104,-300 -60,-303 -60,20 -104,14", ribbon, "lit", "foot") + _face(
        "134,-300 164,-296 164,11 134,18", ribbon, "dim", "foot"
    )
    edge = line("M-232 -216L62 -228L242 -214", 3, "#00000040") + line("M62 -308V-228", 1.2, "#ffffff40")
    loops = (
        "M0 -300Q-40 -400 -130 -396Q-180 -384 -150 -340Q-100 -300 0 -292Z",
        "M0 -300Q40 -404 130 -396Q186 -380 150 -338Q100 -300 0 -292Z",
        "M-8 -300Q-70 -282 -130 -236L-112 -214L-86 -222Q-40 -270 6 -292Z",
        "M6 -300Q70 -284 120 -240L106 -214L82 -226Q40 -270 -6 -292Z",
    )
    holes = area("M-24 -318Q-70 -366 -122 -370Q-132 -350 -100 -332Q-60 -314 -24 -310Z") + area(
        "M24 -318Q70 -370 122 -370Q134 -350 100 -332Q60 -314 24 -310Z"
    )
    layers: list[Layer] = [
        Shade('<polygon points="-220,0 60,40 240,0 380,14 300,46 60,60"/>', 24, 0.4),
        Shade('<polygon points="-224,0 60,42 236,-4 60,20"/>', 4, 0.6),
        Flat(_FADES + front + side + top + lid_front + lid_side + bands + edge),
    ]
    layers += [Puff(area(p), area(p, ribbon), "satin", 17, 0.9, drop=0.3) for p in loops[2:] + loops[:2]]
    layers += [
        Puff(holes, holes.replace("#fff", "#8d6f33"), "matte", 12, 0.4),
        Puff(
            '<ellipse cx="0" cy="-304" rx="26" ry="22"/>',
            f'<ellipse cx="0" cy="-304" rx="26" ry="22" fill="{ribbon}"/>',
            "satin",
            16,
            drop=0.35,
        ),
    ]
    return Photo(layers, backdrop, scale=1.34, floor=0.81)


def book(
    cover: str = "#1f4d4a", accent: str = "#f0b64a", title: tuple[str, str] = ("SALT", "WIND"), backdrop: str = "sand"
) -> Photo:
    """A clothbound book standing slightly open to the right."""
    front = "-150,-440 170,-470 170,26 -150,0"
    pages = "-172,-430 -150,-440 -150,0 -172,-8"
    spine = "170,-470 216,-448 216,6 170,26"
    sun = f'<circle cx="10" cy="-262" r="66" fill="{accent}"/>'
    hills = (
        '<path d="M-110 -210Q-50 -270 10 -220T130 -236V-150H-110Z" fill="#0f2f2e"/>'
        '<path d="M-110 -184Q-30 -220 30 -190T130 -190V-130H-110Z" fill="#eadfc8"/>'
    )
    art = (
        f'<g transform="matrix(1 -.09 0 1 0 0)"><rect x="-126" y="-424" width="272" height="404" fill="none" stroke="{accent}" stroke-width="2.4"/>'
        f"{word(title[0], 10, -398, 44, '#f5ecd8', weight=0.62)}{sun}{hills}{word(title[1], 10, -104, 44, '#f5ecd8', weight=0.62)}"
        f"{word('A NOVEL', 10, -46, 9, accent)}</g>"
        f'<g transform="translate(193 -300) rotate(90)">{word(title[0] + " " + title[1], 80, -8, 15, accent)}</g>'
    )
    cloth = Puff(
        f'<polygon points="{front}"/>', f'<polygon points="{front}" fill="{cover}"/>', "matte", 5, 0.4, grain=0.3
    )
    layers: list[Layer] = [
        Shade('<polygon points="-150,0 170,30 230,0 370,16 300,50 150,54"/>', 22, 0.42),
        Shade('<polygon points="-176,-6 170,32 222,4 160,12"/>', 4, 0.6),
        Flat(
            _FADES
            + _face(pages, "#efe6d2")
            + "".join(line(f"M{x} -432V-4", 0.7, "#a8987a") for x in range(-170, -150, 4))
        ),
        Puff(
            f'<polygon points="{spine}"/>', f'<polygon points="{spine}" fill="{cover}"/>', "matte", 20, 0.7, grain=0.3
        ),
        cloth,
        Flat(
            _FADES
            + art
            + f'<polygon points="{front}" fill="url(#lit)"/><polygon points="{spine}" fill="url(#dim)"/>'
            + line("M-138 -438V-2", 5, "#00000030")
            + line("M170 -470V26", 1.6, "#ffffff30")
        ),
    ]
    return Photo(layers, backdrop, 800, 1000, scale=1.5, floor=0.85, shift=-0.02)
