"""Traps our peers fell into that no law's own file covers. README.md of this folder has the whole table."""

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.composed.auditor import audit
from tests.composed.conftest import Plants
from tests.composed.plant import Plant
from tests.services.clients import consumer
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]


def test_a_retry_waits_without_holding_a_job_slot_and_a_slow_head_blocks_nobody(plants: Plants) -> None:
    """Trap 5: one running job allowed, the first event keeps failing; those behind it in its partition go on."""
    stumbling = [{"kind": "error", "at": "submit", "match": {"url": "/HEAD/"}, "message": "cannot read it just now"}]
    plant = plants(behaviour={"faults": stumbling})
    plant.worker(
        SKUSTREAM_MAX_RUNNING_JOBS="1", SKUSTREAM_RETRY_BASE_SECONDS="60", SKUSTREAM_RETRY_CAP_SECONDS="60",
    )  # fmt: skip
    plant.send(plant.event("HEAD"), partition=0)
    until(
        lambda: plant.provider.summary()["answers_by_status"].get("500", 0) > 0, timeout_seconds=150, what="a refusal"
    )
    for number in range(3):
        plant.send(plant.event(f"BEHIND-{number}"), partition=0)
    ended = plant.wait_ended(3)
    assert {record["sku_id"] for record in ended.completed} == {"BEHIND-0", "BEHIND-1", "BEHIND-2"}


def test_what_waits_for_the_environment_is_bounded(plants: Plants) -> None:
    """Trap 6: without credits nothing ends; tickets in hand stay few, the rest waits in Kafka."""
    plant = plants(behaviour={"balance_credits": 0})
    patient = {"SKUSTREAM_SUBMIT_TIMEOUT_SECONDS": "30", "SKUSTREAM_CLAIM_LEASE_SECONDS": "60"}
    worker = plant.worker("remove-bg", SKUSTREAM_LANE_TICKETS="20", **patient)
    event = plant.event("SKU", version="1")
    plant.send(*({**event, "sku_id": f"SKU-{number}", "event_id": f"e{number}"} for number in range(900)))
    until(lambda: any("api-credits" in reason for reason in worker.reasons()), timeout_seconds=150, what="a pause")
    # One poll may bring 200 records beyond a full lane; the lanes are three.
    assert 0 < worker.gauge("skustream_events_in_flight") <= 3 * (20 + 200)
    assert plant.watcher.look().letters == []


def test_damaged_commit_metadata_skips_nothing(plants: Plants) -> None:
    """Trap 7: somebody wrote nonsense where the finished offsets stand; every event still ends, and once."""
    plant = plants()
    worker = plant.worker()
    plant.send_new(3)
    plant.wait_ended(3)
    assert worker.stop() == 0
    plant.send_new(6, sku="NEXT")
    _spoil_metadata(plant, "1:AAAAAAECAwQFBgcICQ==")
    worker.start()
    plant.wait_ended(9)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"completed": 9}


def test_a_job_that_outlasts_every_timeout_of_ours_is_waited_for(plants: Plants) -> None:
    """Trap 15: the job takes longer than submit timeout, claim lease, session or transaction timeout."""
    plant = plants(behaviour={"latency": {"remove-background": {"minimum_seconds": 12, "maximum_seconds": 12}}})
    worker = plant.worker()
    plant.send_new(2)
    plant.wait_ended(2)
    assert worker.ailments() == []
    report = audit(plant.target())
    assert report.problems == []
    assert (report.ends["completed"], report.jobs_accepted) == (2, 6)


def test_somebody_elses_silence_is_not_our_own_stop(plants: Plants) -> None:
    """Trap 16: polls and downloads that hang until their timeout end neither the worker nor the event."""
    silent = [
        {"kind": "hang", "at": "poll", "times": 2},
        {"kind": "truncated", "times": 1},
        {"kind": "html", "times": 1},
    ]
    plant = plants(behaviour={"faults": silent})
    worker = plant.worker()
    plant.send_new(3)
    plant.wait_ended(3)
    assert worker.ailments() == []
    report = audit(plant.target())
    assert report.problems == []
    assert (report.ends["completed"], report.jobs_accepted) == (3, 9)


def _spoil_metadata(plant: Plant, metadata: str) -> None:
    """Commit the same offsets with other metadata, as a member of the group that has nobody else."""
    raw = plant.topic("raw")
    vandal: Consumer = consumer(plant.kafka, plant.topic("remove-bg"))
    try:
        committed = vandal.committed([TopicPartition(raw, number) for number in range(3)], timeout=30)
        spoiled = [TopicPartition(raw, part.partition, max(part.offset, 0), metadata) for part in committed]
        vandal.commit(offsets=spoiled, asynchronous=False)
        assert {part.metadata for part in vandal.committed(committed, timeout=30)} == {metadata}
    finally:
        vandal.close()
