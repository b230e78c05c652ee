"""One process that copies a picture N times at once from a web server into the store: by our way, or by the plain one.

    python -m benchmarks.rehost_copy ours|plain URL ENDPOINT BUCKET COUNT

Goes out: JSON with the seconds, the CPU seconds, and by how much the process's memory grew at the most.
"""

import asyncio
import json
import re
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import uvloop
from aiobotocore.session import get_session
from pydantic import SecretStr

from stream.core.clock import SystemClock
from stream.downloads.port import Whose
from stream.downloads.web import HttpDownloads
from stream.metrics.silent import SilentRecorder
from stream.objects.options import StoreOptions
from stream.objects.s3 import S3Store
from tests.services.s3 import S3Server

LARGEST_BYTES = 32 * 1024 * 1024


async def ours(url: str, endpoint_url: str, bucket: str, count: int) -> None:
    """Spooled and hashed, then put under the condition that nothing stands there."""
    clock, recorder = SystemClock(), SilentRecorder()
    options = StoreOptions(
        endpoint_url=endpoint_url, region=S3Server.region, access_key=SecretStr(S3Server.access_key),
        secret_key=SecretStr(S3Server.secret_key),
    )  # fmt: skip
    store = await S3Store.open(bucket, "ours", options, recorder=recorder, clock=clock)
    with tempfile.TemporaryDirectory(prefix="skustream-bench-") as folder:
        downloads = HttpDownloads(
            spool_dir=Path(folder), spool_bytes=count * LARGEST_BYTES, max_bytes=LARGEST_BYTES, timeout_seconds=300,
            user_agent="skustream-bench/1", clock=clock, recorder=recorder, allow_private=("127.0.0.1",),
            allow_http_hosts=("127.0.0.1",),
        )  # fmt: skip

        async def copy(number: int) -> None:
            async with downloads.fetch(url, Whose.SOURCE) as file:
                key = f"{time.time_ns()}-{number}.png"
                await store.put_file(key, file.path, content_type="image/png", sha256=file.sha256)

        await asyncio.gather(*(copy(number) for number in range(count)))
        await downloads.aclose()
    await store.aclose()


async def plain(url: str, endpoint_url: str, bucket: str, count: int) -> None:
    """What one writes first: read it, put it."""
    client = get_session().create_client(
        "s3", endpoint_url=endpoint_url, region_name=S3Server.region, aws_access_key_id=S3Server.access_key,
        aws_secret_access_key=S3Server.secret_key,
    )  # fmt: skip
    async with client as s3, aiohttp.ClientSession() as http:

        async def copy(number: int) -> None:
            async with http.get(url) as answer:
                body = await answer.read()
            await s3.put_object(Bucket=bucket, Key=f"plain/{time.time_ns()}-{number}.png", Body=body)

        await asyncio.gather(*(copy(number) for number in range(count)))


def memory_mb(field: str) -> float:
    """This process's `VmRSS` or `VmHWM` (its peak), in MB."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None  # noqa: S101 - Linux tells both
    return int(found[1]) / 1024


def main() -> None:
    """Copy, tell."""
    way = {"ours": ours, "plain": plain}[sys.argv[1]]
    url, endpoint_url, bucket, count = sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])
    uvloop.run(way(url, endpoint_url, bucket, 1))  # modules are loaded, and botocore's tables with them
    before_mb, began, cpu = memory_mb("VmRSS"), time.monotonic(), time.process_time()
    uvloop.run(way(url, endpoint_url, bucket, count))
    told = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu}
    sys.stdout.write(json.dumps({**told, "grown_mb": memory_mb("VmHWM") - before_mb}) + "\n")


if __name__ == "__main__":
    main()
