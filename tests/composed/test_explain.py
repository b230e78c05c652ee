"""explain tells the truth: what it says of a SKU is compared with the provider's books, the topics and the store."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.composed.plant import SETTINGS, Plant
from tests.composed.worker import command
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.s3 import S3Server

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

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | SETTINGS | {
            "KAFKA_BOOTSTRAP_SERVERS": self.plant.kafka.bootstrap_servers,
            "SKUSTREAM_TOPIC_PREFIX": self.plant.prefix,
            "SKUSTREAM_STORE": f"s3://{self.plant.bucket}/assets",
            "AWS_ENDPOINT_URL": self.plant.s3.endpoint_url,
        }  # fmt: skip
        return subprocess.run(
            [*command(), "explain", *words], env=environment, capture_output=True, text=True, timeout=90, check=False
        )

    def told(self, *words: str) -> dict[str, Any]:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["warnings"] == []
        return found

    def jobs(self, sku_id: str) -> list[dict[str, Any]]:
        return [job for job in self.plant.provider.jobs() if f"/{sku_id}/" in job["image_url"]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, s3: S3Server, kafka: KafkaCluster | ExistingKafka) -> Iterator[Shop]:
    """Everything sent, and everything ended; the tests only ask."""
    folder = tmp_path_factory.mktemp("explain")
    plant = Plant(kafka, s3, folder, f"explain{os.urandom(4).hex()}", behaviour={"faults": FAULTS})
    try:
        plant.worker(SKUSTREAM_QUOTA_REQUESTS="16").wait_ready()
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
        plant.send({**newer, "event_id": "again"}, older, gone, back, lame, shy, lost)
        plant.wait_events("again", "older", "gone", "back", "LAME", "SHY", "LOST")
        yield Shop(plant)
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
    """With 16 requests in 6 s and three jobs with their polls somebody waited; the story tells it before the claim."""
    newer = shop.told("SHOE-1", "--image", "main")["images"][0]["events"][0]
    waits = {moment["facts"]["stage"]: moment for moment in _moments(newer, "waited")}
    assert waits
    for claimed in _moments(newer, "claimed"):
        waited_ms = 1000 * claimed["facts"]["waited_seconds"]
        wait = waits.get(claimed["facts"]["stage"])
        assert (wait is None) == (waited_ms < 50)
        if wait is not None:
            assert abs(claimed["at_ms"] - waited_ms - wait["at_ms"]) <= 1


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


@pytest.mark.parametrize(
    ("sku_id", "sentence"),
    [
        ("GONE-1", "GONE-1 main: failed in remove-bg (source-missing), 0 credits"),
        ("SHY", "SHY main: failed in remove-bg (job-blocked), "),
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
