"""What all bought stages share: an input asset, an order, a finished picture. Each operation's own file says the rest.

Comes in: a record and its stage. Goes out: the asset the stage makes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream.core.errors import Reason, Rejected
from stream.events import Frozen
from stream.images.inspect import Picture
from stream.pipeline import Stage
from stream.records import Asset, StageRecord
from stream.stages.desk import Desk
from stream.stages.errand import Errand
from stream.stages.purchase import obtain
from stream.stages.recipes import job_name, recipe_with


@dataclass(frozen=True, slots=True)
class Plan:
    """What to buy for one input: our parameters (they name the job), the API's, and the size to expect (pixels)."""

    params: Frozen
    api_params: Mapping[str, Any]
    width: int
    height: int


Planner = Callable[[Asset, Frozen, int], Plan | None]
"""(input, parameters, pixel cap) → plan, or None when the input already is the result."""


async def run_paid(
    desk: Desk,
    record: StageRecord,
    stage: Stage,
    plan_for: Planner,
    check: Callable[[Path, Picture], None],
) -> dict[str, Asset]:
    """The stage's asset, reused, adopted or bought. Raises `Rejected(too-many-pixels)` before anything is bought."""
    source = record.assets[stage.inputs(record.assets)[0]]
    plan = plan_for(source, stage.params_for(record.event), desk.limits.max_pixels)
    if plan is None:
        return {stage.makes: source.as_reused()}
    _fits(plan, desk, stage)
    route = desk.pipeline.route(record.event)
    errand = Errand(
        record=record,
        stage=stage,
        stage_index=desk.pipeline.index(stage.name),
        job=job_name(record, recipe_with(stage, plan.params, record, route)),
        source=source,
        params=plan.api_params,
        check=check,
    )
    return {stage.makes: await obtain(desk, errand)}


def _fits(plan: Plan, desk: Desk, stage: Stage) -> None:
    limits = desk.limits
    if plan.width * plan.height > limits.max_pixels or max(plan.width, plan.height) > limits.max_side:
        raise Rejected(
            Reason.TOO_MANY_PIXELS,
            f"{stage.name} would make {plan.width}x{plan.height} pixels",
            field="raw_url",
            expected=f"at most {limits.max_pixels} pixels and {limits.max_side} a side; send a smaller photo",
        )
