"""Delayed retries, through real Kafka: what fails for a while comes back, in its place, whoever is killed meanwhile."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.composed.auditor import AMBIGUOUS, Report, audit
from tests.composed.conftest import Plants
from tests.composed.evidence import collect
from tests.composed.kills import Kills
from tests.composed.plant import Plant, drawn_lots
from tests.composed.watcher import headers_of
from tests.services.clients import alter_topic, read_all
from tests.services.waiting import until

RecordProperty = Callable[[str, object], None]
pytestmark = [pytest.mark.kafka, pytest.mark.s3]

MB = 1024 * 1024
DELAY, DELAY_SECONDS = "retry.10s", 10.0
LATER = {"retries-exhausted": ["10s", "10s", "10s"], "job-overdue": ["10s"]}
WEARY: list[dict[str, Any]] = [
    {"kind": "never-ends", "match": {"url": "/STUCK/"}},
    {"kind": "slow", "seconds": 4.0, "probability": 0.5},
    {"kind": "truncated", "probability": 0.1},
]
"""Half the jobs outlast their stage's deadline, a tenth of the downloads break off, and one job never ends."""


def _waiting(plant: Plant) -> list[dict[str, str]]:
    """The notes of the retries that are not due yet."""
    now_ms = time.time() * 1000
    notes = [headers_of(message) for message in read_all(plant.kafka, plant.topic(DELAY))]
    return [note for note in notes if int(note["skustream.due"]) > now_ms]


def _wait_waiting(plant: Plant, count: int = 1, *, meanwhile: Callable[[], None] = lambda: None) -> None:
    def some_wait() -> bool:
        meanwhile()
        return len(_waiting(plant)) >= count

    until(some_wait, timeout_seconds=150, what=f"{count} waiting retries")


def test_a_waiting_event_lets_a_newer_one_pass_survives_a_restart_and_ends_superseded(plants: Plants) -> None:
    """L5: it keeps its place. Its job was bought and outlasted the deadline: it is brought home, and buys nothing."""
    slow = {"kind": "slow", "seconds": 7.0, "match": {"url": "/SKU/"}, "times": 1}
    plant = plants(behaviour={"faults": [slow]})
    plant.pipeline(retries=LATER, deadline_seconds=3.0)  # enough for the others, on a busy machine too
    worker = plant.worker()
    older = plant.event("SKU", version="1", sequence=1, colour=1)
    plant.send(older)
    _wait_waiting(plant)
    assert worker.ailments() == []
    newer = plant.event("SKU", version="2", sequence=2, colour=2)
    plant.send(newer)
    passed = plant.wait_events(newer["event_id"]).by_event()
    assert older["event_id"] not in passed or not _waiting(plant)
    assert worker.stop() == 0, "a waiting retry holds up nobody"
    worker.start()
    ended = plant.wait_events(older["event_id"])
    assert ended.by_event() == {newer["event_id"]: ["completed"], older["event_id"]: ["superseded"]}
    report = audit(plant.target())
    assert report.problems == []
    assert (report.postponed, report.jobs_accepted) == (1, 4)


def test_after_its_last_delay_an_event_becomes_a_letter_that_tells_every_try(plants: Plants) -> None:
    plant = plants(behaviour={"faults": [{"kind": "never-ends"}]})
    plant.pipeline(retries=LATER, deadline_seconds=1.0)
    worker = plant.worker("remove-bg")
    plant.send(plant.event("STUCK"))
    _wait_waiting(plant)
    until(lambda: worker.gauge("skustream_events_in_flight") >= 1, timeout_seconds=150, what="the open ticket")
    letter = plant.wait_ended(1).letters[0]
    assert (letter["skustream.reason"], letter["skustream.attempts"]) == ("job-overdue", "2")
    assert letter["skustream.input.topic"] == plant.topic(DELAY)
    assert letter["skustream.origin.topic"] == plant.topic("raw")
    first, second = json.loads(letter["skustream.history"])
    assert (first[1], second[1]) == ("job-overdue", "job-overdue")
    assert second[0] - first[0] >= DELAY_SECONDS * 1000
    report = audit(plant.target())
    assert report.problems == []
    assert (report.postponed, report.jobs_accepted) == (1, 1)


def test_whatever_lies_in_a_retry_topic_becomes_a_letter_and_stops_nobody(plants: Plants) -> None:
    """No headers, foreign bytes, 5 MB, a stage of another pipeline, a note of another event: byte for byte (L6)."""
    plant = plants()
    for name, size in ((DELAY, 6 * MB), ("dead-letter", 7 * MB)):
        alter_topic(plant.kafka, plant.topic(name), {"max.message.bytes": str(size)})
    worker = plant.worker().wait_ready()
    (sent,) = plant.send_new(1)
    plant.wait_events(sent)
    note = {
        "stage": "upscale", "due": str(2**62), "origin.topic": plant.topic("raw"), "origin.partition": "7",
        "origin.offset": "0", "origin.index": "0", "origin.timestamp": "5", "priority": "live", "replay": "0",
        "attempts": "0", "postponed": "0",
    }  # fmt: skip
    gone, foreign = {**note, "stage": "painter"}, {**note, "stage": "remove-bg", "origin.partition": "8"}
    hostile: list[tuple[bytes, dict[str, bytes]]] = [
        (b"{}", {}),
        (b"\xff\x00" * 9, {"skustream.stage": b"\xff"}),
        (b"x" * 5 * MB, {"skustream.stage": b"upscale", "skustream.due": b"soon"}),
        (b"<script>alert(1)</script>", {"skustream.stage": b"<script>alert(1)</script>" * 1000}),
        (b"gone", _headers(gone)),
        (b'{"sku_id": "A", "raw_url": "file:///etc/passwd"}', _headers(foreign)),
    ]
    producer = Producer({"bootstrap.servers": plant.kafka.bootstrap_servers, "message.max.bytes": 8 * MB})
    for value, headers in hostile:
        producer.produce(plant.topic(DELAY), key=b"k", value=value, headers=list(headers.items()))
    assert producer.flush(30) == 0
    ended = plant.wait_ended(1 + len(hostile))
    assert sorted(letter["skustream.reason"] for letter in ended.letters) == ["invalid-event"] * 5 + ["source-refused"]
    (later,) = plant.send_new(1, sku="LATER")
    plant.wait_events(later)
    assert worker.ailments() == []
    letters = collect(plant.target()).records["dead-letter"]
    assert sorted((letter.value or b"")[:50] for letter in letters) == sorted(value[:50] for value, _ in hostile)
    report = audit(plant.target())
    assert report.problems == []


def _headers(note: dict[str, str]) -> dict[str, bytes]:
    return {f"skustream.{name}": text.encode() for name, text in note.items()}


def test_workers_killed_amid_delayed_retries_end_every_event_exactly_once(
    plants: Plants, record_property: RecordProperty
) -> None:
    _kill_amid_retries(plants(behaviour={"faults": WEARY}), record_property, count=2, busy=8)


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_twenty_kills_amid_delayed_retries_end_every_event_exactly_once(
    plants: Plants, record_property: RecordProperty
) -> None:
    _kill_amid_retries(plants(behaviour={"faults": WEARY}), record_property, count=20, busy=12)


def _kill_amid_retries(plant: Plant, record: RecordProperty, *, count: int, busy: int) -> None:
    """`count` kills, each while retries wait; at any moment from then on until they walk again."""
    plant.pipeline(retries=LATER, deadline_seconds=2.5)
    rng, seed = drawn_lots()
    kills = Kills(seed, rng)
    for _ in range(2):
        plant.worker(SKUSTREAM_RETRY_ATTEMPTS="1")
    plant.send(plant.event("STUCK"))
    sent = ["STUCK"]

    def keep_busy() -> None:
        if len(sent) - len(plant.watcher.look(0.1)) < busy:
            sent.extend(plant.send_new(4, sku=f"ROUND-{len(sent)}"))

    waiting = 0
    while kills.total < count:
        _wait_waiting(plant, meanwhile=keep_busy)
        victim = kills.at_random(plant, longest_wait_seconds=DELAY_SECONDS)
        waiting += bool(_waiting(plant))
        victim.start().wait_ready()
    plant.wait_ended(len(sent), timeout_seconds=240)
    report = audit(plant.target())
    _judge(report, kills)
    record(
        "told", f"[retries] {kills}, {waiting} with a retry waiting; {report.postponed} postponed; {dict(report.ends)}"
    )


def _judge(report: Report, kills: Kills) -> None:
    assert report.problems == [], f"{kills}"
    assert set(report.ends) <= {"completed", "job-overdue", "retries-exhausted", AMBIGUOUS}, f"{kills}: {report.ends}"
    assert report.ends["completed"] > 0
    assert report.ends["job-overdue"] >= 1
    assert report.postponed > report.ends["job-overdue"]
