"""The way out for later and back in: what a stage writes to a retry topic, and which records there are its own.

Comes in: an event that is given up for now, later a record of a retry topic. Goes out: the failing stage's input byte
for byte with a `RetryNote`, later that note and how long it has to wait yet.
Every stage reads every retry topic. What names no stage of the pipeline is the first one's: it ends as a letter.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from stream.broker.port import InRecord, OutRecord
from stream.core.clock import Clock
from stream.core.errors import Reason, Rejected
from stream.records import Reading, StageRecord
from stream.retries import AT_ONCE, RETRY_DELAYS, RetryNote, read_note, stage_named
from stream.runtime.past import Past
from stream.topics import Topics

Read = Callable[[InRecord, RetryNote], Reading]


@dataclass(frozen=True, slots=True)
class Returns:
    """One stage's. `stages`: all of the pipeline, the first one first; `read` finds the one event that came back."""

    stage: str
    topics: Topics
    stages: tuple[str, ...]
    read: Read
    clock: Clock
    delays: dict[str, int] = field(init=False)
    """Seconds by retry topic."""

    def __post_init__(self) -> None:
        """The names once, not for every record."""
        object.__setattr__(self, "delays", {self.topics.retry(name): each for name, each in RETRY_DELAYS.items()})

    def is_foreign(self, record: InRecord) -> bool:
        """Whether it came back for another stage. Cheap: of every retry all stages but one are told this."""
        if record.topic not in self.delays:
            return False
        named = stage_named(record.headers)
        if named == self.stage:
            return False
        return named in self.stages or self.stage != self.stages[0]

    def is_replay(self, record: InRecord) -> bool:
        """Whether a person put it back. What a stage puts off is never due at once."""
        return self.delays.get(record.topic) == RETRY_DELAYS[AT_ONCE]

    def returned(self, record: InRecord) -> str:
        """How it came back, for its trace: `retry`, `replay`, or not at all."""
        if record.topic not in self.delays:
            return ""
        return "replay" if self.is_replay(record) else "retry"

    def note(self, record: InRecord) -> RetryNote | None:
        """What a retry record says of itself; None for a record of any other topic. Raises `Rejected`."""
        return read_note(record.headers) if record.topic in self.delays else None

    def wait_seconds(self, record: InRecord, note: RetryNote) -> float:
        """How long it has to wait yet; 0 when it is due, or nobody's.

        A due time passes from one process to another, so it is a time of day. That one jumps, and a note may say
        anything: the wait is never longer than the topic's delay, from the record's time and from now.
        """
        if note.stage != self.stage:
            return 0.0
        delay = float(self.delays[record.topic])
        until = note.due_ms / 1000
        if record.timestamp_ms > 0:
            until = min(until, record.timestamp_ms / 1000 + delay)
        return min(max(until - self.clock.wall(), 0.0), delay)

    def is_news(self, record: InRecord) -> bool:
        """Whether it may find something out now, as a new event does: it is this stage's, and waits for nothing."""
        if self.is_foreign(record):
            return False
        try:
            note = self.note(record)
        except Rejected:
            return False
        return note is None or self.wait_seconds(record, note) == 0

    def reading(self, record: InRecord, note: RetryNote) -> Reading:
        """The event in it, at its old place. Raises `Rejected`, also where no stage of the pipeline is named."""
        if note.stage != self.stage:
            expected = f"one of {', '.join(self.stages)}"
            raise Rejected(
                Reason.INVALID_EVENT, "no stage of this pipeline", field="skustream.stage", value=note.stage,
                expected=expected,
            )  # fmt: skip
        return self.read(record, note)

    def postponed(self, record: InRecord, read: StageRecord, past: Past, delay: str) -> OutRecord:
        """The retry record of an event found in `record`; `delay` is one of `RETRY_DELAYS`."""
        note = RetryNote(
            stage=self.stage, due_ms=int(self.clock.wall() * 1000) + RETRY_DELAYS[delay] * 1000, origin=read.origin,
            timestamp_ms=read.timestamp_ms, priority=read.priority, replay=read.replay, attempts=past.attempts,
            postponed=past.postponed + 1, history=past.history, buy_again=read.buy_again,
        )  # fmt: skip
        return OutRecord(self.topics.retry(delay), record.key, record.value, note.headers())
