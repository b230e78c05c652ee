"""The counter where finished pictures are fetched, and the shelf of raw photos.

GET requests come in without a key; bytes go out: whole, dripping, cut short, as a web page, far too many, or none.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from aiohttp import web

from stream.simulator.answers import CutOffError, RefusedError
from stream.simulator.faults import Fault, FaultKind, Question, Step

if TYPE_CHECKING:
    from pathlib import Path

    from stream.simulator.behaviour import Behaviour
    from stream.simulator.book import Job

CONTENT_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
_CHUNK_BYTES = 64 * 1024
_DRIPS = 20


def expired(job: Job, name: str, behaviour: Behaviour) -> bool:
    """Whether this name of the job's output is dead: replaced by a newer one, or too old."""
    if name != job.output_names[-1]:
        return True
    ttl_seconds = behaviour.output_ttl_seconds
    return ttl_seconds is not None and time.time() - job.output_made_at > ttl_seconds


def question_of(job: Job) -> Question:
    """Who asks, for the mischief list."""
    return Question(Step.DOWNLOAD, job.operation, job.image_url, job.filename, job.client)


async def give(request: web.Request, path: Path, fault: Fault | None, behaviour: Behaviour) -> web.StreamResponse:
    """The output in `path`, spoiled as the fault says. Raises RefusedError and CutOffError."""
    kind = fault.kind if fault else None
    if fault is None or kind is None:
        return web.FileResponse(path, headers={"Content-Type": CONTENT_TYPES[path.suffix]})
    if kind is FaultKind.EXPIRED:
        raise RefusedError(behaviour.expired_status, "This output has expired")
    if kind is FaultKind.HTML:
        page = "<!DOCTYPE html><html><body><h1>Just a moment...</h1></body></html>"
        return web.Response(text=page, content_type="text/html")
    content = await asyncio.to_thread(path.read_bytes)
    if kind is FaultKind.OVERSIZED:
        return await _send_too_much(request, content, fault.size_bytes)
    return await _send_badly(request, content, fault, CONTENT_TYPES[path.suffix])


async def _send_badly(request: web.Request, content: bytes, fault: Fault, content_type: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": content_type, "Content-Length": str(len(content))})
    await response.prepare(request)
    if fault.kind is FaultKind.TRUNCATED:
        await response.write(content[: len(content) // 2])
        raise CutOffError
    step = max(len(content) // _DRIPS, 1)
    for start in range(0, len(content), step):
        await response.write(content[start : start + step])
        await asyncio.sleep(fault.seconds)
    await response.write_eof()
    return response


async def _send_too_much(request: web.Request, content: bytes, size_bytes: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "image/png"})
    await response.prepare(request)
    await response.write(content)
    sent, junk = len(content), bytes(_CHUNK_BYTES)
    while sent < size_bytes:
        await response.write(junk)
        sent += len(junk)
    await response.write_eof()
    return response


def photo(folder: Path | None, name: str) -> web.StreamResponse:
    """A raw photo, with ETag and Last-Modified; 404 for anything that is not a picture inside the folder."""
    path = (folder / name).resolve() if folder else None
    if folder is None or path is None or not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise RefusedError(404, "No such photo")
    if path.suffix.lower() not in CONTENT_TYPES:
        raise RefusedError(404, "No such photo")
    return web.FileResponse(path, headers={"Content-Type": CONTENT_TYPES[path.suffix.lower()]})
