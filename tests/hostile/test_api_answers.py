"""An API that drips, never ends, sends bombs or nonsense: a lost answer or a bounded one, in bounded memory."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from stream.core.errors import Ambiguous, StreamError, Transient
from stream.pixelapi.answers import Answer, read_balance, read_poll, read_submit, read_usage
from stream.pixelapi.port import JobReport, NoBooks
from stream.pixelapi.wording import Scrubber
from tests.contract.test_pixelapi_wire import KEY, ORDER, client_of

SCRUB = Scrubber(SecretStr(KEY))
MOST_BYTES = 8 * 1024 * 1024
Speech = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def speaker(speech: Speech) -> AsyncIterator[int]:
    """A server that hears one request a connection and then says `speech`; its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await speech(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def drips(start: bytes, drop: bytes) -> Speech:
    """`start` at once, then `drop` again and again, each in time."""

    async def speak(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    return speak


def pours(start: bytes, gush: bytes) -> Speech:
    """`start`, then `gush` as fast as it is taken, without end."""

    async def speak(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(gush)
            await writer.drain()

    return speak


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(b'{"id": "g1", "x": "' + bytes(300_000_000) + b'"}', compresslevel=9)
SLOW = {
    "headers that drip": drips(HEAD, b"X-A: b\r\n"),
    "a header that drips": drips(HEAD + b"X-A: ", b"b"),
    "a status that drips": drips(b"", b"H"),
    "a body that drips": drips(HEAD + b"Content-Length: 100000\r\n\r\n", b"{"),
    "chunks that drip": drips(CHUNKED, b"1\r\n \r\n"),
    "headers without end": pours(HEAD, b"X-A: b\r\n" * 1000),
}
LARGE = {
    "chunks without end": pours(CHUNKED, b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    "a gigabyte": pours(HEAD + b"Content-Length: 1073741824\r\n\r\n", b" " * 65_536),
    "a bomb in gzip": drips(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB, b""),
}


@contextmanager
def little_memory() -> Iterator[None]:
    """Nothing inside may have more than `MOST_BYTES` of Python's memory at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", SLOW)
async def test_what_drips_ends_with_the_timeout(name: str) -> None:
    """For the submit the answer is lost, and perhaps the job is bought (L2); a poll is asked again."""
    async with (
        speaker(SLOW[name]) as port,
        client_of(port, submit_timeout_seconds=0.4, poll_timeout_seconds=0.4) as client,
    ):
        with little_memory():
            with pytest.raises(Ambiguous):
                await client.submit(ORDER)
            with pytest.raises(Transient):
                await client.poll("upscale", "g1")


@pytest.mark.parametrize("name", LARGE)
async def test_what_never_ends_is_left_at_the_bound(name: str) -> None:
    async with speaker(LARGE[name]) as port, client_of(port) as client:
        with little_memory():
            with pytest.raises(Ambiguous):
                await client.submit(ORDER)
            with pytest.raises(Transient):
                await client.poll("upscale", "g1")


NONSENSE: list[Any] = [
    None, True, 0, -1, 1e308, 10**30, "", "x" * 5_000, "\u202e\0", [], [[]], {}, {"id": {"id": {"id": 1}}}, [None],
    "NaN", "1e999999", "../../x", "javascript:alert(1)", "file:///etc/passwd", KEY,
]  # fmt: skip
FIELDS = (
    "id", "generation_id", "job_id", "status", "state", "output_url", "url", "output", "result", "data", "credits_used",
    "error", "detail", "message", "credits_remaining", "plan", "usage", "items",
)  # fmt: skip


@pytest.mark.parametrize("status", [200, 400, 404, 422, 429, 500, 503])
@pytest.mark.parametrize("field", FIELDS)
def test_the_wrong_type_in_any_field_is_no_report_of_anything(field: str, status: int) -> None:
    for value in NONSENSE:
        body = json.dumps({"status": "completed", "id": "g1", field: value}).encode()
        for read in (read_submit, read_poll, read_balance, lambda answer, scrub: read_usage(answer, "0" * 32, scrub)):
            try:
                outcome: object = read(Answer(status, {}, body), SCRUB)
            except (StreamError, NoBooks) as error:
                outcome = error
            assert KEY not in f"{outcome!r}{outcome}"
            if isinstance(outcome, JobReport):
                assert outcome.output_url is None or outcome.output_url.startswith("http")
                assert outcome.credits is None or 0 <= outcome.credits <= 10**9


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"id": "g1", "credits_used": NaN}',
        b'{"id": "g1", "credits_used": ' + b"9" * 5_000 + b"}",
        b'{"id": "g1"} {"id": "g2"}',
        b'\xff\xfe{\x00"\x00i\x00',
        b'{"id": "\xed\xa0\x80"}',
    ],
)
def test_what_json_forbids_is_an_answer_lost(body: bytes) -> None:
    """Some libraries take NaN, depth or two objects; a job id out of them would be a guess, and money hangs on it."""
    with pytest.raises(Ambiguous):
        read_submit(Answer(200, {}, body), SCRUB)
    with pytest.raises(Transient):
        read_poll(Answer(200, {}, body), SCRUB)


def test_a_key_given_twice_counts_as_its_last_value() -> None:
    report = read_submit(Answer(200, {}, b'{"id": "g1", "id": "g2", "credits_used": 1, "credits_used": 2}'), SCRUB)
    assert (report.job_id, report.credits) == ("g2", Decimal(2))
