"""A shadow below the product: an optional stage, named in a pipeline file by `operation: add-shadow`."""

from pathlib import Path

from stream.events import Frozen
from stream.images.inspect import Picture
from stream.pipeline import Stage
from stream.records import Asset, StageRecord
from stream.stages.desk import Desk
from stream.stages.paid import Plan, run_paid


async def add_shadow(desk: Desk, record: StageRecord, stage: Stage) -> dict[str, Asset]:
    """The picture with its shadow. See `run_paid` for what it raises."""
    return await run_paid(desk, record, stage, _plan, _check)


def _plan(source: Asset, params: Frozen, _max_pixels: int) -> Plan:
    return Plan(params, params.model_dump(mode="json", exclude_none=True), source.width, source.height)


def _check(_path: Path, _picture: Picture) -> None:
    """Any still picture will do."""
