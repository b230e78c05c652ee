"""The real door: downloads over HTTPS with aiohttp, and local or S3 sources where they are configured.

Comes in: URLs of events and of PixelAPI's results. Goes out: spooled files with their length and sha256, or errors by
whose fault they are. No key, cookie, proxy setting or netrc entry ever travels through here.
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from stream.core.clock import Clock
from stream.core.errors import Misconfigured, Reason, Rejected, Resource, Transient, Unavailable
from stream.downloads import answers, elsewhere, hops
from stream.downloads.guard import Allowance, Guard, GuardedResolver, Refused, rules
from stream.downloads.port import Spooled, Whose
from stream.downloads.spool import Place, Spool, Writer
from stream.metrics.port import Recorder

_PIECE_BYTES = 256 * 1024
_CONNECT_SECONDS = 10.0
_NO_MORE_FILES = frozenset({errno.EMFILE, errno.ENFILE})


class HttpDownloads:
    """Fetches once, bounded: redirects by hand, each hop judged, a cap on bytes, an end to slow drips.

    `timeout_seconds` bounds a whole download from its first connection to its last byte, `stall_seconds` each silence.
    Redirects are followed up to five times. `allow_private`, `allow_http_hosts` and `result_hosts` are as in `guard`.
    """

    def __init__(
        self,
        *,
        spool_dir: Path,
        spool_bytes: int,
        max_bytes: int,
        timeout_seconds: float,
        user_agent: str,
        clock: Clock,
        recorder: Recorder,
        stall_seconds: float = 20.0,
        allow_private: tuple[str, ...] = (),
        allow_http_hosts: tuple[str, ...] = (),
        result_hosts: tuple[str, ...] = (),
        file_root: Path | None = None,
        s3_reader: elsewhere.S3Reader | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """Raises `Misconfigured`; `resolver` is what asks DNS (default: the system's)."""
        if spool_bytes < max_bytes:
            raise Misconfigured(
                f"spool_bytes is {spool_bytes}, less than one file of max_bytes ({max_bytes}); give it many times that"
            )
        self._guard = Guard(allow_private)
        self._hops = hops.HopRules(
            self._guard, Allowance(allow_http_hosts, "allow_http_hosts"), rules(result_hosts, "result_hosts")
        )
        self._spool = Spool(spool_dir, spool_bytes, clock)
        self._max_bytes = max_bytes
        self._timeout_seconds = timeout_seconds
        self._stall_seconds = stall_seconds
        self._user_agent = user_agent
        self._clock = clock
        self._recorder = recorder
        self._file_root = file_root
        self._s3_reader = s3_reader
        self._resolver = resolver
        self._opened: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def fetch(self, url: str, whose: Whose) -> AsyncIterator[Spooled]:
        """See the port."""
        async with self._spool.place(self._max_bytes) as place:
            writer = Writer(place.path)
            try:
                with _translated(url, whose):
                    await self._fill(writer, place, hops.read(url), whose)
            finally:
                await self._spool.run(writer.close)
            place.shrink(writer.bytes)
            self._recorder.progressed()
            yield Spooled(place.path, writer.bytes, writer.sha256)

    @asynccontextmanager
    async def scratch(self, suffix: str = "") -> AsyncIterator[Path]:
        """See the port. A folder may be made there as well. Room for one largest file is reserved."""
        async with self._spool.place(self._max_bytes, suffix) as place:
            yield place.path

    async def version_of(self, url: str) -> str | None:
        """See the port. A definite no to HEAD is asked again by GET: URLs signed for GET refuse HEAD."""
        with _translated(url, Whose.SOURCE):
            target = hops.read(url)
            if target.scheme == "file":
                return await self._spool.run(lambda: _file_version(target, self._file_root))
            if target.scheme == "s3":
                tag = await self._s3().etag(*elsewhere.bucket_and_key(target))
                return answers.version({} if tag is None else {"ETag": tag})
            async with asyncio.timeout(self._timeout_seconds):
                return await self._version_on_the_web(target)

    async def aclose(self) -> None:
        """See the port."""
        if self._opened is not None:
            await self._opened.close()
        if self._s3_reader is not None:
            await self._s3_reader.aclose()
        await asyncio.to_thread(self._spool.close)

    async def _fill(self, writer: Writer, place: Place, url: URL, whose: Whose) -> None:
        if whose is Whose.SOURCE and url.scheme == "file":
            await self._spool.run(lambda: _copy(url, self._file_root, writer, self._max_bytes))
        elif whose is Whose.SOURCE and url.scheme == "s3":
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._s3().open(*elsewhere.bucket_and_key(url)) as (size, chunks),
            ):
                if size > self._max_bytes:
                    raise self._too_large(whose)
                place.shrink(size)
                await self._write_all(chunks, writer, whose)
        else:
            async with asyncio.timeout(self._timeout_seconds):
                await self._fill_from_the_web(writer, place, url, whose)

    async def _fill_from_the_web(self, writer: Writer, place: Place, url: URL, whose: Whose) -> None:
        async with self._answer("GET", url, whose) as answer:
            if answer.status not in answers.OK:
                raise self._failure(answer, whose)
            coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
            if coding not in {"identity", ""}:
                raise answers.unusable(whose, "the file is sent compressed although we asked for it as it is")
            if answer.content_length is not None:
                if answer.content_length > self._max_bytes:
                    raise self._too_large(whose)
                place.shrink(answer.content_length)
            await self._write_all(answer.content.iter_any(), writer, whose)

    async def _write_all(self, chunks: AsyncIterator[bytes], writer: Writer, whose: Whose) -> None:
        """Write in pieces, in a thread: a disk that stalls must not stall the loop."""
        piece = bytearray()
        async for chunk in chunks:
            piece += chunk
            if writer.bytes + len(piece) > self._max_bytes:
                raise self._too_large(whose)
            if len(piece) >= _PIECE_BYTES:
                full, piece = piece, bytearray()  # handed over, not copied: every open download holds one
                await self._spool.run(lambda data=full: writer.write(data))  # type: ignore[misc]
                del full
        await self._spool.run(lambda: writer.write(piece))

    @asynccontextmanager
    async def _answer(
        self, method: str, url: URL, whose: Whose, headers: dict[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer at the end of the redirects, its body unread. Raises `Refused`."""
        for _ in range(hops.MAX_REDIRECTS + 1):
            self._hops.check(url, whose)
            async with self._session().request(method, url, allow_redirects=False, headers=headers) as answer:
                target = hops.next_hop(url, answer.status, answer.headers)
                if target is None:
                    yield answer
                    return
            url = target
        raise Refused(f"more than {hops.MAX_REDIRECTS} redirects")

    async def _version_on_the_web(self, url: URL) -> str | None:
        async with self._answer("HEAD", url, Whose.SOURCE) as answer:
            if answer.status in answers.OK:
                return answers.version(answer.headers)
            if answer.status in answers.NO_HEAD:
                return None
            if not answers.is_definite(answer.status):
                raise self._failure(answer, Whose.SOURCE)
        async with self._answer("GET", url, Whose.SOURCE, {"Range": "bytes=0-0"}) as answer:
            if answer.status in {*answers.OK, 206}:
                return answers.version(answer.headers)
            raise self._failure(answer, Whose.SOURCE)

    def _failure(self, answer: aiohttp.ClientResponse, whose: Whose) -> Exception:
        return answers.failure(answer.status, answer.headers, whose, hops.show(answer.url), self._clock.wall())

    def _too_large(self, whose: Whose) -> Rejected:
        return answers.unusable(whose, f"the file is larger than {self._max_bytes} bytes")

    def _s3(self) -> elsewhere.S3Reader:
        if self._s3_reader is None:
            raise Refused("s3:// sources are not configured")
        return self._s3_reader

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            resolver = GuardedResolver(self._resolver or aiohttp.ThreadedResolver(), self._guard)
            self._opened = aiohttp.ClientSession(
                # No DNS cache: an address is judged at the moment it is connected to. No limit: the spool is the limit.
                connector=aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                headers={"User-Agent": self._user_agent, "Accept": "*/*", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=self._stall_seconds),
            )
        return self._opened


@contextmanager
def _translated(url: str, whose: Whose) -> Iterator[None]:
    """Foreign errors become ours, by kind alone: their own texts may quote a signed URL."""
    at = hops.show(url)
    try:
        yield
    except Refused as error:
        raise answers.refused(whose, f"{at}: {error}") from None
    except FileNotFoundError:
        raise Rejected(Reason.SOURCE_MISSING, f"{at} does not exist") from None
    except (PermissionError, IsADirectoryError, NotADirectoryError):
        raise Rejected(Reason.SOURCE_REFUSED, f"{at} may not be read") from None
    except TimeoutError:
        raise Transient(f"{at} is too slow") from None
    except aiohttp.InvalidURL:
        raise answers.refused(whose, f"{at}: the URL cannot be read") from None
    except aiohttp.ClientPayloadError:
        raise Transient(f"{at} broke off before the end") from None
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, OSError) and error.errno in _NO_MORE_FILES:
            raise Unavailable(Resource.DISK, "this process has no file descriptors left") from None
        raise Transient(f"{at} cannot be reached: {type(error).__name__}") from None


def _copy(url: URL, root: Path | None, writer: Writer, max_bytes: int) -> None:
    with closing(elsewhere.open_file(url, root)) as file:
        while piece := file.read(_PIECE_BYTES):
            if writer.bytes + len(piece) > max_bytes:
                raise answers.unusable(Whose.SOURCE, f"the file is larger than {max_bytes} bytes")
            writer.write(piece)


def _file_version(url: URL, root: Path | None) -> str:
    with closing(elsewhere.open_file(url, root)) as file:
        found = os.fstat(file.fileno())
    return answers.file_version(found.st_mtime_ns, found.st_size)
