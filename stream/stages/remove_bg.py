"""Background removal: the product alone, on transparency."""

from pathlib import Path

from stream.events import Frozen
from stream.images.inspect import Picture
from stream.images.loading import NotAPicture
from stream.images.quality import alpha_share
from stream.pipeline import Stage
from stream.records import Asset, StageRecord
from stream.stages.desk import Desk
from stream.stages.paid import Plan, run_paid


async def remove_bg(desk: Desk, record: StageRecord, stage: Stage) -> dict[str, Asset]:
    """The cut-out. See `run_paid` for what it raises."""
    return await run_paid(desk, record, stage, _plan, _check)


def _plan(source: Asset, params: Frozen, _max_pixels: int) -> Plan:
    return Plan(params, {}, source.width, source.height)


def _check(path: Path, picture: Picture) -> None:
    """A cut-out has transparency, and something is left of the product: the next stages cost several times as much."""
    if not picture.has_alpha:
        raise NotAPicture("a cut-out without transparency")
    if alpha_share(path) <= 0.0:
        raise NotAPicture("the cut-out is empty: the product was removed with its background")
