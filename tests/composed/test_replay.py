"""Replays with everything real: letters of every kind go back, end once each, and cost what was missing.

Counted from outside: at the provider, in the topics, in the store. `audit()` demands one record and one end for every
mark, and that nothing is bought twice but by a decision, and then once.
"""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.composed import photos
from tests.composed.auditor import audit
from tests.composed.conftest import Plants
from tests.composed.evidence import collect
from tests.composed.plant import Plant, drawn_lots
from tests.composed.test_l1_notifications import Bucket
from tests.services.waiting import until

RecordProperty = Callable[[str, object], None]
pytestmark = [pytest.mark.kafka, pytest.mark.s3]
QUICK_TO_GIVE_UP = {"SKUSTREAM_RETRY_ATTEMPTS": "1"}
SURE = ("--ask-above", "1000000")
SLOWLY = {"SKUSTREAM_KAFKA_QUEUE_BUFFERING_MAX_MESSAGES": "1"}
"""Every record waits for the one before, so that a transaction lasts long enough to be hit."""


def replayed(plant: Plant, *words: str, code: int = 0, **settings: str) -> dict[str, Any]:
    """The answer of a replay that ran to its end."""
    return plant.dlq("replay", "--json", *words, **settings).answer(code=code)


def marks(plant: Plant) -> list[dict[str, Any]]:
    return [record.json() for record in collect(plant.target()).records["replays"] if record.value]


def spent(plant: Plant) -> Decimal:
    jobs = plant.provider.jobs()
    return sum(
        (Decimal(str(job["charged_credits"])) - Decimal(str(job["refunded_credits"])) for job in jobs), Decimal(0)
    )


FAULTS: dict[str, dict[str, Any]] = {
    "EXHAUSTED": {"kind": "error", "at": "submit", "operation": "upscale", "message": "cannot read it just now"},
    "REJECTED": {"kind": "error", "at": "submit", "operation": "upscale", "status": 422, "message": "no product"},
    "OVERDUE": {"kind": "slow", "operation": "upscale", "seconds": 14},
    "FAILED": {"kind": "failed", "operation": "upscale"},
    "EMPTY": {"kind": "html", "operation": "upscale"},
}
REASONS = {
    "EXHAUSTED": "retries-exhausted", "REJECTED": "api-rejected", "OVERDUE": "job-overdue", "FAILED": "job-failed",
    "EMPTY": "bad-result", "MISSING": "source-missing", "UGLY": "invalid-image", "WRONG": "invalid-event",
}  # fmt: skip


def test_letters_of_every_replayable_reason_go_back_and_complete_for_what_was_missing(plants: Plants) -> None:
    """The faults are lifted, then everything goes back; what one event paid before is not paid again."""
    faults = [{**fault, "match": {"picture": f"/{sku}/"}} for sku, fault in FAULTS.items()]
    plant = plants(behaviour={"faults": faults})
    plant.pipeline(deadline_seconds=4)
    worker = plant.worker(**QUICK_TO_GIVE_UP)
    events = {sku: plant.event(sku) for sku in REASONS if sku != "WRONG"}
    wrong = plant.event("WRONG", colour_of_the_year="red")
    (plant.provider.photos / "MISSING.jpg").unlink()
    (plant.provider.photos / "UGLY.jpg").write_bytes(b"GIF89a")
    plant.send(*events.values(), wrong)
    told = plant.wait_ended(len(REASONS)).letters
    assert Counter(letter["skustream.reason"] for letter in told) == Counter(REASONS.values())
    plant.provider.behave(faults=[])
    for colour, sku in enumerate(("MISSING", "UGLY")):
        photos.draw(plant.provider.photos, f"{sku}.jpg", colour=90 + colour)
    plant.pipeline(deadline_seconds=60, job_attempts=3)
    worker.stop()
    plant.worker(**QUICK_TO_GIVE_UP)
    before = spent(plant)
    plan = replayed(plant, "--all", "--dry-run")["plan"]
    assert [(each["cause"], each["letters"]) for each in plan["staying"]] == [("invalid-event", 1)]
    sure = replayed(plant, "--all", "--approve", plan["plan_id"])
    assert (sure["done"]["written"], plan["letters"]) == (7, 7)
    mended = replayed(plant, "--reason", "invalid-event", "--set", "colour_of_the_year=null", *SURE)
    assert mended["done"]["written"] == 1
    plant.wait_ended(2 * len(REASONS))
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends["completed"] == len(REASONS)
    assert spent(plant) - before == Decimal(str(plan["credits"])) + Decimal(str(mended["plan"]["credits"]))
    cutouts = [job for job in plant.provider.jobs() if job["operation"] == "remove-background"]
    assert Counter(job["image_url"].split("/")[-3] for job in cutouts) == dict.fromkeys(REASONS, 1)


def without_photos(plant: Plant, count: int, *, sku: str = "SKU", **fields: Any) -> list[str]:
    """So many letters source-missing of events that want a cut-out alone (malformed input stops no stage)."""
    names = [f"{sku}-{number}" for number in range(count)]
    events = [plant.event(name, stages=["remove-bg"], **fields) for name in names]
    for name in names:
        (plant.provider.photos / f"{name}.jpg").unlink()
    plant.send(*events)
    plant.wait_ended(count)
    for colour, name in enumerate(names):
        photos.draw(plant.provider.photos, f"{name}.jpg", colour=colour)
    return names


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=[pytest.mark.chaos, pytest.mark.timeout(900)])])
def test_a_replay_that_is_killed_and_run_again_puts_every_letter_back_once(
    plants: Plants, kills: int, record_property: RecordProperty
) -> None:
    rng, seed = drawn_lots()
    plant = plants()
    plant.worker()
    count = 30 if kills == 2 else 150
    without_photos(plant, count)
    hit = Counter[str]()
    while hit["kills"] < kills:
        # A few every second, or all in one slow transaction: a kill falls between two of them, or into one.
        rate = rng.choice((("--rate", "2"), ("--rate", "20"), ()))
        operator = plant.dlq("replay", "--reason", "source-missing", *SURE, *rate, **SLOWLY)
        seen = plant.end_of("replays")
        until(
            lambda: not operator.is_running or plant.end_of("replays") > seen,  # noqa: B023
            timeout_seconds=150, what="the first record of a replay",
        )  # fmt: skip
        hit["over before"] += not operator.is_running
        operator.kill()
        hit["kills"] += 1
        hit["in a transaction"] += plant.count("replays", committed=False) > plant.count("replays")
        if plant.count("replays") >= count:
            break
    record_property("told", f"replay: {dict(hit)}; seed {seed}")
    rest = replayed(plant, "--reason", "source-missing", *SURE)
    assert rest["plan"]["letters"] == (rest["done"] or {"written": 0})["written"]
    plant.wait_ended(2 * count)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"source-missing": count, "completed": count}
    assert len(marks(plant)) == count
    assert plant.provider.accepted() == count


def test_of_operators_that_begin_at_once_each_letter_is_put_back_by_one(plants: Plants) -> None:
    plant = plants()
    plant.worker()
    without_photos(plant, 12)
    operators = [plant.dlq("replay", "--all", *SURE, "--rate", "4", "--by", f"operator-{n}") for n in range(3)]
    codes = [operator.wait_end() for operator in operators]
    assert set(codes) <= {0, 1}
    assert all("another operator began" in each.said() for each, code in zip(operators, codes, strict=True) if code)
    assert codes.count(0) >= 1
    plant.wait_ended(24)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"source-missing": 12, "completed": 12}


def test_a_job_in_doubt_is_bought_exactly_once_more_though_its_worker_is_killed(plants: Plants) -> None:
    """The first answer is lost; a person decides; the worker dies while its second order is open, or before it."""
    lost = [{"kind": "accept-drop", "match": {"picture": f"/{sku}/"}, "times": 1} for sku in ("CALM", "CUT")]
    plant = plants(behaviour={"faults": lost})
    worker = plant.worker()
    plant.send(plant.event("CALM"), plant.event("CUT"))
    plant.wait_ended(2)
    refused = plant.dlq("replay", "--reason", "ambiguous-submit")
    assert refused.wait_end() == 0
    assert "would fail again: ambiguous-submit" in refused.said()
    decided = ("--reason", "ambiguous-submit", "--buy-again")
    plan = replayed(plant, *decided, "--sku", "CALM", code=1)["plan"]
    assert plan["bought_again"] == 1
    replayed(plant, *decided, "--sku", "CALM", "--approve", plan["plan_id"])
    until(lambda: "completed" in plant.watcher.look().by_event()["CALM-1"], timeout_seconds=150, what="CALM")
    # The second order's answer never comes either: whoever owns the event next must not buy a third time.
    plant.provider.behave(faults=[{"kind": "accept-hang", "match": {"picture": "/CUT/"}, "times": 1}])
    plan = replayed(plant, *decided, "--sku", "CUT", "--dry-run")["plan"]
    replayed(plant, *decided, "--sku", "CUT", "--approve", plan["plan_id"])
    until(lambda: plant.bought("CUT") == 2, timeout_seconds=150, what="the second order")
    worker.kill()
    worker.start()
    until(lambda: plant.watcher.look().by_event()["CUT-2"] == ["ambiguous-submit"] * 2, timeout_seconds=150, what="CUT")
    assert plant.bought("CUT") == 2
    # The decision was about the first claim. Another one buys once more, and that is all.
    replayed(plant, *decided, "--approve", replayed(plant, *decided, "--dry-run")["plan"]["plan_id"])
    until(lambda: "completed" in plant.watcher.look().by_event()["CUT-2"], timeout_seconds=150, what="CUT at last")
    report = audit(plant.target())
    assert report.problems == []
    cutouts = [job for job in plant.provider.jobs() if job["operation"] == "remove-background"]
    assert Counter(job["image_url"].split("/")[-3] for job in cutouts) == {"CALM": 2, "CUT": 3}


def test_of_a_notification_the_one_event_that_failed_goes_back(plants: Plants) -> None:
    plant = plants()
    bucket = Bucket(plant)
    plant.worker(SKUSTREAM_SOURCE_BUCKETS=bucket.name)
    for key in ("NOTE/front.jpg", "NOTE/side.jpg"):
        bucket.put(key)
    told = [bucket.told(f"NOTE/{name}.jpg") for name in ("front", "back", "side", "top")]
    plant.send(json.dumps({"Records": told}).encode())
    plant.wait_ended(4)
    bucket.put("NOTE/back.jpg")
    assert replayed(plant, "--image", "back", *SURE, SKUSTREAM_SOURCE_BUCKETS=bucket.name)["done"]["written"] == 1
    plant.wait_ended(5)
    bucket.put("NOTE/elsewhere.jpg")
    elsewhere = f"raw_url=s3://{bucket.name}/NOTE/elsewhere.jpg"
    told_again = replayed(plant, "--image", "top", "--set", elsewhere, *SURE, SKUSTREAM_SOURCE_BUCKETS=bucket.name)
    assert told_again["done"]["written"] == 1
    ended = plant.wait_ended(6)
    assert sorted((end["image_id"], end["origin"]["index"], end["replay"]) for end in ended.completed) == [
        ("back", 1, 1), ("front", 0, 0), ("side", 2, 0), ("top", 3, 1),
    ]  # fmt: skip
    report = audit(plant.target())
    assert report.problems == []
    assert report.jobs_accepted == 12


def test_replays_stand_last_and_live_work_keeps_its_pace(plants: Plants) -> None:
    """A narrow contract, many replays in line, then live events: replays have their floor, one grant in ten."""
    plant = plants(behaviour={"default_latency": {"minimum_seconds": 0.05, "maximum_seconds": 0.1}})
    narrow = {"SKUSTREAM_QUOTA_REQUESTS": "30", "SKUSTREAM_QUOTA_WINDOW_SECONDS": "3"}
    plant.worker(**narrow)
    without_photos(plant, 40, sku="BACK")
    replayed(plant, "--all", *SURE)
    until(lambda: plant.provider.accepted() >= 2, timeout_seconds=150, what="the first replays at work")
    plant.send_new(30, sku="LIVE", stages=["remove-bg"])
    plant.wait_ended(110)
    jobs = sorted(plant.provider.jobs(), key=lambda job: float(job["submitted_at"]))
    skus = [job["image_url"].split("/")[-3].partition("-")[0] for job in jobs]
    first, last = skus.index("LIVE"), len(skus) - 1 - skus[::-1].index("LIVE")
    meanwhile = Counter(skus[first : last + 1])
    assert meanwhile["LIVE"] == 30
    assert meanwhile["BACK"] <= 30 / 4, meanwhile
    report = audit(plant.target(), contract=(30, 3.0))
    assert report.problems == []
