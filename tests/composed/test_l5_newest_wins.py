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


def test_an_older_event_after_a_newer_one_costs_nothing_and_changes_nothing(plants: Plants) -> None:
    plant = plants()
    plant.worker()
    plant.send(plant.event("SKU", sequence=2, version="new", event_id="newer"))
    plant.wait_ended(1)
    before, accepted = _manifest(plant), plant.provider.accepted()
    plant.send(plant.event("SKU", sequence=1, version="old", event_id="older"))
    older = plant.wait_ended(2).record_of("older")
    assert (older["status"], float(older["credits"]), older["assets"]) == ("superseded", 0, {})
    assert older["superseded_by"]["offset"] == plant.watcher.ended.record_of("newer")["origin"]["offset"]
    assert (_manifest(plant), plant.provider.accepted()) == (before, accepted)
    assert audit(plant.target()).problems == []


def test_a_re_sent_event_completes_for_nothing(plants: Plants) -> None:
    """Trap 8: what is known already is an end of its own, not a loss."""
    plant = plants()
    plant.worker()
    event = plant.event("SKU", occurred_at="2026-11-22T10:00:00Z", event_id="first")
    plant.send(event)
    plant.wait_ended(1)
    accepted = plant.provider.accepted()
    plant.send({**event, "event_id": "again"})
    again = plant.wait_ended(2).record_of("again")
    first = plant.watcher.ended.record_of("first")
    assert (again["status"], float(again["credits"]), float(first["credits"])) == ("completed", 0, 70)
    assert {name: asset["sha256"] for name, asset in again["assets"].items()} == {
        name: asset["sha256"] for name, asset in first["assets"].items()
    }
    assert plant.provider.accepted() == accepted
    assert audit(plant.target()).problems == []


def test_of_two_events_of_one_time_and_different_content_the_first_admitted_stands(plants: Plants) -> None:
    plant = plants()
    plant.worker()
    moment = "2026-11-22T10:00:00Z"
    plant.send(plant.event("SKU", occurred_at=moment, version="a", event_id="first"))
    plant.wait_jobs(1)
    plant.send(plant.event("SKU", occurred_at=moment, version="b", event_id="second"))
    ended = plant.wait_ended(2)
    assert [ended.record_of(name)["status"] for name in ("first", "second")] == ["completed", "superseded"]
    report = audit(plant.target())
    assert report.problems == []
    assert report.jobs_accepted == 3


def test_of_rivals_that_come_together_one_is_chosen_and_its_assets_alone_are_shown(plants: Plants) -> None:
    """Trap 17: many events of one key at once, all of one time. Which one stands is decided once, for everybody."""
    plant = plants()
    plant.worker()
    plant.worker()
    moment = "2026-11-22T10:00:00Z"
    plant.send(*(plant.event("SKU", occurred_at=moment, version=f"v{number}") for number in range(6)))
    ended = plant.wait_ended(6)
    (winner,) = [record for record in ended.completed if record["status"] == "completed"]
    shown = {asset["key"] for asset in _manifest(plant)["assets"].values()}
    assert shown == {asset["key"] for asset in winner["assets"].values()}
    report = audit(plant.target())
    assert report.problems == []
    assert (report.ends["superseded"], report.jobs_accepted) == (5, 3)


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


def _expect_overtaken(plant: Plant, *, credits_of_older: int, assets_of_older: list[str], jobs: int) -> None:
    ended = plant.wait_ended(2)
    older, newer = ended.record_of("older"), ended.record_of("newer")
    assert (older["status"], newer["status"]) == ("superseded", "completed")
    assert (float(older["credits"]), sorted(older["assets"])) == (credits_of_older, assets_of_older)
    shown = {name: asset["key"] for name, asset in _manifest(plant)["assets"].items()}
    assert shown == {name: asset["key"] for name, asset in newer["assets"].items()}
    report = audit(plant.target())
    assert report.problems == []
    assert report.jobs_accepted == jobs


def _manifest(plant: Plant) -> dict[str, Any]:
    found: list[bytes] = []

    def written() -> bool:
        found[:] = [body for _, body in contents(plant.target(), under="SKU/main/manifest.json")]
        return bool(found)

    until(written, timeout_seconds=10, what="a manifest")
    manifest: dict[str, Any] = json.loads(found[0])
    return manifest
