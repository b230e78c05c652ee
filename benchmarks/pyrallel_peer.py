"""Pyrallel Consumer 1.0 on our events: run by the Python of `peers`, so it imports nothing of ours.

    python benchmarks/pyrallel_peer.py SERVERS TOPIC GROUP COUNT

It decodes and waits its 5 ms as our stage does, and commits; it publishes nothing.
"""

import asyncio
import json
import sys
import time

import orjson
from pyrallel_consumer.config import KafkaConfig
from pyrallel_consumer.consumer import PyrallelConsumer
from pyrallel_consumer.dto import WorkItem

WORK_SECONDS = 0.005
IN_FLIGHT = 1000
"""Its default. With 4,000, as many as our lanes hold, it spends more than twice the CPU per event."""
SHARDS = 128
"""Keys share this many queues: its default of 8 allows eight events at a time, and 1,024 are slower again."""


async def consume(servers: str, topic: str, group: str, count: int) -> dict[str, float]:
    """Seconds from the first event to the last one worked on, and the CPU spent."""
    config = KafkaConfig(BOOTSTRAP_SERVERS=[servers], CONSUMER_GROUP=group, dlq_enabled=False)
    config.parallel_consumer.execution.max_in_flight = IN_FLIGHT
    config.parallel_consumer.worker_pool_size = SHARDS
    began, cpu, left, done = 0.0, time.process_time(), count, asyncio.Event()

    async def work(item: WorkItem) -> None:
        nonlocal began, left
        began = began or time.monotonic()
        orjson.loads(item.payload)
        await asyncio.sleep(WORK_SECONDS)
        left -= 1
        if left == 0:
            done.set()

    consumer = PyrallelConsumer(config=config, worker=work, topic=topic)
    await consumer.start()
    await done.wait()
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
    await consumer.stop()
    return {"seconds": seconds, "cpu_seconds": cpu_seconds}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(consume(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))) + "\n")
