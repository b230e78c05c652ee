"""The desks behind the porter: submit, poll, balance, usage.

A `Visit` (a request that was let in, and its entry in the books) comes in; an answer goes out, or RefusedError (an
error answer) or CutOffError (none).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from stream.simulator import answers, downloads
from stream.simulator.answers import CutOffError, RefusedError
from stream.simulator.book import Job, Request
from stream.simulator.faults import Fault, FaultKind, Operation, Question, Step, rng_for
from stream.simulator.orders import Order, fetch, read_order
from stream.simulator.pictures import BadPictureError, inspect

if TYPE_CHECKING:
    from decimal import Decimal

    from stream.simulator.server import Simulator


_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Visit:
    """Who stands at the desk."""

    house: Simulator
    request: web.Request
    entry: Request
    operation: Operation | None


Desk = Callable[[Visit], Awaitable[web.StreamResponse]]


async def submit(visit: Visit) -> web.StreamResponse:
    """Take an order: nothing is charged before every check has passed."""
    house, behaviour = visit.house, visit.house.behaviour
    dialect = "image" if visit.operation else "edit"
    if behaviour.dialects not in {dialect, "both"}:
        raise RefusedError(behaviour.disabled_status, HTTPStatus(behaviour.disabled_status).phrase)
    order = await read_order(visit.request, visit.operation)
    visit.entry.operation = order.operation.value
    fault = _pick(visit, Step.SUBMIT, order)
    raise_if_plain(fault)
    _afford(visit, order.operation)
    picture = await fetch(order, house.http, behaviour)
    try:
        await asyncio.to_thread(inspect, picture, order.operation, order.params)
    except BadPictureError as error:
        raise RefusedError(422, str(error), field="image_url") from error
    # From here to the acceptance nothing awaits: balance and running jobs cannot change in between.
    _afford(visit, order.operation)
    if behaviour.max_running_jobs is not None and house.book.running >= behaviour.max_running_jobs:
        raise RefusedError(behaviour.running_refusal_status, "Too many running jobs", headers={"Retry-After": "1"})
    job = _accept(visit, order, picture)
    task = house.workshop.start(job, picture, behaviour, house.mischief)
    _spoil(visit, fault)
    instant = behaviour.edit_synchronous if dialect == "edit" else behaviour.synchronous
    if order.operation not in instant:
        await asyncio.sleep(behaviour.answer_delay.draw(rng_for(behaviour.seed, "answer", job.id)))
        return answers.as_json(answers.submitted(job, behaviour))
    await asyncio.wait([task])
    return _synchronous(visit, job)


def _accept(visit: Visit, order: Order, picture: bytes) -> Job:
    house, behaviour = visit.house, visit.house.behaviour
    number = len(house.book.jobs) + 1
    name = (order.image_url or "").partition("?")[0].rpartition("/")[2] or order.filename
    draw = rng_for(behaviour.seed, "latency", order.operation.value, name, hashlib.sha256(picture).hexdigest())
    job = Job(
        id=hashlib.sha256(f"{behaviour.seed}|{number}|{visit.entry.arrived_at}".encode()).hexdigest()[:24],
        operation=order.operation,
        dialect=order.dialect,
        image_url=order.image_url,
        filename=order.filename,
        sha256=hashlib.sha256(picture).hexdigest(),
        params=order.params,
        client=visit.entry.client,
        job_key=visit.entry.job_key,
        price_credits=behaviour.price_credits(order.operation),
        submitted_at=time.time(),
        latency_seconds=behaviour.latency_of(order.operation).draw(draw),
    )
    house.book.accept(job, charge=behaviour.charge == "submit")
    visit.entry.job = job.id
    return job


def _spoil(visit: Visit, fault: Fault | None) -> None:
    """The job is taken and paid; its answer gets lost."""
    if fault is None:
        return
    visit.entry.fault = fault.kind.value
    if fault.kind in {FaultKind.ACCEPT_DROP, FaultKind.ACCEPT_HANG}:
        raise CutOffError(hang=fault.kind is FaultKind.ACCEPT_HANG)
    raise RefusedError(fault.status, fault.message or "Internal Server Error", shape=fault.shape)


def _synchronous(visit: Visit, job: Job) -> web.Response:
    behaviour = visit.house.behaviour
    body = answers.polled(job, behaviour, _output_url(visit, job))
    if behaviour.credits_in_submit:
        body["credits_used"] = job.charged_credits - job.refunded_credits
    body.pop(behaviour.id_field, None)
    return answers.as_json({behaviour.id_field: job.id, **body} if behaviour.synchronous_has_id else body)


def _pick(visit: Visit, step: Step, what: Order | Job | None) -> Fault | None:
    house = visit.house
    question = Question(
        step,
        what.operation if what else None,
        what.image_url if what else None,
        what.filename if what else None,
        visit.entry.client,
    )
    fault = house.mischief.pick(house.behaviour.faults, question, house.behaviour.seed)
    visit.entry.fault = fault.kind.value if fault else None
    return fault


def raise_if_plain(fault: Fault | None) -> None:
    """The faults that end a request before anything is done for it: error, busy, drop, hang."""
    if fault is None:
        return
    if fault.kind in {FaultKind.DROP, FaultKind.HANG}:
        raise CutOffError(hang=fault.kind is FaultKind.HANG)
    if fault.kind is FaultKind.ERROR:
        raise RefusedError(fault.status, fault.message or "Internal Server Error", shape=fault.shape)
    if fault.kind is FaultKind.BUSY:
        words = f"All GPUs are busy right now. Please try again in {fault.seconds:g} seconds."
        raise RefusedError(503, fault.message or words, shape=fault.shape)


def _afford(visit: Visit, operation: Operation) -> None:
    price = visit.house.behaviour.price_credits(operation)
    left = _balance(visit.house) - visit.house.book.promised_credits
    if price > left:
        raise RefusedError(402, f"Insufficient credits: {price} needed, {left} left")


def _balance(house: Simulator) -> Decimal:
    return house.behaviour.balance_credits - house.book.net_credits


def _output_url(visit: Visit, job: Job) -> str | None:
    behaviour = visit.house.behaviour
    if job.status != "completed" or not job.output_names:
        return None
    if behaviour.renew_on_poll and downloads.expired(job, job.output_names[-1], behaviour):
        visit.house.workshop.name_output(job)
    base = behaviour.output_base_url or f"http://{visit.request.host}/outputs/files"
    return f"{base}/{job.output_names[-1]}"


async def poll(visit: Visit) -> web.StreamResponse:
    """How a job stands; also renews an expired output when the behaviour says so."""
    job = visit.house.book.jobs.get(visit.request.match_info["id"])
    if job is not None:
        job.polls += 1
        visit.entry.job, visit.entry.operation = job.id, job.operation.value
    raise_if_plain(_pick(visit, Step.POLL, job))
    if job is None:
        raise RefusedError(404, "Generation not found")
    return answers.as_json(answers.polled(job, visit.house.behaviour, _output_url(visit, job)))


async def balance(visit: Visit) -> web.StreamResponse:
    """What is left."""
    raise_if_plain(_pick(visit, Step.ACCOUNT, None))
    house = visit.house
    return answers.as_json({"credits_remaining": _balance(house), "plan": house.behaviour.plan})


async def usage(visit: Visit) -> web.StreamResponse:
    """The newest jobs of the last `days` (default 7), at most `limit` (default 100)."""
    raise_if_plain(_pick(visit, Step.ACCOUNT, None))
    house = visit.house
    if not house.behaviour.usage_enabled:
        raise RefusedError(404, "Not Found")
    days, limit = _whole(visit.request, "days", 7), _whole(visit.request, "limit", 100)
    since = time.time() - days * _DAY_SECONDS
    newest = [job for job in reversed(house.book.jobs.values()) if job.submitted_at >= since][:limit]
    rows = [
        {
            "id": job.id,
            "operation": job.operation.value,
            "image_url": job.image_url,
            "created_at": datetime.fromtimestamp(job.submitted_at, UTC).isoformat(),
            "credits_used": job.charged_credits - job.refunded_credits,
            "status": answers.shown_status(job, house.behaviour),
        }
        for job in newest
    ]
    return answers.as_json({"usage": rows, "count": len(rows)})


def _whole(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal() or len(text) > 6:  # noqa: PLR2004 -- no sane count is longer
        raise RefusedError(422, f"{name} must be a positive integer", field=name)
    return int(text)


async def unknown(_: Visit) -> web.StreamResponse:
    """Any other path of the API."""
    raise RefusedError(404, "Not Found")
