"""A gate in front of a service: open, everything passes; shut, connections are refused and the present ones cut."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

_CHUNK_BYTES = 1 << 16


class Gate:
    """Listens on loopback and forwards to `127.0.0.1:port`. Its loop runs in a thread of its own."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self._thread.start()
        self.open()

    def open(self) -> None:
        """Let everybody pass, on the same port as before."""
        self._run(self._listen())

    def shut(self) -> None:
        """Refuse new connections and cut those that are."""
        self._run(self._leave())

    def close(self) -> None:
        """End for good."""
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _leave(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            on_reader, on_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(on_writer)
        await asyncio.gather(_pump(reader, on_writer), _pump(on_reader, writer))
        self._writers -= {writer, on_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.transport.abort() if reader.exception() else writer.close()
