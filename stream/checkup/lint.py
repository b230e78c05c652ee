"""What can be said without asking anybody: settings that are missing or risky, the pipeline file, the price book.

Comes in: settings that were read, and the pipeline if it could be. Goes out: findings.
"""

import ipaddress
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from stream.checkup.findings import Area, Finding, Mark, wrong
from stream.core.errors import Misconfigured
from stream.doors import need_tracing
from stream.pipeline import Pipeline, load_pipeline
from stream.prices import PriceBook, load_prices
from stream.settings import Settings, describe

DEFAULT = "default"


def lint_settings(settings: Settings, *, with_defaults: bool = False) -> list[Finding]:
    """Effective values with their sources (defaults on request), then what is missing or risky."""
    rows = describe(settings)
    shown = [row for row in rows if with_defaults or row.source != DEFAULT]
    found = [Finding(Mark.INFO, Area.SETTINGS, f"{row.name}={row.value} ({row.source})") for row in shown]
    if len(shown) < len(rows):
        found.append(Finding(Mark.INFO, Area.SETTINGS, f"{len(rows) - len(shown)} others have their defaults"))
    tracing = partial(need_tracing, settings)
    for need in (settings.kafka_client, settings.need_store, settings.need_pixelapi_key, tracing):
        found += _missing(need)
    return [*found, *_risks(settings)]


def lint_pipeline(path: Path | None) -> tuple[Pipeline | None, list[Finding]]:
    """The pipeline, None where its file is wrong."""
    try:
        pipeline = load_pipeline(path)
    except Misconfigured as error:
        return None, wrong(Area.PIPELINE, error)
    walk = " → ".join(stage.name for stage in pipeline.stages)
    name = path or "the shipped one"
    return pipeline, [Finding(Mark.OK, Area.PIPELINE, f"{name}: {len(pipeline.stages)} stages: {walk}")]


def lint_prices(settings: Settings, pipeline: Pipeline | None) -> tuple[PriceBook | None, list[Finding]]:
    """The price book, None where it is wrong; operations without a price."""
    try:
        book = load_prices(settings.prices)
    except Misconfigured as error:
        return None, wrong(Area.SETTINGS, error)
    bought = {stage.card.name for stage in pipeline.stages if not stage.local} if pipeline is not None else set()
    way_out = "name it in a price book of your own (docs/money.md)"
    return book, [
        Finding(
            Mark.WARNING, Area.PIPELINE,
            f"{name} has no price in the book {settings.prices}: it counts as 0 until PixelAPI names one", way_out,
        )
        for name in sorted(bought - book.credits.keys())
    ]  # fmt: skip


def _missing(need: Callable[[], object]) -> list[Finding]:
    try:
        need()
    except Misconfigured as error:
        return wrong(Area.SETTINGS, error)
    return []


def _risks(settings: Settings) -> Iterator[Finding]:
    if settings.store_overrule_conditions:
        what = "SKUSTREAM_STORE_OVERRULE_CONDITIONS is on: two workers could buy one job twice (L2)"
        yield Finding(Mark.WARNING, Area.SETTINGS, what, "run a single worker, or use a store with conditional writes")
    parts = urlsplit(settings.pixelapi_base)
    if parts.scheme == "http" and not _is_here(parts.hostname or ""):
        what = f"PIXELAPI_BASE={settings.pixelapi_base}: the key travels unencrypted"
        yield Finding(Mark.WARNING, Area.SETTINGS, what, "use https")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
