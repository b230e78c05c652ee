"""Small pictures of every awkward kind, made on the spot."""

import struct
import zlib
from pathlib import Path

import pyvips


def noise(width: int, height: int, bands: int = 3) -> pyvips.Image:
    """Reproducible noise, so that files have a body that can be cut short."""
    parts = [
        pyvips.Image.gaussnoise(width, height, mean=128, sigma=40, seed=band).cast("uchar") for band in range(bands)
    ]
    joined = parts[0].bandjoin(parts[1:]) if bands > 1 else parts[0]
    return joined.copy(interpretation="srgb" if bands > 2 else "b-w")


def plain(width: int, height: int, colour: list[float]) -> pyvips.Image:
    """One colour; four values make it transparent."""
    return (pyvips.Image.black(width, height) + colour).cast("uchar").copy(interpretation="srgb")


def cut_out(width: int, height: int, share: float) -> pyvips.Image:
    """Red, opaque in its left `share` and transparent in the rest."""
    opaque = plain(round(width * share), height, [255, 0, 0, 255]) if share else None
    rest = plain(width - round(width * share), height, [0, 0, 0, 0]) if share < 1 else None
    if opaque is None or rest is None:
        return opaque or rest
    return opaque.join(rest, "horizontal")


def write(image: pyvips.Image, path: Path, **options: object) -> Path:
    """Saved under its name's kind."""
    image.write_to_file(str(path), **options)
    return path


def shortened(path: Path, share: float = 0.6) -> Path:
    """The first part of the file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of a few dozen bytes that declares itself huge."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")


def animated_png(path: Path) -> Path:
    """A PNG with an `acTL` chunk of two frames before its pixels."""
    still = write(noise(16, 16), path).read_bytes()
    at = still.index(b"IDAT") - 4
    path.write_bytes(still[:at] + png_chunk(b"acTL", struct.pack(">II", 2, 0)) + still[at:])
    return path


def animated_webp(path: Path) -> Path:
    """Two frames of 32 by 32."""
    frames = plain(32, 32, [255, 0, 0]).join(plain(32, 32, [0, 0, 255]), "vertical").copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 32)
    return write(frames, path)
