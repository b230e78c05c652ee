"""Letters are read in the dialects of those who write them; the layouts were taken from their sources, as files."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stream.broker.port import Headers, InRecord
from stream.core.errors import Reason
from stream.events import Origin, Priority
from stream.letters.dialects import read_letter
from stream.letters.letter import Dialect, Letter, LetterId
from stream.records import StageRecord, first_record
from stream.retries import Attempt, encode_history
from stream.runtime.dead_letters import write_letter
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter

LAYOUTS = sorted((Path(__file__).parent / "dialects").glob("*.json"))
RAW = b'{"sku_id": "MUG-1", "image_id": "side", "event_id": "e1", "batch_id": "b", "raw_url": "https://a.example/a"}'


def arrived(headers: Headers = (), value: bytes | None = None) -> InRecord:
    return InRecord("dead", 2, 7, b"k", value, timestamp_ms=1_000, headers=headers)


def ours(value: bytes | None, read: StageRecord | None, **facts: str) -> Letter:
    failed = InRecord("product-images.transparent", 4, 9, b"MUG-1", value, timestamp_ms=5)
    told = {name.replace("_", "-"): fact for name, fact in facts.items()}
    verdict = DeadLetter(Reason.AMBIGUOUS_SUBMIT, "lost\nanswer", traceback="Traceback", facts=told)
    written = write_letter("dead", "upscale", failed, verdict, past=Past(attempts=3), read=read)
    return read_letter(InRecord("dead", 0, 1, written.key, written.value, 77, written.headers))


def stage_record() -> StageRecord:
    origin = Origin(topic="product-images.raw", partition=4, offset=1041)
    return first_record(RAW, origin, timestamp_ms=9, priority=Priority.LIVE, started_at=0.0).with_assets(
        {}, source_version="v"
    )


@pytest.mark.parametrize("path", LAYOUTS, ids=lambda path: path.stem)
def test_a_foreign_letter_tells_what_its_writer_put_there(path: Path) -> None:
    layout = json.loads(path.read_text())
    headers = tuple((name, bytes.fromhex(text) if kind == "hex" else text.encode())
                    for name, kind, text in layout["headers"])  # fmt: skip
    value = None if layout["value"] is None else layout["value"].encode()
    letter, told = read_letter(arrived(headers, value)), layout["letter"]
    topic, partition, offset = told.pop("origin")
    assert letter.origin == Origin(topic=topic, partition=partition, offset=offset)
    assert letter.traceback.startswith(told.pop("traceback_begins"))
    assert {name: getattr(letter, name) for name in told} == told
    assert (letter.at, letter.value, letter.headers) == (LetterId("dead", 2, 7), value, headers)


def test_ours_is_read_back_whole() -> None:
    read = stage_record()
    letter = ours(read.encode(), read, job_key="k", job_ids="j1,j2", operation="upscale", credits="0",
                  credits_in_doubt="50.5")  # fmt: skip
    assert letter.dialect is Dialect.SKUSTREAM
    assert (letter.origin, letter.stage, letter.reason) == (read.origin, "upscale", "ambiguous-submit")
    assert (letter.error, letter.traceback, letter.attempts) == ("lost\nanswer", "Traceback", 3)
    assert (letter.event_id, letter.sku_id, letter.image_id, letter.batch_id) == ("e1", "MUG-1", "side", "b")
    assert (letter.priority, letter.replay, letter.job_key, letter.job_ids) == ("live", 0, "k", ("j1", "j2"))
    assert (letter.operation, letter.credits, letter.credits_in_doubt) == ("upscale", Decimal(0), Decimal("50.5"))


@pytest.mark.parametrize("value", [RAW, stage_record().encode()], ids=["raw", "stage record"])
def test_where_the_headers_are_silent_the_value_tells(value: bytes) -> None:
    letter = read_letter(arrived(value=value))
    assert letter.dialect is Dialect.UNKNOWN
    assert (letter.event_id, letter.sku_id, letter.image_id, letter.batch_id) == ("e1", "MUG-1", "side", "b")
    assert letter.reason == ""


def test_an_event_that_nobody_takes_still_tells_its_sku() -> None:
    letter = ours(b'{"id": "MUG-1", "colour": 1e999}', None)
    assert (letter.sku_id, letter.image_id) == ("MUG-1", "main")


def test_repeats_have_one_fingerprint_and_others_do_not() -> None:
    again = RAW.replace(b"e1", b"e2")
    assert read_letter(arrived(value=RAW)).fingerprint == read_letter(arrived(value=again)).fingerprint
    assert (
        read_letter(arrived(value=stage_record().encode())).fingerprint == read_letter(arrived(value=RAW)).fingerprint
    )
    others = {ours(RAW, None).fingerprint, read_letter(arrived(value=RAW)).fingerprint,
              read_letter(arrived(value=b"x")).fingerprint, read_letter(arrived()).fingerprint}  # fmt: skip
    assert len(others) == 4


@pytest.mark.parametrize(
    "told",
    [
        {"attempts": b"9" * 400}, {"attempts": b"-1"}, {"attempts": b"\xd9\xa1"}, {"origin.offset": b"1e9"},
        {"credits": b"NaN"}, {"credits": b"1e999999999"}, {"credits": b"-5"}, {"credits": b"1e-400"},
        {"history": b"[[1,2,3]]"}, {"history": b"[" * 9_000}, {"history": b"\xff"}, {"job-ids": b"," * 10_000},
        {"error": b"x" * 5_000_000}, {"sku-id": b"\x1b[2J\xff<script>"}, {"stage": b"\0" * 100_000},
    ],
    ids=str,
)  # fmt: skip
def test_absurd_words_are_bounded(told: dict[str, bytes]) -> None:
    base = {"reason": b"bug", "origin.topic": b"t", "origin.partition": b"1", "origin.offset": b"2"}
    headers: Headers = tuple((f"skustream.{name}", value) for name, value in (base | told).items())
    letter = read_letter(arrived(headers, b"v"))
    assert letter.dialect is Dialect.SKUSTREAM
    assert_bounded(letter)


def assert_bounded(letter: Letter) -> None:
    texts: list[Any] = [getattr(letter, name) for name in Letter.__slots__ if name not in {"headers", "value", "key"}]
    assert all(len(text) <= 8_000 for text in texts if isinstance(text, str))
    assert max(letter.attempts, letter.replay) < 2**31
    assert 0 <= letter.credits < 10**12
    assert letter.credits + Decimal("0.000000000001") > letter.credits
    assert len(letter.job_ids) <= 50


def test_history_is_read_and_cut() -> None:
    history = (Attempt(1, "transient", "é" * 100), Attempt(2, "retries-exhausted", "y"))
    headers: Headers = (("skustream.reason", b"bug"), ("skustream.history", encode_history(history).encode()))
    assert read_letter(arrived(headers)).history == history


def test_a_big_value_is_not_searched() -> None:
    letter = read_letter(arrived(value=b'{"sku_id": "A", "x": "' + b"x" * 5_000_000 + b'"}'))
    assert (letter.sku_id, len(letter.value or b"")) == ("", 5_000_024)
