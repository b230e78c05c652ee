"""A real browser: Debian's Chromium, driven through Playwright's own driver (in its wheel; no browser is fetched).

Each opened one has a fresh profile, no network of its own, and ends with the process that opened it.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, sync_playwright

from tests.services import ServiceMissing

NAMES = ("chromium", "chromium-browser")
INSTEAD = "apt-get update && apt-get install --yes chromium"
PATIENCE_MS = 60_000
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


def find_chromium() -> str:
    """The browser's path. Raises ServiceMissing without one on this machine."""
    binary = next((found for name in NAMES if (found := shutil.which(name))), None)
    if binary is None:
        raise ServiceMissing(f"the console is looked at with Chromium: {INSTEAD}")
    return binary


@contextmanager
def open_chromium(binary: str, profile: Path) -> Iterator[BrowserContext]:
    """A headless browser as long as the context lasts."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=binary, headless=True, args=list(FLAGS)
        )
        context.set_default_timeout(PATIENCE_MS)
        try:
            yield context
        finally:
            context.close()
