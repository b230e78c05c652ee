"""The line to the API host: one HTTP exchange, and how far it got.

A request comes in; an `Answer` goes out, or `UnsentError` (no connection ever stood) or `LostError` (one stood, and no
understandable answer came). No retries, no redirects, no cookies; bodies are bounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp import hdrs

from stream.core.clock import Clock
from stream.metrics.port import Recorder
from stream.pixelapi.answers import Answer

LONGEST_BODY_BYTES = 256 * 1024
_CHUNK_BYTES = 16 * 1024
_CONNECT_TIMEOUT_SECONDS = 4.0  # below the quota's `arrival_seconds`


class LineError(Exception):
    """Something broke on the way; the text is aiohttp's own and still unscrubbed."""


class UnsentError(LineError):
    """The connection was never established: surely nothing reached the API."""


class LostError(LineError):
    """The connection stood; whether the API took the request is unknown."""


@dataclass(slots=True)
class _Trip:
    """How far one request got; handed to aiohttp's tracing as its context."""

    is_connected: bool = False


class Line:
    """A pool of connections to one host. `is_fresh`: a new connection for every request.

    A reused connection may just have been closed by the other side, which looks like a lost answer; where that costs
    money a new one is cheap. Opened by the first request, since it needs a running loop.
    """

    def __init__(self, *, is_fresh: bool, timeout_seconds: float, clock: Clock, recorder: Recorder) -> None:
        self._is_fresh = is_fresh
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=_CONNECT_TIMEOUT_SECONDS)
        self._clock = clock
        self._recorder = recorder
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    async def exchange(
        self, label: str, method: str, url: str, *, headers: Mapping[str, str], data: Any = None
    ) -> Answer:
        """Exactly one HTTP request, recorded under `label`. Raises `UnsentError` or `LostError`."""
        trip = _Trip()
        started = self._clock.monotonic()
        answered = ""
        failure: LineError
        try:
            answer = await self._go(trip, method, url, headers=headers, data=data)
            answered = str(answer.status)
        except Exception as error:  # noqa: BLE001 - whatever it was, a job may be bought
            failure = _failure(trip, error)
        else:
            return answer
        finally:
            # Also on cancellation: what was sent counts, whoever still waits for it.
            code = answered or ("lost" if trip.is_connected else "unsent")
            self._recorder.requested(label, code, self._clock.monotonic() - started)
        # Out here, so that aiohttp's error, which knows the request's headers, is not kept as the context.
        raise failure

    async def aclose(self) -> None:
        """Close the connections; later requests fail."""
        self._is_closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _go(self, trip: _Trip, method: str, url: str, *, headers: Mapping[str, str], data: Any) -> Answer:
        options = {"headers": headers, "data": data, "allow_redirects": False, "trace_request_ctx": trip}
        async with self._opened().request(method, url, **options) as response:
            body, is_whole = await _read_body(response)
            if not is_whole and not _is_definite(response.status):
                raise LostError(f"the answer {response.status} was cut off")
            return Answer(
                status=response.status,
                headers=dict(response.headers),
                body=body,
                now_seconds=self._clock.wall(),
                is_whole=is_whole,
            )

    def _opened(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise UnsentError("the client is closed")
        if self._session is None:
            # No limit of connections: waiting for one would outlast the grant that allowed this request.
            connector = aiohttp.TCPConnector(limit=0, force_close=self._is_fresh)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                trace_configs=[_tracing()],
                middlewares=(_once,),
            )
        return self._session


async def _read_body(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """The body up to the bound, and whether it is all there. A cut 4xx is as definite as a whole one."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > LONGEST_BODY_BYTES:
                response.close()
                return bytes(body[:LONGEST_BODY_BYTES]), False
    except (aiohttp.ClientError, OSError):  # a timeout is an OSError too
        return bytes(body), False
    return bytes(body), True


def _is_definite(status: int) -> bool:
    """Whether the status line alone says that nothing was taken: a refusal or a redirect."""
    return 300 <= status < 500  # noqa: PLR2004 - the classes of RFC 9110


def _failure(trip: _Trip, error: Exception) -> LineError:
    """Without a connection nothing was sent, whatever the error's name; with one, anything may have happened."""
    if isinstance(error, LineError) and trip.is_connected:
        return error
    if not trip.is_connected and not isinstance(error, LineError | aiohttp.ClientError | OSError):
        raise error  # nothing to do with the network: a bug must not look like an outage
    text = f"{type(error).__name__}: {error}" if isinstance(error, aiohttp.ClientConnectorError) else ""
    words = text or (str(error) if isinstance(error, LineError) else type(error).__name__)
    return LostError(words) if trip.is_connected else UnsentError(words)


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET a second time when a kept connection turns out dead: the contract counts both."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        words = type(error).__name__
    raise LostError(words)


def _tracing() -> aiohttp.TraceConfig:
    """Marks a trip the moment its connection stands: the only sure line between unsent and lost."""

    async def connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.is_connected = True

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(connected)
    tracing.on_connection_reuseconn.append(connected)
    return tracing


def headers_with(key: str, user_agent: str) -> dict[str, str]:
    """What every request carries. Uncompressed answers, so that their bound is a bound."""
    return {
        hdrs.AUTHORIZATION: f"Bearer {key}",
        hdrs.USER_AGENT: user_agent,
        hdrs.ACCEPT: "application/json",
        hdrs.ACCEPT_ENCODING: "identity",
    }
