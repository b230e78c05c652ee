"""Servers that lie, drip, break off, send too much or lead elsewhere."""

import asyncio
import gzip
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from stream.core.errors import Reason, Rejected, Resource, Transient, Unavailable
from stream.downloads.port import Whose
from tests.unit.downloads.hostile import PHOTOS, RESULTS, Asked, ToldDns, Web, downloads, says, web

BODY = bytes(range(256)) * 400


@pytest.fixture
async def site() -> AsyncIterator[Web]:
    async with web() as site:
        yield site


async def _failed(
    folder: Path, url: str, whose: Whose = Whose.SOURCE, dns: ToldDns | None = None, **options: object
) -> Exception:
    """The error, after checking that nothing stays in the spool and no signature is in the text."""
    async with downloads(folder, dns, **options) as door:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at it
            async with door.fetch(url, whose):
                pass
        assert door._spool.budget.used_bytes == 0
        assert [each.name for each in door._spool._folder.iterdir()] == ["lock"]
    assert "secret" not in str(caught.value)
    return caught.value


def _reason(error: Exception) -> Reason:
    assert isinstance(error, Rejected), error
    return error.reason


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "169.254.169.254",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fd00::1",
    ],
)
@pytest.mark.parametrize(
    ("whose", "reason"), [(Whose.SOURCE, Reason.SOURCE_REFUSED), (Whose.RESULT, Reason.BAD_RESULT)]
)
async def test_a_name_that_leads_inside(tmp_path: Path, site: Web, address: str, whose: Whose, reason: Reason) -> None:
    dns = ToldDns({"evil.results.example": [[address]]})
    error = await _failed(tmp_path, site.url("/a?sig=secret", "evil.results.example"), whose, dns)
    assert _reason(error) is reason
    assert site.asked == []


async def test_a_name_that_changes_its_answer_is_judged_by_the_answer_that_is_used(tmp_path: Path, site: Web) -> None:
    """DNS rebinding: allowed the first time, inside the second; every connection asks once and is judged by that."""
    site.replies["/a"] = says(body=BODY)
    dns = ToldDns({"rebind.example": [["127.0.0.2"], ["127.0.0.1"]]})
    error = await _failed(tmp_path, site.url("/a", "rebind.example"), dns=dns, allow_private=("127.0.0.2",))
    assert isinstance(error, Transient), "127.0.0.2 is allowed, and nobody listens there"
    assert site.asked == []
    error = await _failed(tmp_path, site.url("/a", "rebind.example"), dns=dns, allow_private=("127.0.0.2",))
    assert _reason(error) is Reason.SOURCE_REFUSED
    assert site.asked == []
    assert dns.asked == ["rebind.example"] * 2


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:7f00:1]"]
)
async def test_an_address_inside_as_a_literal(tmp_path: Path, site: Web, host: str) -> None:
    error = await _failed(tmp_path, site.url("/a?sig=secret", host), allow_http_hosts=("127.0.0.1", "*.example"))
    assert _reason(error) is Reason.SOURCE_REFUSED
    assert site.asked == []


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/inside",
        "http://inside.example:{port}/inside",
        "http://169.254.169.254/latest/meta-data?sig=secret",
        "http://2130706433:{port}/inside",
        "http://user:secret@photos.example:{port}/inside",
        "https://127.0.0.1:{port}/inside",
        "http://other.test:{port}/inside",
        "file:///etc/passwd",
        "ftp://photos.example/inside",
        "s3://bucket/key",
        "http://[secret",
    ],
)
async def test_a_redirect_to_where_we_do_not_go(tmp_path: Path, site: Web, target: str) -> None:
    site.replies["/a"] = says(302, location=target.format(port=site.port))
    dns = ToldDns({"inside.example": [["127.0.0.1"]], "other.test": [["127.0.0.1"]]})
    error = await _failed(tmp_path, site.url("/a?sig=secret"), dns=dns)
    assert _reason(error) is Reason.SOURCE_REFUSED
    assert [asked.target for asked in site.asked] == ["/a?sig=secret"]


async def test_a_result_may_not_redirect_out_of_the_listed_hosts(tmp_path: Path, site: Web) -> None:
    site.replies["/a"] = says(302, location=site.url("/b", PHOTOS))
    site.replies["/b"] = says(body=BODY)
    assert _reason(await _failed(tmp_path, site.url("/a", RESULTS), Whose.RESULT)) is Reason.BAD_RESULT
    assert len(site.asked) == 1


async def test_redirects_are_followed_five_times(tmp_path: Path, site: Web) -> None:
    for hop in range(6):
        site.replies[f"/{hop}"] = says(302, location=f"/{hop + 1}")
    site.replies["/6"] = says(body=BODY)
    assert _reason(await _failed(tmp_path, site.url("/0"))) is Reason.SOURCE_REFUSED
    async with downloads(tmp_path) as door, door.fetch(site.url("/1"), Whose.SOURCE) as spooled:
        assert spooled.bytes == len(BODY)


@pytest.mark.parametrize(("whose", "reason"), [(Whose.SOURCE, Reason.INVALID_IMAGE), (Whose.RESULT, Reason.BAD_RESULT)])
async def test_too_large_by_its_own_words(tmp_path: Path, site: Web, whose: Whose, reason: Reason) -> None:
    site.replies["/a"] = says(content_length="1000001")
    assert _reason(await _failed(tmp_path, site.url("/a", RESULTS), whose)) is reason


@pytest.mark.parametrize("chunked", [True, False])
async def test_too_large_without_a_length_is_cut_at_the_cap(tmp_path: Path, site: Web, *, chunked: bool) -> None:
    """An endless body: the door leaves, so the server's write fails."""
    sent = 0
    left = asyncio.Event()

    async def endless(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        kind = "Transfer-Encoding: chunked" if chunked else "Connection: close"
        writer.write(f"HTTP/1.1 200 OK\r\n{kind}\r\n\r\n".encode())
        try:
            while True:
                writer.write(b"10000\r\n" + bytes(65536) + b"\r\n" if chunked else bytes(65536))
                await writer.drain()
                sent += 65536
        finally:
            left.set()

    site.replies["/a"] = endless
    assert _reason(await _failed(tmp_path, site.url("/a"))) is Reason.INVALID_IMAGE
    await left.wait()
    assert sent < 30_000_000


async def test_a_length_that_promises_too_much_is_a_passing_fault(tmp_path: Path, site: Web) -> None:
    site.replies["/a"] = says(body=BODY, content_length=str(len(BODY) + 1))
    assert isinstance(await _failed(tmp_path, site.url("/a?sig=secret")), Transient)


async def test_a_length_that_promises_too_little_never_brings_more(tmp_path: Path, site: Web) -> None:
    """What follows is not read: the picture's own check finds it cut short, if the connection did not tell already."""
    site.replies["/a"] = says(body=BODY, content_length="1000")
    got = BODY[:1000]
    async with downloads(tmp_path) as door:
        with suppress(Transient):  # both come in one packet, or they do not
            async with door.fetch(site.url("/a"), Whose.SOURCE) as spooled:
                got = spooled.path.read_bytes()
    assert got == BODY[:1000]


@pytest.mark.parametrize(
    "head", ["Content-Length: -5", "Content-Length: 5\r\nContent-Length: 6", "A: " + "x" * 100_000]
)
async def test_an_answer_that_is_not_http_is_a_passing_fault(tmp_path: Path, site: Web, head: str) -> None:
    async def nonsense(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\nabcdef".encode())
        await writer.drain()

    site.replies["/a"] = nonsense
    assert isinstance(await _failed(tmp_path, site.url("/a?sig=secret")), Transient)


@pytest.mark.parametrize(("whose", "reason"), [(Whose.SOURCE, Reason.INVALID_IMAGE), (Whose.RESULT, Reason.BAD_RESULT)])
async def test_a_compressed_body_is_never_unpacked(tmp_path: Path, site: Web, whose: Whose, reason: Reason) -> None:
    site.replies["/a"] = says(body=gzip.compress(bytes(50_000_000)), content_encoding="gzip")
    assert _reason(await _failed(tmp_path, site.url("/a", RESULTS), whose)) is reason


async def test_a_slow_drip_ends_with_the_timeout(tmp_path: Path, site: Web) -> None:
    """Each byte comes in time; the whole never does."""

    async def drip(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    site.replies["/a"] = drip
    error = await _failed(tmp_path, site.url("/a?sig=secret"), timeout_seconds=1.0, stall_seconds=5.0)
    assert isinstance(error, Transient)
    assert "too slow" in str(error)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])
async def test_silence_ends_before_the_timeout(tmp_path: Path, site: Web, start: bytes) -> None:
    async def silent(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await asyncio.Event().wait()

    site.replies["/a"] = silent
    error = await _failed(tmp_path, site.url("/a?sig=secret"), timeout_seconds=60.0, stall_seconds=0.2)
    assert isinstance(error, Transient)


async def test_a_connection_that_breaks_off_is_a_passing_fault(tmp_path: Path, site: Web) -> None:
    async def abort(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n")
        await writer.drain()
        writer.transport.abort()

    site.replies["/a"] = abort
    assert isinstance(await _failed(tmp_path, site.url("/a?sig=secret")), Transient)


@pytest.mark.parametrize("status", [302, 307])
async def test_a_redirect_without_a_target_is_unclear(tmp_path: Path, site: Web, status: int) -> None:
    site.replies["/a"] = says(status)
    assert isinstance(await _failed(tmp_path, site.url("/a")), Transient)


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path, site: Web) -> None:
    begun = asyncio.Event()

    async def stall(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(500_000))
        await writer.drain()
        begun.set()
        await asyncio.Event().wait()

    site.replies["/a"] = stall
    async with downloads(tmp_path) as door:

        async def fetch() -> None:
            async with door.fetch(site.url("/a"), Whose.SOURCE):
                pass

        task = asyncio.create_task(fetch())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert door._spool.budget.used_bytes == 0
        assert [each.name for each in door._spool._folder.iterdir()] == ["lock"]


@contextmanager
def _small_files(max_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_refuses_is_the_environments_fault(tmp_path: Path, site: Web) -> None:
    """The kernel's limit on file sizes stands for a full disk: the write fails in the same place."""
    site.replies["/a"] = says(body=bytes(3_000_000))
    with _small_files(2_000_000):
        error = await _failed(tmp_path, site.url("/a"), max_bytes=4_000_000, spool_bytes=8_000_000)
    assert isinstance(error, Unavailable)
    assert error.resource is Resource.DISK
