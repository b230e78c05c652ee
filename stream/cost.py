"""The forecast: what a catalog will cost, and how long its requests take at a plan's rate. Pure: asks nobody.

Comes in: events with their routes, a price book, plans. Goes out: a `Forecast`. It is an upper figure: what the ledger
already holds costs nothing again, and what depends on pixels (`skip_if_longest_side`) is counted as bought.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Self

from stream.events import RawEvent
from stream.pipeline import Pipeline, Stage
from stream.prices import Plan, PriceBook

SECONDS_PER_MINUTE = 60
HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Jobs:
    """What a catalog buys: events, jobs by operation, and the operations that pixels may spare."""

    events: int
    by_operation: Counter[str]
    sparable: frozenset[str] = frozenset()

    @classmethod
    def of(cls, pipeline: Pipeline, events: Iterable[RawEvent]) -> Self:
        """The jobs on the route of each event. Raises `Rejected` for an event the pipeline does not take."""
        count, by_operation, sparable = 0, Counter(_names(pipeline, times=0)), set()
        for event in events:
            count += 1
            for stage in _bought(pipeline.route(event)):
                by_operation[stage.card.name] += 1
                if _can_be_spared(stage, event):
                    sparable.add(stage.card.name)
        return cls(count, by_operation, frozenset(sparable))

    @classmethod
    def of_skus(cls, pipeline: Pipeline, skus: int) -> Self:
        """The jobs of `skus` events that pass every stage with the pipeline's own parameters."""
        event = RawEvent(sku_id="any", raw_url="https://photos.example.com/any.jpg")
        one = cls.of(pipeline, [event])
        return cls(skus, Counter({name: jobs * skus for name, jobs in one.by_operation.items()}), one.sparable)


@dataclass(frozen=True, slots=True)
class Line:
    """One operation; price and credits are None where the book has no price of it."""

    operation: str
    jobs: int
    price_credits: Decimal | None
    credits: Decimal | None


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A plan against the whole; None where the plan's figure is unknown.

    `purchases`: credits of the whole by credits of the plan, to two decimals; `whole_purchases`: rounded up.
    """

    name: str
    credits: Decimal | None
    purchases: Decimal | None
    whole_purchases: int | None
    dollars: Decimal | None
    requests_per_minute: int | None
    seconds: float | None
    """At the plan's rate, if nothing else uses the account and PixelAPI's own speed is no limit."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The whole. `unpriced`: operations without a price, whose jobs are not in `credits`."""

    events: int
    lines: tuple[Line, ...]
    credits: Decimal
    unpriced: tuple[str, ...]
    sparable: tuple[str, ...]
    submits: int
    polls: int
    plans: tuple[PlanLine, ...]

    @property
    def requests(self) -> int:
        """Submits and polls: what the contract is spent on."""
        return self.submits + self.polls


def forecast(jobs: Jobs, book: PriceBook, plans: Iterable[str], polls_per_job: Decimal) -> Forecast:
    """What `jobs` cost by `book`, against its plans of these names. Raises `Misconfigured` for an unknown plan."""
    lines = tuple(_line(name, count, book.credits.get(name)) for name, count in jobs.by_operation.items())
    credits_needed = sum((line.credits for line in lines if line.credits is not None), Decimal(0))
    submits = jobs.by_operation.total()
    polls = math.ceil(submits * polls_per_job)
    return Forecast(
        events=jobs.events,
        lines=lines,
        credits=credits_needed,
        unpriced=tuple(line.operation for line in lines if line.credits is None),
        sparable=tuple(sorted(jobs.sparable)),
        submits=submits,
        polls=polls,
        plans=tuple(_plan_line(name, book.plan(name), credits_needed, submits + polls) for name in plans),
    )


def _line(operation: str, jobs: int, price: Decimal | None) -> Line:
    return Line(operation, jobs, price, None if price is None else price * jobs)


def _plan_line(name: str, plan: Plan, credits_needed: Decimal, requests: int) -> PlanLine:
    exact = None if plan.credits is None else credits_needed / plan.credits
    whole = None if exact is None else math.ceil(exact)
    rate = plan.requests_per_minute
    return PlanLine(
        name=name.lower(),
        credits=plan.credits,
        purchases=None if exact is None else exact.quantize(HUNDREDTH, ROUND_HALF_UP),
        whole_purchases=whole,
        dollars=None if whole is None or plan.dollars is None else plan.dollars * whole,
        requests_per_minute=rate,
        seconds=None if rate is None else requests / rate * SECONDS_PER_MINUTE,
    )


def _bought(route: Iterable[Stage]) -> list[Stage]:
    return [stage for stage in route if not stage.local]


def _names(pipeline: Pipeline, *, times: int) -> dict[str, int]:
    """Every operation that the pipeline buys, in its order, so that those no event needs are told as 0."""
    return {stage.card.name: times for stage in _bought(pipeline.stages)}


def _can_be_spared(stage: Stage, event: RawEvent) -> bool:
    return getattr(stage.params_for(event), "skip_if_longest_side", None) is not None
