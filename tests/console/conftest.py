"""A shop for each test, on one embedded broker: the console itself is always the real one, listening on a port."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.broker.embedded import EmbeddedBroker
from tests.console.shop import Shop


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    """A broker that forgets everything afterwards."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def shop(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Shop]:
    """Topics and a store of its own."""
    made = Shop(broker.bootstrap_servers, tmp_path)
    topics = made.topics
    broker.create_topics((*topics.entries(), topics.completed, topics.dead_letter, topics.replays, *topics.retries()))
    yield made
    made.close()
