"""The bench where letters are mended and put back: for commands and for the console alike.

Comes in: doors from above, what a person asked for, letters. Goes out: a plan with its price, and what became of it.
Blocking, and of one thread: whoever has a loop of its own gives the bench a thread.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from itertools import islice
from types import TracebackType
from typing import Any, Self

from stream.broker.refusals import demand
from stream.broker.scan import Scanner
from stream.broker.transactions import Transactions
from stream.core.clock import Clock
from stream.images.inspect import ImageLimits
from stream.letters.letter import Dialect, Letter, LetterId
from stream.notifications.reading import EntryReader
from stream.objects.port import ObjectStore
from stream.pipeline import Pipeline
from stream.prices import PriceBook
from stream.replays.asking import Asker
from stream.replays.book import read_marks
from stream.replays.choosing import times_of
from stream.replays.held import Cause, Held
from stream.replays.marks import Fate, Mark, Marks
from stream.replays.plan import Plan, Planner, Returning
from stream.replays.reentry import Doors, Reentry, Wish, reenter
from stream.replays.sending import Decision, Done, Pace, Sender
from stream.replays.spool import Spool
from stream.retries import AT_ONCE
from stream.topics import Topics

BATCH = 500
"""Letters looked at together."""


@dataclass(frozen=True, slots=True)
class BenchParts:
    """Everything that a deployment's settings decide."""

    client: Mapping[str, Any]
    topics: Topics
    pipeline: Pipeline
    entries: EntryReader
    open_objects: Callable[[], AbstractAsyncContextManager[ObjectStore]]
    limits: ImageLimits
    prices: PriceBook
    requests_per_second: float
    """The contract's."""
    is_transactional: bool
    """False: at-least-once. A replay that is killed may put a letter back twice, and nobody is fenced."""
    clock: Clock


class Bench:
    """A context manager: the store stays open, and planned bytes stay kept, as long as it lasts."""

    def __init__(self, parts: BenchParts, wish: Wish | None = None) -> None:
        """`wish`: what goes back how; a discard needs none."""
        self._parts = parts
        self._wish = wish or Wish()
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._spool = Spool()
        self._asker: Asker | None = None

    def __enter__(self) -> Self:
        """Nothing is asked yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closed."""
        self._runner.run(self._stack.aclose())
        self._runner.close()
        self._spool.__exit__(kind, error, trace)

    @property
    def is_transactional(self) -> bool:
        """Whether a record and its mark are one transaction."""
        return self._parts.is_transactional

    def marks(self, on_progress: Callable[[int, int], None] | None = None) -> Marks:
        """Every decision up to now. Raises `Unavailable(broker)`."""
        with Scanner(self._parts.client) as scanner:
            return read_marks(scanner, self._parts.topics.replays, on_progress)

    def plan(
        self, letters: Iterable[Letter], marks: Marks, on_progress: Callable[[int], None] = lambda _: None
    ) -> Plan:
        """What would be done with `letters`; `on_progress` is told how many were looked at.

        Raises `Unavailable(broker | store)`, `Misconfigured`.
        """
        planner, looked_at = Planner(), 0
        for batch in _batches(letters):
            self._look_at(batch, marks, planner)
            looked_at += len(batch)
            on_progress(looked_at)
        planner.take_out(marks.put_back_elsewhere(planner.entering))
        return planner.plan(
            self._parts.prices, mends=self._wish.mends.told, requests_per_second=self._parts.requests_per_second
        )

    def put_back(self, returning: Sequence[Returning], decision: Decision, pace: Pace) -> Done:
        """Send what was planned. Raises `Misconfigured` where a topic is missing, `Unavailable(broker)`."""
        return self._sender(decision, [self._parts.topics.retry(AT_ONCE)]).put_back(returning, self._spool, pace)

    def discard(self, letters: Mapping[LetterId, int], decision: Decision, pace: Pace) -> Done:
        """Mark these letters as discarded, each with its record time. Raises as `put_back`."""
        return self._sender(decision, []).discard(letters, pace)

    def _sender(self, decision: Decision, topics: list[str]) -> Sender:
        parts = self._parts
        needed = [*topics, parts.topics.replays]
        with Scanner(parts.client) as scanner:
            demand(needed, {partition.topic for partition in scanner.spans(needed)})
        name = parts.topics.operator if parts.is_transactional else None
        return Sender(Transactions(parts.client, name), self.marks, parts.topics, parts.clock, decision)

    def _look_at(self, batch: list[Letter], marks: Marks, planner: Planner) -> None:
        doors = Doors(self._parts.pipeline, self._parts.entries, self._parts.clock.wall())
        entering: list[Reentry] = []
        for letter in self._timed([each for each in batch if _is_open(each, marks, planner)]):
            try:
                entering.append(reenter(letter, self._wish, doors))
            except Held as held:
                planner.hold(letter.at, held)
        for each, answer in zip(entering, self._asked(entering), strict=True):
            if isinstance(answer, Held):
                planner.hold(each.at, answer)
            else:
                planner.put_back(Returning.of(each, answer, self._spool.keep(each.value)))

    def _asked(self, entering: list[Reentry]) -> list[Any]:
        return self._runner.run(self._ask(entering)) if entering else []

    async def _ask(self, entering: list[Reentry]) -> list[Any]:
        if self._asker is None:
            parts = self._parts
            objects = await self._stack.enter_async_context(parts.open_objects())
            self._asker = Asker(objects, parts.pipeline, parts.limits, parts.clock)
        return list(await self._asker.ask_all(entering, self._wish))

    def _timed(self, letters: list[Letter]) -> list[Letter]:
        """Letters of the time before they told their origin's: their origins are looked up, where they are kept."""
        silent = {
            each.origin
            for each in letters
            if each.origin is not None and each.origin_timestamp_ms <= 0 and each.dialect is Dialect.SKUSTREAM
        }
        if not silent:
            return letters
        times = times_of(self._parts.client, silent)
        return [
            replace(each, origin_timestamp_ms=times[each.origin])
            if each.origin in times and each.origin_timestamp_ms <= 0
            else each
            for each in letters
        ]


def _is_open(letter: Letter, marks: Marks, planner: Planner) -> bool:
    """Whether nobody decided about it yet; else it is counted."""
    mark = marks.of(letter.at, letter.timestamp_ms)
    if mark is not None:
        planner.hold(letter.at, Held(cause_of(mark), f"by {mark.by}"))
    return mark is None


def cause_of(mark: Mark) -> Cause:
    """Why a letter with this mark stays."""
    return Cause.REPLAYED if mark.fate is Fate.REPLAYED else Cause.DISCARDED


def _batches(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    source = iter(letters)
    while batch := list(islice(source, BATCH)):
        yield batch
