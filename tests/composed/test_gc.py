"""`skustream gc` on a real store beside a working worker: only what no manifest shows is deleted, and only on a yes."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.composed.auditor import audit
from tests.composed.conftest import Plants
from tests.composed.evidence import contents, keys, plant_beside
from tests.composed.plant import Plant
from tests.services.waiting import until

RecordProperty = Callable[[str, object], None]
pytestmark = [pytest.mark.kafka, pytest.mark.s3]
PICTURES = 12
CREDITS = 70
LATE = 400
"""Enough to be killed among them."""


def test_superseded_pictures_go_in_two_runs_and_are_bought_again_when_the_old_photo_comes_back(plants: Plants) -> None:
    plant = plants()
    plant.worker()
    first = _completed(plant, sequence=1, version="old", colour=1)
    second = _completed(plant, sequence=2, version="new", colour=2)
    everything = _assets(plant)
    assert everything == first | second
    planned = plant.gc("--dry-run").answer()
    assert planned["fates"]["superseded"]["assets"] == PICTURES
    assert float(planned["fates"]["superseded"]["credits"]) == CREDITS
    assert plant.gc().answer()["deleted_assets"] == 0
    assert "condemned" not in plant.states(), "looking changes nothing"
    assert plant.gc("--yes").answer()["deleted_assets"] == 0
    assert _assets(plant) == everything, "the first yes only condemns"
    assert plant.gc("--dry-run").answer()["fates"]["due"]["assets"] == PICTURES
    assert plant.gc("--yes").answer()["deleted_assets"] == PICTURES
    assert _assets(plant) == second
    again = _completed(plant, sequence=3, version="old", colour=1)
    assert len(again) == PICTURES
    assert again & first == set(), "immutable URLs never change their content"
    assert _assets(plant) == second | again
    report = audit(plant.target())
    assert report.problems == []
    assert (plant.bought("SKU"), report.net_credits) == (9, Decimal(3 * CREDITS))


def test_condemned_pictures_that_are_needed_again_cost_nothing(plants: Plants) -> None:
    plant = plants()
    plant.worker()
    first = _completed(plant, sequence=1, version="old", colour=1)
    _completed(plant, sequence=2, version="new", colour=2)
    assert plant.gc("--yes").answer()["condemned_jobs"] == 5
    assert _completed(plant, sequence=3, version="old", colour=1) == first
    assert "condemned" not in plant.states()
    for _ in range(2):
        plant.gc("--yes").answer()
    assert _assets(plant) == first
    report = audit(plant.target())
    assert report.problems == []
    assert (plant.bought("SKU"), report.net_credits) == (6, Decimal(2 * CREDITS))


def test_a_run_killed_in_the_middle_beside_another_one_is_finished_by_the_next(
    plants: Plants, record_property: RecordProperty
) -> None:
    plant = plants()
    plant.worker()
    skus = [f"SKU-{number}" for number in range(2)]
    for sequence, version in ((1, "old"), (2, "new")):
        events = [plant.event(sku, sequence=sequence, version=version) for sku in skus]
        plant.send(*events)
        plant.wait_events(*(event["event_id"] for event in events))
    shown = _shown(plant)
    assert (len(shown), len(_assets(plant))) == (2 * PICTURES, 4 * PICTURES)
    old = next(iter(_assets(plant) - shown))
    plant_beside(plant.target(), old, LATE)
    plant.gc("--yes").answer()
    doomed, beside = plant.gc("--yes"), plant.gc("--yes")
    until(lambda: len(_assets(plant)) < 4 * PICTURES + LATE, timeout_seconds=150, what="a first deletion")
    doomed.kill()
    beside.kill()
    left = len(_assets(plant)) - len(shown)
    assert _shown(plant) == shown
    assert shown <= _assets(plant)
    assert audit(plant.target()).problems == []
    for _ in range(2):
        plant.gc("--yes").answer()
    assert _assets(plant) == shown
    assert audit(plant.target()).problems == []
    record_property("told", f"[gc] killed with {left} of {2 * PICTURES + LATE} superseded assets left")


def _completed(plant: Plant, *, sequence: int, version: str, colour: int) -> set[str]:
    """Send an event, wait for its end, and return what the shop sees then."""
    event = plant.event("SKU", sequence=sequence, version=version, colour=colour)
    plant.send(event)
    ended = plant.wait_events(event["event_id"]).record_of(event["event_id"])
    assert ended["status"] == "completed"
    return _shown(plant)


def _shown(plant: Plant) -> set[str]:
    """Every asset of every manifest."""
    documents = [json.loads(body) for key, body in contents(plant.target()) if key.endswith("/manifest.json")]
    return {asset["key"] for document in documents for asset in document["assets"].values()}


def _assets(plant: Plant) -> set[str]:
    """Everything in the store that is no document."""
    return {key for key in keys(plant.target(), under="SKU") if not key.endswith(".json")}
