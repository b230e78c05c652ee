"""One real worker on the broker inside librdkafka, with the simulated provider and a folder as its store.

Comes in: events, and what the provider should do to them. Goes out: the worker's page of metrics, read as Prometheus
reads it.
"""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from stream.broker.embedded import EmbeddedBroker
from stream.pipeline import default_pipeline
from stream.topics import Topics
from tests.composed import photos
from tests.composed.provider import API_KEY, Provider
from tests.composed.worker import WorkerProcess

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]
STAGE = "remove-bg"


class Site:
    """The worker of one stage, running and ready."""

    def __init__(self, folder: Path, broker: EmbeddedBroker) -> None:
        topics = Topics()
        broker.create_topics(default_pipeline().touches(STAGE, topics))
        self._raw = topics.raw
        self.provider = Provider(folder)
        self._pim = Producer({"bootstrap.servers": broker.bootstrap_servers})
        (folder / "store").mkdir()
        settings = {
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "PIXELAPI_BASE": self.provider.base_url,
            "PIXELAPI_KEY": API_KEY, "SKUSTREAM_DELIVERY": "at-least-once",
            "SKUSTREAM_STORE": (folder / "store").as_uri(), "SKUSTREAM_FETCH_ALLOW": "127.0.0.1",
            "SKUSTREAM_QUOTA_STARTS_CLOSED": "false", "SKUSTREAM_QUOTA_REQUESTS": "1000",
            "SKUSTREAM_QUOTA_WINDOW_SECONDS": "6", "SKUSTREAM_SESSION_SECONDS": "6",
            "SKUSTREAM_POLL_FIRST_SECONDS": "0.3", "SKUSTREAM_BALANCE_SECONDS": "1",
            "SKUSTREAM_IMAGE_THREADS": "1",
        }  # fmt: skip
        self.worker = WorkerProcess("worker", folder, settings, [STAGE]).start()

    def photo(self, name: str) -> str:
        """The address of a photo that is there."""
        photos.draw(self.provider.photos, name, colour=len(name))
        return f"{self.provider.root}/photos/{name}"

    def send(self, *events: dict[str, Any]) -> None:
        """Publish, as the PIM does."""
        for event in events:
            self._pim.produce(self._raw, key=event["sku_id"].encode(), value=json.dumps(event))
        assert self._pim.flush(20) == 0

    def page(self) -> str:
        """`/metrics`, as text."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def series(self) -> Series:
        """Every sample by (name, sorted labels)."""
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.page())
            for sample in family.samples
        }

    def total(self, name: str) -> float:
        """A metric's samples, summed."""
        return sum(value for (each, _), value in self.series().items() if each == name)

    @property
    def address(self) -> str:
        """Of the worker's window."""
        return f"127.0.0.1:{self.worker.port}"

    def close(self) -> None:
        """End both processes."""
        if self.worker.is_running:
            self.worker.kill()
        self.provider.stop()


@contextmanager
def open_site(folder: Path) -> Iterator[Site]:
    """A site whose worker is ready; everything ends with the context."""
    with EmbeddedBroker() as broker:
        site = Site(folder, broker)
        try:
            site.worker.wait_ready()
            yield site
        finally:
            site.close()
