"""A web server on loopback that says exactly what it is told to, true or not; and a DNS that answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import AF_INET, AF_INET6, AddressFamily

from aiohttp.abc import AbstractResolver, ResolveResult

from stream.core.clock import SystemClock
from stream.downloads.web import HttpDownloads
from stream.metrics.silent import SilentRecorder

PHOTOS = "photos.example"
RESULTS = "cdn.results.example"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in."""

    method: str
    target: str
    headers: dict[str, str]


Reply = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def says(status: int = 200, body: bytes = b"", **headers: str) -> Reply:
    """A plain reply. Header names with `_` for `-`; Content-Length is true unless given, absent when given empty."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    named.setdefault("Content-Length", str(len(body)))
    lines = [f"HTTP/1.1 {status} Said"] + [f"{name}: {value}" for name, value in named.items() if value]

    async def reply(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        if asked.method != "HEAD":
            writer.write(body)
        await writer.drain()

    return reply


@dataclass(slots=True)
class Web:
    """Replies by path; `asked` is everything that was asked."""

    port: int = 0
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def url(self, path: str, host: str = PHOTOS) -> str:
        """The URL of `path` under a made-up name that leads here."""
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in head[1:] if line}
            asked = Asked(method, target, headers)
            self.asked.append(asked)
            await self.replies.get(target.partition("?")[0], says(404))(asked, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def web() -> AsyncIterator[Web]:
    """A server for one test; ends what still runs."""
    site = Web()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(site.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


class ToldDns(AbstractResolver):
    """Answers as told: a name's answers in turn, the last one for ever. Counts who asked."""

    def __init__(self, names: dict[str, list[list[str]]] | None = None) -> None:
        self.names = {PHOTOS: [["127.0.0.1"]], RESULTS: [["127.0.0.1"]], **(names or {})}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        self.asked.append(host)
        answers = self.names.get(host)
        if answers is None:
            raise OSError(-2, "Name or service not known")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host, host=each, port=port, family=AF_INET6 if ":" in each else AF_INET, proto=0, flags=0
            )
            for each in answer
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def downloads(folder: Path, dns: ToldDns | None = None, **options: object) -> AsyncIterator[HttpDownloads]:
    """The real door with small bounds, allowed to reach the two made-up names here by plain http."""
    settings: dict[str, object] = {
        "spool_dir": folder / "spool",
        "spool_bytes": 3_000_000,
        "max_bytes": 1_000_000,
        "timeout_seconds": 20.0,
        "user_agent": "skustream-test/1",
        "clock": SystemClock(),
        "recorder": SilentRecorder(),
        "allow_private": (PHOTOS, RESULTS),
        "allow_http_hosts": ("*.example",),
        "result_hosts": ("*.results.example",),
        "resolver": dns or ToldDns(),
        **options,
    }
    door = HttpDownloads(**settings)  # type: ignore[arg-type]
    try:
        yield door
    finally:
        await door.aclose()
