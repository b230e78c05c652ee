"""The whole check-up: every part within its own time, and none that hides another.

Comes in: settings, and which parts to leave out. Goes out: findings, in the order of the areas.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stream.checkup.api import check_api
from stream.checkup.findings import Area, Finding, Mark, unavailable, wrong
from stream.checkup.kafka import check_kafka
from stream.checkup.lint import lint_pipeline, lint_prices, lint_settings
from stream.checkup.store import check_store
from stream.core.clock import SystemClock
from stream.core.deadline import Deadline
from stream.core.errors import Misconfigured, StreamError, Unavailable
from stream.roles import Role
from stream.settings import Settings

Part = Callable[[], Awaitable[list[Finding]]]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked. `part_seconds`: how long each part outside may take. `role`: whose rights with Kafka."""

    offline: bool = False
    api: bool = True
    part_seconds: float = 15.0
    with_defaults: bool = False
    role: Role = Role.WORKER


async def examine(settings: Settings, scope: Scope) -> list[Finding]:
    """All findings about `settings` and what they name."""
    clock = SystemClock()
    pipeline, walk = lint_pipeline(settings.pipeline)
    book, prices = lint_prices(settings, pipeline)
    found = [*lint_settings(settings, with_defaults=scope.with_defaults), *walk, *prices]
    if scope.offline:
        return [*found, Finding(Mark.INFO, Area.SETTINGS, "Kafka, store and PixelAPI were not asked (--offline)")]
    deadline = Deadline.after(clock, scope.part_seconds)
    parts: list[tuple[Area, object, Part]] = [
        (
            Area.KAFKA,
            settings.kafka_bootstrap_servers,
            lambda: asyncio.to_thread(check_kafka, settings, pipeline, scope.role, deadline),
        ),
        (Area.STORE, settings.store, lambda: check_store(settings)),
        (Area.API, settings.pixelapi_key if scope.api else None, lambda: check_api(settings, pipeline, book, clock)),
    ]
    told = await asyncio.gather(*(_part(area, needed, ask, scope) for area, needed, ask in parts))
    return [*found, *(finding for findings in told for finding in findings)]


async def _part(area: Area, needed: object, ask: Part, scope: Scope) -> list[Finding]:
    """One part's findings, or why there are none; without what it needs nobody is asked."""
    if needed is None:
        return [Finding(Mark.INFO, area, "not asked")]
    try:
        # Kafka's part keeps its own time, for a thread cannot be cut off.
        async with asyncio.timeout(None if area is Area.KAFKA else scope.part_seconds):
            return await ask()
    except Misconfigured as error:
        return wrong(area, error)
    except Exception as error:  # noqa: BLE001 - one part's bug must not hide the others
        return [_failure(area, error, scope)]


def _failure(area: Area, error: Exception, scope: Scope) -> Finding:
    match error:
        case Unavailable():
            return unavailable(area, error)
        case TimeoutError():
            what = f"no answer within {scope.part_seconds:g} s"
            return Finding(Mark.UNAVAILABLE, area, what, "--timeout gives it longer")
        case StreamError():
            return Finding(Mark.ERROR, area, str(error))
    return Finding(Mark.ERROR, area, f"a bug of the check: {type(error).__name__}: {error}", "please report it")
