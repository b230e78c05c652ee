"""The lamps: a material's name comes in, a small picture of a lit ball goes out.

A surface seen without perspective reflects the studio by its normal alone, so one picture of a ball ("matcap")
per material lights every solid. Two bands: how much of the surface's own colour is seen (1.0 = all of it), and how
much white light is added on top (1.0 = full).
"""

from functools import cache
from typing import Any, Final

import pyvips

SIZE: Final = 256
"""Width and height of a lit ball in pixels; its radius is 126 around (128, 128)."""

_FULL: Final = 1.25
"""What a white pixel of the diffuse picture means: key light over-exposes a little."""

_KEY = '<rect x="36" y="34" width="{w}" height="150" rx="9" fill="#fff" opacity="{o}" filter="url(#b)"/>'
_STRIP = '<rect x="202" y="52" width="{w}" height="130" rx="6" fill="#fff" opacity="{o}" filter="url(#b)"/>'


def _picture(body: str, blur: float = 1.0) -> Any:
    markup = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE}" height="{SIZE}"><defs>'
        f'<filter id="b" x="-80%" y="-80%" width="260%" height="260%"><feGaussianBlur stdDeviation="{blur}"/></filter>'
        '<radialGradient id="lamp" cx=".36" cy=".3" r=".78"><stop offset="0" stop-color="#e2e2e2"/>'
        '<stop offset=".45" stop-color="#c2c2c2"/><stop offset=".8" stop-color="#7d7d7d"/>'
        '<stop offset="1" stop-color="#5a5a5a"/></radialGradient>'
        '<radialGradient id="rim" cx=".5" cy=".5" r=".5"><stop offset=".8" stop-color="#fff" stop-opacity="0"/>'
        '<stop offset="1" stop-color="#fff" stop-opacity=".34"/></radialGradient>'
        '<radialGradient id="core" cx=".5" cy=".5" r=".5"><stop offset="0" stop-color="#fff"/>'
        '<stop offset=".62" stop-color="#eee"/><stop offset=".86" stop-color="#9a9a9a"/>'
        '<stop offset=".96" stop-color="#3c3c3c"/><stop offset="1" stop-color="#7a7a7a"/></radialGradient>'
        '<linearGradient id="room" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#fdfdfd"/>'
        '<stop offset=".3" stop-color="#cfd2d4"/><stop offset=".47" stop-color="#8d9093"/>'
        '<stop offset=".53" stop-color="#4d4f52"/><stop offset=".62" stop-color="#84878a"/>'
        '<stop offset=".85" stop-color="#c9cacb"/><stop offset="1" stop-color="#6d6e70"/></linearGradient>'
        f'</defs><rect width="{SIZE}" height="{SIZE}" fill="#000"/>{body}</svg>'
    )
    return pyvips.Image.svgload_buffer(markup.encode())[1].cast("float") / 255


_LAMP = '<rect width="256" height="256" fill="url(#lamp)"/>'
_BOUNCE = '<rect x="206" y="60" width="40" height="150" rx="18" fill="#fff" opacity=".2" filter="url(#b)"/>'
_RIM = '<rect width="256" height="256" fill="url(#rim)"/>'
_CHROME = (
    '<rect width="256" height="256" fill="url(#room)"/>'
    '<rect x="26" y="0" width="15" height="256" fill="#1b1c1e" opacity=".75" filter="url(#b)"/>'
    '<rect x="44" y="16" width="52" height="212" fill="#fff" filter="url(#b)"/>'
    '<rect x="98" y="0" width="17" height="256" fill="#2a2b2d" opacity=".55" filter="url(#b)"/>'
    '<rect x="176" y="0" width="20" height="256" fill="#202123" opacity=".7" filter="url(#b)"/>'
    '<rect x="199" y="24" width="24" height="200" fill="#fff" opacity=".92" filter="url(#b)"/>'
    '<rect x="238" y="0" width="12" height="256" fill="#333" opacity=".5" filter="url(#b)"/>'
)


def _bodies(material: str) -> tuple[Any, Any]:
    """The two bands of `material`. Unknown names raise KeyError."""
    soft = _picture(_LAMP + _BOUNCE, 14)
    none = _picture("")
    table = {
        "matte": lambda: (soft, _picture(_KEY.format(w=70, o=0.07), 26)),
        "satin": lambda: (soft, _picture(_KEY.format(w=46, o=0.34) + _STRIP.format(w=14, o=0.2) + _RIM, 11)),
        "gloss": lambda: (soft, _picture(_KEY.format(w=27, o=0.66) + _STRIP.format(w=11, o=0.46) + _RIM, 2.2)),
        "chrome": lambda: (_picture(_CHROME, 3.2) * 0.86, none),
        "brushed": lambda: (_picture(_CHROME, 13) * 0.84, none),
        "glass": lambda: (
            _picture('<rect width="256" height="256" fill="url(#core)"/>') / _FULL,
            _picture(_KEY.format(w=20, o=0.75) + _STRIP.format(w=8, o=0.6) + _RIM, 1.6),
        ),
    }
    return table[material]()


@cache
def ball(material: str) -> Any:
    """A `SIZE` x `SIZE` float image of two bands (own colour, added white). Raises KeyError for an unknown material."""
    own, added = _bodies(material)
    return (own * _FULL).bandjoin(added).copy_memory()


def lit(material: str, across: Any, down: Any) -> Any:
    """Light for unit normals given by their x (right) and y (down) images: two float bands, as in `ball`."""
    index = (across * 126 + 128).bandjoin(down * 126 + 128)
    return ball(material).mapim(index, interpolate=pyvips.Interpolate.new("bilinear"), extend="copy")
