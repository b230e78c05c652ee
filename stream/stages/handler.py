"""A stage behind its desk: the order of the day that every stage keeps, whatever its operation.

Comes in: a record of the stage's input topic. Goes out: the one record it becomes.
"""

from collections.abc import Mapping
from typing import Any

from stream.core.errors import Misconfigured, Reason, Rejected
from stream.events import Origin
from stream.outcome import Outcome, OutcomeKind
from stream.pipeline import Stage
from stream.records import StageRecord, Status, terminal_of
from stream.stages.add_shadow import AddShadow
from stream.stages.desk import Desk
from stream.stages.intake import take_in, taken_in
from stream.stages.manifest import publish
from stream.stages.operation import Operation
from stream.stages.purchase import Superseded
from stream.stages.remove_bg import RemoveBg
from stream.stages.replace_bg import ReplaceBg
from stream.stages.thumbnails import Thumbnails
from stream.stages.upscale import Upscale

HOUSE: Mapping[str, Operation[Any]] = {
    operation.name: operation for operation in (RemoveBg(), Upscale(), ReplaceBg(), AddShadow(), Thumbnails())
}
"""Who does each of `operations.OPERATIONS`."""

NOTHING_TO_BRING = frozenset(
    {Reason.JOB_FAILED, Reason.JOB_BLOCKED, Reason.TOO_MANY_PIXELS, Reason.BAD_RESULT, Reason.ASSET_MISSING}
)
"""Ends of a stale event's job that leave nothing in the air: the event is superseded all the same."""


def operation_of(stage: Stage) -> Operation[Any]:
    """Who does the work of `stage`. Raises `Misconfigured` for a foreign class that is no `Operation`."""
    maker = stage.card.maker
    if maker is None:
        return HOUSE[stage.card.name]
    made = maker()
    if not isinstance(made, Operation):
        raise Misconfigured(
            f"stage {stage.name}: {stage.operation} is not derived from stream.stages.operation.Operation"
        )
    return made


class StageHandler:
    """The `Handler` of one stage."""

    def __init__(self, stage: Stage, desk: Desk) -> None:
        """`stage` is one of the desk's pipeline."""
        self._stage = stage
        self._operation = operation_of(stage)
        self._desk = desk
        self._is_first = desk.pipeline.index(stage.name) == 0

    async def admit(self, record: StageRecord) -> None:
        """At the door of the first stage: the event's wishes are checked, and the newest known is recorded (L5)."""
        if self._is_first:
            self._desk.pipeline.route(record.event)
            await self._desk.newest.record(record)

    async def handle(self, record: StageRecord) -> Outcome:
        """See `Handler`. Nothing is bought for a stale event; an accepted job is finished and settled first."""
        desk, stage = self._desk, self._stage
        newer = await desk.newest.superseding(record)
        if newer is not None:
            return self._terminal(await self._brought_home(record), Status.SUPERSEDED, newer)
        try:
            if self._is_first:
                record = await take_in(desk, record)
            route = desk.pipeline.route(record.event)
            if stage in route:
                record = await self._worked_on(record)
            await self._refuse_stale(record)
        except Superseded as end:
            return self._terminal(record, Status.SUPERSEDED, end.by)
        later = [other for other in route if desk.pipeline.index(other.name) > desk.pipeline.index(stage.name)]
        if later:
            return self._forward(record, later[0])
        newer = await publish(desk, record)
        if newer is not None:
            return self._terminal(record, Status.SUPERSEDED, newer)
        return self._terminal(record, Status.COMPLETED, None)

    async def _brought_home(self, record: StageRecord) -> StageRecord:
        """A stale record, with what was bought for it before anybody knew that it is stale (a crash lies between)."""
        desk, stage = self._desk, self._stage
        if stage.local or stage not in desk.pipeline.route(record.event):
            return record
        known = await taken_in(desk, record) if self._is_first else record
        if known is None:
            return record
        try:
            return await self._worked_on(known)
        except Superseded:
            return record
        except Rejected as end:
            if end.reason in NOTHING_TO_BRING:
                return record
            raise

    async def _worked_on(self, record: StageRecord) -> StageRecord:
        params = self._stage.params_for(record.event)
        return record.with_assets(dict(await self._operation.make(self._desk, record, self._stage, params)))

    async def _refuse_stale(self, record: StageRecord) -> None:
        newer = await self._desk.newest.superseding(record)
        if newer is not None:
            raise Superseded(newer)

    def _forward(self, record: StageRecord, to: Stage) -> Outcome:
        topic = self._desk.pipeline.input_topics(to.name, self._desk.topics)[0]
        return Outcome(OutcomeKind.FORWARDED, topic, record.event.sku_id.encode(), record.encode())

    def _terminal(self, record: StageRecord, status: Status, by: Origin | None) -> Outcome:
        end = terminal_of(record, status=status, finished_at=self._desk.clock.wall(), superseded_by=by)
        return Outcome(
            OutcomeKind(status.value), self._desk.topics.completed, record.event.sku_id.encode(), end.encode()
        )
