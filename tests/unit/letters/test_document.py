"""What is shown of a letter: everything, nothing secret, nothing that a terminal or a spreadsheet obeys."""

import base64
import csv
import io
import json
import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from stream.broker.port import InRecord, OutRecord
from stream.core.errors import Reason
from stream.letters.counting import MAX_GROUPS, OTHERS, Seen, Tally
from stream.letters.dialects import read_letter
from stream.letters.document import document
from stream.letters.exporting import csv_header, csv_line, json_line, row
from stream.letters.filters import State
from stream.letters.letter import Letter
from stream.letters.masking import HIDDEN, masked, masked_json, printable
from tests.unit.letters.posted import AT_MS, event, lying, posted

SECRETS = [
    "https://bucket.example/k?X-Amz-Signature=HUSH&X-Amz-Credential=HUSH",
    "https://u:HUSH@photos.example/a",
    "https://u:one@HUSH@photos.example/a",
    "see https://a.example/x,https://u:HUSH@b.example/y?sig=HUSH",
    "s3://b/k#HUSH",
    "Authorization: Bearer HUSHHUSH",
    "pk_live_HUSH",
    "eyJhbGciOiJI.HUSH-HUSH.HUSH",
    "pxapi_HUSH",
    "api_key=HUSH",
    "'password': 'HUSH'",
    "token: HUSH",
    'aws_secret_access_key = "HUSH"',
    "X-Amz-Security-Token%3DHUSH",
    r"https://a.example/x?y\u0026X-Amz-Signature=HUSH",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_masked_wherever_they_stand(text: str) -> None:
    record = posted(
        event(version=text, attributes={"deep": [{"note": text, "password": "HUSH", "api-key": "HUSH"}]}),
        Reason.BUG, error=text, traceback=f"Traceback\n{text}",
    )  # fmt: skip
    record = OutRecord(record.topic, text.encode(), record.value, (*record.headers, ("x-note", text.encode())))
    letter = lying(record)
    for told in (json_line(document(letter)), csv_line(row(letter, State.OPEN, exact=False))):
        assert "HUSH" not in told
        assert HIDDEN in told
    assert "HUSH" in base64.b64decode(row(letter, State.OPEN, exact=True)["value_base64"]).decode()


def test_a_header_named_like_a_secret_is_one_whatever_it_holds() -> None:
    record = posted()
    named = (("x-api-key", b"HUSH"), ("Authorization", b"Digest HUSH"), ("password", b"\xffHUSH"), ("token", b""))
    letter = lying(OutRecord(record.topic, record.key, record.value, (*record.headers, *named)))
    told = {each["name"]: each["value"] for each in document(letter)["headers"]}
    assert [told[name] for name, _ in named] == [HIDDEN, HIDDEN, HIDDEN, ""]
    assert all(told[name] != HIDDEN for name, _ in record.headers)


def test_masking_takes_linear_time_whatever_was_sent() -> None:
    """Quadratic, the first of these alone would take a quarter of an hour, and the console with it."""
    begun = time.process_time()
    for text in ("eyJ-", "bearer ", "x-amz-", "https://", "//a@", "pk_test_", "signature ", "api_key"):
        masked(text * (1_000_000 // len(text)))
    assert time.process_time() - begun < 60


@pytest.mark.parametrize(
    "text",
    ["job-key=abc", "https://photos.example.com/a.jpg", "key: MUG-1", "a token of thanks", "skustream.job-key: k"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text


def test_a_document_has_everything() -> None:
    letter = lying(
        posted(event(batch_id="autumn"), Reason.AMBIGUOUS_SUBMIT, job_key="k", job_ids="j1,j2", credits_in_doubt="50")
    )
    mark = {"fate": "replayed", "by": "ann"}
    told = document(letter, State.REPLAYED, mark)
    assert (told["letter"], told["time"], told["state"]) == (str(letter.at), "2026-11-28T10:00:00Z", "replayed")
    assert (told["job_ids"], told["credits_in_doubt"], told["mark"]) == (["j1", "j2"], "50", mark)
    assert told["meaning"]["replay"] == "by decision"
    assert told["history"] == [{"at": "2026-11-28T09:59:55Z", "word": "transient", "cause": "busy"}]
    assert told["origin"] == {
        "topic": "product-images.raw", "partition": 0, "offset": 0, "index": 0, "time": "2026-11-28T10:00:00Z",
    }  # fmt: skip
    assert told["event"] == told["value"] == orjson.loads(letter.value or b"")
    assert (told["key"], told["value_kind"], told["trace_id"]) == ("MUG-1", "json", "")


def test_a_document_tells_the_trace_that_the_letter_ended_in() -> None:
    parent = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    letter = lying(posted(event(), Reason.BUG))
    assert (
        document(replace(letter, headers=(*letter.headers, parent)))["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    )
    assert document(replace(letter, headers=(("traceparent", b"\x1b[2J" * 99),)))["trace_id"] == ""


@pytest.mark.parametrize(
    ("value", "kind", "told"),
    [
        (None, "none", None), (b"", "text", ""), (b"\xff\x00", "base64", "/wA="), (b"plain", "text", "plain"),
        (b'{"a": NaN, "b": 1e999}', "json", {"a": "nan", "b": "inf"}),
        (b'{"a": ' + b"9" * 400 + b"}", "json", {"a": "a number of 1329 bits"}),
        (b"[" * 90 + b"]" * 90, "json", None), (b"[" * 5_000 + b"]" * 5_000, "text", None),
        (b'{"x": "' + b"x" * 5_000_000 + b'"}', "text", None),
    ],
    ids=lambda each: str(each)[:20],
)  # fmt: skip
def test_any_value_is_told_and_fits_into_json(value: bytes | None, kind: str, told: Any) -> None:
    found = document(read_letter(InRecord("t", 0, 0, b"\xff", value, AT_MS)))
    assert found["value_kind"] == kind
    assert told is None or found["value"] == told
    assert found["key"] == "0xff"
    assert json.loads(json_line(found))["value_bytes"] == len(value or b"")


def test_springs_numbers_are_shown_as_numbers() -> None:
    numbers = (("kafka_dlt-original-partition", b"\0\0\0\5"), ("kafka_dlt-original-offset", b"\xff" * 8))
    headers = (*numbers, ("x", b"\xff"), ("y", None))
    told = document(read_letter(InRecord("t", 0, 0, None, None, 0, headers)))
    assert [each["value"] for each in told["headers"]] == ["5", "-1", "0xff", None]


def test_depth_has_an_end() -> None:
    deep: Any = "bottom"
    for _ in range(500):
        deep = [deep]
    assert "…" in json.dumps(masked_json(deep), ensure_ascii=False)


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\u202egnp", "\x7f", "\x9b31m", "\ud800"])
def test_a_line_for_a_terminal_has_nothing_that_it_obeys(text: str) -> None:
    assert printable(text).isprintable()
    assert json_line({"x": text}).isascii()
    assert "\x7f" not in json_line({"x": text})


def test_csv_cells_begin_no_formula_and_end_no_line() -> None:
    letter = lying(posted(event("=1+1", batch_id="@SUM(A1)"), error='+cmd|" /c calc"!A1\r\n=2', attempts=2))
    lines = f"{csv_header(exact=True)}\n{csv_line(row(letter, State.OPEN, exact=True))}\n"
    (told,) = csv.DictReader(io.StringIO(lines, newline=""))
    assert (told["sku_id"], told["batch_id"]) == ("'=1+1", "'@SUM(A1)")
    assert told["error"] == '\'+cmd|" /c calc"!A1  =2'
    assert not any(cell.startswith(tuple("=+-@\t\r|%")) for cell in told.values())
    assert base64.b64decode(told["value_base64"]) == letter.value
    assert (told["origin"], told["attempts"]) == ("product-images.raw/0/0/0", "2")


def test_what_was_seen_is_known_however_many_there_are() -> None:
    seen = Seen()
    texts = [f"text {number}" for number in range(5_000)]
    assert all(seen.is_new(text) for text in texts)
    assert not any(seen.is_new(text) for text in texts)
    assert seen.is_new("\ud800")
    assert not seen.is_new("\ud800")


class TestTally:
    def test_letters_events_and_jobs_are_counted_each_once(self) -> None:
        tally = Tally()
        again = posted(event(event_id="e2"), Reason.JOB_FAILED, job_key="k", credits="10", offset=1)
        tally.add(lying(posted(event(), Reason.JOB_FAILED, job_key="k", credits="10")), State.OPEN)
        tally.add(lying(again, timestamp_ms=AT_MS + 7_000), State.REPLAYED)
        tally.add(lying(posted(event("B"), Reason.AMBIGUOUS_SUBMIT, credits_in_doubt="5.5")), State.DISCARDED)
        failed, ambiguous = tally.groups()
        assert (failed.letters, failed.distinct, failed.credits) == (2, 1, Decimal(10))
        assert (failed.oldest_ms, failed.newest_ms) == (AT_MS, AT_MS + 7_000)
        assert (ambiguous.credits_in_doubt, ambiguous.states[State.DISCARDED]) == (Decimal("5.5"), 1)
        assert (tally.total.letters, tally.total.distinct, tally.total.credits) == (3, 2, Decimal(10))

    def test_the_pairs_have_an_end(self) -> None:
        tally = Tally()
        for number in range(MAX_GROUPS + 20):
            tally.add(strange(number), State.OPEN)
        assert len(tally.groups()) == MAX_GROUPS + 1
        assert (tally.groups()[0].reason, tally.groups()[0].letters) == (OTHERS, 20)


def strange(number: int) -> Letter:
    headers = (("skustream.reason", b"r%d" % number), ("skustream.stage", b"s"))
    return read_letter(InRecord("t", 0, number, None, None, 0, headers))
