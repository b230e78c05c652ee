"""A TCP proxy that loses things on purpose, between a client and a real HTTP server.

A fault strikes the next requests of one method; everything else passes untouched. What the server did is real.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Self

LATE_SECONDS = 3.0
_CHUNK_BYTES = 1 << 16
_METHODS = (b"GET ", b"PUT ", b"HEAD ", b"DELETE ", b"POST ")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Fault(Enum):
    """What happens to a request or to its answer."""

    CUT_BEFORE = auto()
    """The connection is cut; the server never hears of the request."""
    CUT_ANSWER = auto()
    """The server answers; the connection is cut before a byte of the answer is passed on."""
    CUT_MIDWAY = auto()
    """The first part of the answer is passed on, then the connection is cut."""
    SWALLOW_ANSWER = auto()
    """The server answers; the client waits for ever."""
    ERROR_ANSWER = auto()
    """The server answers; the client is told 500."""
    HOLD_REQUEST = auto()
    """The connection is cut; the request reaches the server only at `release()`."""
    LATE_ANSWER = auto()
    """The answer is passed on `LATE_SECONDS` after the server gave it."""


@dataclass
class _Exchange:
    """One client connection: the fault that strikes its present request, and what is held back."""

    fault: Fault | None = None
    held: bytearray = field(default_factory=bytearray)


class FaultyProxy:
    """Listens on loopback and forwards to `host:port`. Use as an async context manager."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._planned: list[tuple[bytes, Fault]] = []
        self._held: list[bytes] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: Counter[str] = Counter()
        self.struck = 0

    @property
    def url(self) -> str:
        """Where to find the server through this proxy."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def plan(self, method: str, *faults: Fault) -> None:
        """Let the next requests of `method` meet these faults, one each, in this order."""
        self._planned += [(method.encode() + b" ", fault) for fault in faults]

    async def release(self) -> list[bytes]:
        """Let every held request reach the server at last; the status of each answer."""
        answers = []
        for request in self._held:
            reader, writer = await asyncio.open_connection(*self._to)
            writer.write(request)
            status = (await reader.readuntil(b"\r\n\r\n")).split()[1]
            answers.append((await reader.readline()).split()[1] if status == b"100" else status)
            writer.close()
            await writer.wait_closed()
        self._held.clear()
        return answers

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        exchange = _Exchange()
        to_reader, to_writer = await asyncio.open_connection(*self._to)
        pumps = [
            asyncio.create_task(self._forward_requests(exchange, reader, to_writer, writer)),
            asyncio.create_task(self._forward_answers(exchange, to_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # All that must happen, before the first await: a second cancellation may end this there.
            for pump in pumps:
                pump.cancel()
            for end in (writer, to_writer):
                end.transport.abort()
            if exchange.held:
                self._held.append(bytes(exchange.held))
            self._tasks.discard(task)
            await asyncio.gather(*pumps, writer.wait_closed(), to_writer.wait_closed(), return_exceptions=True)

    async def _forward_requests(
        self,
        exchange: _Exchange,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            method = next((method for method in _METHODS if chunk.startswith(method)), None)
            if method is not None:
                self.requests[method.decode().strip()] += 1
                exchange.fault = self._strike(method)
            if exchange.fault is Fault.CUT_BEFORE:
                return
            if exchange.fault is Fault.HOLD_REQUEST:
                exchange.held += chunk
                if _is_complete(exchange.held):
                    return
                if chunk.endswith(b"\r\n\r\n") and b"100-continue" in chunk:
                    back.write(_CONTINUE)
                continue
            writer.write(chunk)
            await writer.drain()

    async def _forward_answers(
        self, exchange: _Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            fault = None if chunk.startswith(b"HTTP/1.1 100") else exchange.fault
            if fault is Fault.SWALLOW_ANSWER:
                continue
            if fault is Fault.CUT_ANSWER:
                return
            if fault is Fault.LATE_ANSWER:
                await asyncio.sleep(LATE_SECONDS)
            if fault is Fault.ERROR_ANSWER:
                chunk = _ERROR
            if fault is Fault.CUT_MIDWAY:
                chunk = chunk[:-1]
            writer.write(chunk)
            await writer.drain()
            if fault in {Fault.ERROR_ANSWER, Fault.CUT_MIDWAY}:
                return

    def _strike(self, method: bytes) -> Fault | None:
        for number, (planned, fault) in enumerate(self._planned):
            if planned == method:
                del self._planned[number]
                self.struck += 1
                return fault
        return None


def _is_complete(request: bytes | bytearray) -> bool:
    head, separator, body = bytes(request).partition(b"\r\n\r\n")
    if not separator:
        return False
    lengths = [line.split(b":")[1] for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    return len(body) >= int(lengths[0] if lengths else 0)
