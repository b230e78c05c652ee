"""Everything hostile at once, between good events, through the real worker, Kafka, store and provider.

Each hostile event ends as one letter in words, byte for byte its input; each good one completes; the worker stays live
and small.
"""

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.composed.auditor import audit
from tests.composed.conftest import Plants
from tests.composed.evidence import Record, collect
from tests.composed.plant import Plant
from tests.hostile import events, pictures
from tests.hostile.corner import Corner
from tests.hostile.costs import peak_bytes
from tests.hostile.events import Case
from tests.services.clients import alter_topic

pytestmark = [pytest.mark.kafka, pytest.mark.s3]

MOST_BYTES = 400 * 1024 * 1024
"""Peak memory of the worker, all stages in one process, one image thread: measured 133 MB."""
RESULTS = {
    "HTML": ("html", "bad-result", "the file is a web page"),
    "TRUNCATED": ("truncated", "retries-exhausted", "broke off before the end"),
    "OVERSIZED": ("oversized", "bad-result", "larger than 8388608 bytes"),
    "NO-URL": ("no-url", "bad-result", "its result cannot be used"),
}
"""What a provider may send instead of a picture, by SKU; the fault, the letter's reason and words of it."""
MB = 1024 * 1024

Cases = dict[str, Case]


def test_everything_hostile_at_once_harms_nobody(
    plants: Plants, corner: Corner, record_property: Callable[[str, object], None]
) -> None:
    faults: list[dict[str, Any]] = [
        {"kind": kind, "match": {"picture": f"/{sku}/"}, "size_bytes": 12 * MB} for sku, (kind, _, _) in RESULTS.items()
    ]
    plant = plants(behaviour={"faults": faults})
    _make_room(plant)
    worker = plant.worker(
        SKUSTREAM_FETCH_ALLOW=f"127.0.0.1:{plant.provider.port},127.0.0.1:{corner.port}",
        SKUSTREAM_MAX_DOWNLOAD_BYTES=str(8 * MB), SKUSTREAM_SPOOL_BYTES=str(64 * MB),
    )  # fmt: skip
    hostile = {**events.RECORDS, **_urls(plant, corner), **_photos(plant), **_results(plant)}
    good = _good(plant)
    waiting = iter(good)
    for name, (value, _, _) in hostile.items():
        plant.send(value, key=name)
        plant.send(*(event for event in [next(waiting, None)] if event is not None))
    plant.send(*waiting)
    ended = plant.wait_ended(len(hostile) + len(good), timeout_seconds=300)
    assert worker.ailments() == []
    assert worker.reasons() == []
    peak = peak_bytes(worker.pid)
    record_property("told", f"{len(hostile)} hostile events beside {len(good)} good ones, peak {peak / MB:.0f} MB")
    assert peak < MOST_BYTES
    _judge(plant, hostile)
    assert {record["sku_id"] for record in ended.completed} == {event["sku_id"] for event in good}
    _judge_requests(corner)


def _judge(plant: Plant, hostile: Cases) -> None:
    evidence = collect(plant.target())
    letters = {(record.key or b"").decode(): record for record in evidence.records["dead-letter"]}
    assert letters.keys() == hostile.keys()
    wrong = {name: _complaint(letters[name], case) for name, case in hostile.items()}
    assert {name: said for name, said in wrong.items() if said} == {}
    report = audit(plant.target())
    assert report.problems == []
    assert sum(report.ends.values()) == len(hostile) + report.ends["completed"]


def _complaint(letter: Record, case: Case) -> str:
    """What is wrong with a letter; empty for nothing."""
    value, reason, words = case
    said = letter.headers["skustream.error"]
    is_right = letter.headers["skustream.reason"] == reason and all(word in said for word in words)
    if is_right and said.isprintable() and "hunter2" not in said and letter.value == value:
        return ""
    return f"{letter.headers['skustream.reason']}: {said}"


def _judge_requests(corner: Corner) -> None:
    """Nothing of ours travels to a stranger, and what it gave us is not brought back."""
    assert corner.asked
    for _, headers in corner.asked:
        assert not {"authorization", "cookie", "referer"} & {name.lower() for name in headers}


def _make_room(plant: Plant) -> None:
    """A PIM's own topic takes records far larger than ours; `topics create` makes the letters' topic as large."""
    alter_topic(plant.kafka, plant.topic("raw"), {"max.message.bytes": str(10 * MB)})
    alter_topic(plant.kafka, plant.topic("dead-letter"), {"max.message.bytes": str(10 * MB + 20 * 1024)})


def _urls(plant: Plant, corner: Corner) -> Cases:
    """What leads inside, by itself or by a redirect; what is no picture, or never ends."""
    cases: Cases = {
        url: _photo_at(url, "source-refused", "got ", "expected a public https URL") for url in events.INSIDE
    }
    store = plant.s3.endpoint_url
    inside = {
        "metadata": "http://169.254.169.254/", "a name": "https://localhost:1/", "the store": f"{store}/{plant.bucket}",
        "a file": "file:///etc/passwd", "a literal": "http://2130706433/", "a script": "data:image/png;base64,AAAA",
    }  # fmt: skip
    for name, target in inside.items():
        cases[f"redirect to {name}"] = _photo_at(
            corner.redirect(name.replace(" ", "-"), target), "source-refused", "got ", "expected a public https URL"
        )
    loop = corner.redirect("loop", corner.url("/to/loop"))
    cases["redirects in a ring"] = _photo_at(loop, "source-refused", "redirects")
    cases["redirect to plain http"] = _photo_at(
        corner.redirect("plain", "http://photos.example.com/a.jpg"), "source-refused", "plain http"
    )
    for path, words in {
        "/html.jpg": "a web page", "/gzip.jpg": "compressed", "/long.jpg": "larger than", "/endless.jpg": "larger than",
        "/drip.jpg": "unknown kind", "/nothing.jpg": "empty",
    }.items():  # fmt: skip
        cases[path] = _photo_at(corner.url(path), "invalid-image", words, "expected a whole, still JPEG")
    cases["/missing.jpg"] = _photo_at(corner.url("/missing.jpg"), "source-missing", "404", "expected a URL that brings")
    return cases


def _photo_at(url: str, reason: str, *words: str) -> Case:
    return events.event(raw_url=url, version="1", image_id=url[-100:]), reason, ("raw_url", *words)


def _photos(plant: Plant) -> Cases:
    cases: Cases = {}
    for name, (content, words) in pictures.HOSTILE.items():
        (plant.provider.photos / f"{name}.jpg").write_bytes(content())
        url = f"{plant.provider.root}/photos/{name}.jpg"
        cases[name] = _photo_at(url, "invalid-image", words, f"got '{url}'", "expected a whole, still JPEG")
    return cases


def _results(plant: Plant) -> Cases:
    cases: Cases = {}
    for sku, (_, reason, words) in RESULTS.items():
        cases[sku] = (events.event(**plant.event(sku, stages=["remove-bg"])), reason, (words,))
    return cases


def _good(plant: Plant) -> list[dict[str, Any]]:
    """Ordinary ones, strange names, and odd pictures."""
    named = [plant.event("GOOD", image_id=f"image-{number}") for number in range(6)]
    photo = plant.event("NAMED", stages=["remove-bg"])
    named += [{**photo, "sku_id": name, "image_id": name, "event_id": name} for name in events.NAMES]
    for name, content in pictures.ODD.items():
        if name == "jpeg-of-100-scans":
            continue  # a grey nothing: no product is found in it
        (plant.provider.photos / f"odd-{name}.svg").write_bytes(content())
        url = f"{plant.provider.root}/photos/odd-{name}.svg"
        named.append({"sku_id": name, "raw_url": url, "event_id": name})
    return named


def test_a_record_that_unpacks_to_far_more_than_its_topic_takes_comes_back_whole(plants: Plants) -> None:
    """Kafka's limits count compressed bytes: 30 MB of blanks pass a topic of 1 MB, and so does their letter."""
    plant = plants()
    worker = plant.worker("remove-bg")
    bomb = events.event()[:-1] + b" " * (30 * MB) + b"}"
    options = {"bootstrap.servers": plant.kafka.bootstrap_servers, "compression.type": "zstd"}
    producer = Producer({**options, "message.max.bytes": 64 * MB, "linger.ms": 0})
    for number in range(3):
        producer.produce(plant.topic("raw"), key=f"bomb-{number}", value=bomb)
        producer.flush(30)
        plant.send(plant.event("GOOD", image_id=str(number), stages=["remove-bg"]))
    ended = plant.wait_ended(6, timeout_seconds=120)
    assert worker.ailments() == []
    assert [letter["skustream.reason"] for letter in ended.letters] == ["invalid-event"] * 3
    assert peak_bytes(worker.pid) < MOST_BYTES
    letters = collect(plant.target()).records["dead-letter"]
    assert all(letter.value == bomb for letter in letters)
