"""The house of the simulator: its doors, and the porter every request passes.

HTTP requests come in; the porter lets them wait (jitter), writes them down, checks User-Agent, key and contract, and
sends them to the submit desk, the poll desk, the account or the downloads. `Simulator` starts and stops it all.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import socket
import struct
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from aiohttp import web

from stream.simulator import answers, control, desks, downloads
from stream.simulator.behaviour import Behaviour
from stream.simulator.book import Book, Request
from stream.simulator.faults import Mischief, Operation, Step, rng_for
from stream.simulator.windows import Turnstile
from stream.simulator.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from types import TracebackType

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CLIENT_HEADER = "X-Client-Id"
JOB_KEY_HEADER = "X-Job-Key"
_LIBRARY_DEFAULTS = re.compile(
    r"^$|^(Python/\S+ aiohttp/|aiohttp/|python-(requests|httpx|urllib)/|urllib3|Go-http-client/|okhttp/|axios/|node)",
    re.IGNORECASE,
)
_BODY_BYTES = 32 * 1024 * 1024


class Simulator:
    """A PixelAPI on this machine: `async with Simulator(behaviour=...) as sim: sim.base_url`.

    `port` 0 picks a free one. `photos` is served at /photos/. `state` gets the books as JSON lines. `behaviour` may be
    replaced while running. Raises OSError from `start` when the address is taken.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str = "pk_test",
        photos: Path | None = None,
        state: Path | None = None,
        threads: int = 2,
    ) -> None:
        self._behaviour = behaviour or Behaviour()
        self._host, self._port, self._api_key, self._threads = host, port, api_key, threads
        self.photos, self._state = photos, state
        self.mischief, self.turnstile, self.book = Mischief(), Turnstile(), Book()
        self.arrivals = 0
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.workshop: Workshop
        self.http: aiohttp.ClientSession

    @property
    def behaviour(self) -> Behaviour:
        """What it is like now."""
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        if behaviour.faults != self._behaviour.faults:
            self.mischief.forget()
        self._behaviour = behaviour

    @property
    def origin(self) -> str:
        """Scheme, host and port, as reached from this machine."""
        host = "127.0.0.1" if self._host in {"0.0.0.0", "::", ""} else self._host  # noqa: S104 -- compared, not bound
        return f"http://{host}:{self._port}"

    @property
    def base_url(self) -> str:
        """What a client is configured with."""
        return f"{self.origin}/v1"

    async def start(self) -> None:
        """Open the doors."""
        self.book, self._closing = Book(self._state), asyncio.Event()
        self.workshop = Workshop(self.book, self._threads)
        self.http = aiohttp.ClientSession()
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.2)
        try:
            await self._runner.setup()
            await web.TCPSite(self._runner, self._host, self._port).start()
        except BaseException:
            await self.stop()
            raise
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the doors; the books stay readable."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self.workshop.close()
        await self.http.close()
        self.book.close()

    async def reset(self) -> None:
        """Running jobs, books, balance and counts are forgotten; the behaviour stays."""
        await self.workshop.forget()
        self.book.forget()
        self.turnstile.forget()
        self.mischief.forget()
        self.arrivals = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def ledger(self, window_seconds: float | None = None) -> dict[str, Any]:
        """The books as `GET /_sim/ledger` gives them, without the detour."""
        return control.ledger(self, window_seconds)

    def summary(self, window_seconds: float | None = None) -> dict[str, Any]:
        """The totals as `GET /_sim/summary` gives them."""
        return control.summary(self, window_seconds)

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_BODY_BYTES)
        for operation in Operation:
            app.router.add_post(f"/v1/image/{operation.value}", self._porter(Step.SUBMIT, desks.submit, operation))
        app.router.add_post("/v1/edit", self._porter(Step.SUBMIT, desks.submit))
        for path in ("/v1/image/{id}", "/v1/image/upscale/{id}", "/v1/generation/{id}"):
            app.router.add_get(path, self._porter(Step.POLL, desks.poll))
        app.router.add_get("/v1/account/balance", self._porter(Step.ACCOUNT, desks.balance))
        app.router.add_get("/v1/account/usage", self._porter(Step.ACCOUNT, desks.usage))
        app.router.add_route("*", "/v1/{rest:.*}", self._porter(Step.ACCOUNT, desks.unknown))
        app.router.add_get("/outputs/files/{name}", self._open_door("download", self._download))
        app.router.add_get("/photos/{name:.+}", self._open_door("photo", self._photo))
        control.add_routes(app.router, self)
        return app

    def _porter(self, step: Step, desk: desks.Desk, operation: Operation | None = None) -> Handler:
        """The way of every request to the API host: late, written down, judged, served."""

        async def come_in(request: web.Request) -> web.StreamResponse:
            await self._jitter()
            entry = self._written_down(step.value, request)
            limits: dict[str, str] = {}
            try:
                blocked = self._judge(request, entry, limits)
                response = blocked or await desk(desks.Visit(self, request, entry, operation))
            except answers.RefusedError as error:
                response = answers.refusal(error, self._behaviour)
            except answers.CutOffError as error:
                return await self._cut(request, entry, error)
            response.headers.update(limits)
            return await self._send(request, entry, response)

        return come_in

    async def _jitter(self) -> None:
        self.arrivals += 1
        longest = self._behaviour.arrival_jitter_seconds
        if longest:
            await asyncio.sleep(rng_for(self._behaviour.seed, "jitter", self.arrivals).uniform(0, longest))

    def _judge(self, request: web.Request, entry: Request, limits: dict[str, str]) -> web.Response | None:
        """CDN, key, contract, in this order; a request the CDN stops never counts. Raises RefusedError."""
        behaviour, rate = self._behaviour, self._behaviour.rate
        if behaviour.user_agent_check and _LIBRARY_DEFAULTS.match(request.headers.get("User-Agent", "")):
            return answers.cdn_block()
        if not self._has_key(request):
            raise answers.RefusedError(401, "Invalid API key")
        counts = {Step.POLL.value: rate.count_polls, Step.ACCOUNT.value: rate.count_account}.get(entry.step, True)
        admission = self.turnstile.admit(entry.arrived, rate, counts=counts)
        limits.update(answers.rate_headers(rate, admission))
        if not admission.allowed:
            raise answers.throttled(rate, admission)
        return None

    def _has_key(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {self._api_key}".encode())

    async def _send(self, request: web.Request, entry: Request, response: web.StreamResponse) -> web.StreamResponse:
        """Send here, not in aiohttp, to know whether the answer still found its client."""
        delivered = False
        try:
            if not _gone(request):
                await response.prepare(request)
                await response.write_eof()
                delivered = not _gone(request)
        except ConnectionError:
            delivered = False
        self.book.answered(entry, response.status, delivered=delivered)
        job = self.book.jobs.get(entry.job or "")
        if delivered and job is not None and entry.step == Step.SUBMIT.value:
            job.answer_delivered = True
        return response

    async def _cut(self, request: web.Request, entry: Request, error: answers.CutOffError) -> web.Response:
        """No answer: at once with a reset, or after the client (or this house) has given up."""
        self.book.answered(entry, None, delivered=False)
        while error.hang and not self._closing.is_set() and not _gone(request):
            try:
                await asyncio.wait_for(self._closing.wait(), 0.1)
            except TimeoutError:
                continue
        reset(request)
        return web.Response(status=499)

    def _open_door(self, step: str, desk: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Handler:
        """Doors that need no key; one that is shown all the same is written down as leaked."""

        async def come_in(request: web.Request) -> web.StreamResponse:
            if "Authorization" in request.headers or self._api_key in request.path_qs:
                self.book.leaked(request.path)
            entry = self._written_down(step, request)
            try:
                response = await desk(request)
            except answers.RefusedError as error:
                response = answers.refusal(error, self._behaviour)
            except answers.CutOffError as error:
                return await self._cut(request, entry, error)
            self.book.answered(entry, response.status, delivered=response.prepared)
            return response

        return come_in

    def _written_down(self, step: str, request: web.Request) -> Request:
        client, job_key = (request.headers.get(name, "") for name in (CLIENT_HEADER, JOB_KEY_HEADER))
        entry = self.book.arrive(step, request.method, request.path, client, job_key)
        peer = request.transport.get_extra_info("peername") if request.transport else None
        entry.peer_port = peer[1] if isinstance(peer, tuple) else 0
        return entry

    async def _photo(self, request: web.Request) -> web.StreamResponse:
        return downloads.photo(self.photos, request.match_info["name"])

    async def _download(self, request: web.Request) -> web.StreamResponse:
        name, behaviour = request.match_info["name"], self._behaviour
        job = self.book.jobs.get(name.partition("-")[0])
        if job is None or job.output is None or name not in job.output_names:
            raise answers.RefusedError(404, "No such output")
        if downloads.expired(job, name, behaviour):
            raise answers.RefusedError(behaviour.expired_status, "This output has expired")
        fault = self.mischief.pick(behaviour.faults, downloads.question_of(job), behaviour.seed)
        desks.raise_if_plain(fault)
        job.downloads += request.method == "GET"
        self.book.changed(job, "downloaded")
        return await downloads.give(request, self.workshop.path(job.output), fault, behaviour)


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def reset(request: web.Request) -> None:
    """Cut the line with a TCP reset: what was written may be lost, and the client cannot tell what happened."""
    transport = request.transport
    if transport is None:
        return
    line = transport.get_extra_info("socket")
    if line is not None and line.family != getattr(socket, "AF_UNIX", None):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
