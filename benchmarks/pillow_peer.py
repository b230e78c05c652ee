"""Naive Pillow: run by the Python of `peers`, so it imports nothing of ours.

python benchmarks/pillow_peer.py PICTURE FOLDER WIDTH...
"""

import json
import sys
import time
from pathlib import Path

from PIL import Image


def thumbnails(path: Path, folder: Path, widths: list[int]) -> None:
    """What one writes first: open, resize, save; for each size and format anew."""
    for width in widths:
        for name, options in {"webp": {"quality": 80}, "jpeg": {"quality": 85, "optimize": True}}.items():
            with Image.open(path) as opened:
                whole = opened.convert("RGBA")
            flat = Image.new("RGB", whole.size, "#ffffff")
            flat.paste(whole, mask=whole.getchannel("A"))
            side = min(width, flat.width)
            small = flat.resize((side, round(flat.height * side / flat.width)), Image.Resampling.LANCZOS)
            small.save(folder / f"pillow-{width}.{name}", format=name, **options)


if __name__ == "__main__":
    began = time.process_time()
    thumbnails(Path(sys.argv[1]), Path(sys.argv[2]), [int(each) for each in sys.argv[3:]])
    sys.stdout.write(json.dumps({"cpu_seconds": time.process_time() - began}) + "\n")
