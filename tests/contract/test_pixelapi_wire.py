"""PixelAPI's door on a line that breaks at every point: unsent, lost or answered, and never sent twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from stream.core.clock import SystemClock
from stream.core.errors import Ambiguous, Rejected, Resource, StreamError, Throttled, Transient, Unavailable
from stream.pixelapi.client import HttpPixelApi
from stream.pixelapi.port import JobState, Order

KEY = "pk_live_3f9c0d7e5a"
ORDER = Order("upscale", "https://cdn.example/a.png", {"scale": 2})
Reply = Callable[[int], bytes | None]
"""The bytes for the n-th request (from 1); None leaves it hanging."""


def http(status: int, body: bytes, *lines: str, length: int | None = None) -> bytes:
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


ACCEPTED = http(200, b'{"id": "g1", "status": "queued"}')


@dataclass
class Wire:
    """A server that speaks in raw bytes and closes the line after an answer marked so. Notes all it heard."""

    reply: Reply
    closes: bool = True
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
                )
                self.requests.append(head + await reader.readexactly(length))
                answer = self.reply(len(self.requests))
                if answer is None:
                    await reader.read()
                    return
                writer.write(answer)
                await writer.drain()
                if self.closes or not answer:
                    return
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            return
        finally:
            writer.close()


@dataclass
class Notes:
    requests: list[tuple[str, str]] = field(default_factory=list)

    def requested(self, operation: str, code: str, seconds: float) -> None:
        self.requests.append((operation, code))


@asynccontextmanager
async def wired(reply: Reply, *, closes: bool = True) -> AsyncIterator[Wire]:
    wire = Wire(reply, closes)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()


@asynccontextmanager
async def client_of(port: int, notes: Notes | None = None, **settings: Any) -> AsyncIterator[HttpPixelApi]:
    named = {"base_url": f"http://127.0.0.1:{port}/v1", "dialect": "image", **settings}
    client = HttpPixelApi(
        api_key=SecretStr(KEY),
        clock=SystemClock(),
        recorder=notes or Notes(),  # type: ignore[arg-type] # the one verb this door uses
        **named,
    )
    try:
        yield client
    finally:
        await client.aclose()


async def free_port() -> int:
    server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def outcome(client: HttpPixelApi, call: str) -> StreamError:
    asks = {
        "submit": lambda: client.submit(ORDER),
        "poll": lambda: client.poll("upscale", "g1"),
        "balance": client.balance,
    }
    with pytest.raises(StreamError) as caught:
        await asks[call]()
    assert KEY not in str(caught.value)
    # aiohttp's errors know the request's headers: none may hang on ours.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize("call", ["submit", "poll", "balance"])
async def test_nobody_listening_is_an_outage_and_nothing_was_sent(call: str) -> None:
    notes = Notes()
    async with client_of(await free_port(), notes) as client:
        error = await outcome(client, call)
    assert isinstance(error, Unavailable)
    assert error.resource is Resource.API_OUTAGE
    assert [code for _, code in notes.requests] == ["unsent"]


async def test_a_failed_tls_handshake_is_an_outage_and_nothing_was_sent() -> None:
    notes = Notes()

    async def speak_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server, client_of(0, notes, base_url=url) as client:
        error = await outcome(client, "submit")
    assert isinstance(error, Unavailable)
    assert error.resource is Resource.API_OUTAGE
    assert notes.requests == [("upscale", "unsent")]


async def test_a_handshake_that_never_ends_is_an_outage_even_when_the_whole_time_is_up() -> None:
    """The total timeout strikes before any connection stands: its error's name alone would look like a lost answer."""
    async with wired(lambda _: None) as wire:
        url = f"https://127.0.0.1:{wire.port}/v1"
        async with client_of(0, base_url=url, submit_timeout_seconds=0.3) as client:
            assert isinstance(await outcome(client, "submit"), Unavailable)


BROKEN = {
    "closed without a word": b"",
    "half a status line": b"HTTP/1.1 20",
    "no http at all": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "half the headers": b"HTTP/1.1 200 OK\r\nContent-Le",
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 100_000,
    "half a body": http(200, b'{"id": "g1"', length=99),
    "a whole body short of its length": http(200, b'{"id": "g1"}', length=99),
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n63\r\n{",
    "half a 503": http(503, b'{"detail": "busy', length=99),
    "a body without bounds": http(200, b'{"id": "g1", "x": "' + b"x" * 600_000 + b'"}', "Connection: close"),
    "gzip that is none": http(200, b'{"id": "g1"}', "Content-Encoding: gzip", "Connection: close"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_after_the_connection_stood_a_broken_answer_is_a_lost_one(name: str) -> None:
    notes = Notes()
    async with wired(lambda _: BROKEN[name]) as wire, client_of(wire.port, notes) as client:
        assert isinstance(await outcome(client, "submit"), Ambiguous)
        assert isinstance(await outcome(client, "poll"), Transient)
        assert isinstance(await outcome(client, "balance"), Transient)
    assert len(wire.requests) == 3
    assert notes.requests == [("upscale", "lost"), ("poll", "lost"), ("balance", "lost")]


async def test_an_answer_that_never_comes_is_a_lost_one() -> None:
    async with (
        wired(lambda _: None) as wire,
        client_of(wire.port, submit_timeout_seconds=1.0, poll_timeout_seconds=1.0) as client,
    ):
        assert isinstance(await outcome(client, "submit"), Ambiguous)
        assert isinstance(await outcome(client, "poll"), Transient)
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Rejected), (401, Unavailable), (402, Unavailable), (429, Throttled)]
)
async def test_a_refusal_stands_even_when_its_words_are_cut_off(status: int, kind: type[StreamError]) -> None:
    async with wired(lambda _: http(status, b'{"detail": "no', length=99)) as wire, client_of(wire.port) as client:
        assert isinstance(await outcome(client, "submit"), kind)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", ["submit", "poll", "balance"])
async def test_a_redirect_is_not_followed_and_the_key_stays(status: int, call: str) -> None:
    async with wired(lambda _: ACCEPTED) as elsewhere:
        there = f"Location: http://127.0.0.1:{elsewhere.port}/v1/image/upscale"
        async with wired(lambda _: http(status, b"", there)) as wire, client_of(wire.port) as client:
            error = await outcome(client, call)
    assert isinstance(error, Unavailable)
    assert error.resource is Resource.API_CONTRACT
    assert len(wire.requests) == 1
    assert elsewhere.connections == 0


async def test_every_submit_has_a_connection_of_its_own_and_polls_share_one() -> None:
    async with wired(lambda _: ACCEPTED, closes=False) as wire, client_of(wire.port) as client:
        for _ in range(3):
            await client.submit(ORDER)
        assert wire.connections == 3
        for _ in range(3):
            await client.poll("upscale", "g1")
        assert wire.connections == 4


async def test_a_kept_connection_found_dead_is_not_used_for_a_second_request_unseen() -> None:
    """Left to itself aiohttp sends such a GET again: two requests at the API for one that was granted (L3)."""

    def closing_on_the_second(number: int) -> bytes:
        return b"" if number == 2 else ACCEPTED

    async with wired(closing_on_the_second, closes=False) as wire, client_of(wire.port) as client:
        await client.poll("upscale", "g1")
        assert isinstance(await outcome(client, "poll"), Transient)
        assert len(wire.requests) == 2
        assert (await client.poll("upscale", "g1")).state is JobState.RUNNING


async def test_cookies_are_not_kept_and_the_request_is_what_the_documents_say() -> None:
    answer = http(200, b'{"id": "g1"}', "Set-Cookie: a=b; Path=/")
    async with wired(lambda _: answer) as wire:
        # By name: aiohttp takes no cookies from bare addresses anyway.
        url = f"http://localhost:{wire.port}/v1"
        async with client_of(0, base_url=url, user_agent="skustream/9 (+x)") as client:
            await client.submit(ORDER)
            await client.submit(ORDER)
    head, _, body = wire.requests[1].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/image/upscale HTTP/1.1\r\n")
    assert f"Authorization: Bearer {KEY}".encode() in head
    assert b"User-Agent: skustream/9 (+x)" in head
    assert b"Content-Type: application/json" in head
    assert b"ookie" not in head
    assert body == b'{"scale":2,"image_url":"https://cdn.example/a.png"}'


async def test_a_cancelled_submit_is_counted_as_lost() -> None:
    notes, heard = Notes(), asyncio.Event()

    def hang(_: int) -> None:
        heard.set()

    async with wired(hang) as wire, client_of(wire.port, notes) as client:
        task = asyncio.ensure_future(client.submit(ORDER))
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert notes.requests == [("upscale", "lost")]


async def test_the_books_are_asked_for_their_newest_page() -> None:
    """A job that was just lost stands among the newest: no more is read than the longest body we take."""
    async with wired(lambda _: http(200, b'{"usage": []}')) as wire, client_of(wire.port) as client:
        assert await client.find("0" * 32) is None
    assert wire.requests[0].startswith(b"GET /v1/account/usage?limit=100 HTTP/1.1\r\n")
