"""Whatever PixelAPI, a photo's host or Kafka's group answers: a report, or one of the errors that the doors promise."""

from contextlib import suppress

import pytest
from hypothesis import strategies as st
from pydantic import SecretStr

from stream.core.errors import Ambiguous, Rejected, StreamError, Throttled, Transient, Unavailable
from stream.downloads import answers as photos
from stream.downloads.guard import Allowance, Guard, Refused, is_public, literal, rules
from stream.downloads.hops import HopRules, next_hop, read, show
from stream.downloads.port import ResultGone, Whose
from stream.pixelapi import waits
from stream.pixelapi.answers import (
    Answer,
    is_route_known,
    is_route_missing,
    quiet_seconds,
    read_balance,
    read_poll,
    read_submit,
    read_usage,
)
from stream.pixelapi.jobs import is_job_id
from stream.pixelapi.port import Balance, JobReport, NoBooks
from stream.pixelapi.wording import MESSAGE_CHARACTERS, Scrubber
from stream.runtime import marks
from tests.fuzz.conftest import Fuzz
from tests.fuzz.fuzzer import mutated
from tests.unit.pixelapi import test_any_bytes as any_bytes

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

SCRUB = Scrubber(SecretStr(any_bytes.KEY))
MARK = "0" * 32
WORDS = (
    b'"id":',
    b'"status":"completed"',
    b'"output_url":"https://h/a"',
    b'"credits_used":',
    b"1e999",
    b"[[[",
    b"<",
    b"\xff",
)
bodies = mutated(any_bytes.bodies, WORDS)
api_answers = st.builds(
    Answer,
    status=st.sampled_from([200, 202, 400, 401, 402, 403, 404, 422, 429, 500, 502, 503, 504]) | st.integers(0, 999),
    headers=any_bytes.headers, body=bodies, now_seconds=st.floats(0, 4e9), is_whole=st.booleans(),
)  # fmt: skip


def test_answers_of_the_api(fuzz: Fuzz[Answer]) -> None:
    def check(answer: Answer) -> None:
        for read_one in (read_submit, read_poll, read_balance, lambda given, scrub: read_usage(given, MARK, scrub)):
            try:
                outcome: object = read_one(answer, SCRUB)
            except (Ambiguous, Rejected, Throttled, Transient, Unavailable, NoBooks) as error:
                outcome = error
            assert any_bytes.KEY not in f"{outcome}{outcome!r}"
            _bounded(outcome)
        is_route_missing(answer, SCRUB)
        is_route_known(answer)
        quiet = quiet_seconds(answer, SCRUB)
        assert quiet is None or 0 < quiet <= waits.LONGEST_SECONDS

    fuzz(api_answers, check)


def _bounded(outcome: object) -> None:
    if isinstance(outcome, JobReport):
        assert outcome.job_id is None or is_job_id(outcome.job_id)
        assert outcome.credits is None or outcome.credits >= 0
        assert len(outcome.detail or "") <= MESSAGE_CHARACTERS
    elif isinstance(outcome, Balance):
        assert outcome.credits is None or outcome.credits >= 0
    elif isinstance(outcome, StreamError):
        assert len(str(outcome)) < MESSAGE_CHARACTERS + 200
        after = getattr(outcome, "after_seconds", None)
        assert after is None or 0 <= after <= waits.LONGEST_SECONDS


header_texts = st.text(max_size=40) | st.sampled_from(
    ["0", "-1", "9" * 40, "1e9", "\u0661", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359",
     "bytes 0-0/9" * 9]
)  # fmt: skip
photo_headers = st.dictionaries(
    st.sampled_from(["Retry-After", "ETag", "Last-Modified", "Content-Range", "Content-Length", "Location"]),
    header_texts,
)


def test_answers_of_photo_hosts(fuzz: Fuzz[tuple[int, dict[str, str], float]]) -> None:
    here = read("https://photos.example/a/b?sig=1")

    def check(answer: tuple[int, dict[str, str], float]) -> None:
        status, headers, now_seconds = answer
        for whose in Whose:
            error = photos.failure(status, headers, whose, "at", now_seconds)
            assert isinstance(error, Transient | Rejected | ResultGone)
            after = getattr(error, "after_seconds", None)
            assert after is None or 0 <= after <= 3_600
        version = photos.version(headers)
        assert version is None or (len(version) <= 220 and version.isprintable())
        with suppress(Refused):
            next_hop(here, status, headers)
        waits.retry_after_seconds(headers, now_seconds)

    fuzz(st.tuples(st.integers(100, 999), photo_headers, st.floats(0, 4e9)), check)


URL_WORDS = (
    b"127.0.0.1",
    b"[::ffff:7f00:1]",
    b"localhost",
    b"@",
    b"\\",
    b"#",
    b"%2f",
    b"%00",
    b":443",
    b"//",
    b"0x7f",
    b".",
    b"?",
    b"[",
)
urls = mutated(
    st.sampled_from(
        [b"https://photos.example/a.jpg?sig=1", b"https://1.1.1.1:8443/a", b"http://u:p@h/x", b"https://[2606::1]/"]
    ),
    URL_WORDS,
).map(
    lambda url: url.decode("utf-8", "surrogatepass") if b"\xed" not in url and url.isascii() else url.decode("latin-1")
)


def words(error: Exception) -> None:
    """What a letter will say."""
    assert str(error).isprintable()


def test_urls(fuzz: Fuzz[str]) -> None:
    """What passes the doorman's first look is https, without a password, to a name or to a public address."""
    hops = HopRules(Guard(), Allowance((), "x"), rules(("cdn.example",), "x"))

    def check(text: str) -> None:
        show(text)
        try:
            url = read(text)
            hops.check(url, Whose.SOURCE)
        except Refused as refused:
            words(refused)
            return
        assert url.scheme == "https"
        assert url.raw_user is None
        assert url.raw_password is None
        assert url.host
        address = literal(url.host)
        assert address is None or is_public(address)

    fuzz(urls, check)


def test_commit_metadata(fuzz: Fuzz[tuple[int, bytes]]) -> None:
    """Round trips; whatever is damaged, foreign or of another offset is unreadable, and skips nothing."""
    steps = st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 2**20)), max_size=40)

    def text_of(base: int, pairs: list[tuple[int, int]]) -> bytes:
        ranges, previous = [], base
        for distance, length in pairs:
            ranges.append((previous + distance, previous + distance + length))
            previous += distance + length
        text = marks.encode(base, ranges)
        assert marks.decode(base, text) == ranges
        return text.encode()

    written = st.builds(text_of, st.integers(0, 50), steps)
    foreign = st.sampled_from(
        [b"leader-epoch:5", b'{"offset": 5}', b"1:", b"1:AAAA", b"2:AAAAAAAA", b"1:" + b"A" * 4_093]
    )

    def check(case: tuple[int, bytes]) -> None:
        base, value = case
        text = value.decode("latin-1")
        try:
            ranges = marks.decode(base, text)
        except marks.UnreadableMarks:
            return
        assert marks.encode(base, ranges) == text, "only our own writing is read, and only at its own offset"

    fuzz(st.tuples(st.integers(0, 50), mutated(written | foreign | st.binary(max_size=60))), check)
