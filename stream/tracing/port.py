"""Tracing as the runtime and the assembly see it: walks that are told, and doors that are watched.

Comes in: a record whose walk begins, later what it ended in and when that was committed. Goes out: headers for the
records made of it, so that the next stage goes on in the same trace. Nothing here fails, waits, or costs a request.
Without tracing a walk is `UNTRACED`, or one that only hands on what a stranger's trace brought (`Passing`).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from stream.broker.port import Headers, InRecord
from stream.downloads.port import Downloads
from stream.objects.port import ObjectStore
from stream.pixelapi.port import PixelApi
from stream.quota.port import Quota
from stream.records import StageRecord
from stream.traceparent import carried


class Walk(Protocol):
    """One event's way through one stage."""

    @property
    def headers(self) -> Headers:
        """What the record that the event becomes bears, besides its own headers."""
        ...

    @property
    def facts(self) -> Mapping[str, str]:
        """What a line of the diary about this event says besides: its `trace_id`, or nothing."""
        ...

    def ended(self, outcome: str, reason: str) -> None:
        """The walk came to this end (`End.outcome`, `End.reason`); to be committed yet."""
        ...

    def committed(self, topic: str, records: int) -> None:
        """The end stands in `topic` now, committed with `records` records. Called on the station's thread."""
        ...


NO_FACTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Passing:
    """A walk that is not traced; what its record's trace was is handed on untouched."""

    headers: Headers = ()
    facts: Mapping[str, str] = field(default_factory=lambda: NO_FACTS)

    def ended(self, outcome: str, reason: str) -> None:
        """Nobody is told."""

    def committed(self, topic: str, records: int) -> None:
        """Nobody is told."""


UNTRACED = Passing()


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors whose calls are steps of a walk."""

    quota: Quota
    api: PixelApi
    objects: ObjectStore
    downloads: Downloads


class Tracing(Protocol):
    """One process's."""

    def walk(
        self, stage: str, record: InRecord, read: StageRecord | None, *, returned: str = ""
    ) -> AbstractContextManager[Walk]:
        """The walk of one event of `record` through `stage`, from now until the context ends.

        `read`: the event, where it could be read. `returned`: `retry` or `replay`, of what a retry topic brings back.
        """
        ...

    def noted(self, word: str, **facts: str) -> None:
        """Something befell the present walk: a retry, a pause. Words of closed sets; never what an error says."""
        ...

    def watched(self, doors: Doors) -> Doors:
        """The same doors, each call a step of the walk that makes it."""
        ...

    async def aclose(self) -> None:
        """Send what is left, for a bounded time."""
        ...


class NoTracing:
    """Off: traces that come in pass through."""

    def walk(
        self, stage: str, record: InRecord, read: StageRecord | None, *, returned: str = ""
    ) -> AbstractContextManager[Walk]:
        """See `Tracing`."""
        del stage, read, returned
        headers = carried(record.headers)
        return nullcontext(Passing(headers)) if headers else NOTHING

    def noted(self, word: str, **facts: str) -> None:
        """See `Tracing`."""

    def watched(self, doors: Doors) -> Doors:
        """See `Tracing`."""
        return doors

    async def aclose(self) -> None:
        """See `Tracing`."""


NOTHING: AbstractContextManager[Walk] = nullcontext(UNTRACED)
