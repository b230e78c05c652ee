"""The store, asked: does it answer, do conditional writes hold, and how will PixelAPI get the pictures.

Comes in: settings. Goes out: findings. It writes small documents below `_ledger/probe`, as a worker's start does, and
removes them.
"""

from urllib.parse import urlsplit

from stream.checkup.findings import Area, Finding, Mark
from stream.doors import open_objects
from stream.settings import Settings

SAMPLE_KEY = "check/sample.jpg"
SAMPLE_SECONDS = 60


async def check_store(settings: Settings) -> list[Finding]:
    """Raises `Unavailable(store)`, and `Misconfigured` where conditional writes do not hold."""
    async with open_objects(settings) as store:
        await store.probe()
        url = await store.fetch_url(SAMPLE_KEY, valid_seconds=SAMPLE_SECONDS)
    held = "it answers, and was overruled" if settings.store_overrule_conditions else "conditional writes hold"
    way = "uploads" if url is None else f"URLs at {urlsplit(url).hostname}"
    return [
        Finding(Mark.OK, Area.STORE, f"{settings.store}: {held}"),
        Finding(Mark.INFO, Area.STORE, f"PixelAPI gets its pictures as {way} (SKUSTREAM_INPUT={settings.input})"),
    ]
