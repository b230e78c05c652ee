"""Whatever a picture's bytes: its facts or `NotAPicture`, and never a crash of the library below.

A crash would end the run; the input that did it lies in the test's temporary folder, as `input`.
"""

from pathlib import Path

import pytest
from hypothesis import strategies as st

from stream.images.inspect import ImageLimits, inspect, verify
from stream.images.loading import NotAPicture, harden
from stream.images.quality import alpha_share
from stream.images.thumbnails import make
from stream.operations import ThumbnailParams
from tests.fuzz.conftest import Fuzz
from tests.fuzz.fuzzer import mutated
from tests.hostile import pictures

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

LIMITS = ImageLimits(max_pixels=4_000_000, max_side=4_000)
SMALL = ThumbnailParams(widths=(40, 16), formats=("webp", "jpeg"))
WORDS = (
    b"\xff\xda", b"\xff\xd9", b"\xff\xc2", b"\xff\xe1\0\x10Exif\0\0", b"IDAT", b"iCCP", b"acTL", b"PLTE", b"tRNS",
    b"VP8X", b"ALPH", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff",
)  # fmt: skip


def test_pictures(fuzz: Fuzz[bytes], tmp_path: Path) -> None:
    harden()
    made = [content() for content in pictures.ODD.values()]
    made += [pictures.saved(suffix, pictures.see_through()) for suffix in (".png", ".webp")]
    made += [
        pictures.jpeg_with(pictures.segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"))
    ]
    path, out = tmp_path / "input", tmp_path / "out"

    def words(refused: NotAPicture) -> None:
        assert refused.detail.isprintable()
        assert str(tmp_path) not in refused.detail

    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            picture = inspect(path, LIMITS)
            verify(path)
        except NotAPicture as refused:
            words(refused)
            return
        assert 1 <= picture.width * picture.height <= LIMITS.max_pixels
        try:
            assert 0 <= alpha_share(path) <= 1
            assert make(path, SMALL, out)
        except NotAPicture as refused:
            words(refused)

    fuzz(mutated(st.sampled_from(made), WORDS), check)
