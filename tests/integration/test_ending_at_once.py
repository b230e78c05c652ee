"""A worker that is ended at once, without `process.stop()`: its walks are over before its doors close."""

import asyncio
import json
from pathlib import Path

from confluent_kafka import Producer
from pydantic import SecretStr

from stream.assembly import OpenWorker, open_worker
from stream.broker.embedded import EmbeddedBroker
from stream.pipeline import default_pipeline
from stream.settings import Delivery, Settings
from stream.simulator import Simulator
from stream.topics import Topics


async def test_no_walk_is_left_when_the_doors_have_closed(tmp_path: Path) -> None:
    asked = asyncio.Event()
    topics = Topics("product-images")

    async def never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    site = await asyncio.start_server(never_answers, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{site.sockets[0].getsockname()[1]}/photo.jpg"
    with EmbeddedBroker() as broker:
        broker.create_topics(plan.name for plan in topics.plans(default_pipeline().topics_between(topics)))
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        producer.produce(topics.raw, key="A", value=json.dumps({"sku_id": "A", "raw_url": url}))
        assert producer.flush(10) == 0
        async with site, Simulator() as simulator:
            settings = Settings(
                pixelapi_key=SecretStr("pk_test"), pixelapi_base=simulator.base_url, delivery=Delivery.AT_LEAST_ONCE,
                kafka_bootstrap_servers=broker.bootstrap_servers, store=f"file://{tmp_path / 'store'}", http_port=0,
                fetch_allow=("127.0.0.1",), spool_dir=tmp_path / "spool", session_seconds=6.0,
            )  # fmt: skip
            began, left = await _walking_before_and_after(settings, asked)
    assert (began, left) == (1, 0)


async def _walking_before_and_after(settings: Settings, asked: asyncio.Event) -> tuple[int, int]:
    async with open_worker(settings, []) as worker:
        await asyncio.wait_for(asked.wait(), 60)
        began = _walking(worker)
    left = _walking(worker)
    await worker.process.stop()
    return began, left


def _walking(worker: OpenWorker) -> int:
    return sum(crew.worker.walking for crew in worker.process._crews)
