"""The first minute of a worker: what is late is waited for, within a bound, and `/readyz` says for what and why.

Comes in: questions that fail while something is not there yet (containers of one machine start in any order). Goes out:
their answers, or the last error with how long was waited. A refusal is no lateness: it ends the start at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from stream.core.clock import Clock
from stream.core.deadline import Deadline
from stream.core.errors import Missing, Unavailable

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0
SETTING = "SKUSTREAM_START_WAIT_SECONDS"

Answer = TypeVar("Answer")


class CalledOff(Exception):
    """Told to stop before there was anything to stop."""


class Begun(Protocol):
    """A process that has started: from then on it speaks for itself."""

    def live(self) -> list[str]:
        """Why it should be restarted."""
        ...

    def ready(self) -> list[str]:
        """Why no work should be expected of it now."""
        ...


class Start:
    """One start: `found` for each thing that may be late, then `over`. Its patience is one for all of them."""

    def __init__(self, clock: Clock, patience_seconds: float, called_off: asyncio.Event | None = None) -> None:
        """`patience_seconds`: how long is waited in all; `called_off`: nobody wants the start any more."""
        self._clock = clock
        self._called_off = called_off or asyncio.Event()
        self._patience_seconds = patience_seconds
        self._deadline = Deadline.after(clock, patience_seconds)
        self._reason = "starting"
        self._begun: Begun | None = None

    async def found(self, what: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of `ask`, asked again while something is missing and there is patience left.

        Raises what `ask` raised last, `CalledOff`.
        """
        while True:
            try:
                answer = await ask()
            except (Unavailable, Missing) as error:
                self._wait_or_raise(what, error)
            else:
                self._reason = "starting"
                return answer
            await self._clock.sleep(min(AGAIN_SECONDS, self._deadline.remaining_seconds()))
            if self._called_off.is_set():
                raise CalledOff

    def over(self, begun: Begun) -> None:
        """Nothing is waited for any more."""
        self._begun = begun

    def live(self) -> list[str]:
        """For `/livez`: a restart does not hasten what is waited for."""
        return [] if self._begun is None else self._begun.live()

    def ready(self) -> list[str]:
        """For `/readyz`."""
        return [self._reason] if self._begun is None else self._begun.ready()

    def _wait_or_raise(self, what: str, error: Unavailable | Missing) -> None:
        if isinstance(error, Unavailable) and error.is_refusal:
            raise error
        if self._deadline.passed:
            told = f"{error}; waited {self._patience_seconds:g} s for it ({SETTING})"
            if isinstance(error, Missing):
                raise Missing(told) from None
            raise Unavailable(error.resource, told, way_out=error.way_out) from None
        reason = f"waiting at the start for {what}: {error}"
        if reason != self._reason:
            log.warning("waiting", what=what, cause=str(error), at_most_seconds=self._patience_seconds, setting=SETTING)
        self._reason = reason
