"""The finder of letters: a dead-letter topic from a time on, one letter after the other, never all in memory.

Comes in: librdkafka options, a topic, filters. Goes out: letters as they arrive, in order within a partition. Nothing
is committed and no group is joined. Blocking; every call raises `Unavailable(broker)` when Kafka does not answer.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stream.broker.port import Partition
from stream.broker.scan import Scanner, Span
from stream.core.errors import Misconfigured
from stream.letters.dialects import read_letter
from stream.letters.document import asked_document
from stream.letters.filters import Filters, State
from stream.letters.letter import Letter, LetterId
from stream.letters.where import CannotTell

Progress = Callable[[int, int], None]
StateOf = Callable[[Letter], State]
"""What became of a letter: the marks are a floor above."""
LITTLE_MEMORY = {
    "queued.max.messages.kbytes": 4_096, "fetch.message.max.bytes": 262_144, "fetch.queue.backoff.ms": 5,
}  # fmt: skip
"""librdkafka would hold 64 MB ahead, and a megabyte of *compressed* letters of each partition is twenty in memory. A
larger letter is fetched all the same."""
BATCH_LETTERS = 500
"""Held at once: with forty headers each, a letter takes some 15 KB of memory."""


class Drawer:
    """The letters of one topic from some offsets on. `read` again for what came since."""

    def __init__(self, scanner: Scanner, starts: Mapping[Partition, int], *, knows_times: bool = True) -> None:
        """Nothing is read yet."""
        self._scanner = scanner
        self.knows_times = knows_times
        """Whether letters are found by time; else all are read to find them (librdkafka's own broker)."""
        self.passed = 0
        """Letters read so far."""
        scanner.begin(starts)

    def read(self, on_progress: Progress | None = None) -> Iterator[Letter]:
        """What there is up to now; `on_progress` is told offsets passed and offsets in all."""
        for records in self._scanner.read(on_progress):
            for record in records:
                self.passed += 1
                yield read_letter(record)


class Sieve:
    """Lets those letters through that the filters mean, with what became of them."""

    def __init__(self, filters: Filters, state_of: StateOf = lambda _: State.OPEN) -> None:
        """Nothing passed yet."""
        self._filters = filters
        self._state_of = state_of
        self.judged = 0
        """Letters that `--where` could be asked about."""
        self.unjudged = 0
        """Letters that `--where` could not be asked about: they have not the kind of value that it needs."""
        self.complaint = ""
        """What the first of them lacked."""

    def pick(self, letters: Iterable[Letter]) -> Iterator[tuple[Letter, State]]:
        """One after the other."""
        for letter in letters:
            state = self._state_of(letter)
            if self._filters.take(letter, state) and self._fits(letter, state):
                yield letter, state

    def _fits(self, letter: Letter, state: State) -> bool:
        if self._filters.where is None:
            return True
        try:
            holds = self._filters.where.holds(asked_document(letter, state, self._filters.where.fields))
        except CannotTell as error:
            self.unjudged += 1
            self.complaint = self.complaint or f"{letter.at}: {error}"
            return False
        self.judged += 1
        return holds


@contextmanager
def open_drawer(
    client: Mapping[str, Any], topic: str, *, since_ms: int | None = None, at_end: bool = False
) -> Iterator[Drawer]:
    """The letters of `topic` written at `since_ms` or later, or from now on (`at_end`).

    Where the broker cannot tell offsets by time, earlier ones come as well: `Filters` knows the time, too.
    Raises `Misconfigured` when there is no such topic.
    """
    with Scanner({**client, **LITTLE_MEMORY}, batch_records=BATCH_LETTERS) as scanner:
        spans = _spans(scanner, topic)
        if at_end:
            yield Drawer(scanner, {partition: span.high for partition, span in spans.items()})
        elif since_ms is None:
            yield Drawer(scanner, {partition: span.low for partition, span in spans.items()})
        else:
            yield Drawer(scanner, scanner.since(spans, since_ms), knows_times=scanner.knows_times(spans))


def find_letter(client: Mapping[str, Any], at: LetterId) -> Letter | None:
    """The one that lies there; None when it aged out or never was. Raises `Misconfigured` without such a partition."""
    with Scanner({**client, **LITTLE_MEMORY}, batch_records=BATCH_LETTERS) as scanner:
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
