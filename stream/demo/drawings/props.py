"""Small things every table needs: ground shadows, rims, discs and sheen; measures come in, layers go out."""
# ruff: noqa: E501 - an SVG path broken over lines reads worse than a long one

from stream.demo.drawings.canvas import Layer
from stream.demo.drawings.solids import Flat, Shade


def ground(half_width: float, depth: float, x: float = 0.0, strength: float = 1.0) -> list[Layer]:
    """Shadows of something standing on (x, 0): contact, cast to the right (the key light is left), and ambient."""
    return [
        Shade(
            f'<ellipse cx="{x + 34}" cy="{depth * 0.5}" rx="{half_width * 1.35}" ry="{depth * 2.1 + 14}"/>',
            34,
            0.3 * strength,
        ),
        Shade(
            f'<ellipse cx="{x + 16}" cy="{depth * 0.4}" rx="{half_width * 1.1}" ry="{depth * 1.25 + 6}"/>',
            13,
            0.42 * strength,
        ),
        Shade(
            f'<ellipse cx="{x + 2}" cy="{depth * 0.18 + 1}" rx="{half_width}" ry="{depth + 3}"/>', 3.2, 0.62 * strength
        ),
    ]


def mouth(y: float, radius: float, tilt: float, wall: str, inside: str, lip: float = 6.0, x: float = 0.0) -> Flat:
    """The open top of a turned body at height y: lip of `wall` colour, darkness of `inside` colour below it."""
    ry, inner = radius * tilt, radius - lip
    return Flat(
        f'<defs><linearGradient id="m" x1="0" x2="1"><stop offset="0" stop-color="#000" stop-opacity=".5"/>'
        f'<stop offset=".6" stop-color="#000" stop-opacity=".16"/><stop offset="1" stop-color="#fff" stop-opacity=".3"/>'
        f"</linearGradient></defs>"
        f'<ellipse cx="{x}" cy="{y}" rx="{radius}" ry="{ry}" fill="{wall}"/>'
        f'<ellipse cx="{x}" cy="{y}" rx="{radius}" ry="{ry}" fill="#fff" opacity=".22"/>'
        f'<ellipse cx="{x}" cy="{y + lip * 0.12}" rx="{inner}" ry="{max(inner * tilt, 1)}" fill="{inside}"/>'
        f'<ellipse cx="{x}" cy="{y + lip * 0.12}" rx="{inner}" ry="{max(inner * tilt, 1)}" fill="url(#m)"/>'
    )


def disc(y: float, radius: float, tilt: float, colour: str, sheen: float = 0.35, x: float = 0.0) -> Flat:
    """A flat round top at height y, brighter towards the key light."""
    return Flat(
        f'<defs><linearGradient id="d" x1="0" x2="1" y1="0" y2=".6"><stop offset="0" stop-color="#fff" stop-opacity="{sheen}"/>'
        f'<stop offset=".55" stop-color="#fff" stop-opacity="{sheen * 0.25}"/><stop offset="1" stop-color="#000" stop-opacity=".12"/>'
        f'</linearGradient></defs><ellipse cx="{x}" cy="{y}" rx="{radius}" ry="{radius * tilt}" fill="{colour}"/>'
        f'<ellipse cx="{x}" cy="{y}" rx="{radius}" ry="{radius * tilt}" fill="url(#d)"/>'
    )


def line(path: str, width: float, colour: str = "#fff", extra: str = "") -> str:
    """An open path drawn with a round brush."""
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linecap="round" '
        f'stroke-linejoin="round" {extra}/>'
    )


def area(path: str, colour: str = "#fff", extra: str = "") -> str:
    """A filled path."""
    return f'<path d="{path}" fill="{colour}" {extra}/>'


def stitches(path: str, colour: str, width: float = 1.5) -> str:
    """A dashed seam."""
    return line(path, width, colour, 'stroke-dasharray="5 3.4"')
