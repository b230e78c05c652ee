"""The console from its parts: store, scanner, watcher, pages; opened once, closed in the reverse order.

Comes in: settings. Goes out: a URL, until it is told to stop.
"""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stream.broker.refusals import demand
from stream.broker.scan import Scanner
from stream.catalog.submitting import person
from stream.console.access import access_of
from stream.console.errands import Errands
from stream.console.guard import Guard
from stream.console.index import Index
from stream.console.noticing import keep_noted
from stream.console.server import application, listen
from stream.console.sessions import Guesses, Sessions
from stream.console.shelf import Shelf
from stream.console.site import Site
from stream.console.watching import REFRESH_SECONDS, Watcher
from stream.core.clock import Clock, SystemClock
from stream.doors import bench_of, open_objects
from stream.images.loading import harden
from stream.letters.finding import LITTLE_MEMORY, find_letter
from stream.letters.letter import Letter, LetterId
from stream.objects.keys import BATCHES
from stream.objects.port import ObjectStore
from stream.pipeline import load_pipeline
from stream.settings import Settings
from stream.topics import Topics

FINDERS = 2
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Opened:
    """A console that listens."""

    url: str
    site: Site


async def run_console(settings: Settings, *, since: float, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told the URL. Raises `Misconfigured`, `Unavailable` at the start.

    The first signal lets a replay finish the batch under way; the second ends at once, with 130: what was written to
    Kafka is whole either way.
    """
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        if enough.is_set():
            os._exit(INTERRUPTED)
        enough.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told)
    async with open_console(settings, since=since) as opened:
        ready(opened.url)
        await enough.wait()


@asynccontextmanager
async def open_console(
    settings: Settings, *, since: float = 0.0, refresh_seconds: float = REFRESH_SECONDS
) -> AsyncIterator[Opened]:
    """The console as long as the context lasts. `since` (Unix seconds): older records are not looked at.

    Raises `Misconfigured`, `Unavailable`.
    """
    access = access_of(settings)
    harden()
    clock = SystemClock()
    topics = Topics(settings.topic_prefix)
    async with open_objects(settings) as objects:
        await objects.read(f"{BATCHES}/none")  # nothing stands there: whether the store answers, and lets us in
        scanner = await asyncio.to_thread(_answering, settings, topics)
        watcher = Watcher(scanner, Index(topics), clock, since=since, refresh_seconds=refresh_seconds)
        with tempfile.TemporaryDirectory(prefix="skustream-console-") as folder:
            shelf = Shelf(objects, Path(folder), max_bytes=settings.max_download_bytes)
            guard = Guard(access, Sessions(clock), Guesses(clock), owner=person(), port=settings.console_port)
            errands = _errands(settings, clock)
            site = Site(watcher.index, watcher, shelf, guard, clock, errands, _finder(settings))
            async with _watched(watcher, objects, clock):
                listening = await listen(application(site), settings.console_host, settings.console_port)
                try:
                    yield Opened(listening.url, site)
                finally:
                    await listening.stop()
                    if errands is not None:
                        await asyncio.to_thread(errands.close)


@asynccontextmanager
async def _watched(watcher: Watcher, objects: ObjectStore, clock: Clock) -> AsyncIterator[None]:
    """The topics and the store's notes are read as long as the context lasts."""
    watcher.start()
    notes = asyncio.create_task(keep_noted(watcher, objects, clock))
    try:
        yield
    finally:
        notes.cancel()
        with suppress(asyncio.CancelledError):
            await notes
        await asyncio.to_thread(watcher.stop)


def _answering(settings: Settings, topics: Topics) -> Scanner:
    """A scanner of a Kafka that answers and has our topics: better told at the start than on every page."""
    scanner = Scanner({**settings.kafka_client(), **LITTLE_MEMORY})
    names = [*topics.entries(), topics.completed, topics.dead_letter]
    try:
        demand(names, {partition.topic for partition in scanner.spans(names)})
    except BaseException:
        scanner.close()
        raise
    return scanner


def _finder(settings: Settings) -> Callable[[LetterId], Awaitable[Letter | None]]:
    """Letters by their places, on threads of their own: where Kafka is silent, pictures must not wait for them."""
    threads = ThreadPoolExecutor(FINDERS, "console-letter")

    async def found(at: LetterId) -> Letter | None:
        return await asyncio.get_running_loop().run_in_executor(threads, find_letter, settings.kafka_client(), at)

    return found


def _errands(settings: Settings, clock: Clock) -> Errands | None:
    """The bench for replays, where they are enabled. Raises `Misconfigured`."""
    if not settings.console_allow_replay:
        return None
    return Errands(bench_of(settings, load_pipeline(settings.pipeline)), clock)
