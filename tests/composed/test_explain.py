"""explain tells the truth: what it says of a SKU is compared with the provider's books, the topics and the store."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.composed.plant import SETTINGS, Plant
from tests.composed.worker import command
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.s3 import S3Server
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]
FAULTS = [
    {"kind": "failed", "match": {"picture": "LAME"}, "times": 1, "message": "the model crashed"},
    {"kind": "blocked", "match": {"picture": "SHY"}, "message": "unsafe"},
    {"kind": "accept-drop", "match": {"picture": "LOST"}},
]
CUT_OUT_ONLY = ["remove-bg"]


@dataclass(frozen=True)
class Shop:
    """A plant whose events have ended, and a person at a terminal."""

    plant: Plant
    documents: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return self.type("explain", *words)

    def type(self, *words: str) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | SETTINGS | {
            "KAFKA_BOOTSTRAP_SERVERS": self.plant.kafka.bootstrap_servers,
            "SKUSTREAM_TOPIC_PREFIX": self.plant.prefix,
            "SKUSTREAM_STORE": f"s3://{self.plant.bucket}/assets",
            "AWS_ENDPOINT_URL": self.plant.s3.endpoint_url,
        }  # fmt: skip
        return subprocess.run(
            [*command(), *words], env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    def told(self, *words: str) -> dict[str, Any]:
        """The document; nothing changes any more, so each is asked for once."""
        if words not in self.documents:
            done = self.run(*words, "--json")
            assert done.returncode == 0, done.stderr
            self.documents[words] = json.loads(done.stdout)
            assert self.documents[words]["warnings"] == []
        return self.documents[words]

    def ends(self, event_id: str) -> list[str]:
        """How it ended, each time."""
        return self.plant.watcher.look().by_event().get(event_id, [])

    def jobs(self, sku_id: str) -> list[dict[str, Any]]:
        return [job for job in self.plant.provider.jobs() if f"/{sku_id}/" in job["image_url"]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, s3: S3Server, kafka: KafkaCluster | ExistingKafka) -> Iterator[Shop]:
    """Everything sent, and everything ended; the tests only ask."""
    folder = tmp_path_factory.mktemp("explain")
    plant = Plant(kafka, s3, folder, f"explain{os.urandom(4).hex()}", behaviour={"faults": FAULTS})
    plant.pipeline(retries={"source-missing": ["10s"]})
    try:
        plant.worker(SKUSTREAM_MAX_RUNNING_JOBS="1").wait_ready()
        newer = plant.event("SHOE-1", sequence=2, version="b", event_id="newer", batch_id="spring")
        plant.send(newer, plant.event("SHOE-10", event_id="other", stages=CUT_OUT_ONLY))
        plant.wait_events("newer", "other")
        older = plant.event("SHOE-1", sequence=1, version="a", event_id="older")
        gone = {
            **plant.event("GONE-1", event_id="gone"),
            "raw_url": f"{plant.provider.root}/photos/none.jpg?sig=hidden",
        }
        back = plant.event("SHOE-1", image_id="back", event_id="back", stages=CUT_OUT_ONLY)
        lame, shy, lost = (
            plant.event(sku_id, event_id=sku_id, version="1", stages=CUT_OUT_ONLY) for sku_id in ("LAME", "SHY", "LOST")
        )
        late = plant.event("LATE", event_id="late", stages=CUT_OUT_ONLY)
        photo = plant.provider.photos / "LATE.jpg"
        photo.rename(photo.with_suffix(".kept"))
        plant.send({**newer, "event_id": "again"}, older, gone, back, lame, shy, lost, late)
        plant.wait_events("again", "older", "gone", "back", "LAME", "SHY", "LOST", "late")
        photo.with_suffix(".kept").rename(photo)
        opened = Shop(plant)
        for words in (
            ("replay", "--sku", "LATE", "--by", "anna"),
            ("discard", "--sku", "SHY", "--by", "bert", "--yes"),
        ):
            done = opened.type("dlq", *words, "--why", "I looked")
            assert done.returncode == 0, done.stderr
        until(lambda: len(opened.ends("late")) > 1, timeout_seconds=150, what="the end of the replay")
        yield opened
    finally:
        plant.close()


def _moments(event: dict[str, Any], what: str) -> list[dict[str, Any]]:
    return [moment for moment in event["moments"] if moment["what"] == what]


def test_the_events_of_an_image_are_told_with_their_jobs_prices_and_who_superseded_whom(shop: Shop) -> None:
    told = shop.told("SHOE-1", "--image", "main")
    (image,) = told["images"]
    newer, again, older = image["events"]
    assert [event["event_id"] for event in image["events"]] == ["newer", "again", "older"]
    assert [(event["state"], event["credits"]) for event in image["events"]] == [
        ("completed", "70"), ("completed", "0"), ("superseded", "0"),
    ]  # fmt: skip
    origin = newer["origin"]
    place = f"{origin['topic']}/{origin['partition']}/{origin['offset']}"
    assert _moments(older, "superseded")[0]["facts"]["superseded_by"] in {place, _place(again)}
    assert set(again["reused"].values()) == {place}
    accepted = [moment["facts"]["job_id"] for moment in _moments(newer, "accepted")]
    assert sorted(accepted) == sorted(job["id"] for job in shop.jobs("SHOE-1") if "/main/" in job["image_url"])
    assert [moment["facts"]["stage"] for moment in _moments(newer, "handed-on")] == [
        "upscale",
        "lifestyle",
        "thumbnails",
    ]
    assert image["summary"] == "SHOE-1 main: completed, 0 credits; 2 other events, 70 credits in all"
    completed = shop.plant.watcher.look().record_of("newer")
    assert image["shown"]["urls"] == {name: asset["url"] for name, asset in completed["assets"].items()}


def _place(event: dict[str, Any]) -> str:
    return f"{event['origin']['topic']}/{event['origin']['partition']}/{event['origin']['offset']}"


def test_waits_for_the_limiter_are_told_as_the_ledger_keeps_them(shop: Shop) -> None:
    """One job may run at a time, and several came together: the story tells each wait before the claim it was for."""
    events = [shop.told(sku_id)["images"][0]["events"][0] for sku_id in ("LAME", "SHY", "LOST", "SHOE-1")]
    waited = 0
    for event in events:
        for claimed in _moments(event, "claimed"):
            wait_ms = 1000 * claimed["facts"]["waited_seconds"]
            told = [each for each in _moments(event, "waited") if each["facts"]["stage"] == claimed["facts"]["stage"]]
            assert len(told) == (wait_ms >= 50)
            assert all(abs(claimed["at_ms"] - wait_ms - each["at_ms"]) <= 1 for each in told)
            waited += len(told)
    assert waited > 0


def test_every_image_is_told_and_no_other_sku(shop: Shop) -> None:
    told = shop.told("SHOE-1")
    assert [(image["image_id"], len(image["events"])) for image in told["images"]] == [("back", 1), ("main", 3)]
    assert [image["image_id"] for image in shop.told("SHOE-10")["images"]] == ["main"]


def test_a_failed_attempt_and_the_one_after_it_are_both_named(shop: Shop) -> None:
    (event,) = shop.told("LAME")["images"][0]["events"]
    (claimed,) = _moments(event, "claimed")
    first, second = shop.jobs("LAME")
    assert (claimed["facts"]["attempt"], claimed["facts"]["failed_jobs"]) == (2, [first["id"]])
    assert [moment["facts"]["job_id"] for moment in _moments(event, "accepted")] == [second["id"]]
    assert event["state"] == "completed"


def test_a_delayed_retry_a_letter_and_its_replay_are_one_story(shop: Shop) -> None:
    told = shop.told("LATE")["images"][0]
    (event,) = told["events"]
    mentioned = [moment["what"] for moment in event["moments"]]
    order = ["received", "postponed", "letter", "replayed", "re-entered", "claimed", "accepted", "job", "completed"]
    assert [what for what in mentioned if what in order] == order
    (postponed,), (letter,), (replayed,) = (_moments(event, what) for what in ("postponed", "letter", "replayed"))
    assert postponed["facts"]["due_ms"] - postponed["at_ms"] > 9_000
    assert letter["at_ms"] >= postponed["facts"]["due_ms"]
    assert (replayed["facts"]["by"], replayed["facts"]["why"]) == ("anna", "I looked")
    assert replayed["facts"]["letter"] == letter["facts"]["letter"]
    assert shop.ends("late") == ["completed", "source-missing"]
    assert (event["credits"], event["attempts"], event["replays"]) == ("10", 3, 1)
    assert told["summary"] == "LATE main: completed after 3 attempts and one replay, 10 credits"


@pytest.mark.parametrize(
    ("sku_id", "sentence"),
    [
        ("GONE-1", "GONE-1 main: failed in remove-bg (source-missing) after 2 attempts, 0 credits"),
        ("SHY", "SHY main: failed, and discarded by bert, "),
        ("LOST", "LOST main: failed in remove-bg (ambiguous-submit), 0 credits, 10 credits in doubt"),
    ],
)
def test_a_letter_is_told_for_a_person(shop: Shop, sku_id: str, sentence: str) -> None:
    done = shop.run(sku_id)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith(sentence)
    assert " letter " in done.stdout
    assert "hidden" not in done.stdout
    assert all(line.isprintable() for line in done.stdout.splitlines())


def test_an_unknown_sku_is_one_line_with_what_was_meant(shop: Shop) -> None:
    done = shop.run("shoe-1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "skustream: no topic holds a record of 'shoe-1', and the store no picture of it; did you mean 'SHOE-1' or "
        "'SHOE-10'?\n"
    )
    done = shop.run("SHOE-1", "--image", "top")
    assert (done.returncode, done.stderr) == (
        1, "skustream: no image 'top' of 'SHOE-1'; there is 'back', 'main'\n"
    )  # fmt: skip


def test_since_leaves_out_what_was_before(shop: Shop) -> None:
    events = shop.told("SHOE-1", "--image", "main")["images"][0]["events"]
    since = datetime.fromtimestamp(_moments(events[2], "received")[0]["at_ms"] / 1000, UTC)
    later = shop.told("SHOE-1", "--image", "main", "--since", since.isoformat())
    assert [event["event_id"] for event in later["images"][0]["events"]][-1] == "older"
    assert "newer" not in [event["event_id"] for event in later["images"][0]["events"]]
