"""A JPEG's segments, walked without decoding: a file of few bytes may ask for its pixels to be gone over for hours.

Comes in: a JPEG file that libvips has not seen yet. Goes out: nothing, or `NotAPicture`.

Every scan of a progressive JPEG goes over the whole picture, and an empty one is 56 bytes: a file of 471 kB with 5,000
scans took 22 s here, and one of 64 MB, as large as we take, would take more than an hour in a thread that nobody can
stop. libvips 8.18 does not count them, so they are counted first (docs/decisions/0016-hostile-pictures.md).
"""

import mmap
import re
from pathlib import Path

from stream.images.loading import NotAPicture

MOST_SCANS = 100
"""Encoders make one to a dozen; more than one for each of the 64 coefficients helps nobody."""
_MOST_SEGMENTS = 10_000
_WINDOW_BYTES = 1024 * 1024
_EOI, _SOS = 0xD9, 0xDA
_FIRST_WITH_A_LENGTH = 0xC0
"""Below it no marker is defined. Where a restart was due libjpeg passes such a one by, and reads on right behind it."""
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)
"""What libjpeg stops at between scans and in them: not a stuffed byte, a restart, a filler or a marker without body."""


def check_scans(path: Path) -> None:
    """Go from marker to marker as libjpeg does. Raises `NotAPicture` for a bomb of scans or of segments.

    Never fewer scans are counted than libjpeg would decode; behind the end of the picture nothing counts.
    """
    scans = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = 2
        for _ in range(_MOST_SEGMENTS):
            place = _next_marker(content, place)
            if place < 0 or content[place - 1] == _EOI:
                return
            scans += content[place - 1] == _SOS
            if scans > MOST_SCANS:
                raise NotAPicture(f"the JPEG has more than {MOST_SCANS} scans; save it again in fewer")
            if content[place - 1] >= _FIRST_WITH_A_LENGTH:
                place += max(2, int.from_bytes(content[place : place + 2], "big"))
    raise NotAPicture(f"the JPEG has more than {_MOST_SEGMENTS} segments")


def _next_marker(content: mmap.mmap, place: int) -> int:
    """The place behind the next marker, -1 where there is none. In steps: a search keeps every other thread waiting."""
    for start in range(place, len(content), _WINDOW_BYTES):
        found = _MARKER.search(content, start, start + _WINDOW_BYTES + 1)
        if found is not None:
            return found.end()
    return -1
