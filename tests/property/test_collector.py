"""Events, crashes and gc runs interleaved at every call of the store: whatever a manifest shows exists, always.

Each actor waits for his turn at the store's door, before a call and before he learns its answer; drawn lots say whose
turn it is, and who dies there. Runs of gc delete at once (`--older-than 0s`), which no operator would: nothing here
rests on a clock.
"""

import asyncio
import tempfile
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.collector.sweep import Sweep
from stream.core.errors import Reason, Rejected
from stream.ledger.makers import maker_of
from stream.ledger.port import RUNNING, JobRecord, LedgerState
from stream.records import StageRecord
from stream.stages.manifest import Manifest
from tests.unit.collector.walker import JOBS, GatedStore, Plot

EXISTING = frozenset({LedgerState.SETTLED, LedgerState.CONDEMNED})
ACTOR: ContextVar[int] = ContextVar("actor", default=-1)


@dataclass
class Stage:
    """Whose turn it is. Actors are tasks; those of one gc run share its number."""

    lots: Random
    waiting: list[tuple[int, asyncio.Future[None]]] = field(default_factory=list)
    actors: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    died: int = 0

    async def turn(self) -> None:
        if ACTOR.get() < 0:
            return
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((ACTOR.get(), called))
        await called

    def enter(self, work: Coroutine[Any, Any, None]) -> None:
        number = len(self.actors)
        token = ACTOR.set(number)
        self.actors[number] = asyncio.get_running_loop().create_task(work)
        ACTOR.reset(token)

    @property
    def is_empty(self) -> bool:
        return all(task.done() for task in self.actors.values())

    async def step(self, *, deadly: bool) -> None:
        """One actor goes on to his next call, or dies where he stands."""
        for _ in range(8):  # whoever can go on by himself does
            await asyncio.sleep(0)
        self.waiting = [(number, called) for number, called in self.waiting if not called.done()]
        if not self.waiting:
            return
        number, called = self.lots.choice(self.waiting)
        if deadly and self.lots.random() < 0.04:
            self.died += 1
            self.actors[number].cancel()
        else:
            called.set_result(None)


class Play:
    """One image, its events and its gc runs."""

    def __init__(self, lots: Random, folder: Path, *, copies: bool) -> None:
        self.lots = lots
        self.stage = Stage(lots)
        self.store = GatedStore(self.stage.turn)
        self.plot = Plot(self.store, folder)
        self.copies = copies
        self.sent = 0
        self.on_the_way: list[StageRecord] = []
        """Stage records as Kafka keeps them: they come again after a crash, or much later."""
        self.missing = 0
        self.purchases: dict[tuple[str, int], set[str]] = {}
        """Job ids that were ever durable, by job and generation."""

    def event(self) -> StageRecord:
        """A new event; a PIM may go back to an old photo. With `copies`, one of an equal place and another photo."""
        self.sent += 1
        sequence = self.lots.randint(max(1, self.sent - 1), self.sent) if self.copies else self.sent
        return self.plot.record(sequence=sequence, photo=self.lots.choice("ab"), offset=self.sent)

    async def walk(self, record: StageRecord) -> None:
        """Stage by stage, each one's output durable before the next begins."""
        try:
            if not record.assets:
                await self.plot.newest.record(record)
            for name in JOBS[len(record.assets) :]:
                if await self.plot.newest.superseding(record) is not None:
                    return
                made = await self.plot.stage(record, name)
                if made is record:
                    return
                record = made
                self.on_the_way.append(record)
            await self.plot.show(record)
        except Rejected as end:
            if end.reason is not Reason.ASSET_MISSING:
                raise
            self.missing += 1

    async def sweep(self) -> None:
        await Sweep(self.store, self.plot.ledger, older_than_seconds=0.0, wanted=True).run()

    def somebody_enters(self) -> None:
        chance = self.lots.random()
        if chance < 0.5:
            self.stage.enter(self.sweep())
        elif chance < 0.75 or not self.on_the_way:
            record = self.event()
            self.on_the_way.append(record)
            self.stage.enter(self.walk(record))
        else:
            self.stage.enter(self.walk(self.lots.choice(self.on_the_way)))

    def check(self) -> None:
        """The store as anybody would find it now."""
        for key, standing in self.store._objects.items():
            if key.endswith("/manifest.json"):
                shown = Manifest.model_validate(orjson.loads(standing.body), strict=False).shown_keys()
                assert [asset for asset in shown if not self.store.stands(asset)] == []
            elif key.startswith("_ledger/jobs/"):
                record = JobRecord.model_validate_json(standing.body)
                if record.state in EXISTING:
                    assert all(self.store.stands(asset.key) for asset in record.assets.values())
                self._count(record)
        assert max(map(len, self.purchases.values()), default=0) <= 1, "one purchase per generation"

    def _count(self, record: JobRecord) -> None:
        for generation, attempts in enumerate((*record.collected, (record.job_id,) if record.job_id else ())):
            self.purchases.setdefault((record.key, generation), set()).update(attempts)

    async def run(self) -> None:
        """Rounds of a few actors at a time: enough company to collide, enough quiet for gc to get somewhere."""
        for photo in "ab":
            self.sent += 1
            await self.plot.walk(self.plot.record(sequence=self.sent, photo=photo, offset=self.sent))
        for _ in range(5):
            for _ in range(self.lots.randint(1, 3)):
                self.somebody_enters()
            is_cut_short = self.lots.random() < 0.3  # some are still there when the next ones come
            for _ in range(self.lots.randint(0, 60) if is_cut_short else 100_000):
                if self.stage.is_empty:
                    break
                await self.stage.step(deadly=True)
                self.check()
        while not self.stage.is_empty:
            await self.stage.step(deadly=False)
            self.check()
        for task in self.stage.actors.values():
            if not task.cancelled():
                task.result()

    async def ends_well(self) -> None:
        """Whatever happened: the next event completes, and two quiet runs leave exactly what is shown."""
        self.sent += 1
        newest = await self.plot.walk(self.plot.record(sequence=self.sent, photo="a", offset=self.sent))
        for _ in range(2):
            await self.sweep()
        self.check()
        manifest = await self.plot.manifest()
        assert manifest is not None
        assert manifest.shown_keys() == {asset.key for asset in newest.assets.values()}
        needless = {key for key in self.store._objects if key.endswith(".png")} - manifest.shown_keys()
        for key in needless:  # nobody brought that job home yet
            maker = await maker_of(self.store, key.rpartition("-")[2][:20])
            entry = await self.plot.ledger.look(maker or "")
            assert entry is not None
            assert entry.state in RUNNING


def play(seed: int, *, copies: bool) -> Play:
    with tempfile.TemporaryDirectory() as folder:

        async def whole() -> Play:
            played = Play(Random(seed), Path(folder), copies=copies)
            await played.run()
            await played.ends_well()
            return played

        return asyncio.run(whole())


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_of_ordered_events_none_ever_misses_an_asset(seed: int) -> None:
    """The newest is read after the mark: an event that counts is never in gc's way, not even without any grace."""
    assert play(seed, copies=False).missing == 0


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_copies_of_an_event_with_other_pictures_end_clearly_at_worst(seed: int) -> None:
    """They are not told apart by the newest known event; the manifest's fence holds all the same."""
    play(seed, copies=True)


def test_the_play_has_deaths_deletions_and_second_purchases() -> None:
    """A model that never gets anywhere would prove nothing."""
    plays = [play(seed, copies=True) for seed in range(60)]
    assert sum(each.stage.died for each in plays) > 60
    assert sum(generation > 0 for each in plays for _, generation in each.purchases) > 20
    assert sum(each.missing for each in plays) > 0
