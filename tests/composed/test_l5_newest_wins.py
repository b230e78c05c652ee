"""L5, newest wins: stale events buy nothing, never replace newer assets, and jobs they had bought are settled."""

import json
from typing import Any

import pytest

from tests.composed.auditor import audit
from tests.composed.conftest import Plants
from tests.composed.evidence import contents
from tests.composed.plant import Plant
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]

SLOW_CUTTING = {"latency": {"remove-background": {"minimum_seconds": 5, "maximum_seconds": 5}}}


def test_an_older_event_after_a_newer_one_costs_nothing_and_changes_nothing(calm: Plant) -> None:
    calm.send(calm.event("PAST", sequence=2, version="new", event_id="newer"))
    newer = calm.wait_events("newer").record_of("newer")
    before = _manifest(calm, "PAST")
    calm.send(calm.event("PAST", sequence=1, version="old", event_id="older"))
    older = calm.wait_events("older").record_of("older")
    assert (older["status"], float(older["credits"]), older["assets"]) == ("superseded", 0, {})
    assert older["superseded_by"] == newer["origin"]
    assert (_manifest(calm, "PAST"), calm.bought("PAST")) == (before, 3)
    assert audit(calm.target()).problems == []


def test_a_re_sent_event_completes_for_nothing(calm: Plant) -> None:
    """Trap 8: what is known already is an end of its own, not a loss."""
    event = calm.event("TWICE", occurred_at="2026-11-22T10:00:00Z", event_id="first")
    calm.send(event)
    first = calm.wait_events("first").record_of("first")
    calm.send({**event, "event_id": "again"})
    again = calm.wait_events("again").record_of("again")
    assert (again["status"], float(again["credits"]), float(first["credits"])) == ("completed", 0, 70)
    assert {name: asset["sha256"] for name, asset in again["assets"].items()} == {
        name: asset["sha256"] for name, asset in first["assets"].items()
    }
    assert calm.bought("TWICE") == 3
    assert audit(calm.target()).problems == []


def test_of_two_events_of_one_time_and_different_content_the_first_admitted_stands(calm: Plant) -> None:
    moment = "2026-11-22T10:00:00Z"
    calm.send(calm.event("RIVAL", occurred_at=moment, version="a", event_id="this"))
    until(lambda: calm.bought("RIVAL") > 0, timeout_seconds=150, what="a job of the first")
    calm.send(calm.event("RIVAL", occurred_at=moment, version="b", event_id="that"))
    ended = calm.wait_events("this", "that")
    assert [ended.record_of(name)["status"] for name in ("this", "that")] == ["completed", "superseded"]
    assert calm.bought("RIVAL") == 3
    assert audit(calm.target()).problems == []


def test_of_rivals_that_come_together_one_is_chosen_and_its_assets_alone_are_shown(calm: Plant) -> None:
    """Which of many events of one time stands is decided once, for everybody."""
    moment = "2026-11-22T10:00:00Z"
    rivals = [calm.event("MANY", occurred_at=moment, version=f"v{number}") for number in range(6)]
    calm.send(*rivals)
    ended = calm.wait_events(*(rival["event_id"] for rival in rivals))
    records = [ended.record_of(rival["event_id"]) for rival in rivals]
    (winner,) = [record for record in records if record["status"] == "completed"]
    assert _shown(calm, "MANY") == {asset["key"] for asset in winner["assets"].values()}
    assert {record["status"] for record in records} == {"completed", "superseded"}
    assert calm.bought("MANY") == 3
    assert audit(calm.target()).problems == []


def test_many_events_of_one_key_end_in_order_while_others_pass(calm: Plant) -> None:
    """Trap 17: one hot image among others; its newest wins, each event ends once, nothing is bought twice."""
    hot = [calm.event("HOT", sequence=number, version=f"v{number}") for number in range(12)]
    cold = [calm.event(f"COLD-{number}") for number in range(3)]
    calm.send(*hot, *cold)
    ended = calm.wait_events(*(event["event_id"] for event in (*hot, *cold)))
    newest = ended.record_of(hot[-1]["event_id"])
    assert newest["status"] == "completed"
    assert _shown(calm, "HOT") == {asset["key"] for asset in newest["assets"].values()}
    assert audit(calm.target()).problems == []


def test_an_older_event_overtaken_in_the_middle_of_its_job_settles_it_and_ends_superseded(plants: Plants) -> None:
    plant = plants(behaviour=SLOW_CUTTING)
    plant.worker()
    plant.send(plant.event("SKU", sequence=1, version="old", event_id="older"))
    plant.wait_accepted(1)
    plant.send(plant.event("SKU", sequence=2, version="new", event_id="newer"))
    _expect_overtaken(plant, credits_of_older=10, assets_of_older=["raw", "transparent"], jobs=4)


def test_an_older_event_overtaken_while_its_worker_is_dead_still_settles_its_job(plants: Plants) -> None:
    """The next owner finds an accepted job and a newer event: the job was paid for, so it is brought home first."""
    plant = plants(behaviour={"latency": {"upscale": {"minimum_seconds": 4, "maximum_seconds": 4}}})
    first, upscaler = plant.worker("remove-bg"), plant.worker("upscale")
    plant.send(plant.event("SKU", sequence=1, version="old", event_id="older"))
    plant.wait_jobs(1, operation="upscale")
    plant.wait_accepted(1)
    upscaler.kill()
    plant.send(plant.event("SKU", sequence=2, version="new", event_id="newer"))
    plant.wait_jobs(2, operation="remove-background")
    upscaler.start()
    plant.worker("lifestyle", "thumbnails")
    assert first.is_running
    _expect_overtaken(plant, credits_of_older=60, assets_of_older=["raw", "transparent", "upscaled"], jobs=5)


def test_a_photo_replaced_while_its_worker_is_dead_leaves_no_job_behind(plants: Plants) -> None:
    """No version is given: the photo's server tells it, and told another one before the crash."""
    plant = plants(behaviour=SLOW_CUTTING)
    worker = plant.worker()
    plant.send(plant.event("SKU", sequence=1, event_id="older", colour=1))
    plant.wait_accepted(1)
    worker.kill()
    plant.send(plant.event("SKU", sequence=2, event_id="newer", colour=2))
    worker.start()
    _expect_overtaken(plant, credits_of_older=10, assets_of_older=["raw", "transparent"], jobs=4)


def _expect_overtaken(plant: Plant, *, credits_of_older: int, assets_of_older: list[str], jobs: int) -> None:
    ended = plant.wait_ended(2)
    older, newer = ended.record_of("older"), ended.record_of("newer")
    assert (older["status"], newer["status"]) == ("superseded", "completed")
    assert (float(older["credits"]), sorted(older["assets"])) == (credits_of_older, assets_of_older)
    assert _shown(plant, "SKU") == {asset["key"] for asset in newer["assets"].values()}
    report = audit(plant.target())
    assert report.problems == []
    assert report.jobs_accepted == jobs


def _shown(plant: Plant, sku_id: str) -> set[str]:
    """The assets the shop sees."""
    return {asset["key"] for asset in _manifest(plant, sku_id)["assets"].values()}


def _manifest(plant: Plant, sku_id: str) -> dict[str, Any]:
    ((_, body),) = contents(plant.target(), under=f"{sku_id}/main/manifest.json")
    manifest: dict[str, Any] = json.loads(body)
    return manifest
