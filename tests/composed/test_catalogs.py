"""A catalog killed in the middle and sent again: every row has its end in status, and nothing is bought twice (L2)."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from tests.composed.auditor import audit
from tests.composed.conftest import Plants
from tests.composed.plant import SETTINGS, Plant
from tests.composed.worker import command
from tests.services import leash
from tests.services.clients import consumer
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]
ROWS, SEEN_FIRST = 48, 8


class Desk:
    """A person at a terminal of this plant."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self._reader = consumer(plant.kafka, "counter")
        self.environment = os.environ | SETTINGS | {
            "KAFKA_BOOTSTRAP_SERVERS": plant.kafka.bootstrap_servers,
            "SKUSTREAM_TOPIC_PREFIX": plant.prefix,
            "SKUSTREAM_STORE": f"s3://{plant.bucket}/assets",
            "AWS_ENDPOINT_URL": plant.s3.endpoint_url,
        }  # fmt: skip

    def catalog(self) -> Path:
        path = self.plant.folder / "catalog.jsonl"
        events = [self.plant.event(f"SKU-{number}", stages=["remove-bg"], colour=number) for number in range(ROWS)]
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
        return path

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [*command(), *words], env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.run("status", "--batch", "spring", "--json"))
        return told

    def kill_in_the_middle(self, *words: str) -> int:
        """SIGKILL as soon as the first few are in the topic; how many rows were there afterwards."""
        slow = {"SKUSTREAM_KAFKA_QUEUE_BUFFERING_MAX_MESSAGES": "1"}  # every row waits for the one before
        with (self.plant.folder / "submit.log").open("wb") as log:
            process = leash.start([*command(), *words], log=log, env=self.environment | slow)
        until(lambda: self.sent() >= SEEN_FIRST, timeout_seconds=150, what="the first rows in the topic")
        leash.reap(process, signal.SIGKILL, timeout_seconds=10)
        return self.sent()

    def sent(self) -> int:
        _, end = self._reader.get_watermark_offsets(TopicPartition(self.plant.topic("raw.backfill"), 0), timeout=30)
        return end


def test_a_submit_killed_in_the_middle_is_completed_by_the_same_command(
    plants: Plants, record_property: Callable[[str, object], None]
) -> None:
    plant = plants()
    desk = Desk(plant)
    path = str(desk.catalog())
    first = desk.kill_in_the_middle("submit", path, "--batch", "spring")
    record_property("told", f"submit killed with {first} of {ROWS} rows in the topic")
    assert first < ROWS
    told = desk.status()
    assert (told["total"], told["in_progress"], told["unsent"]) == (ROWS, first, ROWS - first)
    assert "runs, or was killed" in told["warnings"][0]
    plant.worker()
    plant.wait_jobs(1)
    assert f"{ROWS} of {ROWS} rows sent" in desk.run("submit", path, "--batch", "spring")
    lines = desk.run("status", "--batch", "spring", "--watch", "--json", "--interval-seconds", "0.5").splitlines()
    last = json.loads(lines[-1])
    assert (last["total"], last["success"], last["in_progress"], last["unsent"]) == (ROWS, ROWS, 0, 0)
    # The image counts once it is done; the killed submit's own events may end a moment later.
    plant.wait_ended(first + ROWS)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends.total() == first + ROWS
    assert report.jobs_accepted == ROWS
