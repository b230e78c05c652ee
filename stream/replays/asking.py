"""What a replay would meet: the ledger is asked for every job that the rest of the event's route needs. Writes nothing.

Comes in: a `Reentry`. Goes out: the jobs that still have to be bought, those that run already, or `Held` where the
event would only fail again. It walks the route as the stages do, with what is known of sizes: an upper figure where the
photo's version or an input's size is not known yet.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stream.core.clock import Clock
from stream.core.errors import CorruptDocument, Reason, Rejected
from stream.images.inspect import ImageLimits
from stream.ledger.jobs import Ledger
from stream.ledger.newest import Newest
from stream.ledger.port import RUNNING, Entry, JobRecord, LedgerState
from stream.ledger.versions import Versions
from stream.objects.port import ObjectStore
from stream.operations import Params
from stream.pipeline import RAW_ASSET, Pipeline, Stage
from stream.records import Asset, StageRecord
from stream.replays.held import Cause, Held
from stream.replays.reentry import Reentry, Wish
from stream.stages.bought import BoughtOperation, demand_fit
from stream.stages.handler import operation_of
from stream.stages.operation import Operation
from stream.stages.recipes import RAW_RECIPE, job_name, recipe_with

AT_ONCE = 48
"""Events asked about at the same time."""
THERE = frozenset({LedgerState.SETTLED, LedgerState.CONDEMNED})
DOUBTFUL = frozenset({LedgerState.AMBIGUOUS, LedgerState.CLAIMED})


@dataclass(frozen=True, slots=True)
class Need:
    """A job to buy. `key` is its name in the ledger; None while the photo's version is unknown, so it is at most."""

    operation: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Prospect:
    """What an event that goes back would need."""

    needs: tuple[Need, ...] = ()
    running: int = 0
    """Jobs that are taken already and only polled."""
    is_superseded: bool = False
    """A newer event of the image is known: nothing is bought, it ends `superseded`."""
    buy_again: str | None = None
    """The claim id of the job in doubt that a person decided to buy again."""


@dataclass(slots=True)
class _Walk:
    """One event on its route. An asset that is None will be there, and nobody knows its size yet."""

    entering: Reentry
    record: StageRecord
    assets: dict[str, Asset | None]
    needs: list[Need] = field(default_factory=list)
    running: int = 0
    buy_again: str | None = None


class Asker:
    """Asks the store. Raises `Unavailable(store)`; `CorruptDocument` becomes a `Held`."""

    def __init__(self, objects: ObjectStore, pipeline: Pipeline, limits: ImageLimits, clock: Clock) -> None:
        """`limits`: the workers' own. Raises `Misconfigured` for a foreign operation that is none."""
        self._objects = objects
        self._pipeline = pipeline
        self._limits = limits
        self._ledger = Ledger(objects, clock=clock, lease_seconds=0.0)
        self._newest = Newest(objects)
        self._versions = Versions(objects)
        self._operations = {stage.name: operation_of(stage) for stage in pipeline.stages}

    async def ask_all(self, entering: Sequence[Reentry], wish: Wish) -> list[Prospect | Held]:
        """An answer for each, in their order; a bounded number at the same time."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(each: Reentry) -> Prospect | Held:
            async with gate:
                try:
                    return await self.ask(each, wish)
                except Held as held:
                    return self.whole(each) if wish.include_failing and held.may_insist else held

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(each)) for each in entering]
        return [task.result() for task in tasks]

    async def ask(self, entering: Reentry, wish: Wish) -> Prospect:
        """What `entering` would need. Raises `Held`."""
        try:
            if await self._newest.superseding(entering.record) is not None:
                return Prospect(is_superseded=True)
            walk = await self._begun(entering)
            route = self._pipeline.route(entering.record.event)
            first = self._pipeline.index(entering.stage)
            for stage in route:
                if self._pipeline.index(stage.name) >= first:
                    await self._pass(walk, stage, route, wish)
        except Rejected as error:
            causes = {Reason.ORDER_KIND: Cause.ORDER_KIND, Reason.TOO_MANY_PIXELS: Cause.TOO_MANY_PIXELS}
            raise Held(causes.get(error.reason, Cause.INVALID_EVENT), str(error)) from None
        except CorruptDocument as error:
            raise Held(Cause.CORRUPT, str(error)) from None
        return Prospect(tuple(walk.needs), walk.running, buy_again=walk.buy_again)

    def whole(self, entering: Reentry) -> Prospect:
        """Where a person insists although the ledger says that it fails again: at most everything is bought."""
        first = self._pipeline.index(entering.stage)
        route = self._pipeline.route(entering.record.event)
        bought = (each for each in route if not each.local and self._pipeline.index(each.name) >= first)
        return Prospect(tuple(Need(each.card.name, None) for each in bought))

    async def _begun(self, entering: Reentry) -> _Walk:
        """At the first stage: which version of the photo is meant, if that was ever found out."""
        record = entering.record
        if not entering.is_at_raw:
            return _Walk(entering, record, dict(record.assets))
        given = record.event.version
        known = await self._versions.known(record) if given is None else f"given:{given}"
        record = record.with_assets({}, source_version=known)
        entry = None if known is None else await self._ledger.look(job_name(record, RAW_RECIPE).key)
        if entering.old_url is not None and (entry is not None or (given is None and known is not None)):
            raise Held(Cause.OLD_PHOTO, "raw_url changes, and the photo of this version was taken in already")
        photo = entry.record.assets.get(RAW_ASSET) if entry is not None and entry.state in THERE else None
        return _Walk(entering, record, {RAW_ASSET: photo})

    async def _pass(self, walk: _Walk, stage: Stage, route: tuple[Stage, ...], wish: Wish) -> None:
        params = stage.params_for(walk.record.event)
        operation = self._operations[stage.name]
        if not isinstance(operation, BoughtOperation):
            await self._pass_local(walk, stage, params, route)
            return
        source = walk.assets.get(stage.inputs(walk.assets)[0])
        chosen = self._planned(operation, stage, source, params)
        if chosen is None:
            walk.assets[stage.makes] = source
            return
        entry = await self._look(walk, stage, chosen, route)
        if entry is not None and entry.state in THERE:
            walk.assets[stage.makes] = next(iter(entry.record.assets.values()), None)
            return
        walk.assets[stage.makes] = None
        if entry is not None and not self._is_for_sale(walk, stage, entry, wish):
            walk.running += 1
            return
        if source is not None:
            await self._demand(source)
        walk.needs.append(
            Need(stage.card.name, None if self._is_vague(walk) else self._key(walk, stage, chosen, route))
        )

    async def _pass_local(self, walk: _Walk, stage: Stage, params: Params, route: tuple[Stage, ...]) -> None:
        entry = await self._look(walk, stage, params, route)
        made: Mapping[str, Asset] = entry.record.assets if entry is not None and entry.state in THERE else {}
        if not made:
            for name in stage.inputs(walk.assets):
                asset = walk.assets[name]
                if asset is not None:
                    await self._demand(asset)
        walk.assets |= {stage.makes: None, **made}

    def _planned(
        self, operation: Operation[Params], stage: Stage, source: Asset | None, params: Params
    ) -> Params | None:
        """What will name the job: of an input that is known, as the stage itself decides; None: nothing is bought."""
        if source is None or not isinstance(operation, BoughtOperation):
            return params
        plan = operation.plan(source, params, self._limits.max_pixels)
        if plan is None:
            return None
        demand_fit(plan, self._limits, stage)
        return plan.params

    async def _look(self, walk: _Walk, stage: Stage, params: Params, route: tuple[Stage, ...]) -> Entry | None:
        return None if self._is_vague(walk) else await self._ledger.look(self._key(walk, stage, params, route))

    def _is_for_sale(self, walk: _Walk, stage: Stage, entry: Entry, wish: Wish) -> bool:
        """Whether the job has to be bought; False while it runs. Raises `Held` for one that cannot be had."""
        state, record = entry.state, entry.record
        if state in RUNNING or (state is LedgerState.CLAIMED and not entry.lease_expired):
            return False
        if state is LedgerState.BLOCKED:
            raise Held(Cause.BLOCKED, _told(stage, record, "PixelAPI's safety filter blocked the picture"))
        if state is LedgerState.FAILED and len(record.failed_jobs) >= stage.job_attempts:
            raise Held(Cause.FAILED, _told(stage, record, f"all {stage.job_attempts} attempts failed"))
        if state in DOUBTFUL:
            if not wish.buy_again:
                raise Held(Cause.AMBIGUOUS, _told(stage, record, "the answer to its submit was lost"))
            if stage.name != walk.entering.stage:
                raise Held(Cause.AMBIGUOUS, f"{stage.name} is in doubt: only a letter of that stage can buy it again")
            walk.buy_again = record.claim
        return True

    async def _demand(self, asset: Asset) -> None:
        if await self._objects.stat(asset.key) is None:
            raise Held(Cause.ASSET_MISSING, f"{asset.key} is not in the store any more")

    @staticmethod
    def _is_vague(walk: _Walk) -> bool:
        return walk.record.source_version is None

    @staticmethod
    def _key(walk: _Walk, stage: Stage, params: Params, route: tuple[Stage, ...]) -> str:
        return job_name(walk.record, recipe_with(stage, params, walk.record, route)).key


def _told(stage: Stage, record: JobRecord, sentence: str) -> str:
    detail = f": {record.detail}" if record.detail else ""
    return f"{stage.name}: {sentence}{detail}"
