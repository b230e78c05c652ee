"""A link's end: whatever comes out of the callbacks that closing it serves, the station's thread goes on."""

import time
from collections.abc import Mapping, Sequence

import pytest
from confluent_kafka import KafkaError

from stream.broker.link import KafkaLink, LinkSettings
from stream.broker.port import Committed, LinkBroken, Partition
from tests.services.clients import Kafka, create_topic

pytestmark = pytest.mark.kafka
LATE = KafkaError(KafkaError._TIMED_OUT)


class Breaking:
    """A listener that breaks when the group is left."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.has_joined = self.was_told = False

    def assigned(self, committed: Sequence[Committed]) -> None:
        self.has_joined = bool(committed)

    def revoked(self, partitions: Sequence[Partition], *, lost: bool) -> None:
        assert (bool(partitions), lost) == (True, False)
        self.was_told = True
        raise self.error

    def drained(self, partition: Partition, end: int) -> None:
        """No news."""

    def ends(self, offsets: Mapping[Partition, int]) -> None:
        """No news."""


@pytest.mark.parametrize("error", [LATE, KeyError("a bug"), ValueError("not open")], ids=["late", "bug", "lane"])
def test_closing_raises_nothing_whatever_a_callback_does(kafka: Kafka, prefix: str, error: Exception) -> None:
    """Seen with a coordinator still loading: `KafkaError`, no `KafkaException`, out of `close`, and a dead thread."""
    listener = Breaking(error)
    topics = (create_topic(kafka, prefix),)
    options = {"bootstrap.servers": kafka.bootstrap_servers}
    settings = LinkSettings(options, prefix, topics, "one", transactional=False)
    link = KafkaLink(settings, listener)
    until = time.monotonic() + 30
    while not listener.has_joined and time.monotonic() < until:
        link.poll(0.1, 10)
    assert listener.has_joined
    link.close()
    assert listener.was_told


def test_a_client_call_that_fails_inside_a_callback_breaks_the_link_and_not_the_thread(
    kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed offsets that come too late, in `on_assign`: no `except` catches what `poll` raises then."""
    monkeypatch.setattr("stream.broker.link.SLOWEST_ABORT_SECONDS", -10.0 + 1e-6)
    options = {"bootstrap.servers": kafka.bootstrap_servers}
    settings = LinkSettings(options, prefix, (create_topic(kafka, prefix),), "one", transactional=False)
    link = KafkaLink(settings, Breaking(ValueError("not asked")))

    def poll_on() -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            link.poll(0.1, 10)

    with pytest.raises(LinkBroken, match="inside a callback"):
        poll_on()
    link.close()
