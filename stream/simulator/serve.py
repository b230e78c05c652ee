"""The simulator in a process of its own, for the command line and for tests that kill everything around it."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stream.simulator.behaviour import Behaviour
from stream.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _tell_nobody(_: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How to serve. `ready` is called once with the base URL; `state` gets the books as JSON lines, appended."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    host: str = "127.0.0.1"
    port: int = 0
    api_key: str = "pk_test"
    photos: Path | None = None
    state: Path | None = None
    threads: int = 2
    ready: Callable[[str], None] = _tell_nobody


async def serve(options: ServeOptions) -> None:
    """Serve until SIGTERM or SIGINT, or until cancelled. Prints nothing. Raises OSError when the address is taken."""
    simulator = Simulator(
        options.behaviour,
        options.host,
        options.port,
        options.api_key,
        options.photos,
        options.state,
        options.threads,
    )
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with simulator:
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, enough.set)
        try:
            options.ready(simulator.base_url)
            await enough.wait()
        finally:
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(name)
