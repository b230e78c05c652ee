"""L1, one end: under SIGKILL, rebalance and broker restart every raw event ends exactly once, counted in the topics.

Kills of brokers are counted on three of them: one alone that is killed loses what it has acknowledged (Kafka does not
wait for the disk). Kills of workers may cut a submit: its event then ends as a letter `ambiguous-submit` (L2).
"""

from collections.abc import Callable

import pytest

from tests.composed.auditor import AMBIGUOUS, Report, audit
from tests.composed.conftest import Plants
from tests.composed.kills import MANY_JOBS, Kills
from tests.composed.plant import Plant, drawn_lots
from tests.services.kafka import KafkaCluster

RecordProperty = Callable[[str, object], None]
pytestmark = [pytest.mark.kafka, pytest.mark.s3]

BUSY = {
    "default_latency": {"minimum_seconds": 1.0, "maximum_seconds": 4.0},
    "answer_delay": {"minimum_seconds": 0.1, "maximum_seconds": 0.6},
}


def test_without_faults_every_event_completes_once_with_all_assets(plants: Plants) -> None:
    plant = plants()
    plant.worker()
    plant.send_new(4)
    plant.send(b"{nope", b"\xff\x00\xfe", None)
    plant.wait_ended(7)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"completed": 4, "invalid-event": 3}
    assert (report.jobs_accepted, report.jobs_unknown) == (12, 0)


def test_killed_workers_and_a_killed_broker_end_every_event_exactly_once(
    plants: Plants, kafka3: KafkaCluster, record_property: RecordProperty
) -> None:
    """Traps 1, 2 and 4."""
    plant = plants(kafka=kafka3, behaviour=BUSY)
    rng, seed = drawn_lots()
    kills = Kills(seed, rng)
    for _ in range(2):
        plant.worker()
    plant.send_new(20)
    kills.in_a_submit(plant).start()
    plant.send_new(20, sku="NEXT")
    kills.at_random(plant, longest_wait_seconds=4).start()
    broker = rng.choice(sorted(kafka3.nodes))
    kafka3.kill(broker)
    kills.at_random(plant, longest_wait_seconds=4).start()
    kafka3.restart(broker)
    plant.wait_ended(40, timeout_seconds=180)
    _tell(record_property, kills, _judged(plant, kills))


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_twenty_kills_end_every_event_exactly_once(
    plants: Plants, kafka3: KafkaCluster, record_property: RecordProperty
) -> None:
    """At least 20 kills: 10 of them with a submit open, 15 with five jobs running, and two broker restarts between."""
    plant = plants(kafka=kafka3, behaviour=BUSY)
    rng, seed = drawn_lots()
    kills = Kills(seed, rng)
    for _ in range(3):
        plant.worker()
    sent: list[str] = []

    def keep_busy() -> None:
        if len(sent) - len(plant.watcher.look(0.1)) < 25:
            sent.extend(plant.send_new(5, sku=f"ROUND-{len(sent)}"))

    while kills.total < 20 or kills.hit_submits < 10 or kills.hit_many_jobs < 15:
        keep_busy()
        if kills.total % 3:
            victim = kills.in_a_submit(plant, jobs=MANY_JOBS, meanwhile=keep_busy, timeout_seconds=150)
        else:
            victim = kills.at_random(plant)
        victim.start().wait_ready()
        if kills.total in {7, 14}:
            broker = rng.choice(sorted(kafka3.nodes))
            kafka3.kill(broker)
            kafka3.restart(broker)
    plant.wait_ended(len(sent), timeout_seconds=300)
    _tell(record_property, kills, _judged(plant, kills))


def _judged(plant: Plant, kills: Kills) -> Report:
    report = audit(plant.target())
    assert report.problems == [], f"{kills}"
    assert set(report.ends) <= {"completed", AMBIGUOUS}, f"{kills}: {report.ends}"
    assert report.jobs_unknown <= len(kills.cut_submits) + report.ends[AMBIGUOUS]
    return report


def _tell(record: RecordProperty, kills: Kills, report: Report) -> None:
    """For the closing lines of the run, whichever process it ran in."""
    record("told", f"[L1] {kills}; {dict(report.ends)}, {report.jobs_accepted} jobs, {report.net_credits} credits")
