"""Hostile records of the raw topic: what is sent, the reason of its letter, and words that its error must hold."""

import json
from collections.abc import Mapping
from typing import Any

GOOD: Mapping[str, Any] = {"sku_id": "HOSTILE", "raw_url": "https://photos.example.com/a.jpg"}
INVALID = "invalid-event"
FIVE_MB = 5_000_000

Case = tuple[bytes | None, str, tuple[str, ...]]


def event(**fields: Any) -> bytes:
    """A good event with these fields changed; null bytes and lone surrogates as JSON writes them."""
    return json.dumps({**GOOD, **fields}).encode()


def _invalid(value: bytes | None, *words: str) -> Case:
    return value, INVALID, words


RECORDS: Mapping[str, Case] = {
    "no value": _invalid(None, "no value", "expected a JSON object"),
    "empty": _invalid(b"", "not JSON"),
    "every byte": _invalid(bytes(range(256)), "not JSON"),
    "cut off": _invalid(event()[:-10], "not JSON", "expected a JSON object"),
    "two of them": _invalid(event() * 2, "not JSON"),
    "a list": _invalid(b"[]", "not an object", "expected a JSON object"),
    "as deep as 100,000": _invalid(b'{"attributes":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, "not JSON"),
    "5 MB of text": _invalid(event(attributes={"a": "x" * FIVE_MB}), "bytes", "expected at most 1000000 bytes"),
    "5 MB of noise": _invalid(bytes(at * at % 251 for at in range(FIVE_MB)), "bytes", "at most 1000000 bytes"),
    "a name of 900 kB": _invalid(event(sku_id="A" * 900_000), "sku_id", "got 'AAA", "at most 200 characters"),
    "a field of 900 kB": _invalid(event(**{"z" * 900_000: 1}), "unknown field", "expected one of"),
    "a number for a name": _invalid(event(sku_id=5), "sku_id", "got 5", "expected a valid string"),
    "a list for a URL": _invalid(event(raw_url=["https://x/y"]), "raw_url", "got", "expected a valid string"),
    "a text for a number": _invalid(event(sequence="1"), "sequence", "got '1'", "expected a valid integer"),
    "NaN": _invalid(event(sequence=float("nan")), "sequence", "expected"),
    "a sequence of 400 digits": _invalid(event(sequence=10**400), "sequence", "expected"),
    "a time of day": _invalid(event(occurred_at=1_700_000_000), "occurred_at", "got 1700000000", "ISO 8601"),
    "the year 9999": _invalid(event(occurred_at="9999-12-31T23:59:59Z"), "occurred_at", "got '9999", "at most a day"),
    "an unknown field": _invalid(event(skuid="x"), "skuid", "got 'x'", "expected sku_id"),
    "an unknown stage": _invalid(event(stages=["nothing"]), "stages", "nothing", "expected"),
    "a parameter of nonsense": _invalid(event(params={"upscale": {"scale": 3}}), "params.upscale.scale", "got 3"),
    "a NUL in a name": _invalid(event(sku_id="A\0"), "sku_id", r"got 'A\x00'", "expected printable"),
    "a line end in a name": _invalid(event(image_id="A\nB"), "image_id", r"got 'A\nB'", "expected printable"),
    "a name written backwards": _invalid(event(image_id="A\u202egpj.B"), "image_id", "expected printable"),
    "a name with zero width": _invalid(event(sku_id="A\u200bB"), "sku_id", "expected printable"),
    "half a character": _invalid(event(sku_id="A\ud800"), "not JSON"),
    "a file of a host": _invalid(
        event(raw_url="file://localhost/etc/passwd"), "raw_url", "got 'file", "without a host"
    ),
    "a gopher": _invalid(event(raw_url="gopher://x/y"), "raw_url", "gopher", "expected an https://"),
    "a password": _invalid(event(raw_url="https://user:hunter2@x/y"), "raw_url", "without user name"),
    "a port of nonsense": _invalid(event(raw_url="https://x:99999/y"), "raw_url", "99999", "well-formed"),
}

INSIDE = (
    "http://169.254.169.254/latest/meta-data", "https://169.254.169.254/", "https://10.0.0.1/a.jpg",
    "https://[::1]/a.jpg", "https://[::ffff:10.0.0.1]/a.jpg", "https://[64:ff9b::a00:1]/a.jpg",
    "https://[2002:a00:1::]/a.jpg", "https://100.64.0.1/a.jpg", "https://2130706433/a.jpg", "https://0x7f.1/a.jpg",
    "https://0177.0.0.1/a.jpg", "https://127.1/a.jpg", "https://localhost/a.jpg",
    "http://photos.example.com/a.jpg", "file:///etc/passwd",
)  # fmt: skip
"""URLs that lead inside, or nowhere we go."""

NAMES = (
    "../../etc/passwd", "..%2f..%2fx", "..", ".", "manifest.json", "_ledger", "_batches", "a/b", "a\\b", "CON",
    "trailing.", "~", "~2E", "é", "\N{OLD PERSONAL COMPUTER}" * 200, "😀/../😀", "x" * 200, "%00", "A", "a",
)  # fmt: skip
"""Ids that are strange, and allowed: each has its own place in the store, and none leads out of it."""
