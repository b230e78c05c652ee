"""Reads what ended, as it ends: `completed` and `dead-letter`, committed records only. Joins no group."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from tests.services.clients import Kafka, consumer


@dataclass
class Ended:
    """All ends seen so far, in the order they were read."""

    completed: list[dict[str, Any]] = field(default_factory=list)
    """Terminal records."""
    letters: list[dict[str, str]] = field(default_factory=list)
    """Headers of letters."""

    def __len__(self) -> int:
        return len(self.completed) + len(self.letters)

    def by_event(self) -> dict[str, list[str]]:
        """Event id → how it ended, each time."""
        found: dict[str, list[str]] = {}
        for record in self.completed:
            found.setdefault(record["event_id"], []).append(record["status"])
        for letter in self.letters:
            found.setdefault(letter.get("skustream.event-id", ""), []).append(letter["skustream.reason"])
        return found

    def record_of(self, event_id: str) -> dict[str, Any]:
        """The one terminal record of an event."""
        (record,) = [record for record in self.completed if record["event_id"] == event_id]
        return record


class Watcher:
    """One per plant; `look` reads what is there now."""

    def __init__(self, kafka: Kafka, topics: list[str], *, partitions: int) -> None:
        self.ended = Ended()
        self._consumer: Consumer = consumer(kafka, "watcher", fetch_wait_max_ms=50)
        self._consumer.assign(
            [TopicPartition(topic, number, OFFSET_BEGINNING) for topic in topics for number in range(partitions)]
        )

    def look(self, seconds: float = 0.3) -> Ended:
        """Read for `seconds`, at least; returns everything so far."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                self._take(message)
        return self.ended

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()

    def _take(self, message: Message) -> None:
        headers = headers_of(message)
        if "skustream.reason" in headers:
            self.ended.letters.append(headers)
        else:
            self.ended.completed.append(json.loads(message.value() or b""))


def headers_of(message: Message) -> dict[str, str]:
    """A record's headers as text."""
    found: Any = message.headers() or []
    return {name: (value or b"").decode(errors="replace") for name, value in found}
