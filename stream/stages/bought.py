"""What all bought operations share: an input asset, an order, a finished picture. Each one's own file says the rest.

Comes in: a record and its stage. Goes out: the asset the stage makes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from stream.core.errors import Reason, Rejected, shown
from stream.images.inspect import ImageLimits, Picture
from stream.operations import Params
from stream.pipeline import Stage
from stream.records import Asset, StageRecord
from stream.stages.desk import Desk
from stream.stages.errand import Errand
from stream.stages.operation import Operation, ParamsT
from stream.stages.purchase import obtain
from stream.stages.recipes import job_name, recipe_with


@dataclass(frozen=True, slots=True)
class Plan:
    """What to buy for one input: our parameters (they name the job), the API's, and the size to expect (pixels)."""

    params: Params
    api_params: Mapping[str, Any]
    width: int
    height: int


class BoughtOperation(Operation[ParamsT]):
    """One picture, bought from PixelAPI once. `path`: where it is ordered below the base URL, e.g. `image/remove-text`.

    The operations of the house have their paths in `pixelapi.dialects`; a foreign one is ordered at its own.
    """

    local = False
    path: str | None = None

    def plan(self, source: Asset, params: ParamsT, max_pixels: int) -> Plan | None:  # noqa: ARG002 - for those who need it
        """What to buy for `source`; None when it already is the result. Here: every parameter that is set is sent."""
        return Plan(params, params.model_dump(mode="json", exclude_none=True), source.width, source.height)

    def check(self, path: Path, picture: Picture) -> None:
        """Judge a finished picture, off the loop; raises `NotAPicture`. Here: any still picture will do."""

    async def make(self, desk: Desk, record: StageRecord, stage: Stage, params: ParamsT) -> dict[str, Asset]:
        """The stage's asset: reused, adopted or bought. Raises `Rejected(too-many-pixels)` before buying."""
        source = record.assets[stage.inputs(record.assets)[0]]
        plan = self.plan(source, params, desk.limits.max_pixels)
        if plan is None:
            return {stage.makes: source.as_reused()}
        demand_fit(plan, desk.limits, stage)
        route = desk.pipeline.route(record.event)
        errand = Errand(
            record=record,
            stage=stage,
            stage_index=desk.pipeline.index(stage.name),
            job=job_name(record, recipe_with(stage, plan.params, record, route)),
            source=source,
            params=_sendable(plan, stage),
            check=self.check,
        )
        return {stage.makes: await obtain(desk, errand)}


def _sendable(plan: Plan, stage: Stage) -> Mapping[str, Any]:
    """The API's parameters as they will be sent. Raises ValueError or TypeError for a mistake of the operation's own.

    Found only at the POST, behind the claim, it would leave each job in doubt, to be resolved by a person (L2).
    """
    strangers = sorted(plan.api_params.keys() - stage.card.params.model_fields.keys())
    if strangers:
        raise ValueError(f"{stage.card.name} orders with {', '.join(map(shown, strangers))}, none of its parameters")
    sent: dict[str, Any] = orjson.loads(orjson.dumps(dict(plan.api_params)))
    return sent


def demand_fit(plan: Plan, limits: ImageLimits, stage: Stage) -> None:
    """Raises `Rejected(too-many-pixels)` where the picture to buy would pass a limit."""
    if plan.width * plan.height > limits.max_pixels or max(plan.width, plan.height) > limits.max_side:
        raise Rejected(
            Reason.TOO_MANY_PIXELS,
            f"{stage.name} would make {plan.width}x{plan.height} pixels",
            field="raw_url",
            expected=f"at most {limits.max_pixels} pixels and {limits.max_side} a side; send a smaller photo",
        )
