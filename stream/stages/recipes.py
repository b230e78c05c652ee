"""How an asset is made, as a hash: the job key that L2 counts by, and the names that make CDN keys immutable.

Comes in: an event, its source version and the stages on its route. Goes out: recipes, job keys, what asset keys carry.
A recipe is the chain of operations and parameters from the photo on, so that a changed prompt makes a new job and the
set of stale assets is known. Names of stages and assets are not in it: renaming buys nothing again.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import orjson

from stream.ledger.port import Entry
from stream.objects.keys import recipe_hash
from stream.operations import Params
from stream.pipeline import Stage
from stream.records import StageRecord

Recipe = list[Any]
"""`["raw"]`, or `[operation, parameters, recipe of each input ...]`."""

RAW_RECIPE: Recipe = ["raw"]


@dataclass(frozen=True, slots=True)
class JobName:
    """`key`: 64 hex characters, the ledger's name of the job. `generation`: how often its assets were collected."""

    key: str
    generation: int = 0

    @property
    def short(self) -> str:
        """What asset keys carry: enough of the key to never meet another version's within one image."""
        return recipe_hash(self.key, self.generation)

    def after(self, entry: Entry | None) -> "JobName":
        """The name under which to make the job's assets now, `entry` being what the ledger says of it."""
        return replace(self, generation=entry.record.generation if entry is not None else 0)


def recipe_of(asset: str, record: StageRecord, route: tuple[Stage, ...]) -> Recipe:
    """The recipe of `asset` for `record`; parameters are the ones its event leads to."""
    maker = next((stage for stage in route if stage.makes == asset), None)
    if maker is None:
        return RAW_RECIPE
    return recipe_with(maker, maker.params_for(record.event), record, route)


def recipe_with(stage: Stage, params: Params, record: StageRecord, route: tuple[Stage, ...]) -> Recipe:
    """The recipe of what `stage` makes with `params`."""
    before = route[: route.index(stage)]
    available = {"raw": None, **{earlier.makes: None for earlier in before}}
    inputs = [recipe_of(name, record, before) for name in stage.inputs(available)]
    return [stage.card.name, params.model_dump(mode="json"), *inputs]


def job_name(record: StageRecord, recipe: Recipe) -> JobName:
    """The job that makes `recipe` for the record's image and source version.

    The image is part of it: a PIM's `version` counts per image, so equal versions of two images are two photos.
    """
    event = record.event
    named = [event.sku_id, event.image_id, record.source_version, recipe]
    return JobName(hashlib.sha256(orjson.dumps(named, option=orjson.OPT_SORT_KEYS)).hexdigest())
