"""Photos drawn pixel by pixel: SVG may be blocked in a process that has run workers."""

from functools import cache

import pyvips


@cache
def photo(side: int = 64, ground: tuple[int, int, int] = (244, 243, 240)) -> pyvips.Image:
    """A red ring with a blue ball in its upper part, on a slightly uneven ground."""
    big, half, radius = 4 * side, 2 * side, 4 * side // 3
    base = pyvips.Image.black(big, big, bands=3).linear([1, 1, 1], list(ground)).cast("uchar")
    base = base.copy(interpretation="srgb").copy_memory()
    base = base.draw_circle([180, 40, 36], half, half, radius, fill=True)
    base = base.draw_circle(list(ground), half, half, radius // 2, fill=True)
    base = base.draw_circle([40, 90, 190], half, half - radius, max(big // 12, 2), fill=True)
    base = base.shrink(4, 4)  # edges as a lens draws them
    noise = pyvips.Image.gaussnoise(side, side, mean=0, sigma=1.0, seed=7)
    return (base + noise).cast("uchar").copy(interpretation="srgb").copy_memory()


@cache
def jpeg(side: int = 64) -> bytes:
    """The photo as JPEG bytes."""
    return bytes(photo(side).write_to_buffer(".jpg", Q=90))


def opened(content: bytes) -> pyvips.Image:
    """Decoded, whole or not at all."""
    return pyvips.Image.new_from_buffer(content, "", fail_on="error").copy_memory()
