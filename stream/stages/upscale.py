"""Upscaling within the pixel cap: a lower scale rather than a refusal, nothing bought for what is large already."""

from pathlib import Path

from stream.events import Frozen
from stream.images.inspect import Picture
from stream.pipeline import Stage, UpscaleParams
from stream.records import Asset, StageRecord
from stream.stages.desk import Desk
from stream.stages.paid import Plan, run_paid

SMALLEST_SCALE = 2


async def upscale(desk: Desk, record: StageRecord, stage: Stage) -> dict[str, Asset]:
    """The larger picture. See `run_paid` for what it raises."""
    return await run_paid(desk, record, stage, _plan, _check)


def _plan(source: Asset, params: Frozen, max_pixels: int) -> Plan | None:
    assert isinstance(params, UpscaleParams)  # noqa: S101 - the pipeline's table says so
    enough = params.skip_if_longest_side
    if enough is not None and max(source.width, source.height) >= enough:
        return None
    scale: int = params.scale
    if source.width * source.height * scale**2 > max_pixels:
        scale = SMALLEST_SCALE
    chosen = params.model_copy(update={"scale": scale})
    return Plan(chosen, {"scale": scale}, source.width * scale, source.height * scale)


def _check(_path: Path, _picture: Picture) -> None:
    """Providers round and cap sizes as they like: what was delivered is recorded as it is."""
