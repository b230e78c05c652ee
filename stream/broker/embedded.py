"""The broker inside librdkafka, for `skustream demo`: nothing to install, gone with its process.

Comes in: nothing. Goes out: an address that ordinary clients connect to. It has no real transactions (delivery is
at-least-once there), keeps 5 MiB per partition, and nothing that counts rests on it.
"""

import logging
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from confluent_kafka import Producer

LIST_SECONDS = 10.0
_CLUSTER_IDS = "mockCluster"


def is_embedded(cluster_id: str | None) -> bool:
    """Whether a cluster that calls itself so is one of these."""
    return (cluster_id or "").startswith(_CLUSTER_IDS)


class EmbeddedBroker:
    """A context manager around the mock cluster."""

    def __init__(self) -> None:
        """Starts it."""
        options = {"bootstrap.servers": "embedded", "test.mock.num.brokers": 1}
        self._cluster: Producer | None = Producer(options, logger=logging.getLogger("librdkafka"))
        brokers = self._cluster.list_topics(timeout=LIST_SECONDS).brokers.values()
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def create_topics(self, names: Iterable[str]) -> None:
        """Make the topics exist: the mock creates one whenever a client asks for it by name."""
        client = Producer({"bootstrap.servers": self.bootstrap_servers}, logger=logging.getLogger("librdkafka"))
        for name in names:
            client.list_topics(name, timeout=LIST_SECONDS)

    def __enter__(self) -> Self:
        """The running broker."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gone, with everything in it."""
        self._cluster = None
