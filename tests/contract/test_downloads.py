"""What the downloads' port promises, on the real door and real sockets: whose fault, which version, how much room."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stream.core.errors import Misconfigured, Reason, Rejected, Transient
from stream.downloads.elsewhere import S3Reader
from stream.downloads.port import Downloads, ResultGone, Whose
from stream.downloads.web import HttpDownloads
from tests.unit.downloads.hostile import RESULTS, Web, downloads, says, web

BODY = bytes(range(256)) * 400
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"


@pytest.fixture
async def site() -> AsyncIterator[Web]:
    async with web() as site:
        yield site


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[HttpDownloads]:
    async with downloads(tmp_path, file_root=tmp_path / "root") as door:
        yield door


async def _failed(door: Downloads, url: str, whose: Whose = Whose.SOURCE) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at it
        async with door.fetch(url, whose):
            pass
    assert "secret" not in str(caught.value)
    return caught.value


async def test_a_file_is_spooled_with_its_facts_and_deleted_afterwards(
    site: Web, door: HttpDownloads, tmp_path: Path
) -> None:
    site.replies["/a.jpg"] = says(body=BODY)
    async with door.fetch(site.url("/a.jpg?sig=secret"), Whose.SOURCE) as spooled:
        assert spooled.path.is_relative_to(tmp_path / "spool")
        assert spooled.path.read_bytes() == BODY
        assert (spooled.bytes, spooled.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert not spooled.path.exists()
    assert site.asked[0].target == "/a.jpg?sig=secret"


async def test_requests_carry_our_name_and_nothing_of_ours(
    site: Web, door: HttpDownloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    site.replies["/a"] = says(body=BODY, set_cookie="a=b")
    for _ in range(2):
        async with door.fetch(site.url("/a"), Whose.SOURCE):
            pass
    assert {name for asked in site.asked for name in asked.headers} == {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
    }
    assert site.asked[1].headers["user-agent"] == "skustream-test/1"
    assert site.asked[1].headers["accept-encoding"] == "identity"


async def test_an_empty_file_is_a_file(site: Web, door: HttpDownloads) -> None:
    site.replies["/a"] = says()
    async with door.fetch(site.url("/a"), Whose.SOURCE) as spooled:
        assert spooled.path.read_bytes() == b""


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_source_that_is_missing(site: Web, door: HttpDownloads, status: int) -> None:
    site.replies["/a"] = says(status)
    error = await _failed(door, site.url("/a?sig=secret"))
    assert isinstance(error, Rejected)
    assert error.reason is Reason.SOURCE_MISSING
    assert f"/a answered {status}" in str(error)


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_result_that_is_gone(site: Web, door: HttpDownloads, status: int) -> None:
    site.replies["/a"] = says(status)
    assert isinstance(await _failed(door, site.url("/a?sig=secret", RESULTS), Whose.RESULT), ResultGone)


@pytest.mark.parametrize("whose", Whose)
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_server_that_says_later(site: Web, door: HttpDownloads, status: int, whose: Whose) -> None:
    site.replies["/a"] = says(status, retry_after="9")
    error = await _failed(door, site.url("/a?sig=secret", RESULTS), whose)
    assert isinstance(error, Transient)
    assert error.after_seconds == 9.0


async def test_nobody_there_is_a_passing_fault(site: Web, door: HttpDownloads) -> None:
    assert isinstance(await _failed(door, "http://unknown.example/a?sig=secret"), Transient)
    closed = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = closed.sockets[0].getsockname()[1]
    closed.close()
    await closed.wait_closed()
    assert isinstance(await _failed(door, f"http://photos.example:{port}/a?sig=secret"), Transient)


async def test_results_come_from_listed_hosts_only(site: Web, door: HttpDownloads) -> None:
    site.replies["/a"] = says(body=BODY)
    error = await _failed(door, site.url("/a?sig=secret"), Whose.RESULT)
    assert isinstance(error, Rejected)
    assert error.reason is Reason.BAD_RESULT
    assert site.asked == []
    async with door.fetch(site.url("/a", RESULTS), Whose.RESULT) as spooled:
        assert spooled.bytes == len(BODY)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ETag": '"v1"'}, 'etag:"v1"'),
        ({"last_modified": DATE}, f"modified:1800000000:{len(BODY)}"),
        ({}, None),
    ],
)
async def test_the_version_by_head(
    site: Web, door: HttpDownloads, headers: dict[str, Any], expected: str | None
) -> None:
    site.replies["/a"] = says(body=BODY, **headers)
    assert await door.version_of(site.url("/a")) == expected
    assert [asked.method for asked in site.asked] == ["HEAD"]


@pytest.mark.parametrize("status", [405, 501])
async def test_a_server_without_head_tells_no_version(site: Web, door: HttpDownloads, status: int) -> None:
    site.replies["/a"] = says(status)
    assert await door.version_of(site.url("/a")) is None


@pytest.mark.parametrize("status", [204, 206, 302, 304, 408, 429, 500, 503])
async def test_an_unclear_answer_changes_no_key(site: Web, door: HttpDownloads, status: int) -> None:
    site.replies["/a"] = says(status, ETag='"of an error page"')
    with pytest.raises(Transient):
        await door.version_of(site.url("/a"))


async def test_a_url_signed_for_get_only_still_tells_its_version(site: Web, door: HttpDownloads) -> None:
    async def signed(asked: object, writer: asyncio.StreamWriter) -> None:
        is_get = getattr(asked, "method", "") == "GET"
        reply = says(206, b"x", ETag='"v1"', content_range="bytes 0-0/5") if is_get else says(403)
        await reply(asked, writer)  # type: ignore[arg-type]

    site.replies["/a"] = signed
    assert await door.version_of(site.url("/a?sig=secret")) == 'etag:"v1"'
    assert site.asked[1].headers["range"] == "bytes=0-0"
    site.replies["/a"] = says(403)
    with pytest.raises(Rejected) as caught:
        await door.version_of(site.url("/a?sig=secret"))
    assert caught.value.reason is Reason.SOURCE_MISSING
    assert "secret" not in str(caught.value)


async def test_the_version_of_a_place_we_do_not_go_to(door: HttpDownloads) -> None:
    for url in ("http://127.0.0.1/a", "ftp://photos.example/a", "s3://bucket/key", "not a URL"):
        with pytest.raises(Rejected) as caught:
            await door.version_of(url)
        assert caught.value.reason is Reason.SOURCE_REFUSED


async def test_a_full_spool_makes_the_next_one_wait(site: Web, door: HttpDownloads) -> None:
    """Room for three unknown lengths; known ones take only what they need."""
    site.replies["/a"] = says(body=BODY)
    inside, leave, done = asyncio.Semaphore(0), asyncio.Event(), []

    async def stay() -> None:
        async with door.scratch():
            inside.release()
            await leave.wait()

    async def fetch() -> None:
        async with door.fetch(site.url("/a"), Whose.SOURCE) as spooled:
            done.append(spooled)

    stayers = [asyncio.create_task(stay()) for _ in range(3)]
    for _ in stayers:
        await inside.acquire()
    late = asyncio.create_task(fetch())
    for _ in range(10):  # it comes as far as it can without room
        await asyncio.sleep(0)
    assert door._spool.budget.waiting == 1
    assert site.asked == [], "nothing is asked before there is room for the answer"
    leave.set()
    await asyncio.gather(late, *stayers)
    assert len(done) == 1


async def test_a_file_of_known_length_keeps_only_its_room(site: Web, door: HttpDownloads) -> None:
    site.replies["/a"] = says(body=BODY)
    async with door.fetch(site.url("/a"), Whose.SOURCE):
        assert door._spool.budget.used_bytes == len(BODY)
    assert door._spool.budget.used_bytes == 0


async def test_scratch_is_a_free_path_and_is_emptied(door: HttpDownloads) -> None:
    async with door.scratch(".webp") as path:
        assert path.suffix == ".webp"
        assert not path.exists()
        path.mkdir()
        (path / "inside").write_text("x")
    assert not path.exists()


async def test_closing_removes_the_spool(tmp_path: Path) -> None:
    async with downloads(tmp_path) as door:
        kept = door._spool._folder / "kept"
        kept.write_text("x")
    assert [each.name for each in (tmp_path / "spool").iterdir()] == [".gate"]


async def test_files_below_the_root_only(door: HttpDownloads, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "my photo.jpg").write_bytes(BODY)
    (tmp_path / "secret-file").write_bytes(BODY)
    (root / "link").symlink_to(tmp_path / "secret-file")
    os.mkfifo(root / "pipe")
    url = f"file://{root}/my%20photo.jpg"
    async with door.fetch(url, Whose.SOURCE) as spooled:
        assert spooled.path.read_bytes() == BODY
    told = await door.version_of(url)
    assert (told or "").startswith("modified:")
    os.utime(root / "my photo.jpg", ns=(1, 1))
    assert await door.version_of(url) == f"modified:19700101T000000.1:{len(BODY)}" != told
    outside = ["../secret-file", "..%2Fsecret-file", "link", "%00", "/etc/passwd"]
    for name in outside:
        with pytest.raises(Rejected) as caught:
            async with door.fetch(f"file://{root}/{name}" if name[0] != "/" else f"file://{name}", Whose.SOURCE):
                pass
        assert caught.value.reason is Reason.SOURCE_REFUSED
    for name in ("nothing.jpg", "pipe"):
        with pytest.raises(Rejected) as caught:
            await door.version_of(f"file://{root}/{name}")
        assert caught.value.reason is Reason.SOURCE_MISSING
    error = await _failed(door, url, Whose.RESULT)
    assert isinstance(error, Rejected)
    assert error.reason is Reason.BAD_RESULT


async def test_files_and_s3_are_off_unless_configured(tmp_path: Path) -> None:
    async with downloads(tmp_path) as door:
        for url in (f"file://{tmp_path}/a", "s3://bucket/key"):
            error = await _failed(door, url)
            assert isinstance(error, Rejected)
            assert error.reason is Reason.SOURCE_REFUSED
            assert "not configured" in str(error)


class Bucket(S3Reader):
    """One object."""

    def __init__(self, told_bytes: int = len(BODY)) -> None:
        self.told_bytes = told_bytes

    @asynccontextmanager
    async def open(self, bucket: str, key: str) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        if (bucket, key) != ("photos", "a b.jpg"):
            raise FileNotFoundError

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(BODY), 1000):
                yield BODY[start : start + 1000]

        yield self.told_bytes, pieces()

    async def etag(self, bucket: str, key: str) -> str | None:
        return f'"{bucket}/{key}"'

    async def aclose(self) -> None:
        pass


async def test_s3_sources_through_the_hook(tmp_path: Path) -> None:
    async with downloads(tmp_path, s3_reader=Bucket()) as door:
        async with door.fetch("s3://photos/a%20b.jpg", Whose.SOURCE) as spooled:
            assert spooled.path.read_bytes() == BODY
        assert await door.version_of("s3://photos/a%20b.jpg") == 'etag:"photos/a b.jpg"'
        error = await _failed(door, "s3://photos/none.jpg")
        assert isinstance(error, Rejected)
        assert error.reason is Reason.SOURCE_MISSING
        for url in ("s3://photos/a%20b.jpg?versionId=7", "s3://photos/a%20b.jpg#a", "s3://photos/", "s3://photos"):
            error = await _failed(door, url)
            assert isinstance(error, Rejected)
            assert error.reason is Reason.SOURCE_REFUSED
    for told_bytes in (len(BODY), 10):
        async with downloads(tmp_path, s3_reader=Bucket(told_bytes), max_bytes=5000) as door:
            error = await _failed(door, "s3://photos/a%20b.jpg")
            assert isinstance(error, Rejected)
            assert error.reason is Reason.INVALID_IMAGE


async def test_a_spool_smaller_than_a_file_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="spool_bytes"):
        async with downloads(tmp_path, spool_bytes=10):
            pass
