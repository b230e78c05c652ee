"""The engine's load: keys drawn by seed, 1 KB events in a topic, and the plain loop that is the ceiling."""

import bisect
import itertools
import json
import random
import time
from typing import Any

from confluent_kafka import Consumer, Producer

EVENT_BYTES = 1024
PARTITIONS = 4


def uniform_keys(count: int, keys: int) -> list[int]:
    """`count` draws from `keys` equally likely keys."""
    rng = random.Random(1)
    return [rng.randrange(keys) for _ in range(count)]


def zipf_keys(count: int, keys: int) -> list[int]:
    """`count` draws from `keys` keys by Zipf's law with exponent 1."""
    rng = random.Random(2)
    edges = list(itertools.accumulate(1 / rank for rank in range(1, keys + 1)))
    return [bisect.bisect_left(edges, rng.random() * edges[-1]) for _ in range(count)]


def fill(servers: str, topic: str, keys: list[int]) -> None:
    """One event per key into `topic`, 1 KB each."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20, "compression.type": "lz4"})
    for number, key in enumerate(keys):
        event: dict[str, Any] = {
            "sku_id": f"SKU-{key}",
            "raw_url": f"https://photos.example/{key}.jpg",
            "sequence": number,
        }
        event["attributes"] = {"text": "x" * (EVENT_BYTES - len(json.dumps(event)) - 30)}
        while True:
            try:
                producer.produce(topic, key=event["sku_id"], value=json.dumps(event))
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def plain_loop(servers: str, source: str, target: str, count: int) -> tuple[float, float]:
    """Consume, decode, encode, produce; no transaction, one commit at the end. Wall and CPU seconds."""
    group = f"plain-{time.time_ns()}"
    options = {"bootstrap.servers": servers, "group.id": group, "auto.offset.reset": "earliest"}
    consumer = Consumer({**options, "enable.auto.commit": False, "fetch.wait.max.ms": 100})
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 5, "compression.type": "lz4", "acks": "all"})
    consumer.subscribe([source])
    seen, began, cpu = 0, 0.0, 0.0
    while seen < count:
        for message in consumer.consume(500, 0.1):
            if message.error() is None:
                if not began:
                    began, cpu = time.monotonic(), time.process_time()
                seen += 1
                producer.produce(target, key=message.key(), value=json.dumps(json.loads(message.value() or b"")))
        producer.poll(0)
    producer.flush()
    consumer.commit(asynchronous=False)
    spent = time.monotonic() - began, time.process_time() - cpu
    consumer.close()
    return spent
