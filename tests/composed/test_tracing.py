"""Traces of real workers, at a real OTLP receiver: one trace through all stages, links behind retries and replays.

Whatever the collector does, the work goes on.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Message, Producer

from tests.composed.auditor import audit
from tests.composed.conftest import Plants
from tests.composed.plant import STAGES, Plant
from tests.composed.provider import API_KEY
from tests.composed.worker import WorkerProcess
from tests.services.clients import read_all
from tests.services.s3 import S3Server
from tests.services.traces import Collector, Span, open_collector, tree
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ATTEMPTS = 4
BUSY = {
    "kind": "error", "at": "submit", "operation": "upscale", "message": "cannot read it just now",
    "match": {"url": "/LATER/"}, "times": ATTEMPTS,
}  # fmt: skip
BOUGHT = ["commit", "download", "poll", "put", "submit", "wait"]
STEPS = {"raw": BOUGHT, "transparent": BOUGHT, "upscaled": BOUGHT, "lifestyle": ["commit", "get", "put"]}
"""By the topic read: what a walk through its stage is made of."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with open_collector() as opened:
        yield opened


def walks(spans: list[Span], sku: str) -> list[Span]:
    return [span for span in spans if span.facts.get("skustream.sku_id") == sku]


def committed(spans: list[Span], sku: str, outcome: str) -> list[Span]:
    """Walks of `sku` that ended so, and whose commit is told."""
    settled = {span.parent for span in spans if span.name == "commit"}
    return [span for span in walks(spans, sku) if span.facts.get("skustream.outcome") == outcome and span.id in settled]


def parents_of(plant: Plant, topic: str, sku: str) -> list[str]:
    """Every `traceparent` on the records of `sku` in a topic."""
    return [
        (value or b"").decode()
        for message in read_all(plant.kafka, plant.topic(topic))
        if message.key() == sku.encode()
        for name, value in headers(message)
        if name == "traceparent"
    ]


def headers(message: Message) -> list[tuple[str, bytes | None]]:
    found: Any = message.headers() or []
    return list(found)


@pytest.mark.timeout(400)
def test_one_event_is_one_trace_and_what_comes_back_links_to_it(plants: Plants, collector: Collector) -> None:
    plant = plants(behaviour={"faults": [BUSY]})
    plant.pipeline(retries={"retries-exhausted": ["10s"]})
    patient = {"SKUSTREAM_SUBMIT_TIMEOUT_SECONDS": "30", "SKUSTREAM_CLAIM_LEASE_SECONDS": "60"}
    quick = {"SKUSTREAM_RETRY_ATTEMPTS": str(ATTEMPTS), "SKUSTREAM_RETRY_BASE_SECONDS": "0.1"}
    worker = plant.worker(OTEL_EXPORTER_OTLP_ENDPOINT=collector.base_url, **patient, **quick)
    fine, later, gone = plant.event("FINE"), plant.event("LATER"), plant.event("GONE")
    (plant.provider.photos / "GONE.jpg").rename(plant.provider.photos / "hidden")
    producer = Producer({"bootstrap.servers": plant.kafka.bootstrap_servers})
    for event in (fine, later, gone):
        bears: list[tuple[str, str | bytes | None]] = [("traceparent", f"00-{TRACE}-{SPAN}-01")]
        bears = bears if event is fine else []
        producer.produce(plant.topic("raw"), key=event["sku_id"], value=json.dumps(event), headers=bears)
    assert producer.flush(30) == 0

    spans = collector.wait(lambda all_: bool(committed(all_, "FINE", "completed")), what="the trace of FINE")
    _demand_one_trace(plant, spans)
    until(lambda: bool(_finished(worker, "FINE")), timeout_seconds=30, what="the line of FINE")
    assert [line["trace_id"] for line in _finished(worker, "FINE")] == [TRACE]

    letter_walk = collector.wait(lambda all_: bool(committed(all_, "GONE", "dead-letter")), what="the letter of GONE")
    (failed,) = walks(letter_walk, "GONE")
    _demand_letter_tells(plant, failed)
    (plant.provider.photos / "hidden").rename(plant.provider.photos / "GONE.jpg")
    replay = plant.dlq("replay", "--reason", "source-missing", "--ask-above", "1000000", "--json")
    assert replay.wait_end() == 0, replay.said()
    spans = collector.wait(
        lambda all_: bool(committed(all_, "GONE", "completed")) and bool(committed(all_, "LATER", "completed")),
        what="the ends of GONE and LATER",
    )
    replayed = _came_back(spans, "GONE", plant.topic("retry.now"))
    assert replayed.links == [(failed.trace, failed.id, {"skustream.link": "replay"})]
    (postponed,) = committed(spans, "LATER", "postponed")
    again = _came_back(spans, "LATER", plant.topic("retry.10s"))
    assert again.links == [(postponed.trace, postponed.id, {"skustream.link": "retry"})]
    assert ("retry", {"skustream.cause": "transient"}) in postponed.events

    collector.is_deaf = True
    (last,) = plant.send_new(1, sku="DEAF")
    plant.wait_events(last)
    assert worker.stop() == 0, "a collector that never answers holds up no end"
    report = audit(plant.target())
    assert report.problems == []


def _demand_one_trace(plant: Plant, spans: list[Span]) -> None:
    """All stages of FINE in the PIM's trace, each below the one before, its steps below it; no secret in any span."""
    ours = {span.facts["skustream.stage"]: span for span in walks(spans, "FINE")}
    assert sorted(ours) == sorted(STAGES), tree(spans, TRACE)
    before = SPAN
    for stage, topic in zip(STAGES, STEPS, strict=True):
        walk = ours[stage]
        assert (walk.name, walk.trace, walk.parent) == (f"process {plant.topic(topic)}", TRACE, before)
        steps = {span.name for span in spans if span.parent == walk.id and not span.name.startswith("process")}
        assert sorted(steps) == STEPS[topic], tree(spans, TRACE)
        before = walk.id
    assert parents_of(plant, "completed", "FINE") == [f"00-{TRACE}-{before}-01"]
    secrets = f"{API_KEY}|{S3Server.secret_key}|X-Amz|Signature|http://"
    assert re.search(secrets, repr(spans)) is None


def _finished(worker: WorkerProcess, sku: str) -> list[dict[str, Any]]:
    return [line for line in worker.said("event-finished") if line["sku_id"] == sku]


def _demand_letter_tells(plant: Plant, failed: Span) -> None:
    assert (failed.is_error, failed.facts["skustream.reason"]) == (True, "source-missing")
    (letter,) = read_all(plant.kafka, plant.topic("dead-letter"))
    show = plant.dlq("show", f"{letter.partition()}/{letter.offset()}")
    assert show.wait_end() == 0
    assert re.search(rf"^trace id +{failed.trace}$", show.said(), re.MULTILINE), show.said()


def _came_back(spans: list[Span], sku: str, topic: str) -> Span:
    """The walk of what a retry topic brought back: a root of a trace in which the later stages go on."""
    (walk,) = [span for span in walks(spans, sku) if span.name == f"process {topic}"]
    assert walk.parent == ""
    (end,) = committed(spans, sku, "completed")
    assert end.trace == walk.trace, tree(spans, walk.trace)
    return walk
