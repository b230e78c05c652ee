"""Putting letters back: each record and its mark in one transaction, by one producer whose id fences a second operator.

Comes in: what a plan says goes back, or what is discarded. Goes out: records on `retry.now`, marks on `replays`. All
marks are read anew once the id is ours, so nobody else can write one: whatever they tell is left out. An interrupted
replay is resumed by running it again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from stream.broker.port import OutRecord
from stream.broker.transactions import Fenced, Refused, Transactions, Undecided
from stream.core.clock import Clock
from stream.core.errors import Resource, Unavailable
from stream.events import Priority
from stream.letters.letter import LetterId
from stream.records import dump
from stream.replays.marks import (
    MAX_BY_CHARACTERS,
    MAX_FILTER_CHARACTERS,
    MAX_WHY_CHARACTERS,
    Fate,
    Mark,
    Marks,
)
from stream.replays.plan import Returning
from stream.replays.spool import Spool
from stream.retries import AT_ONCE, RetryNote
from stream.topics import Topics

log = structlog.get_logger(__name__)

BATCH_LETTERS = 200
BATCH_BYTES = 4 * 1024 * 1024
LIVES = 3
"""So often it begins anew after a commit whose answer was lost."""
SLICE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided, why, by which filter and which plan."""

    by: str
    why: str = ""
    filter: str = ""
    plan_id: str = ""


@dataclass(slots=True)
class Done:
    """How it ended. `decided`: by somebody else, since the plan was made; `refused`: by Kafka, and why."""

    written: int = 0
    decided: int = 0
    refused: dict[LetterId, str] = field(default_factory=dict)
    is_interrupted: bool = False
    is_fenced: bool = False
    trouble: str = ""
    """Why it ended early, where Kafka is at fault; what was written stays written."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How quickly, and when to stop. `rate`: letters a second, None for as quickly as Kafka takes them."""

    rate: float | None
    told_to_stop: Callable[[], bool]
    sleep: Callable[[float], None]
    on_progress: Callable[[int], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class _Item:
    """One letter: the records that are written for it, made only when its turn comes."""

    at: LetterId
    written_ms: int
    size_bytes: int
    records: Callable[[], list[OutRecord]]
    returning: Returning | None = None


class Sender:
    """One replay or discard. Blocking; raises `Unavailable(broker)` where it cannot begin."""

    def __init__(
        self, transactions: Transactions, read: Callable[[], Marks], topics: Topics, clock: Clock, decision: Decision
    ) -> None:
        """`read`: all marks up to now."""
        self._transactions = transactions
        self._read = read
        self._topics = topics
        self._clock = clock
        self._decision = decision
        self._done = Done()
        self._at_ms = 0
        """Of the batch under way: tells our own marks from others'."""

    def put_back(self, returning: Sequence[Returning], spool: Spool, pace: Pace) -> Done:
        """Put these letters back."""

        def item(each: Returning) -> _Item:
            return _Item(each.at, each.written_ms, each.kept.length, lambda: self._record(each, spool), each)

        return self._run([item(each) for each in returning], pace)

    def discard(self, letters: Mapping[LetterId, int], pace: Pace) -> Done:
        """Only mark these letters, each with its record time: nobody need look at them again."""

        def item(at: LetterId, written_ms: int) -> _Item:
            return _Item(at, written_ms, 0, lambda: [self._marked(self._mark(Fate.DISCARDED, at, written_ms))])

        return self._run([item(at, written_ms) for at, written_ms in letters.items()], pace)

    def _run(self, items: list[_Item], pace: Pace) -> Done:
        left = {item.at: item for item in items}
        self._transactions.begin()
        try:
            self._write_all(left, pace)
        except Fenced:
            self._done.is_fenced = True
        except Unavailable as error:
            self._done.trouble = str(error)
        return self._done

    def _write_all(self, left: dict[LetterId, _Item], pace: Pace) -> None:
        for _ in range(LIVES):
            self._leave_out_decided(left)
            try:
                self._write(left, pace)
            except Undecided as error:
                log.warning("commit-undecided", cause=str(error))
                self._transactions.begin()
            else:
                return
        self._leave_out_decided(left)
        raise Unavailable(Resource.BROKER, "the answers to several commits in a row were lost")

    def _leave_out_decided(self, left: dict[LetterId, _Item]) -> None:
        """What the marks tell now. Our own of a commit whose answer was lost count as written."""
        marks = self._read()
        repeats = marks.put_back_elsewhere([item.returning for item in left.values() if item.returning is not None])
        for at, item in list(left.items()):
            mark = marks.of(at, item.written_ms)
            if mark is None and at not in repeats:
                continue
            del left[at]
            if mark is not None and (mark.by, mark.plan_id, mark.at_ms) == (*self._who, self._at_ms):
                self._done.written += 1
            else:
                self._done.decided += 1

    @property
    def _who(self) -> tuple[str, str]:
        return (_told(self._decision.by, MAX_BY_CHARACTERS), self._decision.plan_id)

    def _write(self, left: dict[LetterId, _Item], pace: Pace) -> None:
        while left:
            if pace.told_to_stop():
                self._done.is_interrupted = True
                return
            began = self._clock.monotonic()
            batch = _batch(left, pace.rate)
            self._at_ms = int(self._clock.wall() * 1000)
            self._write_batch(batch, left)
            pace.on_progress(self._done.written + self._done.decided + len(self._done.refused))
            if pace.rate is not None and left:
                self._wait(began + len(batch) / pace.rate, pace)

    def _write_batch(self, batch: list[_Item], left: dict[LetterId, _Item]) -> None:
        refused: Mapping[int, str] = {}
        try:
            self._transactions.write([item.records() for item in batch])
        except Refused as error:
            refused = error.causes
            self._done.refused |= {batch[number].at: cause for number, cause in refused.items()}
            if not error.others_written:  # they are tried again, without those
                for number in refused:
                    del left[batch[number].at]
                return
        for item in batch:
            del left[item.at]
        self._done.written += len(batch) - len(refused)

    def _wait(self, until: float, pace: Pace) -> None:
        while (seconds := until - self._clock.monotonic()) > 0 and not pace.told_to_stop():
            pace.sleep(min(seconds, SLICE_SECONDS))

    def _record(self, each: Returning, spool: Spool) -> list[OutRecord]:
        note = RetryNote(
            stage=each.stage, due_ms=0, origin=each.origin, timestamp_ms=each.timestamp_ms, priority=Priority.REPLAY,
            replay=each.replay, history=each.history, buy_again=each.buy_again,
        )  # fmt: skip
        mark = self._mark(Fate.REPLAYED, each.at, each.written_ms).model_copy(
            update={
                "origin": each.origin, "origin_timestamp_ms": each.timestamp_ms, "replay": each.replay,
                "stage": each.stage,
            }
        )  # fmt: skip
        value = spool.get(each.kept)
        return [
            OutRecord(self._topics.retry(AT_ONCE), each.key, value, note.headers() + each.trace),
            self._marked(mark),
        ]

    def _mark(self, fate: Fate, at: LetterId, written_ms: int) -> Mark:
        decision = self._decision
        return Mark(
            fate=fate, topic=at.topic, partition=at.partition, offset=at.offset, at_ms=self._at_ms,
            by=_told(decision.by, MAX_BY_CHARACTERS), why=_told(decision.why, MAX_WHY_CHARACTERS),
            filter=_told(decision.filter, MAX_FILTER_CHARACTERS), plan_id=decision.plan_id,
            letter_timestamp_ms=max(0, written_ms),
        )  # fmt: skip

    def _marked(self, mark: Mark) -> OutRecord:
        return OutRecord(self._topics.replays, str(mark.letter).encode(), dump(mark))


def _told(text: str, limit: int) -> str:
    """As much as a mark takes. What was no UTF-8 on a command line is no text for JSON either."""
    return text[:limit].encode(errors="replace").decode()


def _batch(left: Mapping[LetterId, _Item], rate: float | None) -> list[_Item]:
    most = BATCH_LETTERS if rate is None else max(1, min(BATCH_LETTERS, int(rate)))
    return list(_taken(left.values(), most))


def _taken(items: Iterable[_Item], most: int) -> Iterator[_Item]:
    size = 0
    for number, item in enumerate(items):
        size += item.size_bytes
        if number == most or (number and size > BATCH_BYTES):
            return
        yield item
