"""The ledger's side of the story: which jobs the events need, and what became of each.

Comes in: events as the search left them. Goes out: moments of jobs, with the event that paid; what was reused is noted.
A job is found three ways: by the key that its recipe gives today, by the hash in the keys of assets that were made (the
pipeline may have changed since), and by the key that a letter names.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from stream.core.clock import Clock
from stream.core.errors import CorruptDocument, StreamError
from stream.explain import wording
from stream.explain.moments import Event, Moment, What, origin_text
from stream.ledger.jobs import Ledger
from stream.ledger.makers import maker_of
from stream.ledger.port import JobRecord, LedgerState
from stream.ledger.versions import Versions
from stream.objects.keys import job_key_path, read_asset_key
from stream.objects.port import ObjectStore
from stream.pipeline import Pipeline, Stage
from stream.records import StageRecord
from stream.stages.bought import BoughtOperation
from stream.stages.handler import operation_of
from stream.stages.recipes import RAW_RECIPE, job_name, recipe_with

MAX_JOBS = 5_000
AT_ONCE = 16
"""Documents read beside each other."""
TAKEN_IN = "photo"
WHOLE_SECONDS_MS = 2_000
"""So far may a time be off that comes of an age in whole seconds."""
NOTICED_SECONDS = 0.05
"""A shorter wait for the limiter is none."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job of the ledger. `stage`: who needs it; `needed_by`: the events, oldest first."""

    record: JobRecord
    written_ms: int
    """When its document was last written, by the store's clock: when it came to its state."""
    stage: str
    needed_by: tuple[Event, ...]

    @property
    def credits(self) -> Decimal:
        """What it cost so far, all attempts."""
        return self.record.total_credits


class Inquiry:
    """Asks the ledger. Raises `Unavailable(store)`."""

    def __init__(self, objects: ObjectStore, ledger: Ledger, pipeline: Pipeline, clock: Clock, max_pixels: int) -> None:
        """`max_pixels`: the cap that upscaling plans with; it is part of what was ordered."""
        self._objects, self._ledger, self._pipeline = objects, ledger, pipeline
        self._versions = Versions(objects)
        self._clock, self._max_pixels = clock, max_pixels
        self._turn = asyncio.Semaphore(AT_ONCE)
        self.warnings: list[str] = []

    async def jobs(self, events: Collection[Event]) -> list[Job]:
        """Every job that is found, in no order."""
        ordered = sorted(events, key=lambda event: event.begun_ms)
        wanted: dict[str, tuple[str, list[Event]]] = {}
        for event, names in zip(ordered, await asyncio.gather(*map(self._names, ordered)), strict=True):
            for key, stage in names.items():
                if len(wanted) < MAX_JOBS:
                    wanted.setdefault(key, (stage, []))[1].append(event)
        found = await asyncio.gather(*map(self._look, wanted))
        return [
            Job(record, written_ms, stage, tuple(needed_by))
            for (record, written_ms), (stage, needed_by) in zip(found, wanted.values(), strict=True)
            if record is not None
        ]

    async def _names(self, event: Event) -> Mapping[str, str]:
        """Job keys of one event, with the stage each one is for."""
        async with self._turn:
            record = await self._with_version(event)
        names = {**event.job_keys, **dict(_reckoned(record, self._pipeline, self._max_pixels) if record else ())}
        for asset_key, asset in event.asset_keys.items():
            told = read_asset_key(asset_key)
            if told is None or any(key.startswith(told.short) for key in names):
                continue
            async with self._turn:
                maker = await self._maker(told.short)
            if maker is not None:
                names[maker] = asset
        return names

    async def _maker(self, short: str) -> str | None:
        try:
            return await maker_of(self._objects, short)
        except CorruptDocument as error:
            self.warnings.append(str(error))
            return None

    async def _with_version(self, event: Event) -> StageRecord | None:
        """The record with the version of its photo; None while nobody resolved it: then nothing was ordered."""
        record = event.record
        if record is None or record.source_version is not None:
            return record
        version = event.source_version or (f"given:{record.event.version}" if record.event.version else None)
        try:
            version = version or await self._versions.known(record)
        except CorruptDocument as error:
            self.warnings.append(str(error))
        event.source_version = version or ""
        return None if version is None else record.with_assets({}, source_version=version)

    async def _look(self, key: str) -> tuple[JobRecord | None, int]:
        """The job's document, and when it was written (Unix ms)."""
        try:
            async with self._turn:
                entry = await self._ledger.look(key)
        except (CorruptDocument, ValueError) as error:  # a letter may name anything as its job's key
            self.warnings.append(str(error))
            return None, 0
        if entry is None:
            return None, 0
        return entry.record, round((self._clock.wall() - entry.age_seconds) * 1000)


def _reckoned(record: StageRecord, pipeline: Pipeline, max_pixels: int) -> Iterator[tuple[str, str]]:
    """The keys that the stages reckon today."""
    yield job_name(record, RAW_RECIPE).key, TAKEN_IN
    with suppress(StreamError):  # an event that this pipeline refuses has no route
        route = pipeline.route(record.event)
        for stage in route:
            yield job_name(record, _recipe(stage, record, route, max_pixels)).key, stage.name


def _recipe(stage: Stage, record: StageRecord, route: tuple[Stage, ...], max_pixels: int) -> list[object]:
    """As `stages.bought` and `stages.local` have it: what is planned for the input counts, where the input is known."""
    params = stage.params_for(record.event)
    source = next((record.assets[name] for name in stage.inputs(record.assets)), None)
    if source is not None:
        with suppress(StreamError, ValueError, TypeError):  # an operation of the operator's own
            operation = operation_of(stage)
            plan = operation.plan(source, params, max_pixels) if isinstance(operation, BoughtOperation) else None
            params = params if plan is None else plan.params
    return recipe_with(stage, params, record, route)


def tell_jobs(jobs: Iterable[Job], events: Collection[Event]) -> None:
    """Give each job's moments to the event that paid it; the others note what they reuse."""
    by_payer = {(event.origin, event.image_id): event for event in events}
    for job in jobs:
        payer = job.record.payer
        first = job.needed_by[0]
        owner = first if payer is None else by_payer.get((payer.origin, first.image_id), first)
        owner.moments += moments_of(replace(job, written_ms=min(job.written_ms, _at_the_latest(job, owner))))
        if payer is None:
            continue
        if payer.origin == owner.origin:
            owner.paid.add(job.record.key)
        for event in job.needed_by:
            if event.origin != payer.origin:
                event.reused[job.stage] = origin_text(payer.origin)


def _at_the_latest(job: Job, owner: Event) -> int:
    """Not after the record that rests on what the job came to: a store may tell ages in whole seconds."""

    def rests_on_it(moment: Moment) -> bool:
        if not job.written_ms - WHOLE_SECONDS_MS <= moment.at_ms < job.written_ms:
            return False
        assets = moment.facts.get("assets", ())
        return moment.facts.get("job_key") == job.record.key or not job.record.assets.keys().isdisjoint(assets)

    return min((moment.at_ms for moment in owner.moments if rests_on_it(moment)), default=job.written_ms)


def moments_of(job: Job) -> Iterator[Moment]:
    """What the ledger keeps of one job: its present attempt's times, and what it came to."""
    record, where = job.record, job_key_path(job.record.key)
    replay = record.payer.replay if record.payer else 0
    facts = {
        "job_key": record.key, "stage": job.stage, "operation": record.operation, "state": record.state.value,
        "attempt": record.attempt, "job_id": record.job_id, "failed_jobs": list(record.failed_jobs),
        "credits": str(job.credits), "waited_seconds": record.waited_seconds,
    }  # fmt: skip

    def moment(at_ms: float, what: What, text: str) -> Moment:
        return Moment(round(at_ms), what, text, where, facts, replay)

    if not record.claim:
        yield moment(job.written_ms, What.MADE, wording.made(record, job.stage))
        return
    if record.claimed_at is not None:
        claimed_ms = record.claimed_at * 1000
        if record.waited_seconds >= NOTICED_SECONDS:
            text = f"{job.stage}: {record.waited_seconds:.1f} s for the limiter"
            yield moment(claimed_ms - record.waited_seconds * 1000, What.WAITED, text)
        yield moment(claimed_ms, What.CLAIMED, wording.claimed(record, job.stage))
    if record.accepted_at is not None:
        yield moment(record.accepted_at * 1000, What.ACCEPTED, wording.accepted(record, job.stage))
    if record.state not in {LedgerState.CLAIMED, LedgerState.ACCEPTED}:
        # A store that tells ages in whole seconds may put the end before the order that it ended.
        begun_ms = 1000 * max(record.claimed_at or 0, record.accepted_at or 0)
        yield moment(max(job.written_ms, begun_ms), What.JOB, wording.job(record, job.stage))
