"""The flood stop, counted outside: letters end at the budget, buying too, other stages go on, nothing is lost."""

import json
import math
import subprocess
import time
from collections import Counter
from typing import Any

import pytest

from stream.runtime.flood import FIRST_PROBE_SECONDS
from tests.composed.auditor import audit
from tests.composed.conftest import Plants
from tests.composed.plant import SETTINGS, Plant
from tests.composed.worker import WorkerProcess, command, surroundings
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]

BUDGET = 4
EVENTS = 26
UPSCALE_FAILS = {"kind": "failed", "operation": "upscale"}
AT_ONCE = 5
"""Jobs that may run together: what is bought before anybody knows."""


def test_a_stage_whose_every_job_fails_stops_buying_and_goes_on_by_itself(plants: Plants) -> None:
    """Killed while it is stopped, too: the next life has a budget of its own, and is stopped again."""
    plant = plants(behaviour={"faults": [UPSCALE_FAILS]})
    worker = flooded(plant)
    assert worker.gauge("skustream_flood_stopped") == 1
    bought, since = jobs(plant, "upscale"), time.monotonic()
    # One letter costs two numbered attempts; besides there is what ran when the last letter was written.
    assert bought <= 2 * BUDGET + 2 * AT_ONCE
    until(lambda: jobs(plant, "remove-background") == EVENTS, timeout_seconds=150, what="the first stage going on")
    assert len(letters(plant)) == BUDGET
    probes = math.ceil((time.monotonic() - since) / FIRST_PROBE_SECONDS)
    assert jobs(plant, "upscale") <= bought + 2 * probes, "one probe now and then"
    until(lambda: plant.provider.open_now() == ([], 0), timeout_seconds=150, what="nothing under way")
    worker.kill()
    worker = flood_worker(plant)
    until(lambda: stopped(worker), timeout_seconds=150, what="the next life's stop")
    plant.provider.behave(faults=[])
    plant.wait_ended(EVENTS)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends["completed"] == EVENTS - report.ends["job-failed"]
    assert 2 * BUDGET <= report.ends["job-failed"] <= 2 * (BUDGET + AT_ONCE + 1)
    until(lambda: worker.reasons() == [], timeout_seconds=150, what="a worker that works")
    assert worker.gauge("skustream_flood_stopped") == 0


def test_a_persons_word_lets_the_fleet_go_on_and_what_waits_is_handed_over(plants: Plants) -> None:
    """PixelAPI refuses every order of a stage. Of two workers one is told to end: what waits goes to the other."""
    refused = {"kind": "error", "operation": "upscale", "status": 422, "message": "no such model"}
    plant = plants(behaviour={"faults": [refused]})
    ending, worker = flood_worker(plant).wait_ready(), flood_worker(plant).wait_ready()
    plant.send_new(EVENTS)
    until(lambda: stopped(worker) or stopped(ending), timeout_seconds=150, what="a stopped stage")
    assert ending.stop() == 0
    until(lambda: stopped(worker), timeout_seconds=150, what="the other's stop")
    until(lambda: jobs(plant, "remove-background") == EVENTS, timeout_seconds=150, what="the first stage")
    written = len(letters(plant))
    assert BUDGET <= written <= 2 * BUDGET
    told = resume(plant, "--stage", "upscale", "--reason", "api-rejected", "--why", "the old model is gone")
    assert told == [{"stage": "upscale", "reason": "api-rejected"}]
    until(lambda: len(letters(plant)) == written + BUDGET, timeout_seconds=150, what="as many letters again")
    (said,) = worker.said("flood-resumed")
    assert (said["why"], said["reason"]) == ("the old model is gone", "api-rejected")
    plant.provider.behave(faults=[])
    resume(plant, "--why", "PixelAPI has mended it")
    plant.wait_ended(EVENTS)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"api-rejected": written + BUDGET, "completed": EVENTS - written - BUDGET}


def test_a_bad_catalog_stops_nobody(plants: Plants) -> None:
    plant = plants()
    worker = flood_worker(plant)
    plant.send(*(b'{"sku_id": "BAD-%d", "raw_url": 7}' % number for number in range(250)))
    gone = [
        plant.event(f"GONE-{number}") | {"raw_url": f"{plant.provider.root}/photos/none-{number}.jpg"}
        for number in range(50)
    ]
    good = [plant.event(f"GOOD-{number}") for number in range(5)]
    plant.send(*(event for number in range(5) for event in (*gone[10 * number : 10 * number + 10], good[number])))
    plant.wait_ended(305)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"invalid-event": 250, "source-missing": 50, "completed": 5}
    assert worker.said("flood-stopped") == []
    assert worker.reasons() == []


def flood_worker(plant: Plant) -> WorkerProcess:
    return plant.worker(SKUSTREAM_FLOOD_LETTERS=str(BUDGET), SKUSTREAM_MAX_RUNNING_JOBS=str(AT_ONCE))


def flooded(plant: Plant) -> WorkerProcess:
    """A worker whose upscaling has been stopped by the events it was sent."""
    worker = flood_worker(plant)
    plant.send_new(EVENTS)
    until(lambda: stopped(worker), timeout_seconds=150, what="a stopped stage")
    return worker


def stopped(worker: WorkerProcess) -> bool:
    return any("upscale is stopped" in reason for reason in worker.reasons())


def jobs(plant: Plant, operation: str) -> int:
    """Jobs the provider took."""
    return Counter(job["operation"] for job in plant.provider.jobs())[operation]


def letters(plant: Plant) -> list[Any]:
    return list(plant.watcher.look().letters)


def resume(plant: Plant, *words: str) -> Any:
    """`skustream dlq resume` as typed elsewhere."""
    environment = surroundings() | SETTINGS | plant._store()
    done = subprocess.run(
        [*command(), "dlq", "resume", "--json", *words], env=environment, check=True, capture_output=True, timeout=300
    )
    return json.loads(done.stdout)
