"""What one file costs a fresh process that treats it as the worker does: `python -m tests.hostile.costs FILE FOLDER`.

Prints how many bytes the process grew, and `taken` or why not; on stderr the CPU seconds.
"""

import sys
import time
from pathlib import Path

from stream.images.inspect import ImageLimits, inspect, verify
from stream.images.loading import NotAPicture, harden
from stream.images.thumbnails import make
from stream.operations import ThumbnailParams


def main(path: Path, folder: Path) -> None:
    harden()
    before = peak_bytes("self")
    started = time.process_time()
    said = "taken"
    try:
        inspect(path, ImageLimits(max_bytes=64 * 1024 * 1024))
        verify(path)
        make(path, ThumbnailParams(), folder / "out")
    except NotAPicture as refused:
        said = refused.detail
    print(peak_bytes("self") - before, said)  # noqa: T201 - this is what it is for
    print(f"{time.process_time() - started:.2f} CPU s", file=sys.stderr)  # noqa: T201


def peak_bytes(pid: int | str) -> int:
    """The most memory a living process ever had (Linux). `getrusage` would count what its parent had at the fork."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
