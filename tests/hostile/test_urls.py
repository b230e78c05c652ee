"""Ways into our network that a photo's URL may try: spellings, redirects, drips, cookies.."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from stream.core.errors import Reason, Rejected, Transient
from stream.downloads.guard import Allowance, Guard, Refused, rules
from stream.downloads.hops import HopRules, next_hop, read
from stream.downloads.port import Whose
from tests.unit.downloads.hostile import PHOTOS, Asked, ToldDns, Web, downloads, says, web


@pytest.fixture
async def site() -> AsyncIterator[Web]:
    async with web() as site:
        yield site


@pytest.mark.parametrize("host", ["localhost", "localhost.", "LOCALHOST", "metadata.google.internal.", "a.nip.example"])
async def test_names_that_lead_inside_are_refused_however_they_are_written(
    tmp_path: Path, site: Web, host: str
) -> None:
    named = {name: [["127.0.0.1", "::1"]] for name in (host, host.lower(), host.lower().removesuffix("."))}
    async with downloads(tmp_path, ToldDns(named), allow_http_hosts=("*.example", "localhost", "*.internal")) as door:
        with pytest.raises(Rejected) as refused:
            async with door.fetch(site.url("/a", host), Whose.SOURCE):
                pass
    assert refused.value.reason is Reason.SOURCE_REFUSED
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "https://photos.example@127.0.0.1/a",
        "https://photos.example:pw@127.0.0.1/a",
        "https://127.0.0.1#@photos.example/a",
        "https://127.0.0.1?@photos.example/a",
        "https://127.0.0.1\\@photos.example/a",
        "https://photos.example\\@127.0.0.1/a",
        "https://127。0。0。1/a",
        "https://①②⑦.0.0.1/a",
        "https://[::ffff:127.0.0.1]/a",
        "https://[0:0:0:0:0:ffff:7f00:1]/a",
        "https://[64:ff9b::7f00:1]/a",
        "https://[2002:7f00:1::]/a",
        "https://[::1%25lo]/a",
        "https://127.0.0.1:443:80/a",
        "https://00000177.1/a",
        "https://0X7F000001/a",
        "https://127.0.0.1./a",
        "https://%31%32%37.0.0.1/a",
        "https:///127.0.0.1/a",
        "https:127.0.0.1/a",
        "//127.0.0.1/a",
    ],
)
async def test_urls_that_readers_read_differently_are_refused(tmp_path: Path, url: str) -> None:
    async with downloads(tmp_path) as door:
        with pytest.raises(Rejected) as refused:
            async with door.fetch(url, Whose.SOURCE):
                pass
    assert refused.value.reason is Reason.SOURCE_REFUSED


@pytest.mark.parametrize(
    "target", ["http://photos.example/a", "//127.0.0.1/a", "file:///etc/passwd", "data:,x", "/\\h/a"]
)
def test_a_redirect_from_https_is_judged_as_a_first_url_is(target: str) -> None:
    """No downgrade, no other scheme, no way inside; relative ones stay with their host."""
    here = URL("https://photos.example/start")
    hops = HopRules(Guard(), Allowance((), "x"), rules((), "x"))
    with pytest.raises(Refused):
        hops.check(next_hop(here, 302, {"Location": target}) or here, Whose.SOURCE)
    hops.check(next_hop(here, 302, {"Location": "../b?c"}) or URL(), Whose.SOURCE)


async def test_a_redirect_to_another_port_of_an_allowed_host_is_refused(tmp_path: Path, site: Web) -> None:
    """The store beside the photos, say."""
    async with web() as neighbour:
        site.replies["/a"] = says(302, location=neighbour.url("/inside"))
        allowed = f"{PHOTOS}:{site.port}"
        async with downloads(tmp_path, allow_private=(allowed,), allow_http_hosts=(PHOTOS,)) as door:
            with pytest.raises(Rejected) as refused:
                async with door.fetch(site.url("/a"), Whose.SOURCE):
                    pass
        assert refused.value.reason is Reason.SOURCE_REFUSED
        assert neighbour.asked == []


async def test_nothing_is_brought_along_from_hop_to_hop(tmp_path: Path, site: Web) -> None:
    """No cookie, no referrer, no credentials, and no proxy or netrc of the machine."""
    site.replies["/a"] = says(302, location="/b", set_cookie="session=secret; Path=/")
    site.replies["/b"] = says(body=b"photo", set_cookie="session=secret; Path=/")
    async with downloads(tmp_path) as door:
        for _ in range(2):
            async with door.fetch(site.url("/a"), Whose.SOURCE) as spooled:
                assert spooled.bytes == 5
    assert len(site.asked) == 4
    for asked in site.asked:
        assert asked.headers.keys() <= {"host", "user-agent", "accept", "accept-encoding", "connection"}


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-A: "])
async def test_headers_that_drip_end_with_the_timeout(tmp_path: Path, site: Web, start: bytes) -> None:
    async def drip(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(b"X-A: b\r\n" if start.endswith(b"\n") else b"H")
            await writer.drain()
            await asyncio.sleep(0.01)

    site.replies["/a"] = drip
    async with downloads(tmp_path, timeout_seconds=0.4, stall_seconds=5.0) as door:
        with pytest.raises(Transient):
            async with door.fetch(site.url("/a"), Whose.SOURCE):
                pass
        assert door._spool.budget.used_bytes == 0


def test_what_is_read_is_what_is_asked() -> None:
    """A signed URL keeps its quoting: what the doorman judged is what goes on the wire."""
    for text in ("https://h.example/a%2fb?sig=%2B%2b", "https://h.example/a+b;c"):
        assert str(read(text)) == text
