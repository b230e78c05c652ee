"""Following a batch through the topics: where to begin, what was forgotten meanwhile, what is new since the last look.

Comes in: a scanner, the batch's note if it has one. Goes out: a `Standing` for every look.
"""

from collections.abc import Callable, Mapping

from stream.broker.port import Partition
from stream.broker.refusals import demand
from stream.broker.scan import Scanner, Span
from stream.catalog.book import Book
from stream.catalog.notes import BatchNote, SubmitState
from stream.catalog.standing import Standing, standing_of
from stream.core.clock import Clock
from stream.core.errors import StreamError, shown
from stream.events import CLEARLY_MS
from stream.topics import Topics

Progress = Callable[[int, int], None]


class UnknownBatch(StreamError):
    """Nobody submitted it into this store, and no entry topic holds an event of it."""


class Follower:
    """One batch, looked at as often as wanted. Blocking; raises `Unavailable(broker)`."""

    def __init__(self, scanner: Scanner, topics: Topics, batch_id: str, *, since: float | None, clock: Clock) -> None:
        """`since` (Unix seconds): of a batch without a note, raw records before it are not looked at."""
        self._scanner = scanner
        self._topics = topics
        self._batch_id = batch_id
        self._since = since
        self._clock = clock
        self._book = Book(batch_id)
        self._warnings: list[str] = []
        self._begun = False

    def look(self, note: BatchNote | None, on_progress: Progress | None = None) -> Standing:
        """The batch as it stands. The first look begins where the note says, later ones read what is new.

        Raises `UnknownBatch`, `Misconfigured` where topics are missing.
        """
        if not self._begun:
            self._begin(note, on_progress)
            self._begun = True
        self._read(on_progress)
        warnings = [*self._warnings, *_unfinished(note)]
        return standing_of(self._book, batch_id=self._batch_id, note=note, now=self._clock.wall(), warnings=warnings)

    def _begin(self, note: BatchNote | None, on_progress: Progress | None) -> None:
        entries, ends = tuple(self._topics.entries()), (self._topics.completed, self._topics.dead_letter)
        spans = self._scanner.spans((*entries, *ends))
        demand((*entries, *ends), {partition.topic for partition in spans})
        if note is not None:
            self._scanner.begin(self._noted_starts(spans, note))
            return
        self._scanner.begin(self._raw_starts({each: span for each, span in spans.items() if each.topic in entries}))
        self._read(on_progress)
        if self._book.first_arrival_ms is None:
            kept = "that is still kept" if self._since is None else "since then"
            raise UnknownBatch(
                f"no batch {shown(self._batch_id)}: nobody submitted it into this store, and no event {kept} in "
                f"{' or '.join(entries)} bears that name"
            )
        others = {each: span for each, span in spans.items() if each.topic in ends}
        # Clocks of producers and brokers differ: an end may bear an earlier time than its event.
        self._scanner.begin(self._scanner.since(others, max(0, self._book.first_arrival_ms - CLEARLY_MS)))

    def _raw_starts(self, raw: Mapping[Partition, Span]) -> dict[Partition, int]:
        if self._since is None:
            return {partition: span.low for partition, span in raw.items()}
        return self._scanner.since(raw, int(self._since * 1000))

    def _noted_starts(self, spans: Mapping[Partition, Span], note: BatchNote) -> dict[Partition, int]:
        """The noted starts where they still stand; else what is left, with a warning."""
        starts: dict[Partition, int] = {}
        eaten, anew = set[str](), set[str]()
        for partition, span in spans.items():
            start = note.start_of(partition)
            if start > span.high:
                anew.add(partition.topic)
            elif start < span.low:
                eaten.add(partition.topic)
            starts[partition] = start if span.low <= start <= span.high else span.low
        told = "no longer holds everything since the batch began (retention): counts may be too low"
        self._warnings += [f"{topic} {told}" for topic in sorted(eaten)]
        self._warnings += [f"{topic} was made anew since the batch began" for topic in sorted(anew)]
        return starts

    def _read(self, on_progress: Progress | None) -> None:
        readers = dict.fromkeys(self._topics.entries(), self._book.published)
        readers |= {self._topics.completed: self._book.completed, self._topics.dead_letter: self._book.letter}
        for records in self._scanner.read(on_progress):
            for record in records:
                readers[record.topic](record)


def _unfinished(note: BatchNote | None) -> list[str]:
    if note is None:
        return []
    if (sending := note.unfinished) is not None:
        return [f"the submit of {sending.source} ({sending.events:,} rows) runs, or was killed; then run it again"]
    last = note.submissions[-1]
    if last.state is SubmitState.SENT:
        return []
    told = f"{last.acknowledged:,} of {last.events:,} rows were acknowledged"
    return [f"the latest submit, of {last.source}, ended as {last.state}: {told}; run it again"]
