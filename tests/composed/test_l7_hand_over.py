"""L7, hand-over: a rebalance, a deploy or a crash never throws a running job away; the next owner goes on polling."""

import signal

import pytest

from tests.composed.auditor import audit
from tests.composed.conftest import Plants
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]

LONG = {"latency": {"remove-background": {"minimum_seconds": 4, "maximum_seconds": 6}}}


def test_a_rebalance_and_a_deploy_under_load_buy_nothing_again_and_write_no_letter(plants: Plants) -> None:
    """Traps 3 and 4: a second worker joins while jobs run, the first one is told to go, the second finishes all."""
    plant = plants(behaviour=LONG)
    first = plant.worker()
    plant.send_new(8)
    plant.wait_jobs(3, status="running")
    second = plant.worker().wait_ready()
    plant.send_new(4, sku="NEXT")
    plant.wait_jobs(3, status="running")
    assert first.stop() == 0
    assert second.ailments() == []
    plant.wait_ended(12)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"completed": 12}
    assert (report.jobs_accepted, report.jobs_unknown) == (36, 0)


def test_jobs_of_a_killed_worker_are_adopted_not_bought_again(plants: Plants) -> None:
    plant = plants(behaviour={"latency": {"remove-background": {"minimum_seconds": 8, "maximum_seconds": 9}}})
    worker = plant.worker()
    plant.send_new(5)
    plant.wait_accepted(5)
    worker.kill()
    plant.worker()
    plant.wait_ended(5)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"completed": 5}
    assert report.jobs_accepted == 15


def test_told_to_stop_inside_a_submit_it_waits_for_the_answer_and_keeps_the_job(plants: Plants) -> None:
    """Trap 4: closing must not cut what was paid for. The submit's answer takes its time; the id is kept."""
    plant = plants(behaviour={"answer_delay": {"minimum_seconds": 2.5, "maximum_seconds": 2.5}})
    worker = plant.worker()
    plant.send_new(1)
    until(lambda: bool(plant.provider.open_submits()), timeout_seconds=150, what="an open submit")
    worker.tell(signal.SIGTERM)
    assert worker.wait_end() == 0
    plant.provider.behave(answer_delay={"minimum_seconds": 0, "maximum_seconds": 0})
    plant.worker()
    plant.wait_ended(1)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"completed": 1}
    assert report.jobs_accepted == 3
