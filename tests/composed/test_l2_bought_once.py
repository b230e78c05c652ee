"""L2, bought once: whatever is lost between a POST and the durable job id, nothing is ever bought a second time."""

import signal

import pytest

from tests.composed.auditor import AMBIGUOUS, audit
from tests.composed.conftest import Gates, Plants
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]


def test_a_kill_between_the_post_and_the_durable_id_is_never_followed_by_a_second_submit(plants: Plants) -> None:
    """The provider took the job and holds its answer; the worker dies; the next one must not buy, but ask a person."""
    plant = plants(behaviour={"faults": [{"kind": "accept-hang", "times": 1}]})
    worker = plant.worker()
    event = plant.event("SKU")
    plant.send(event)
    plant.wait_jobs(1)
    worker.kill()
    worker.start()
    letter = plant.wait_ended(1).letters[0]
    assert letter["skustream.reason"] == AMBIGUOUS
    assert (letter["skustream.stage"], letter["skustream.operation"]) == ("remove-bg", "remove-bg")
    assert letter["skustream.job-key"]
    # The PIM sends it again: still nothing is bought, the answer is as unknown as before.
    plant.send(event)
    plant.wait_ended(2)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {AMBIGUOUS: 2}
    assert (plant.provider.summary()["requests_by_step"]["submit"], report.jobs_unknown) == (1, 1)


def test_an_answer_lost_on_the_way_ends_as_a_letter_and_is_not_asked_for_again(plants: Plants) -> None:
    """Three ways to lose it: the line is cut, silence beyond the submit's timeout, a 500 that says nothing."""
    lost = [
        {"kind": "accept-drop", "match": {"url": "/CUT/"}},
        {"kind": "accept-hang", "match": {"url": "/SILENT/"}},
        {"kind": "accept-error", "match": {"url": "/ERROR/"}, "status": 500, "shape": "empty"},
    ]
    plant = plants(behaviour={"faults": lost})
    plant.worker()
    plant.send(*(plant.event(name) for name in ("CUT", "SILENT", "ERROR", "FINE")))
    ended = plant.wait_ended(4)
    assert {letter["skustream.sku-id"] for letter in ended.letters} == {"CUT", "SILENT", "ERROR"}
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {AMBIGUOUS: 3, "completed": 1}
    assert plant.provider.summary()["requests_by_step"]["submit"] == 6


def test_a_lost_job_is_found_in_the_providers_books_and_completed(plants: Plants) -> None:
    """Where its usage names the inputs, neither a kill nor a lost answer costs a letter; nothing is bought twice."""
    lost = [{"kind": "accept-drop", "match": {"url": "/CUT/"}}, {"kind": "accept-hang", "match": {"url": "/KILLED/"}}]
    plant = plants(behaviour={"usage_enabled": True, "faults": lost})
    worker = plant.worker()
    plant.send(*(plant.event(name) for name in ("CUT", "KILLED")))
    plant.wait_jobs(2)
    worker.kill()
    worker.start()
    plant.wait_ended(2)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"completed": 2}
    assert plant.provider.summary()["requests_by_step"]["submit"] == report.jobs_accepted == 6


def test_a_failed_job_is_bought_again_only_after_the_provider_said_so_and_only_as_often_as_allowed(
    plants: Plants,
) -> None:
    failing = [
        {"kind": "failed", "operation": "upscale", "match": {"url": "/ONCE/"}, "times": 1},
        {"kind": "failed", "operation": "upscale", "match": {"url": "/ALWAYS/"}},
        {"kind": "blocked", "operation": "upscale", "match": {"url": "/BLOCKED/"}},
    ]
    plant = plants(behaviour={"faults": failing})
    plant.worker()
    plant.send(*(plant.event(name) for name in ("ONCE", "ALWAYS", "BLOCKED")))
    ended = plant.wait_ended(3)
    assert {letter["skustream.sku-id"]: letter["skustream.reason"] for letter in ended.letters} == {
        "ALWAYS": "job-failed",
        "BLOCKED": "job-blocked",
    }
    report = audit(plant.target())
    assert report.problems == []
    bought = [job["image_url"].split("/")[-3] for job in plant.provider.jobs() if job["operation"] == "upscale"]
    assert {sku: bought.count(sku) for sku in bought} == {"ONCE": 2, "ALWAYS": 2, "BLOCKED": 1}


def test_a_worker_frozen_past_its_session_and_thawed_buys_nothing_twice_and_ends_nothing_twice(
    plants: Plants,
) -> None:
    plant = plants(behaviour={"latency": {"remove-background": {"minimum_seconds": 4, "maximum_seconds": 5}}})
    frozen = plant.worker()
    plant.send_new(4)
    plant.wait_accepted(4)
    frozen.tell(signal.SIGSTOP)
    plant.worker()
    plant.wait_ended(4)
    frozen.tell(signal.SIGCONT)
    frozen.wait_ready()
    plant.send_new(2, sku="LATER")
    plant.wait_ended(6)
    assert frozen.stop() == 0
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"completed": 6}
    assert report.jobs_accepted == 18


def test_an_acceptance_that_comes_late_wins_over_the_doubt(plants: Plants, gates: Gates) -> None:
    """Its store is cut off just when the answer comes, then it is frozen and taken for dead.

    Thawed, it writes the job id down after all: the doubt is over, and a re-sent event uses the job.
    """
    plant = plants(behaviour={"answer_delay": {"minimum_seconds": 2, "maximum_seconds": 2}})
    gate = gates(int(plant.s3.endpoint_url.rpartition(":")[2]))
    frozen = plant.worker(AWS_ENDPOINT_URL=f"http://127.0.0.1:{gate.port}")
    event = plant.event("SKU")
    plant.send(event)
    plant.wait_jobs(1)  # the picture is fetched and the job taken; its answer is on the way
    gate.shut()
    until(lambda: bool(frozen.said("ledger-write-waits")), timeout_seconds=150, what="an answer that cannot be kept")
    frozen.tell(signal.SIGSTOP)
    plant.worker()
    assert plant.wait_ended(1).letters[0]["skustream.reason"] == AMBIGUOUS
    gate.open()
    frozen.tell(signal.SIGCONT)
    until(lambda: "ambiguous" not in plant.states(), timeout_seconds=150, what="the late answer written down")
    plant.send({**event, "event_id": "again"})
    plant.wait_ended(2)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {AMBIGUOUS: 1, "completed": 1}
    assert report.jobs_accepted == 3
