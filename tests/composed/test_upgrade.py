"""Upgrades, counted outside: whoever takes over from another version ends every event once and buys nothing twice."""

import json
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.composed.auditor import AMBIGUOUS, audit
from tests.composed.conftest import Plants
from tests.composed.evidence import contents
from tests.composed.kills import Kills
from tests.composed.plant import Plant, drawn_lots
from tests.composed.versions import Forgotten, tomorrow, yesterday

RecordProperty = Callable[[str, object], None]
pytestmark = [pytest.mark.kafka, pytest.mark.s3]

PATIENCE_SECONDS = 240
BUSY = {
    "default_latency": {"minimum_seconds": 0.5, "maximum_seconds": 1.5},
    "answer_delay": {"minimum_seconds": 0.3, "maximum_seconds": 0.8},
}
SLOW = {**BUSY, "answer_delay": {"minimum_seconds": 1.0, "maximum_seconds": 1.5}}
"""So that a submit is open whenever somebody wants to kill in one, however busy the machine is."""


@pytest.mark.timeout(600)
def test_todays_workers_take_over_from_the_first_releases_drained_and_killed(plants: Plants, tmp_path: Path) -> None:
    """One is told to stop, the other one is killed inside a submit; what both had begun is ended by today's."""
    plant = plants(behaviour=BUSY)
    old = _remembered(1, tmp_path)
    drained = plant.worker(**old)
    plant.worker(**old)
    sent = [plant.event(f"SKU-{number}") for number in range(8)]
    plant.send(*sent[:3])
    plant.wait_ended(1, timeout_seconds=PATIENCE_SECONDS)
    plant.send(*sent[3:6])
    plant.wait_jobs(1, status="running")
    assert drained.stop() == 0
    plant.provider.behave(answer_delay={"minimum_seconds": 2.0, "maximum_seconds": 2.0})  # long enough to be hit
    plant.send(*sent[6:])
    rng, seed = drawn_lots()
    Kills(seed, rng).in_a_submit(plant)
    plant.provider.behave(answer_delay=BUSY["answer_delay"])
    assert _fields(plant).isdisjoint({"waited_seconds", "collected"}), "written by the first release alone"
    plant.worker()
    plant.worker()
    plant.wait_ended(8, timeout_seconds=PATIENCE_SECONDS)
    bought = len(plant.provider.jobs())
    assert "waited_seconds" in _fields(plant)
    plant.send(*sent[:2])
    plant.wait_ended(10, timeout_seconds=PATIENCE_SECONDS)
    assert len(plant.provider.jobs()) == bought, "what was bought before the upgrade is not bought after it"
    _judge(plant, events=10)


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_today_and_tomorrow_stand_side_by_side_while_an_upgrade_rolls_and_is_taken_back(
    plants: Plants, tmp_path: Path, record_property: RecordProperty
) -> None:
    plant = plants(behaviour=SLOW)
    rng, seed = drawn_lots()
    kills = Kills(seed, rng)
    today, other = plant.worker(), plant.worker()
    plant.send_new(8)
    plant.wait_jobs(2, status="running")
    newer = plant.worker(**tomorrow(tmp_path)).wait_ready()
    plant.send_new(8, sku="ROLLING")
    kills.at_random(plant).start().wait_ready()
    assert today.stop() == 0
    plant.send_new(8, sku="ROLLED")
    kills.in_a_submit(plant).start().wait_ready()
    plant.wait_ended(12)
    assert other.stop() == 0
    today.start()
    plant.send_new(8, sku="BACK")
    plant.wait_ended(18)
    assert newer.stop() == 0
    plant.wait_ended(32, timeout_seconds=PATIENCE_SECONDS)
    assert "added" in _fields(plant)
    record_property("told", f"[an upgrade that rolls] {kills}")
    _judge(plant, events=32)


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("generation", [1, 2])
def test_an_upgrade_in_the_middle_of_kills(
    plants: Plants, tmp_path: Path, record_property: RecordProperty, generation: int
) -> None:
    plant = plants(behaviour=SLOW)
    old = _remembered(generation, tmp_path)
    rng, seed = drawn_lots()
    kills = Kills(seed, rng)
    for _ in range(3):
        plant.worker(**old)
    for wave in range(3):
        plant.send_new(7, sku=f"OLD-{wave}")
        kills.in_a_submit(plant).start()
    kills.at_random(plant).start()
    for worker in plant.workers:
        worker.wait_ready()
    plant.send_new(19, sku="BETWEEN")
    plant.wait_jobs(3, status="running")
    killed, *drained = plant.workers
    for worker in drained:
        worker.tell(signal.SIGTERM)
    killed.kill()
    assert [worker.wait_end() for worker in drained] == [0, 0]
    for _ in range(2):
        plant.worker()
    for wave in range(2):
        plant.send_new(10, sku=f"NEW-{wave}")
        kills.in_a_submit(plant).start()
    plant.wait_ended(60, timeout_seconds=PATIENCE_SECONDS)
    record_property("told", f"[upgrade of generation {generation}] {kills}")
    _judge(plant, events=60)


def _remembered(generation: int, folder: Path) -> Mapping[str, str]:
    """Yesterday's worker; where the history is not, nothing is proved, and that is said."""
    try:
        return yesterday(generation, folder)
    except Forgotten as forgotten:
        pytest.skip(f"NOT PROVED HERE: {forgotten}")


def _fields(plant: Plant) -> set[str]:
    """Every field that stands in a job's document."""
    found = contents(plant.target(), under="_ledger/jobs/")
    return {name for _, body in found for name in json.loads(body)}


def _judge(plant: Plant, *, events: int) -> None:
    """Every law, and no end but those that a lost answer may have."""
    report = audit(plant.target())
    assert report.problems == []
    assert sum(report.ends.values()) == events
    assert set(report.ends) <= {"completed", AMBIGUOUS}
