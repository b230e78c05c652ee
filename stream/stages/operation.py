"""One kind of work: the shape that every operation has, the house's own and a foreign one alike.

Comes in: a record whose stage names the operation. Goes out: the assets it makes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

from stream.operations import Params
from stream.pipeline import Stage
from stream.records import Asset, StageRecord
from stream.stages.desk import Desk

ParamsT = TypeVar("ParamsT", bound=Params)


class Operation(ABC, Generic[ParamsT]):
    """Derive from `DrawnOperation` (one picture made here), `BoughtOperation` (one bought) or `LocalOperation`.

    `name`: small letters, digits and hyphens. It stands in job keys: change it when pictures should be made anew.
    `params`: the model of its parameters; `local`: made here, nothing bought.
    """

    name: str
    params: type[ParamsT]
    local: bool

    @abstractmethod
    async def make(self, desk: Desk, record: StageRecord, stage: Stage, params: ParamsT) -> Mapping[str, Asset]:
        """The assets of `stage` for `record`, by name. Called again after a crash: what was made is found, not redone.

        Raises what `core.errors` lists: `Rejected` writes a letter, `Transient` tries again, `Unavailable` pauses.
        """
