"""What is missing around us (L8): who waits for it, who may try again, and whether intake stands still.

Comes in: `Pause` verdicts, and good news from the doors. Goes out: turns to probe, and `is_paused` for the stations.
Half open: while a resource is missing the waiting walks stand in line, and one at a time tries again, at growing
intervals; the first that gets through lets everybody go on.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import structlog

from stream.core.clock import Clock
from stream.core.errors import Resource
from stream.metrics.port import Recorder
from stream.runtime.waking import woken

log = structlog.get_logger(__name__)

FIRST_PROBE_SECONDS = 1.0
LONGEST_PROBE_SECONDS = 30.0


@dataclass(slots=True)
class Lack:
    """One spell of a resource being missing: who waits, and when the first in line may probe."""

    resource: Resource
    detail: str
    next_probe: float
    interval_seconds: float
    not_before: float = 0.0
    """Until then the other side asked not to be asked."""
    over: bool = False
    line: deque["Patience"] = field(default_factory=deque)

    def call_first(self) -> None:
        """The first in line looks again when it is due."""
        if self.line:
            self.line[0].woken.set()


class Environment:
    """One per process. `is_paused` may be asked from any thread; everything else belongs to the loop."""

    def __init__(
        self,
        clock: Clock,
        recorder: Recorder,
        *,
        first_probe_seconds: float = FIRST_PROBE_SECONDS,
        longest_probe_seconds: float = LONGEST_PROBE_SECONDS,
    ) -> None:
        """`longest_probe_seconds`: how seldom a missing resource is asked after at the most."""
        self._clock = clock
        self._recorder = recorder
        self._first = first_probe_seconds
        self._longest = longest_probe_seconds
        self._lacks: dict[Resource, Lack] = {}

    def is_paused(self) -> bool:
        """Whether something is missing: nothing new is polled meanwhile."""
        return bool(self._lacks)

    def reasons(self) -> list[str]:
        """Sentences for `/readyz`."""
        return [f"intake is paused: {lack.resource} ({lack.detail})" for lack in list(self._lacks.values())]

    def lacking(self, resource: Resource, detail: str, after_seconds: float | None) -> Lack:
        """Somebody ran into it: the spell begins, or goes on; nobody probes before `after_seconds` are over."""
        now = self._clock.monotonic()
        lack = self._lacks.get(resource)
        if lack is None:
            lack = self._lacks[resource] = Lack(resource, detail, now + self._first, self._first)
            log.error("intake-paused", resource=resource, detail=detail)
            self._recorder.paused(resource, is_paused=True)
        lack.not_before = max(lack.not_before, now + (after_seconds or 0.0))
        return lack

    def probe_failed(self, lack: Lack, detail: str) -> None:
        """The probe ran into it again: the next one waits twice as long."""
        lack.detail = detail
        lack.interval_seconds = min(lack.interval_seconds * 2, self._longest)
        lack.next_probe = self._clock.monotonic() + lack.interval_seconds
        lack.call_first()

    def stepped_aside(self, lack: Lack) -> None:
        """Who was called to ask did not: the next one does, instead of half a minute later."""
        lack.next_probe = self._clock.monotonic()

    def recovered(self, *resources: Resource) -> None:
        """A call that needs `resources` went through: everybody goes on."""
        for resource in resources:
            lack = self._lacks.pop(resource, None)
            if lack is not None:
                log.warning("intake-resumed", resource=resource)
                self._recorder.paused(resource, is_paused=False)
                lack.over = True
                for walk in lack.line:
                    walk.woken.set()

    async def turn(self, lack: Lack, walk: "Patience") -> None:
        """Wait until the lack is over, or until `walk` is the first in line and a probe is due."""
        while not lack.over:
            walk.woken.clear()
            left = None
            if lack.line[0] is walk:
                left = max(lack.next_probe, lack.not_before) - self._clock.monotonic()
                if left <= 0:
                    # A probe longer than the longest interval is a job at work, not a question: the next one asks too.
                    lack.next_probe = self._clock.monotonic() + self._longest
                    lack.line.rotate(-1)
                    lack.call_first()
                    return
            await woken(walk.woken, self._clock, left)


class Patience:
    """One walk's waiting: at most one lack at a time, joined once, left once, whatever ends the walk."""

    def __init__(self, environment: Environment) -> None:
        """Waits for nothing yet."""
        self._environment = environment
        self._lack: Lack | None = None
        self.woken: asyncio.Event
        """Set when there is a reason to look again. Made by the first wait: nearly no walk ever waits."""

    async def wait(self, resource: Resource, detail: str, after_seconds: float | None) -> None:
        """Wait for `resource`, or for this walk's turn to probe."""
        lack = self._environment.lacking(resource, detail, after_seconds)
        if lack is self._lack:
            self._environment.probe_failed(lack, detail)
        else:
            self.got_through()
            self.woken = asyncio.Event()
            lack.line.append(self)
            self._lack = lack
        await self._environment.turn(lack, self)

    def got_through(self) -> None:
        """The call did not run into what this walk waited for: it is back, for everybody."""
        lack, self._lack = self._lack, None
        if lack is not None and not lack.over:
            self._environment.recovered(lack.resource)

    def step_aside(self) -> None:
        """As `give_up`, of a walk that was called to ask, and must not walk now."""
        if self._lack is not None:
            self._environment.stepped_aside(self._lack)
        self.give_up()

    def give_up(self) -> None:
        """The walk ends without an answer (its lane was revoked, say).

        When the last one gives up nobody is left to probe: the pause ends, and the next event polled finds out.
        """
        lack, self._lack = self._lack, None
        if lack is None or lack.over:
            return
        lack.line.remove(self)
        if not lack.line:
            self._environment.recovered(lack.resource)
        else:
            lack.call_first()
