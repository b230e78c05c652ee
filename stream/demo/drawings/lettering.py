"""The sign painter: words come in, SVG strokes go out.

Fonts differ from machine to machine, and the demo must look the same on all of them, so labels are written with a
small stroke alphabet of our own: letters on a grid 4 wide and 6 high.
"""
# ruff: noqa: E501 - an SVG path broken over lines reads worse than a long one

_STROKES = {
    "A": "M0 6 2 0 4 6M.8 4H3.2",
    "B": "M0 0V6H2.6Q4 6 4 4.5T2.6 3H0M0 0H2.4Q3.6 0 3.6 1.5T2.4 3",
    "C": "M4 1Q3.2 0 2.1 0 0 0 0 3T2.1 6Q3.2 6 4 5",
    "D": "M0 0V6H1.8Q4 6 4 3T1.8 0Z",
    "E": "M4 0H0V6H4M0 3H3",
    "F": "M4 0H0V6M0 3H3",
    "G": "M4 1Q3.2 0 2.1 0 0 0 0 3T2.1 6Q4 6 4 3.4H2.4",
    "H": "M0 0V6M4 0V6M0 3H4",
    "I": "M2 0V6",
    "J": "M4 0V4Q4 6 2 6T0 4.4",
    "K": "M0 0V6M4 0 0 3.4M1.4 2.4 4 6",
    "L": "M0 0V6H4",
    "M": "M0 6V0L2 3.6 4 0V6",
    "N": "M0 6V0L4 6V0",
    "O": "M2 0Q4 0 4 3T2 6Q0 6 0 3T2 0Z",
    "P": "M0 6V0H2.4Q4 0 4 1.7T2.4 3.4H0",
    "Q": "M2 0Q4 0 4 3T2 6Q0 6 0 3T2 0ZM2.6 4.4 4 6",
    "R": "M0 6V0H2.4Q4 0 4 1.6T2.4 3.2H0M2 3.2 4 6",
    "S": "M3.8 1Q3.2 0 2 0 .2 0 .2 1.5T2 3Q4 3.1 4 4.5T2 6Q.6 6 0 5",
    "T": "M0 0H4M2 0V6",
    "U": "M0 0V4Q0 6 2 6T4 4V0",
    "V": "M0 0 2 6 4 0",
    "W": "M0 0 1 6 2 2 3 6 4 0",
    "X": "M0 0 4 6M4 0 0 6",
    "Y": "M0 0 2 3 4 0M2 3V6",
    "Z": "M0 0H4L0 6H4",
    "0": "M2 0Q4 0 4 3T2 6Q0 6 0 3T2 0Z",
    "1": "M.8 1.2 2.2 0V6",
    "2": "M.2 1.4Q.4 0 2 0 3.8 0 3.8 1.6 3.8 3 0 6H4",
    "3": "M.2 1Q.8 0 2 0 3.8 0 3.8 1.5T1.6 3Q4 3 4 4.5T2 6Q.6 6 0 5",
    "5": "M3.8 0H.6L.3 2.8Q3.9 1.8 4 4 4 6 2 6 .6 6 0 5.2",
    "7": "M0 0H4L1.4 6",
    ".": "M2 5.7V6",
    "-": "M.8 3H3.2",
    " ": "",
}


def word(text: str, x: float, y: float, size: float, colour: str, *, weight: float = 0.7, gap: float = 1.9) -> str:
    """`text` in strokes, centred on x with its top at y; `size` is the height of a capital. Unknown letters are blank."""
    unit = size / 6
    wide = (len(text) * 4 + (len(text) - 1) * gap) * unit
    letters = "".join(
        f'<path transform="translate({i * (4 + gap):.2f} 0)" d="{_STROKES[letter]}"/>'
        for i, letter in enumerate(text.upper())
        if _STROKES.get(letter)
    )
    return (
        f'<g transform="translate({x - wide / 2:.2f} {y:.2f}) scale({unit:.4f})" fill="none" stroke="{colour}" '
        f'stroke-width="{weight}" stroke-linecap="round" stroke-linejoin="round">{letters}</g>'
    )


def small_print(x: float, y: float, width: float, lines: int, colour: str, step: float = 5.0) -> str:
    """Unreadable lines of text, centred on x: what small print is in a photo."""
    rows = (0.9, 1.0, 0.72, 0.94, 0.8, 0.6)
    return "".join(
        f'<rect x="{x - width * rows[i % 6] / 2:.1f}" y="{y + i * step:.1f}" width="{width * rows[i % 6]:.1f}" '
        f'height="{step * 0.34:.2f}" rx="{step * 0.15:.2f}" fill="{colour}"/>'
        for i in range(lines)
    )
