"""What may be shown of foreign text: the message, and nothing that opens a door."""

import time

import orjson
import pytest
from pydantic import SecretStr

from stream.pixelapi.wording import MESSAGE_CHARACTERS, Kind, Scrubber, content_of, message_in

KEY = "pk_live_3f9c0d7e5a"
SCRUB = Scrubber(SecretStr(KEY))


@pytest.mark.parametrize(
    "text",
    [
        f"your key {KEY} is bad",
        f"your key {KEY.upper()} is bad",
        f"Authorization: Bearer {KEY}",
        f"see https://h/a?api_key={KEY}",
        "x" * 480 + KEY,
        " " * 20_000 + KEY,
        "y " * 4_090 + KEY,
    ],
)
def test_the_key_is_never_repeated(text: str) -> None:
    for body in (text.encode(), orjson.dumps({"detail": text}), f"<p>{text}</p>".encode()):
        shown = message_in(content_of(body, ""), SCRUB)
        assert KEY.lower() not in shown.lower()
        # Nor half of it.
        assert KEY[:12].lower() not in shown.lower()


def test_a_key_of_another_shape_is_hidden_too() -> None:
    scrub = Scrubber(SecretStr("simple+key/1"))
    assert scrub("simple+key/1 and (simple+key/1)") == "*** and (***)"


def test_keys_of_others_are_hidden() -> None:
    assert SCRUB("pxapi_abc123 pk_live_zzz Bearer eyJhb.GciOi") == "*** *** ***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read https://b.s3/a.jpg?X-Amz-Signature=abc&x=1 now", "cannot read https://b.s3/a.jpg?*** now"),
        ('"https://b/a#frag"', '"https://b/a?***"'),
        ("s3://user:pw@bucket/key", "s3://***@bucket/key"),
        ("/a.jpg?X-Amz-Credential=AKIA%2F2026&b=1", "/a.jpg?X-Amz-Credential=***"),
        ("https%3A%2F%2Fh%2Fa%3FX-Amz-Signature%3Dabc", "https%3A%2F%2Fh%2Fa%3FX-Amz-Signature=***"),
        ("no secrets, just 50% & more", "no secrets, just 50% & more"),
    ],
)
def test_signatures_in_urls_are_hidden(text: str, shown: str) -> None:
    assert SCRUB(text) == shown


def test_a_message_is_one_bounded_line() -> None:
    shown = SCRUB("a\r\nb\x00c\x1b[31m\u202ed " + "long " * 1_000)
    assert shown.startswith("a b c [31m d long")
    assert len(shown) == MESSAGE_CHARACTERS
    assert shown.endswith("…")


def test_the_scrubber_does_not_show_its_key() -> None:
    assert KEY not in repr(SCRUB)


@pytest.mark.parametrize(
    ("body", "label", "kind"),
    [
        (b"", "", Kind.EMPTY),
        (b"\xef\xbb\xbf {} ", "text/plain", Kind.EMPTY),
        (b'{"a": 1}', "text/html", Kind.JSON),
        (b"hello", "application/json", Kind.TEXT),
        (b"<p>", "application/json", Kind.HTML),
        (b"hello", "text/html; charset=utf-8", Kind.HTML),
        (b"\xff\x00", "text/plain", Kind.BINARY),
    ],
)
def test_bodies_are_sorted_by_what_they_are(body: bytes, label: str, kind: Kind) -> None:
    assert content_of(body, label).kind is kind


@pytest.mark.parametrize(
    "piece", ["<script>", "<", "https://", "x-amz-", "pk_live_", "a@", "&lt;", "Bearer ", "<title"]
)
def test_hostile_repetition_costs_no_time_to_speak_of(piece: str) -> None:
    """256 KiB of anything must not stop the loop that all jobs share; an hour would, as quadratic patterns take."""
    started = time.process_time()
    message_in(content_of((piece * (256 * 1024 // len(piece))).encode(), ""), SCRUB)
    assert time.process_time() - started < 5.0
