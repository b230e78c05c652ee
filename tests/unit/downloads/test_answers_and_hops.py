"""Statuses, headers, versions and URLs: the pure decisions of a download."""

import pytest
from yarl import URL

from stream.core.errors import Reason, Rejected, Transient
from stream.downloads import answers, hops
from stream.downloads.guard import Allowance, Guard, Refused, rules
from stream.downloads.port import ResultGone, Whose

NOW = 1_800_000_000.0
RULES = hops.HopRules(
    Guard(), Allowance(["plain.example", "1.1.1.0/24"], "a"), rules(["*.results.example", "one.example:8443"], "b")
)


@pytest.mark.parametrize(
    ("status", "whose", "kind", "reason"),
    [(status, Whose.SOURCE, Rejected, Reason.SOURCE_MISSING) for status in (400, 401, 403, 404, 410, 418, 451)]
    + [(status, Whose.RESULT, ResultGone, None) for status in (400, 401, 403, 404, 410)]
    + [(status, Whose.RESULT, Rejected, Reason.BAD_RESULT) for status in (402, 418, 451)]
    + [
        (status, whose, Transient, None)
        for status in (202, 204, 206, 300, 304, 408, 425, 429, 500, 502, 503, 504, 520, 599)
        for whose in Whose
    ],
)
def test_what_a_status_means(status: int, whose: Whose, kind: type[Exception], reason: Reason | None) -> None:
    error = answers.failure(status, {"Retry-After": "7"}, whose, "https://a.example/b", NOW)
    assert type(error) is kind
    assert getattr(error, "reason", None) == reason
    assert getattr(error, "after_seconds", 7.0) == 7.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("12", 12.0),
        (" 0 ", 0.0),
        ("0\x1f", 0.0),
        ("999999", 3600.0),
        ("-5", None),
        ("1e9", None),
        ("soon", None),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
    ],
)
def test_retry_after(value: str | None, expected: float | None) -> None:
    assert answers.retry_after_seconds(value, NOW) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ETag": '"abc"'}, 'etag:"abc"'),
        ({"ETag": 'W/"abc"', "Last-Modified": "ignored"}, 'etag:"abc"'),
        ({"ETag": '""', "Content-Length": "5"}, None),
        ({"Last-Modified": "Fri, 15 Jan 2027 08:00:00 GMT", "Content-Length": "5"}, "modified:1800000000:5"),
        (
            {
                "Last-Modified": "Fri, 15 Jan 2027 08:00:00 GMT",
                "Content-Length": "1",
                "Content-Range": "bytes 0-0/5",
            },
            "modified:1800000000:5",
        ),
        ({"Last-Modified": "Fri, 15 Jan 2027 08:00:00 GMT"}, None),
        ({"Last-Modified": "yesterday", "Content-Length": "5"}, None),
        ({"Content-Length": "5"}, None),
        ({}, None),
    ],
)
def test_the_version_that_headers_tell(headers: dict[str, str], expected: str | None) -> None:
    assert answers.version(headers) == expected


@pytest.mark.parametrize("tag", ['"' + "x" * 5000 + '"', '"\udcff\udcfe"', '"a\tb"', '"ä"'])
def test_a_hostile_etag_is_carried_as_its_digest(tag: str) -> None:
    found = answers.version({"ETag": tag})
    assert found is not None
    assert found.startswith("etag-sha256:")
    assert len(found) == 76


@pytest.mark.parametrize(
    "text",
    [
        "",
        "photo.jpg",
        "//shop.example/a",
        "https:///a",
        "ftp://shop.example/a",
        "gopher://shop.example/a",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http://shop.example/a",
        "https://user@shop.example/a",
        "https://user:pw@shop.example/a",
        "https://10.0.0.1/a",
        "https://[::1]/a",
        "https://[::ffff:127.0.0.1]/a",
        "https://2130706433/a",
        "https://0x7f.1/a",
        "https://127.1/a",
        "https://127.0.0.1./a",
        "https://1.1.1.1./a",
        "https://\uff11\uff12\uff17.0.0.1/a",
        "https://127%2e0%2e0%2e1/a",
        "https://shop.example:0/a",
        "https://shop.example:99999/a",
        "https://shop.example/a\r\nX: y",
        "https://shop.example\\@evil.example/a",
        "https://" + "a" * 9000,
        "https://shop.example/\udc80",
        "https://[2606::1]@/",
    ],
)
def test_urls_that_are_not_asked(text: str) -> None:
    with pytest.raises(Refused) as caught:
        RULES.check(hops.read(text), Whose.SOURCE)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "https://shop.example/a",
        "https://SHOP.example:8443/a?X-Amz-Signature=1%2F2",
        "https://shop.example./a",
        "http://plain.example/a",
        "http://1.1.1.7/a",
        "https://1.1.1.1/a",
        "https://[2606:4700::1111]/a",
        "https://müller.example/mein foto.jpg",
    ],
)
def test_urls_that_are_asked(text: str) -> None:
    RULES.check(hops.read(text), Whose.SOURCE)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("https://cdn.results.example/a", True),
        ("https://a.b.results.example:9999/a", True),
        ("https://results.example/a", False),
        ("https://evilresults.example/a", False),
        ("https://cdn.results.example.evil.example/a", False),
        ("https://one.example:8443/a", True),
        ("https://one.example/a", False),
        ("https://shop.example/a", False),
    ],
)
def test_results_come_from_listed_hosts_only(text: str, *, allowed: bool) -> None:
    if allowed:
        RULES.check(hops.read(text), Whose.RESULT)
        return
    with pytest.raises(Refused, match="result hosts"):
        RULES.check(hops.read(text), Whose.RESULT)


def test_quoting_is_left_alone() -> None:
    text = "https://shop.example/a%2Fb%20c+d?sig=a%2Bb%3d&x=%7e"
    assert str(hops.read(text)) == text


def test_what_is_shown_holds_no_secret() -> None:
    shown = hops.show("https://user:secret@shop.example:8443/photo.jpg?X-Amz-Signature=secret#secret")
    assert shown == "https://shop.example:8443/photo.jpg"
    assert len(hops.show("https://shop.example/" + "a" * 5000)) < 250
    assert hops.show("https://[secret") == "the URL"


@pytest.mark.parametrize(
    ("status", "location", "expected"),
    [
        (302, "/b?c=%2F", "https://shop.example/b?c=%2F"),
        (301, "c", "https://shop.example/x/c"),
        (307, "https://other.example/d", "https://other.example/d"),
        (308, "//other.example/d", "https://other.example/d"),
        (200, "/b", None),
        (304, "/b", None),
        (302, "", None),
    ],
)
def test_where_a_redirect_leads(status: int, location: str, expected: str | None) -> None:
    found = hops.next_hop(URL("https://shop.example/x/y"), status, {"Location": location})
    assert (None if found is None else str(found)) == expected
