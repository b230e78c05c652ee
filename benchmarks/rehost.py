"""Re-hosting: 64 pictures of 20 MB at once from a web server into a real S3 server, by our way and by a plain loop.

Ours spools, hashes and stores under a condition; the plain one is aiohttp's `read()` into aiobotocore's `put_object`.
Both run in a fresh process each time, one after the other; memory is by how much the process grew at its peak. That it
does not depend on the size of the pictures is shown by the same number of pictures a tenth as large.

    python -m benchmarks.rehost
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import figures
from benchmarks.figures import Figure, Size, step
from tests.composed.provider import Provider
from tests.services.s3 import S3Server

MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Scale:
    """How many pictures at once, how large, how often."""

    count: int
    mb: int
    rounds: int


SCALES = {Size.FULL: Scale(64, 20, 1), Size.SMALL: Scale(4, 1, 1)}


@dataclass(frozen=True, slots=True)
class Copied:
    """What one process did."""

    seconds: float
    cpu_seconds: float
    grown_mb: float


def measure(size: Size) -> list[Figure]:
    """Rounds of both ways, then ours with small pictures."""
    scale = SCALES[size]
    with tempfile.TemporaryDirectory(prefix="skustream-bench-") as folder, S3Server() as s3:
        provider = Provider(Path(folder))  # a process of its own that serves files, as good as any
        try:
            bucket = s3.create_bucket("bench")
            large, small = _picture(provider, "large.png", scale.mb), _picture(provider, "small.png", scale.mb / 10)
            ours: list[Copied] = []
            plain: list[Copied] = []
            for number in range(scale.rounds):
                step(f"round {number + 1} of {scale.rounds}: {scale.count} pictures of {scale.mb} MB, both ways")
                ours.append(_copied("ours", large, s3, bucket, scale.count))
                plain.append(_copied("plain", large, s3, bucket, scale.count))
            little = _copied("ours", small, s3, bucket, scale.count)
        finally:
            provider.stop()
    return _told(ours, plain, little, scale)


def _told(ours: list[Copied], plain: list[Copied], little: Copied, scale: Scale) -> list[Figure]:
    total_mb = scale.count * scale.mb
    grown = median(run.grown_mb for run in ours)
    ratio = median(loop.seconds / mine.seconds for mine, loop in zip(ours, plain, strict=True))
    cpu = median(mine.cpu_seconds / loop.cpu_seconds for mine, loop in zip(ours, plain, strict=True))
    return [
        Figure(
            "memory that grows with the pictures' size", 100 * (grown - little.grown_mb) / (0.9 * total_mb), "%",
            at_most=5, note=f"of {0.9 * total_mb:.0f} MB more",
        ),
        Figure(f"memory grown, {scale.count} pictures of {scale.mb} MB, ours", grown, "MB"),
        Figure(f"the same, pictures of {scale.mb / 10:g} MB", little.grown_mb, "MB"),
        Figure("memory grown, plain loop", median(run.grown_mb for run in plain), "MB"),
        Figure("rate, against the plain loop", ratio, "times"),
        Figure("rate, ours", median(total_mb / run.seconds for run in ours), "MB/s"),
        Figure("rate, plain loop", median(total_mb / run.seconds for run in plain), "MB/s"),
        Figure("CPU, against the plain loop", cpu, "times"),
    ]  # fmt: skip


def _picture(provider: Provider, name: str, mb: float) -> str:
    """Bytes that nothing can compress: nobody decodes them here."""
    (provider.photos / name).write_bytes(os.urandom(int(mb * MB)))
    return f"{provider.root}/photos/{name}"


def _copied(way: str, url: str, s3: S3Server, bucket: str, count: int) -> Copied:
    asked = [sys.executable, "-m", "benchmarks.rehost_copy", way, url, s3.endpoint_url, bucket, str(count)]
    done = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - our own words
    return Copied(**json.loads(done.stdout))


if __name__ == "__main__":
    sys.exit(figures.run(__doc__, measure))
