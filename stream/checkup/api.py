"""PixelAPI, asked without buying: the key, the balance against the pipeline's price, the plan, the dialect.

Comes in: settings, the pipeline and the price book. Goes out: findings, and how many requests of the contract it took:
one for the balance, one or two for the dialect. A fleet at work does not know of them.
"""

from decimal import Decimal

from stream.checkup.findings import Area, Finding, Mark, unavailable
from stream.core.clock import Clock
from stream.core.errors import Resource, StreamError, Throttled, Unavailable
from stream.cost import Jobs, forecast
from stream.doors import open_api
from stream.metrics.silent import SilentRecorder
from stream.pipeline import Pipeline
from stream.pixelapi.dialects import Dialect
from stream.pixelapi.port import Balance
from stream.prices import PriceBook
from stream.settings import Settings

LOW_EVENTS = 100
"""Fewer events than the balance pays for is worth a warning."""
SECONDS_PER_MINUTE = 60
ANSWERED = {
    Resource.API_KEY: "the key is refused: give a valid one in PIXELAPI_KEY or PIXELAPI_KEY_FILE",
    Resource.API_ACCESS: "we are barred: ask PixelAPI; look at the address and the User-Agent you come from",
    Resource.API_CREDITS: "top up the account",
    Resource.API_CONTRACT: "look at PIXELAPI_BASE and SKUSTREAM_DIALECT",
}
"""Resources whose lack is an answer: somebody was there and refused."""


class Count(SilentRecorder):
    """How many requests reached the line."""

    def __init__(self) -> None:
        """None yet."""
        self.requests = 0

    def requested(self, operation: str, code: str, seconds: float) -> None:
        """One more, unless it never left."""
        del operation, seconds
        self.requests += code != "unsent"


async def check_api(
    settings: Settings, pipeline: Pipeline | None, book: PriceBook | None, clock: Clock
) -> list[Finding]:
    """Everything that was found out until the first refusal."""
    count = Count()
    api = open_api(settings, clock, count)
    found: list[Finding] = []
    try:
        balance = await api.balance()
        found += _judge_balance(balance, _price_of_one(pipeline, book))
        found += _judge_plan(balance, book, settings)
        found.append(_judge_dialect(await api.recognise()))
    except StreamError as error:
        found.append(_refused(error))
    finally:
        await api.aclose()
    sent = f"requests sent: {count.requests}; they count, and a fleet at work does not know of them"
    return [*found, Finding(Mark.INFO, Area.API, sent, "--no-api spares them")]


def _refused(error: StreamError) -> Finding:
    if isinstance(error, Unavailable):
        way_out = ANSWERED.get(error.resource)
        return unavailable(Area.API, error) if way_out is None else Finding(Mark.ERROR, Area.API, str(error), way_out)
    if isinstance(error, Throttled):
        way_out = f"somebody uses up the contract; check again in {error.after_seconds:.0f} s"
        return Finding(Mark.UNAVAILABLE, Area.API, str(error), way_out)
    return Finding(Mark.UNAVAILABLE, Area.API, str(error), "check again; a worker would wait (api-outage)")


def _price_of_one(pipeline: Pipeline | None, book: PriceBook | None) -> Decimal:
    """Credits of one event that passes every stage, as far as prices are known."""
    if pipeline is None or book is None:
        return Decimal(0)
    return forecast(Jobs.of_skus(pipeline, 1), book, [], Decimal(0)).credits


def _judge_balance(balance: Balance, price: Decimal) -> list[Finding]:
    if balance.credits is None:
        return [Finding(Mark.INFO, Area.API, "the key is accepted; this API tells no balance")]
    left = f"the key is accepted; {balance.credits:,f} credits left"
    events = int(balance.credits / price) if price else None
    if balance.credits == 0 or events == 0:
        what = left if not price else f"{left}, and one event costs {price:,f}"
        return [Finding(Mark.ERROR, Area.API, what, "top up the account")]
    enough = "" if events is None else f", enough for about {events:,} events"
    is_low = events is not None and events < LOW_EVENTS
    return [Finding(Mark.WARNING if is_low else Mark.OK, Area.API, left + enough, "top up soon" if is_low else "")]


def _judge_plan(balance: Balance, book: PriceBook | None, settings: Settings) -> list[Finding]:
    """The contract that is set against the rate of the plan that the account names, if the book knows it."""
    if balance.plan is None:
        return []
    plan = None if book is None else book.plans.get(balance.plan.lower())
    if plan is None or plan.requests_per_minute is None:
        what = f"plan {balance.plan}: the price book {settings.prices} tells no rate of it"
        return [Finding(Mark.INFO, Area.API, what, "make sure that SKUSTREAM_QUOTA_REQUESTS is the plan's")]
    rate = plan.requests_per_minute
    ours = settings.quota_requests * SECONDS_PER_MINUTE / settings.quota_window_seconds
    what = f"plan {balance.plan}: {rate} requests a minute by the book {settings.prices}, {ours:g} are set"
    if ours == rate:
        return [Finding(Mark.OK, Area.API, what)]
    way_out = "lower SKUSTREAM_QUOTA_REQUESTS, or 429s will follow (L3)" if ours > rate else "the rest stays unused"
    return [Finding(Mark.WARNING, Area.API, what, way_out)]


def _judge_dialect(dialect: Dialect | None) -> Finding:
    if dialect is None:
        what = "no known dialect is understood at this base URL"
        return Finding(Mark.ERROR, Area.API, what, ANSWERED[Resource.API_CONTRACT])
    return Finding(Mark.OK, Area.API, f"the dialect {dialect} is understood")
