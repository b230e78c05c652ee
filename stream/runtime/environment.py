"""What is missing around us (L8): who waits for it, who may try again, and whether intake stands still.

Comes in: `Pause` verdicts, and good news from the doors. Goes out: turns to probe, and `paused` for the stations.
Half open: while a resource is missing, one waiting walk at a time tries again, at growing intervals; the first that
gets through lets everybody go on.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

import structlog

from stream.core.clock import Clock
from stream.core.errors import Resource
from stream.metrics.port import Recorder

log = structlog.get_logger(__name__)

FIRST_PROBE_SECONDS = 1.0
LONGEST_PROBE_SECONDS = 30.0


@dataclass(slots=True)
class Lack:
    """One spell of a resource being missing: who waits, and when the next one may probe."""

    resource: Resource
    detail: str
    interval_seconds: float = FIRST_PROBE_SECONDS
    next_probe: float = 0.0
    waiting: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Environment:
    """One per process. `paused` may be read from any thread; everything else belongs to the loop."""

    def __init__(
        self, clock: Clock, recorder: Recorder, *, longest_probe_seconds: float = LONGEST_PROBE_SECONDS
    ) -> None:
        """`longest_probe_seconds`: how seldom a missing resource is asked after at the most."""
        self._clock = clock
        self._recorder = recorder
        self._longest = longest_probe_seconds
        self._lacks: dict[Resource, Lack] = {}

    @property
    def paused(self) -> bool:
        """Whether something is missing: nothing new is polled meanwhile."""
        return bool(self._lacks)

    def reasons(self) -> list[str]:
        """Sentences for `/readyz`."""
        return [f"intake is paused: {lack.resource} ({lack.detail})" for lack in list(self._lacks.values())]

    def lacking(self, resource: Resource, detail: str, after_seconds: float | None) -> Lack:
        """Somebody ran into it (again): the next probe is due later than the last one was."""
        now = self._clock.monotonic()
        lack = self._lacks.get(resource)
        if lack is None:
            lack = self._lacks[resource] = Lack(resource, detail)
            log.error("intake-paused", resource=resource, detail=detail)
            self._recorder.paused(resource, is_paused=True)
        if now >= lack.next_probe:
            lack.detail = detail
            lack.next_probe = now + max(lack.interval_seconds, after_seconds or 0.0)
            lack.interval_seconds = min(lack.interval_seconds * 2, self._longest)
        return lack

    def recovered(self, *resources: Resource) -> None:
        """A call that needs `resources` went through: everybody goes on."""
        for resource in resources:
            lack = self._lacks.pop(resource, None)
            if lack is not None:
                log.warning("intake-resumed", resource=resource)
                self._recorder.paused(resource, is_paused=False)
                lack.over.set()

    async def turn(self, lack: Lack) -> None:
        """Wait until the lack is over, or until it is this caller's turn to probe."""
        while not lack.over.is_set():
            now = self._clock.monotonic()
            if now >= lack.next_probe:
                lack.next_probe = now + lack.interval_seconds
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lack.over.wait(), lack.next_probe - now)


class Patience:
    """One walk's waiting: at most one lack at a time, joined once, left once, whatever ends the walk."""

    def __init__(self, environment: Environment) -> None:
        """Waits for nothing yet."""
        self._environment = environment
        self._lack: Lack | None = None

    async def wait(self, resource: Resource, detail: str, after_seconds: float | None) -> None:
        """Wait for `resource`, or for this walk's turn to probe."""
        lack = self._environment.lacking(resource, detail, after_seconds)
        if lack is not self._lack:
            self.got_through()
            lack.waiting += 1
            self._lack = lack
        await self._environment.turn(lack)

    def got_through(self) -> None:
        """The call did not run into what this walk waited for: it is back, for everybody."""
        lack, self._lack = self._lack, None
        if lack is not None and not lack.over.is_set():
            self._environment.recovered(lack.resource)

    def give_up(self) -> None:
        """The walk ends without an answer (its lane was revoked, say).

        When the last one gives up nobody is left to probe: the pause ends, and the next event polled finds out.
        """
        lack, self._lack = self._lack, None
        if lack is not None and not lack.over.is_set():
            lack.waiting -= 1
            if lack.waiting <= 0:
                self._environment.recovered(lack.resource)
