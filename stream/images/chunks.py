"""A PNG's chunks, walked without decoding: animations, and text that unpacks to gigabytes before the first pixel.

Comes in: a PNG file that libvips has not seen yet. Goes out: the number of its frames, or `NotAPicture`.

libpng unpacks every compressed text and profile when it reads the header, up to 8 MB each and a thousand of them: a
file of 386 kB took 785 MB of memory here. So their unpacked sizes are added up first.
"""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from stream.images.loading import NotAPicture

_MOST_CHUNKS = 50_000
_MOST_UNPACKED_BYTES = 16 * 1024 * 1024
_STEP_BYTES = 64 * 1024
_SIGNATURE_BYTES = 8
_HEAD_BYTES = 8
_AROUND_BYTES = 12
"""Length, kind and checksum of a chunk."""


def frames(path: Path) -> int:
    """Frames of the PNG at `path`: 1 for a still picture. Raises `NotAPicture` for a bomb of text or of chunks."""
    found, unpacked_bytes = 1, 0
    with path.open("rb") as file:
        place = _SIGNATURE_BYTES
        for _ in range(_MOST_CHUNKS):
            file.seek(place)
            head = file.read(_HEAD_BYTES)
            if len(head) < _HEAD_BYTES or head[4:] == b"IEND":
                return found
            length, kind = struct.unpack(">I4s", head)
            if kind == b"acTL":
                found = 2  # however many it announces: it is no still picture
            unpacked_bytes += _unpacked(file, kind, length, _MOST_UNPACKED_BYTES - unpacked_bytes)
            if unpacked_bytes > _MOST_UNPACKED_BYTES:
                raise NotAPicture(f"the PNG's texts unpack to more than {_MOST_UNPACKED_BYTES} bytes")
            place += _AROUND_BYTES + length
    raise NotAPicture(f"the PNG has more than {_MOST_CHUNKS} chunks")


def _unpacked(file: BinaryIO, kind: bytes, length: int, most_bytes: int) -> int:
    """Bytes that the chunk's compressed part unpacks to; 0 for chunks without; a little above `most_bytes` at most."""
    if kind not in {b"zTXt", b"iTXt", b"iCCP"}:
        return 0
    stream, unpacker, total = _compressed(kind, file.read(length)), zlib.decompressobj(), 0
    try:
        while stream and total <= most_bytes:
            total += len(unpacker.decompress(stream, _STEP_BYTES))
            stream = unpacker.unconsumed_tail
    except zlib.error:
        pass  # libpng gets no further either
    return total


def _compressed(kind: bytes, body: bytes) -> bytes:
    _, _, rest = body.partition(b"\0")
    if kind != b"iTXt":
        return rest[1:]
    if not rest.startswith(b"\1"):
        return b""
    return rest[2:].partition(b"\0")[2].partition(b"\0")[2]
