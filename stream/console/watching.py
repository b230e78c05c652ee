"""The watcher: a thread of its own that reads the topics into the index, again and again. It never joins a group.

Comes in: a scanner. Goes out: the index as it stands, and a word on how far the reading is. A Kafka that is gone is
told and waited for; what was read before stays on show.
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from stream.broker.scan import Scanner, Span
from stream.console.index import Index
from stream.core.clock import Clock
from stream.core.errors import Unavailable
from stream.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.broker.port import Partition
    from stream.catalog.notes import BatchNote

log = structlog.get_logger(__name__)

REFRESH_SECONDS = 2.0
IDLE_SHARE = 4.0
"""It rests at least so many times as long as it reckoned: a batch of 50,000 that moves takes half a second."""
END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """How far it is. `is_complete`: everything was read once. `at`: Unix seconds of the last whole look, or 0."""

    done: int = 0
    total: int = 0
    is_complete: bool = False
    at: float = 0.0
    trouble: str = ""
    missing: tuple[str, ...] = ()
    """Topics that do not exist."""


class _Enough(Exception):
    """The console ends."""


class Watcher:
    """Started once, stopped once. `reading` and the index may be read by anybody."""

    def __init__(
        self,
        scanner: Scanner,
        index: Index,
        clock: Clock,
        *,
        since: float = 0.0,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """`since` (Unix seconds): older records are not looked at. The scanner is this thread's from now on."""
        self._scanner = scanner
        self.index = index
        self._clock = clock
        self.since_ms = int(since * 1000)
        self._refresh_seconds = refresh_seconds
        self._enough = threading.Event()
        self._begun: set[Partition] = set()
        self._thread = threading.Thread(target=self._watch, name="console-watcher", daemon=True)
        self.reading = Reading()
        self.notes: Mapping[str, BatchNote] = {}
        """By batch; replaced by whoever reads the store."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, within seconds."""
        self._enough.set()
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)

    @property
    def is_alive(self) -> bool:
        """Whether it still reads."""
        return self._thread.is_alive()

    def _watch(self) -> None:
        with self._scanner:
            while not self._enough.is_set():
                reckoned = 0.0
                try:
                    reckoned = self._look()
                except _Enough:
                    return
                except Unavailable as error:
                    self._tell(trouble=str(error))
                except Exception as error:  # a page that says so is better than one that stands still
                    log.exception("console-watcher")
                    self._tell(trouble=f"the console itself failed ({type(error).__name__}); its log tells where")
                self._enough.wait(max(self._refresh_seconds, IDLE_SHARE * reckoned))

    def _look(self) -> float:
        """Read what is new, and show it; how long the latter took, in seconds."""
        names = topics_read(self.index.topics)
        spans = self._scanner.spans(names)
        self._begin(spans)
        for records in self._scanner.read(self._progress):
            for record in records:
                self.index.take(record)
        began = self._clock.monotonic()
        self.index.publish(self.notes, now=self._clock.wall())
        reckoned = self._clock.monotonic() - began
        found, marks = {partition.topic for partition in spans}, self.index.topics.replays
        self.reading = Reading(
            is_complete=True,
            at=self._clock.wall(),
            missing=tuple(name for name in names if name not in found and name != marks),
        )
        return reckoned

    def _begin(self, spans: "Mapping[Partition, Span]") -> None:
        """Read these partitions too, those that are new."""
        fresh = {each: span for each, span in spans.items() if each not in self._begun}
        # Marks are compacted, and the oldest counts as much as the newest.
        whole = {each: span.low for each, span in fresh.items() if each.topic == self.index.topics.replays}
        dated = {each: span for each, span in fresh.items() if each not in whole}
        starts = self._scanner.since(dated, self.since_ms) if self.since_ms > 0 and dated else {
            each: span.low for each, span in dated.items()
        }  # fmt: skip
        self._scanner.begin({**whole, **starts})
        self._begun |= fresh.keys()

    def _progress(self, done: int, total: int) -> None:
        if self._enough.is_set():
            raise _Enough
        if not self.reading.is_complete:
            self.reading = Reading(done=done, total=total)

    def _tell(self, *, trouble: str) -> None:
        known = self.reading
        self.reading = Reading(known.done, known.total, known.is_complete, known.at, trouble, known.missing)


def topics_read(topics: Topics) -> tuple[str, ...]:
    """What the console reads: entries, ends, letters, decisions."""
    return (*topics.entries(), topics.completed, topics.dead_letter, topics.replays)
