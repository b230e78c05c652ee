"""The lifestyle scene: the product before a background that a prompt describes."""

from pathlib import Path

from stream.events import Frozen
from stream.images.inspect import Picture
from stream.pipeline import ReplaceBgParams, Stage
from stream.records import Asset, StageRecord
from stream.stages.desk import Desk
from stream.stages.paid import Plan, run_paid


async def replace_bg(desk: Desk, record: StageRecord, stage: Stage) -> dict[str, Asset]:
    """The scene. See `run_paid` for what it raises."""
    return await run_paid(desk, record, stage, _plan, _check)


def _plan(source: Asset, params: Frozen, _max_pixels: int) -> Plan:
    assert isinstance(params, ReplaceBgParams)  # noqa: S101 - the pipeline's table says so
    return Plan(params, {"prompt": params.prompt}, source.width, source.height)


def _check(_path: Path, _picture: Picture) -> None:
    """Any still picture is a scene; whether it is a good one is for people to see."""
