"""The image workers: a few threads in which pixels are worked on, since libvips lets go of the interpreter lock.

Comes in: a blocking function. Goes out: its result. Whoever comes when all threads are busy waits for a place.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ImageWorkers:
    """`threads` pictures at a time; each may take several hundred megabytes at the pixel cap."""

    def __init__(self, threads: int = 2) -> None:
        """Start no thread before it is needed."""
        self._threads = ThreadPoolExecutor(threads, "images")
        self._places = asyncio.Semaphore(threads)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work(*args)` in a thread.

        A caller cancelled in line leaves at once. One cancelled while its picture is worked on leaves when that ends (a
        thread cannot be stopped), so that nobody deletes the files under it; the place is not given away before.
        """
        async with self._places:
            task = asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                while not task.done():
                    with suppress(asyncio.CancelledError):
                        await asyncio.wait([task])
                if not task.cancelled():
                    task.exception()  # looked at, so that nobody warns of it
                raise

    async def aclose(self) -> None:
        """Wait for the pictures being worked on and end the threads."""
        await asyncio.to_thread(self._threads.shutdown)
