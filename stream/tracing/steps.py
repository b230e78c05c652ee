"""Doors that are watched: the same doors, each call of theirs a step of the walk that makes it.

Comes in: a door, and whoever tells steps. Goes out: the door. What a call gives or raises is its own. What is no step
of a walk (a document of the ledger, a slot that is given back) goes straight through.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar, cast
from urllib.parse import urlsplit

from stream.downloads.port import Downloads, Spooled, Whose
from stream.objects.port import ObjectStore, StoredFile
from stream.pixelapi.port import JobReport, Order, PixelApi
from stream.quota.port import Ask, Grant, Quota
from stream.tracing import attributes as names
from stream.tracing.port import Doors

Facts = Mapping[str, str | int]
Step = Callable[[str, Facts], AbstractContextManager[Callable[[Facts], None]]]
"""(name, what is known at its start) → a context, which takes what is known only later."""
Door = TypeVar("Door")


def watched(doors: Doors, step: Step) -> Doors:
    """`doors`, watched. What a watched door does not name itself is the door's own, which no Protocol can see."""
    return Doors(
        quota=cast("Quota", _Quota(doors.quota, step)),
        api=cast("PixelApi", _Api(doors.api, step)),
        objects=cast("ObjectStore", _Objects(doors.objects, step)),
        downloads=cast("Downloads", _Downloads(doors.downloads, step)),
    )


class _Watched(Generic[Door]):
    def __init__(self, door: Door, step: Step) -> None:
        self._door = door
        self._step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._door, name)


class _Quota(_Watched[Quota]):
    async def admit(self, ask: Ask) -> Grant:
        with self._step(names.WAIT, {names.ASK: ask.kind.value, names.PRIORITY: ask.priority.value}):
            return await self._door.admit(ask)


class _Api(_Watched[PixelApi]):
    async def submit(self, order: Order) -> JobReport:
        with self._step(names.SUBMIT, {names.OPERATION: order.operation}) as tell:
            report = await self._door.submit(order)
            tell(_about(report))
            return report

    async def poll(self, operation: str, job_id: str) -> JobReport:
        with self._step(names.POLL, {names.OPERATION: operation, names.JOB: job_id}) as tell:
            report = await self._door.poll(operation, job_id)
            tell({names.STATE: report.state.value})
            return report

    async def find(self, mark: str) -> JobReport | None:
        with self._step(names.LOOK_UP, {}) as tell:
            report = await self._door.find(mark)
            tell({} if report is None else _about(report))
            return report


class _Objects(_Watched[ObjectStore]):
    async def put_file(self, key: str, path: Path, *, content_type: str, sha256: str) -> StoredFile:
        with self._step(names.PUT, {names.KEY: key}) as tell:
            stored = await self._door.put_file(key, path, content_type=content_type, sha256=sha256)
            tell({names.SIZE: stored.bytes})
            return stored

    async def get_file(self, key: str, path: Path, *, max_bytes: int) -> StoredFile:
        with self._step(names.GET, {names.KEY: key}) as tell:
            stored = await self._door.get_file(key, path, max_bytes=max_bytes)
            tell({names.SIZE: stored.bytes})
            return stored


class _Downloads(_Watched[Downloads]):
    @asynccontextmanager
    async def fetch(self, url: str, whose: Whose) -> AsyncIterator[Spooled]:
        """The step ends with the last byte; what is done with the file is the walk's."""
        async with AsyncExitStack() as stack:
            with self._step(names.DOWNLOAD, {names.WHOSE: whose.value, names.SERVER: _host_of(url)}) as tell:
                spooled = await stack.enter_async_context(self._door.fetch(url, whose))
                tell({names.SIZE: spooled.bytes})
            yield spooled


def _about(report: JobReport) -> Facts:
    known = {names.JOB: report.job_id, names.STATE: report.state.value}
    return {name: value for name, value in known.items() if value is not None}


def _host_of(url: str) -> str:
    """The host (or bucket) alone: a path may hold a token, and a query a signature."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
