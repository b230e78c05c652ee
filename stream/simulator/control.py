"""The back door, for tests and demos only: behaviour in, books out. It asks for no key; keep it on loopback.

`GET|PUT /_sim/behaviour` (PUT merges a partial object), `GET /_sim/ledger`, `GET /_sim/summary`, `GET /_sim/open`,
`POST /_sim/reset`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web
from pydantic import ValidationError

from stream.simulator.answers import as_json

if TYPE_CHECKING:
    from stream.simulator.server import Simulator


def summary(house: Simulator, window_seconds: float | None = None) -> dict[str, Any]:
    """The totals; windows as long as the contract's unless told otherwise."""
    behaviour = house.behaviour
    totals = house.book.totals(behaviour.balance_credits, window_seconds or behaviour.rate.window_seconds)
    return {**totals, "faults_struck": dict(house.mischief.struck)}


def ledger(house: Simulator, window_seconds: float | None = None) -> dict[str, Any]:
    """Every request (`open_requests`: outputs, photos), every job, what was bought more than once, and the totals."""
    return {
        "requests": [asdict(request) for request in house.book.requests],
        "open_requests": [asdict(request) for request in house.book.open_requests],
        "jobs": [asdict(job) for job in house.book.jobs.values()],
        "repeated_purchases": house.book.repeated_purchases(),
        "totals": summary(house, window_seconds),
    }


def open_now(house: Simulator) -> dict[str, Any]:
    """Submits that wait for their answer (for whoever wants to kill just then), and how many jobs run."""
    waiting = [asdict(request) for request in house.book.requests if request.step == "submit" and not request.ended]
    return {"submits": waiting, "running": house.book.running}


def add_routes(router: web.UrlDispatcher, house: Simulator) -> None:
    """Hang the back door."""

    async def show(_: web.Request) -> web.Response:
        return as_json(house.behaviour.model_dump(mode="json"))

    async def change(request: web.Request) -> web.Response:
        try:
            house.behaviour = house.behaviour.changed(orjson.loads(await request.read()))
        except (ValidationError, orjson.JSONDecodeError, TypeError) as error:
            return as_json({"detail": str(error)}, 422)
        return await show(request)

    async def give_ledger(request: web.Request) -> web.Response:
        return as_json(ledger(house, _window_seconds(request)))

    async def give_summary(request: web.Request) -> web.Response:
        return as_json(summary(house, _window_seconds(request)))

    async def give_open(_: web.Request) -> web.Response:
        return as_json(open_now(house))

    async def start_anew(_: web.Request) -> web.Response:
        await house.reset()
        return as_json({"status": "reset"})

    router.add_get("/_sim/behaviour", show)
    router.add_put("/_sim/behaviour", change)
    router.add_get("/_sim/ledger", give_ledger)
    router.add_get("/_sim/summary", give_summary)
    router.add_get("/_sim/open", give_open)
    router.add_post("/_sim/reset", start_anew)


def _window_seconds(request: web.Request) -> float | None:
    try:
        return float(request.query["window_seconds"]) if "window_seconds" in request.query else None
    except ValueError as error:
        raise web.HTTPUnprocessableEntity(text="window_seconds must be a number") from error
