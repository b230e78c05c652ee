"""What an outside consumer sees of the run: how far every SKU is, and how it ended. Knows topics, not the worker.

Comes in: records of the stage topics, `completed` and the letters. Goes out: `Ends`. The embedded broker delivers at
least once, so everything is counted by SKU.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import orjson
from confluent_kafka import Consumer, Message

from stream.pipeline import default_pipeline
from stream.topics import Topics

LOOK_SECONDS = 0.2
LOOK_RECORDS = 200


@dataclass(frozen=True, slots=True)
class Lettered:
    """An event that ended as a letter: why, and where it lies (partition/offset)."""

    reason: str
    error: str
    place: str


@dataclass(slots=True)
class Ends:
    """`passed`: SKUs seen behind each stage. `completed`: terminal records. `letters` by SKU."""

    wanted: frozenset[str]
    passed: dict[str, set[str]] = field(default_factory=dict)
    completed: dict[str, dict[str, Any]] = field(default_factory=dict)
    letters: dict[str, Lettered] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every wanted SKU has its end."""
        return self.wanted <= self.completed.keys() | self.letters.keys()


class Watcher:
    """A plain consumer with a group of its own."""

    def __init__(self, bootstrap_servers: str, topics: Topics, wanted: set[str]) -> None:
        """Subscribe; nothing is read before `look`."""
        pipeline = default_pipeline()
        self._stage_of = {topics.asset(stage.makes): stage.name for stage in pipeline.stages[:-1]}
        self._last_stage = pipeline.stages[-1].name
        self._topics = topics
        self.ends = Ends(frozenset(wanted), {stage.name: set() for stage in pipeline.stages})
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "skustream-demo-watcher",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": 6000,
                "fetch.wait.max.ms": 10,
            },
            logger=logging.getLogger("librdkafka"),
        )
        self._consumer.subscribe([*self._stage_of, topics.completed, topics.dead_letter])

    def look(self) -> None:
        """Take in what has arrived; waits a moment for the first record."""
        first = self._consumer.poll(LOOK_SECONDS)
        if first is None:
            return
        for message in [first, *self._consumer.consume(LOOK_RECORDS, 0)]:
            if message.error() is None:
                self._note(message)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _note(self, message: Message) -> None:
        raw_key: Any = message.key() or b""  # the stubs allow a str, which is never read back
        topic, key = message.topic(), raw_key.decode(errors="replace")
        if topic == self._topics.dead_letter:
            told: Any = message.headers() or []  # the stubs allow a dict, which is never read back
            headers = {name: (value or b"").decode(errors="replace") for name, value in told}
            place = f"{message.partition()}/{message.offset()}"
            told_why = (headers.get("skustream.reason", ""), headers.get("skustream.error", ""))
            self.ends.letters[key] = Lettered(*told_why, place)
        elif topic == self._topics.completed:
            self.ends.completed[key] = orjson.loads(message.value() or b"{}")
            self.ends.passed[self._last_stage].add(key)
        elif topic in self._stage_of:
            self.ends.passed[self._stage_of[topic]].add(key)
