"""One worker process as `skustream run` starts it, with a watch on its loop. Settings come from the environment.

    python -m benchmarks.inflight_worker STAGE

Goes out, after SIGTERM: JSON with the longest stall of the loop, and the peak of the process's memory.
"""

import asyncio
import json
import signal
import sys
import time
from dataclasses import dataclass

import uvloop

from benchmarks.rehost_copy import memory_mb
from stream import assembly, logs, settings
from stream.runtime.process import spare_the_collector

BEAT_SECONDS = 0.01


@dataclass(slots=True)
class Heart:
    """A task that wants to run every 10 ms, and by how much it was late at the worst."""

    longest_stall_seconds: float = 0.0

    async def beat(self) -> None:
        """Until cancelled."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
            late = time.monotonic() - before - BEAT_SECONDS
            self.longest_stall_seconds = max(self.longest_stall_seconds, late)


async def run(stage: str) -> dict[str, float]:
    """From the first ready moment to SIGTERM."""
    chosen = settings.load({})
    logs.configure(chosen.log_format, "warning", secrets=chosen.secrets())
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    heart = Heart()
    async with assembly.open_worker(chosen, [stage]) as worker:
        beating = asyncio.create_task(heart.beat())
        await stop.wait()
        beating.cancel()
        told = {"longest_stall_seconds": heart.longest_stall_seconds, "peak_mb": memory_mb("VmHWM")}
        await worker.process.stop()
    return told


if __name__ == "__main__":
    spare_the_collector()
    sys.stdout.write(json.dumps(uvloop.run(run(sys.argv[1]))) + "\n")
