"""Front desk of the simulator: what it is asked to be like today.

A `Behaviour` comes in (from a test, a command line or `PUT /_sim/behaviour`) and is read by every other room; it
changes nothing itself. Whatever the public sources about PixelAPI disagree on is a field here.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stream.simulator.faults import ErrorShape, Fault, Operation, Shape

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

ALL_OPERATIONS = frozenset(Operation)
DEFAULT_PRICES_CREDITS = {
    Operation.REMOVE_BACKGROUND: Decimal(10),
    Operation.REPLACE_BACKGROUND: Decimal(10),
    Operation.UPSCALE: Decimal(50),
    Operation.ADD_SHADOW: Decimal(5),
}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RateLimit(_Model):
    """A contract of `requests` in `window_seconds`, judged at arrival; `requests=None` is no limit at all."""

    requests: int | None = Field(default=None, ge=0)
    window_seconds: float = Field(default=60.0, gt=0)
    window: Literal["sliding", "fixed"] = "sliding"
    count_polls: bool = True
    count_account: bool = True
    count_refused: bool = False
    retry_after: Literal["none", "seconds", "date"] = "seconds"
    remaining_header: bool = True
    reset_header: Literal["none", "epoch", "delta"] = "epoch"


class Latency(_Model):
    """How long a job takes. Lognormal: minimum and maximum are the 5th and 95th percentile, and the hard ends."""

    minimum_seconds: float = Field(default=0.02, ge=0)
    maximum_seconds: float = Field(default=0.1, ge=0)
    distribution: Literal["uniform", "lognormal"] = "uniform"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.maximum_seconds < self.minimum_seconds:
            raise ValueError("maximum_seconds is below minimum_seconds")
        if self.distribution == "lognormal" and self.minimum_seconds <= 0:
            raise ValueError("a lognormal latency needs minimum_seconds above 0")
        return self

    def draw(self, rng: random.Random) -> float:
        """Seconds for one job."""
        low, high = self.minimum_seconds, self.maximum_seconds
        if self.distribution == "uniform" or low == high:
            return rng.uniform(low, high)
        middle = (math.log(low) + math.log(high)) / 2
        spread = (math.log(high) - math.log(low)) / (2 * 1.645)
        return min(max(rng.lognormvariate(middle, spread), low), high)


class Behaviour(_Model):
    """Everything the simulated provider can be told to do. JSON in, JSON out; never changed in place."""

    seed: int = 1
    # What can be called, and how it answers.
    dialects: Literal["image", "edit", "both"] = "both"
    disabled_status: Literal[404, 405] = 404
    synchronous: frozenset[Operation] = frozenset()
    edit_synchronous: frozenset[Operation] = ALL_OPERATIONS
    synchronous_has_id: bool = True
    first_status: str = "queued"
    first_status_share: float = Field(default=0.3, ge=0, le=1)
    id_field: Literal["generation_id", "id", "job_id"] = "generation_id"
    url_field: Literal["output_url", "url"] = "output_url"
    error_field: Literal["error", "error_message"] = "error"
    credits_in_submit: bool = True
    credits_in_poll: bool = False
    id_in_poll: bool = False
    error_shape: Shape = ErrorShape.DETAIL_STRING
    error_shapes: dict[int, Shape] = Field(default_factory=dict)
    usage_enabled: bool = True
    user_agent_check: bool = True
    # Contract and money.
    rate: RateLimit = RateLimit()
    max_running_jobs: int | None = Field(default=None, ge=1)
    running_refusal_status: Literal[429, 503] = 429
    prices_credits: dict[Operation, Decimal] = Field(default_factory=lambda: dict(DEFAULT_PRICES_CREDITS))
    balance_credits: Decimal = Decimal(300_000)
    plan: str = "scale"
    charge: Literal["submit", "success"] = "submit"
    refund_failed: bool = True
    refund_blocked: bool = True
    # Time.
    latency: dict[Operation, Latency] = Field(default_factory=dict)
    default_latency: Latency = Latency()
    arrival_jitter_seconds: float = Field(default=0.0, ge=0)
    answer_delay: Latency = Latency(minimum_seconds=0.0, maximum_seconds=0.0)
    """Between taking an asynchronous job and saying so: the client's submit stays open meanwhile."""
    # Pictures in and out.
    fetch_failure_status: Literal[400, 422] = 422
    fetch_timeout_seconds: float = Field(default=15.0, gt=0)
    scene_format: Literal["jpeg", "png"] = "jpeg"
    output_ttl_seconds: float | None = Field(default=86_400.0, ge=0)
    expired_status: Literal[403, 404, 410] = 410
    renew_on_poll: bool = True
    output_base_url: str | None = None
    faults: tuple[Fault, ...] = ()

    def price_credits(self, operation: Operation) -> Decimal:
        """Credits one job of this operation costs."""
        return self.prices_credits.get(operation, DEFAULT_PRICES_CREDITS[operation])

    def latency_of(self, operation: Operation) -> Latency:
        """The latency distribution of this operation."""
        return self.latency.get(operation, self.default_latency)

    def shape_for(self, status: int) -> ErrorShape:
        """The body shape errors of this HTTP status are given in."""
        return self.error_shapes.get(status, self.error_shape)

    def changed(self, patch: object) -> Behaviour:
        """A new behaviour with `patch` merged in (objects key by key, lists whole).

        Raises pydantic.ValidationError, and TypeError when `patch` is no object.
        """
        if not isinstance(patch, dict):
            raise TypeError("a behaviour is a JSON object")
        return Behaviour.model_validate(_merged(self.model_dump(mode="json"), patch))


def realistic(**fields: Any) -> Behaviour:
    """The documented waits: upscale 10 to 30 s, removal 1.5 to 6 s, scenes 8 to 20 s (pixelapi reference, Figures)."""
    waits = {
        Operation.REMOVE_BACKGROUND: (1.5, 6.0),
        Operation.UPSCALE: (10.0, 30.0),
        Operation.REPLACE_BACKGROUND: (8.0, 20.0),
        Operation.ADD_SHADOW: (1.5, 6.0),
    }
    latency = {
        name: Latency(minimum_seconds=low, maximum_seconds=high, distribution="lognormal")
        for name, (low, high) in waits.items()
    }
    return Behaviour(**{"latency": latency, **fields})


def _merged(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(old)
    for name, value in patch.items():
        before = result.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            result[name] = _merged(before, value)
        else:
            result[name] = value
    return result
