"""L1 by index: one record names several new objects in a real bucket, and each has one end, whatever is killed."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.composed import photos
from tests.composed.auditor import AMBIGUOUS, audit
from tests.composed.conftest import Plants
from tests.composed.evidence import collect
from tests.composed.kills import Kills
from tests.composed.plant import Plant, drawn_lots
from tests.services.waiting import until

RecordProperty = Callable[[str, object], None]
pytestmark = [pytest.mark.kafka, pytest.mark.s3]
SLOW = {
    "default_latency": {"minimum_seconds": 0.5, "maximum_seconds": 2.5},
    "answer_delay": {"minimum_seconds": 0.1, "maximum_seconds": 0.6},
}


class Bucket:
    """Where photos lie, and what it tells of them."""

    def __init__(self, plant: Plant) -> None:
        self.name = plant.s3.create_bucket(f"{plant.prefix}-photos")
        self._plant = plant
        self._colour = 0

    def put(self, key: str) -> None:
        """A photo of its own."""
        self._colour += 1
        photos.draw(self._plant.folder, "photo.jpg", colour=self._colour)
        client = self._plant.s3.client()
        client.put_object(Bucket=self.name, Key=key, Body=(self._plant.folder / "photo.jpg").read_bytes())
        client.close()

    def told(self, key: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
        """One entry of a notification, as AWS writes it."""
        return {
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name, "eventTime": "2026-01-22T10:00:00.123Z",
            "s3": {"bucket": {"name": self.name}, "object": {"key": quote_plus(key, safe="/")}},
        }  # fmt: skip

    def five_and_one(self, sku: str) -> bytes:
        """Five created objects, of which one is no photo of ours and one is gone already; and one that was removed."""
        for key in (f"new é/{sku}/front.jpg", f"{sku}/back.jpg"):
            self.put(key)
        entries = [
            self.told(f"new é/{sku}/front.jpg"), self.told("no-folder.jpg"), self.told(f"new é/{sku}/front.jpg"),
            self.told(f"{sku}/old.jpg", "ObjectRemoved:Delete"), self.told(f"{sku}/back.jpg"),
            self.told(f"{sku}/gone.jpg"),
        ]  # fmt: skip
        return json.dumps({"Records": entries}).encode()


ENDS = {"completed": 3, "invalid-event": 1, "source-missing": 1}
"""Of one record: the same object twice is one purchase and two ends."""


@pytest.mark.parametrize("mode", ["url", "upload"])
def test_each_entry_ends_once_and_photos_in_s3_reach_the_provider_both_ways(plants: Plants, mode: str) -> None:
    plant = plants()
    bucket = Bucket(plant)
    worker = plant.worker(SKUSTREAM_SOURCE_BUCKETS=bucket.name, SKUSTREAM_INPUT=mode)
    plant.send(bucket.five_and_one("MUG"), json.dumps({"Event": "s3:TestEvent", "Service": "Amazon S3"}).encode())
    ended = plant.wait_ended(5)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == ENDS
    assert report.jobs_accepted == 6, "two images, three purchases each"
    assert Counter(letter["skustream.origin.index"] for letter in ended.letters) == {"1": 1, "5": 1}
    assert sorted(end["origin"]["index"] for end in ended.completed) == [0, 2, 4]
    assert {end["image_id"] for end in ended.completed} == {"front", "back"}
    told = [job["image_url"] for job in plant.provider.jobs()]
    if mode == "upload":
        assert set(told) == {None}
    else:
        assert all(f"/{plant.bucket}/assets/MUG/" in url and "X-Amz-Signature" in url for url in told), told
    assert worker.gauge("skustream_entries_ignored_total") == 2
    assert not any(bucket.name in str(url) for url in told), "the provider sees our copy, never the source"


def test_a_photo_in_a_bucket_nobody_named_is_refused_with_the_way_out(plants: Plants) -> None:
    plant = plants()
    bucket = Bucket(plant)
    bucket.put("MUG/front.jpg")
    plant.worker()
    plant.send(
        json.dumps({"Records": [bucket.told("MUG/front.jpg")]}).encode(),
        {"sku_id": "MUG-2", "raw_url": f"s3://{bucket.name}/MUG/front.jpg"},
    )
    letters = plant.wait_ended(2).letters
    assert [letter["skustream.reason"] for letter in letters] == ["source-refused"] * 2
    words = [letter["skustream.error"] for letter in letters]
    assert all("SKUSTREAM_SOURCE_BUCKETS" in each for each in words), words


def test_killed_workers_end_every_entry_exactly_once(plants: Plants, record_property: RecordProperty) -> None:
    """Kills between the first and the last end of a record: what is finished then must neither be lost nor repeated."""
    plant = plants(behaviour=SLOW)
    bucket = Bucket(plant)
    rng, seed = drawn_lots()
    kills = Kills(seed, rng)
    settings = {"SKUSTREAM_SOURCE_BUCKETS": bucket.name}
    for _ in range(2):
        plant.worker(**settings)
    records: list[str] = []

    def send_one() -> None:
        records.append(f"SKU-{len(records)}")
        plant.send(bucket.five_and_one(records[-1]), key=records[-1])

    def keep_busy() -> None:
        if 5 * len(records) - len(plant.watcher.look(0.1)) < 15:
            send_one()

    for _ in range(6):
        send_one()
    _wait_half_done(plant)
    kills.at_random(plant, longest_wait_seconds=0.1).start()
    kills.in_a_submit(plant, meanwhile=keep_busy).start()
    kills.at_random(plant, longest_wait_seconds=3).start().wait_ready()
    plant.wait_ended(5 * len(records), timeout_seconds=180)
    report = audit(plant.target())
    assert report.problems == [], f"{kills}"
    assert report.ends["invalid-event"] == report.ends["source-missing"] == len(records), report.ends
    assert report.ends["completed"] + report.ends[AMBIGUOUS] == 3 * len(records), report.ends
    origins = Counter(
        (end.json()["origin"]["offset"], end.json()["origin"]["partition"])
        for end in collect(plant.target()).records["completed"]
    )
    assert max(origins.values()) <= 3
    record_property("told", f"[L1] notifications: {kills}; {dict(report.ends)}, {report.jobs_accepted} jobs")


def _wait_half_done(plant: Plant) -> None:
    """Until some record has a job ended and another one running: its walk holds ends that nobody can see yet."""

    def half_done() -> bool:
        states = Counter(job["status"] for job in plant.provider.jobs())
        return bool(states["completed"]) and states.total() > states["completed"]

    until(half_done, timeout_seconds=150, what="a record half done")
