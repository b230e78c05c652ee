"""What is made here and bought nowhere: kept in the ledger all the same, so that a re-sent event decodes nothing again.

Comes in: a record and its stage. Goes out: assets in our store.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

from stream.core.errors import Reason, Rejected, Resource, Unavailable
from stream.images.loading import NotAPicture
from stream.ledger.port import LedgerState
from stream.pipeline import Stage
from stream.records import Asset, StageRecord
from stream.stages.desk import Desk
from stream.stages.operation import Operation, ParamsT
from stream.stages.recipes import JobName, job_name, recipe_with
from stream.stages.rehost import Naming, fetch_input, look_at, rehost


class LocalOperation(Operation[ParamsT]):
    """Any number of assets made here, once per job."""

    local = True

    @abstractmethod
    async def pictures(
        self, desk: Desk, record: StageRecord, stage: Stage, params: ParamsT, job: JobName
    ) -> dict[str, Asset]:
        """Make the assets and put them into the store, under keys that carry `job.short`."""

    async def make(self, desk: Desk, record: StageRecord, stage: Stage, params: ParamsT) -> Mapping[str, Asset]:
        """What was made before, or `pictures`."""
        job = job_name(record, recipe_with(stage, params, record, desk.pipeline.route(record.event)))
        entry = await desk.ledger.usable(job.key)
        if entry is not None and entry.state is LedgerState.SETTLED:
            return entry.record.assets
        made = await self.pictures(desk, record, stage, params, job.after(entry))
        await desk.ledger.settle_local(job.key, self.name, made, entry)
        return made


class DrawnOperation(LocalOperation[ParamsT]):
    """One picture made from one: only `draw` is left to write."""

    @abstractmethod
    def draw(self, source: Path, params: ParamsT) -> bytes:
        """The new picture's file (JPEG, PNG or WebP) from the one at `source`; blocks, in a thread, and knows no loop.

        Raises `NotAPicture` where nothing can be made of it (a letter `bad-result`); anything else is a bug.
        """

    async def make(self, desk: Desk, record: StageRecord, stage: Stage, params: ParamsT) -> Mapping[str, Asset]:
        """See `LocalOperation`; under the name that the stage gives it today."""
        (asset,) = (await super().make(desk, record, stage, params)).values()
        return {stage.makes: asset}

    async def pictures(
        self, desk: Desk, record: StageRecord, stage: Stage, params: ParamsT, job: JobName
    ) -> dict[str, Asset]:
        """Draw from the first needed asset that is there, check what came out as if it were foreign, re-host it."""
        started = desk.clock.monotonic()
        needed = stage.inputs(record.assets)[0]
        async with desk.downloads.scratch() as source, desk.downloads.scratch() as target:
            await fetch_input(desk, record.assets[needed], source)
            try:
                sha256 = await desk.workers.run(self._draw_to, target, source, params)
                picture = await look_at(desk, target)
            except NotAPicture as error:
                raise Rejected(Reason.BAD_RESULT, f"{stage.name} of {needed}: {error}") from None
            seconds = desk.clock.monotonic() - started
            naming = Naming(stage.makes, job.short)
            asset = await rehost(desk, record, naming, target, picture, sha256=sha256, seconds=seconds)
        return {stage.makes: asset}

    def _draw_to(self, target: Path, source: Path, params: ParamsT) -> str:
        content = self.draw(source, params)
        try:
            target.write_bytes(content)
        except OSError as error:
            raise Unavailable(Resource.DISK, f"the disk refused a picture: {error.strerror}") from None
        return hashlib.sha256(content).hexdigest()
