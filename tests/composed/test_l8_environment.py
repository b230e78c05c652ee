"""L8, the environment is not the event's fault: 401, 402, an outage, a store that is down. Events wait; no letters."""

import pytest

from tests.composed.auditor import Report, audit
from tests.composed.conftest import Gates, Plants
from tests.composed.plant import Plant
from tests.composed.worker import WorkerProcess
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]


def test_without_credits_events_wait_and_go_on_when_there_are_some(plants: Plants) -> None:
    """402 in the middle: accepted jobs are brought home, nothing new is bought, nobody gets a letter."""
    plant = plants(behaviour={"balance_credits": 80})
    worker = plant.worker()
    plant.send_new(4)
    _wait_missing(worker, "api-credits")
    plant.provider.behave(balance_credits=300_000)
    report = _all_completed(plant, 4)
    assert report.jobs_accepted == 12


def test_a_refused_key_pauses_and_a_good_one_resumes(plants: Plants) -> None:
    """401 for submits and polls alike."""
    plant = plants()
    worker = plant.worker()
    refusing = [{"kind": "error", "at": step, "status": 401} for step in ("submit", "poll", "account")]
    plant.send_new(3)
    plant.wait_jobs(1)
    plant.provider.behave(faults=refusing)
    _wait_missing(worker, "api-key")
    plant.provider.behave(faults=[])
    _all_completed(plant, 3)


def test_a_provider_that_is_busy_for_long_gets_no_letters_written(plants: Plants) -> None:
    """Trap 11: 503 to everything, for longer than any attempt lasts; then it serves again."""
    plant = plants()
    worker = plant.worker(SKUSTREAM_RETRY_ATTEMPTS="1")  # whoever spends an attempt writes a letter
    busy = [{"kind": "busy", "at": step, "seconds": 1} for step in ("submit", "poll")]
    plant.provider.behave(faults=busy)
    plant.send_new(4)
    _wait_missing(worker, "api-outage")
    until(lambda: _refused(plant) >= 5, timeout_seconds=150, what="many refusals")
    assert plant.watcher.look().letters == []
    plant.provider.behave(faults=[])
    _all_completed(plant, 4)


def test_a_provider_that_cannot_be_reached_pauses_intake(plants: Plants, gates: Gates) -> None:
    plant = plants(behaviour={"default_latency": {"minimum_seconds": 1, "maximum_seconds": 2}})
    gate = gates(plant.provider.port)
    worker = plant.worker(PIXELAPI_BASE=f"http://127.0.0.1:{gate.port}/v1")
    plant.send_new(3, stages=["remove-bg"])  # no further order of theirs could be cut in two
    plant.wait_accepted(3)
    gate.shut()
    plant.send_new(3, sku="NEXT")
    _wait_missing(worker, "api-outage")
    gate.open()
    _all_completed(plant, 6)


def test_a_store_that_is_down_for_a_while_loses_nothing(plants: Plants, gates: Gates) -> None:
    plant = plants(behaviour={"default_latency": {"minimum_seconds": 3, "maximum_seconds": 4}})
    gate = gates(int(plant.s3.endpoint_url.rpartition(":")[2]))
    worker = plant.worker(AWS_ENDPOINT_URL=f"http://127.0.0.1:{gate.port}")
    plant.send_new(4)
    plant.wait_accepted(4)
    gate.shut()
    _wait_missing(worker, "store")
    gate.open()
    report = _all_completed(plant, 4)
    assert report.jobs_accepted == 12


def _refused(plant: Plant) -> int:
    return int(plant.provider.summary()["answers_by_status"].get("503", 0))


def _missing(worker: WorkerProcess) -> list[str]:
    return [reason for reason in worker.reasons() if "paused" in reason]


def _wait_missing(worker: WorkerProcess, resource: str) -> None:
    until(
        lambda: any(resource in reason for reason in _missing(worker)), timeout_seconds=150, what=f"{resource} missed"
    )


def _all_completed(plant: Plant, count: int) -> Report:
    plant.wait_ended(count)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"completed": count}
    return report
