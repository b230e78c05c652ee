"""The finder of letters: a dead-letter topic from a time on, one letter after the other, never all in memory.

Comes in: librdkafka options, a topic, a time. Goes out: letters in the order of each partition, as they arrive. Nothing
is committed and no group is joined. Blocking; every call raises `Unavailable(broker)` when Kafka does not answer.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stream.broker.port import Partition
from stream.broker.scan import Scanner, Span
from stream.core.errors import Misconfigured
from stream.letters.dialects import read_letter
from stream.letters.letter import Letter, LetterId

Progress = Callable[[int, int], None]
LITTLE_MEMORY = {"queued.max.messages.kbytes": 8_192, "fetch.message.max.bytes": 1_048_576}
"""Per partition: librdkafka would fetch 64 MB ahead of each, and a topic with twelve has a million letters."""


class Drawer:
    """The letters of one topic from a time on. `read` again for what came since."""

    def __init__(self, scanner: Scanner, spans: Mapping[Partition, Span], since_ms: int | None) -> None:
        """Nothing is read yet."""
        self._scanner = scanner
        self.knows_times = since_ms is None or scanner.knows_times(spans)
        """Whether letters were found by time; else all are read to find them (librdkafka's own broker)."""
        lows = {partition: span.low for partition, span in spans.items()}
        scanner.begin(lows if since_ms is None else scanner.since(spans, since_ms))

    def read(self, on_progress: Progress | None = None) -> Iterator[Letter]:
        """What there is up to now; `on_progress` is told offsets passed and offsets in all."""
        for records in self._scanner.read(on_progress):
            for record in records:
                yield read_letter(record)


@contextmanager
def open_drawer(client: Mapping[str, Any], topic: str, *, since_ms: int | None = None) -> Iterator[Drawer]:
    """The letters of `topic` written at `since_ms` or later. Raises `Misconfigured` when there is no such topic."""
    with Scanner({**client, **LITTLE_MEMORY}) as scanner:
        yield Drawer(scanner, _spans(scanner, topic), since_ms)


def find_letter(client: Mapping[str, Any], at: LetterId) -> Letter | None:
    """The one that lies there; None when it aged out or never was. Raises `Misconfigured` without such a partition."""
    with Scanner({**client, **LITTLE_MEMORY}) as scanner:
        place = Partition(at.topic, at.partition)
        span = _spans(scanner, at.topic).get(place)
        if span is None:
            raise Misconfigured(f"the topic {at.topic} has no partition {at.partition}")
        if not span.low <= at.offset < span.high:
            return None
        scanner.begin({place: at.offset})
        first = next(scanner.read(), [])
    # Offsets have holes: what is read there may lie further on.
    return read_letter(first[0]) if first and first[0].offset == at.offset else None


def _spans(scanner: Scanner, topic: str) -> Mapping[Partition, Span]:
    spans = scanner.spans([topic])
    if not spans:
        raise Misconfigured(f"there is no topic {topic}: skustream topics create, or another prefix")
    return spans
