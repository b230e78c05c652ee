"""Spans as a collector gets them, over real OTLP: whose child each is, what begins anew, what is not told."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.contextvars import get_contextvars

from stream.core.errors import Reason, Rejected, Transient
from stream.downloads.port import Downloads, Spooled, Whose
from stream.metrics.silent import SilentRecorder
from stream.objects.port import ObjectStore, StoredFile
from stream.pixelapi.port import JobReport, JobState, Order, PixelApi
from stream.quota.port import Ask, AskKind, Quota
from stream.runtime.ends import End
from stream.runtime.verdict import RetryPolicy
from stream.tracing.export import QUEUE_SPANS
from stream.tracing.otlp import LONG_WAIT_SECONDS, OtlpTracing
from stream.tracing.port import Doors
from tests.services.traces import Collector, Span, open_collector
from tests.services.waiting import free_ports
from tests.unit.runtime.scene import TOPICS, Scene, arrived, scripted, settled, written

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PIMS = (("traceparent", f"00-{TRACE}-{SPAN}-01".encode()), ("tracestate", b"rojo=00f067aa0ba902b7"))
SIGNED = "https://cdn.example.com/token-in-path/a.png?X-Amz-Signature=feedface"


class Spans(SilentRecorder):
    """Remembers what became of spans."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()

    def spans(self, outcome: str, count: int) -> None:
        self.counted[outcome] += count


@pytest.fixture
def collector() -> Iterator[Collector]:
    with open_collector() as opened:
        yield opened


@asynccontextmanager
async def traced(
    endpoint: str, *, ratio: float = 1.0, headers: dict[str, str] | None = None, answers: bool = True, **scene: Any
) -> AsyncIterator[tuple[Scene, OtlpTracing, Spans]]:
    """A worker whose walks are told. At the end all was sent, where the collector answers, however slow we are."""
    stage, spans = Scene(**scene), Spans()
    tracing = OtlpTracing(endpoint, headers or {}, ratio, topics=TOPICS, clock=stage.clock, recorder=spans)
    stage.worker._parts = replace(stage.worker._parts, tracing=tracing)
    try:
        yield stage, tracing, spans
    finally:
        if answers:
            await asyncio.to_thread(tracing._provider.force_flush)
        await tracing.aclose()


async def walked(scene: Scene, value: bytes, headers: Any = (), **fields: Any) -> End:
    """What one record ended in, and committed with it."""
    before = len(scene.delivered)
    ticket = scene.lane().admit(replace(arrived(value, 0), headers=headers, **fields))
    assert ticket is not None
    scene.worker.accept([ticket])
    await settled()
    (end,) = scene.delivered[before:]
    end.walk.committed(end.record.topic, 7)
    return end


def one(spans: list[Span], name: str) -> Span:
    (found,) = [span for span in spans if span.name == name]
    return found


def parent_of(end: End) -> str:
    (found,) = [value or b"" for name, value in end.record.headers if name == "traceparent"]
    return found.decode()


PROCESS = f"process {TOPICS.raw}"


async def test_a_pims_trace_is_continued_by_the_walk_its_commit_and_the_record(collector: Collector) -> None:
    async with traced(collector.base_url, headers={"authorization": "Bearer of-bad-news"}) as (scene, _, counts):
        end = await walked(scene, written("A", "a1", batch_id="b"), PIMS, timestamp_ms=1_000_000)
    walk, commit = one(collector.spans, PROCESS), one(collector.spans, "commit")
    assert (walk.trace, walk.parent, walk.kind, walk.links) == (TRACE, SPAN, "consumer", [])
    assert (commit.trace, commit.parent) == (TRACE, walk.id)
    assert parent_of(end) == f"00-{TRACE}-{walk.id}-01", "stripped, then injected: once"
    assert ("tracestate", b"rojo=00f067aa0ba902b7") in end.record.headers
    assert dict(end.walk.facts) == {"trace_id": TRACE}
    assert walk.facts == {
        "messaging.system.name": "kafka", "messaging.operation.name": "process", "messaging.operation.type": "process",
        "messaging.destination.name": TOPICS.raw, "messaging.destination.partition.id": "0", "kafka.offset": 0,
        "messaging.consumer.group.name": TOPICS.group("remove-bg"), "skustream.stage": "remove-bg",
        "skustream.sku_id": "A", "skustream.image_id": "main", "skustream.event_id": "a1", "skustream.batch_id": "b",
        "skustream.priority": "live", "skustream.replay": 0, "skustream.outcome": "completed",
    }  # fmt: skip
    assert commit.facts == {
        "messaging.system.name": "kafka", "messaging.operation.name": "commit", "messaging.operation.type": "settle",
        "messaging.destination.name": TOPICS.completed, "messaging.batch.message_count": 7,
    }  # fmt: skip
    assert walk.service == "skustream"
    assert collector.requests[0]["authorization"] == "Bearer of-bad-news"
    assert counts.counted == {"exported": 2}


@pytest.mark.parametrize("headers", [(), (("traceparent", b"00-" + b"x" * 100_000),), (("tracestate", b"a=b"),)])
async def test_without_a_trace_or_with_a_malformed_one_a_new_one_begins(collector: Collector, headers: Any) -> None:
    async with traced(collector.base_url) as (scene, _, _):
        first, second = [await walked(scene, written("A", name), headers) for name in ("a1", "a2")]
    roots = [span for span in collector.spans if span.name == PROCESS]
    assert [(root.parent, root.links) for root in roots] == [("", []), ("", [])]
    assert parent_of(first)[3:35] != parent_of(second)[3:35]
    assert [name for name, _ in first.record.headers] == ["traceparent"]


async def test_a_retry_begins_a_trace_that_links_to_the_walk_that_put_it_off(collector: Collector) -> None:
    policy = RetryPolicy(attempts=2, base_seconds=1, retries={Reason.RETRIES_EXHAUSTED: ("1m",)})
    async with traced(collector.base_url, policy=policy) as (scene, _, _):
        scene.actor.handling = scripted(Transient("busy"), Transient("busy"), None)
        ticket = scene.lane().admit(replace(arrived(written("A", "a1"), 0), headers=PIMS))
        assert ticket is not None
        scene.worker.accept([ticket])
        await scene.clock.pass_time(5)
        (first,) = scene.delivered
        again = scene.lane().admit(
            replace(arrived(first.record.value, 1), topic=first.record.topic, headers=first.record.headers)
        )
        assert again is not None
        scene.worker.accept([again])
        await scene.clock.pass_time(61)
        second = scene.delivered[-1]
    before, after = one(collector.spans, PROCESS), one(collector.spans, f"process {TOPICS.retry('1m')}")
    assert (before.trace, before.facts["skustream.outcome"]) == (TRACE, "postponed")
    assert before.facts["skustream.reason"] == before.facts["error.type"] == "retries-exhausted"
    assert before.events == [("retry", {"skustream.cause": "transient"})]
    assert not before.is_error
    assert after.parent == ""
    assert after.trace not in {"", TRACE}
    assert after.links == [(TRACE, before.id, {"skustream.link": "retry"})]
    assert parent_of(second)[:52] == f"00-{after.trace}-{after.id}"


async def test_a_replay_and_a_long_wait_begin_anew_with_a_link(collector: Collector) -> None:
    async with traced(collector.base_url) as (scene, _, _):
        await walked(scene, b"{}", (("skustream.stage", b"remove-bg"), *PIMS), topic=TOPICS.retry("now"))
        late_ms = int((scene.clock.now - LONG_WAIT_SECONDS) * 1000)
        scene.clock.now += LONG_WAIT_SECONDS
        for name, timestamp_ms in (("late", late_ms), ("in-time", int(scene.clock.now * 1000)), ("no-time", -1)):
            await walked(scene, written(name, name), PIMS, timestamp_ms=timestamp_ms)
    by_sku = {span.facts.get("skustream.sku_id", "unread"): span for span in collector.spans if span.name != "commit"}
    assert by_sku["unread"].links == [(TRACE, SPAN, {"skustream.link": "replay"})]
    assert by_sku["late"].links == [(TRACE, SPAN, {"skustream.link": "long-wait"})]
    assert TRACE not in {by_sku["unread"].trace, by_sku["late"].trace}
    assert (by_sku["in-time"].trace, by_sku["no-time"].trace) == (TRACE, TRACE)


async def test_a_letter_is_an_error_told_by_its_reason_alone(collector: Collector) -> None:
    async with traced(collector.base_url) as (scene, _, _):
        scene.actor.handling = scripted(Rejected(Reason.SOURCE_MISSING, f"{SIGNED} answered 404"))
        end = await walked(scene, written("A", "a1", raw_url=SIGNED))
        unread = await walked(scene, b"no event")
    walks = [span for span in collector.spans if span.name == PROCESS]
    assert [(span.is_error, span.facts["error.type"]) for span in walks] == [
        (True, "source-missing"), (True, "invalid-event"),
    ]  # fmt: skip
    assert [parent_of(each)[3:35] for each in (end, unread)] == [span.trace for span in walks]
    assert re.search(rb"feedface|token-in-path|answered", collector.raw) is None


async def test_what_the_sender_did_not_sample_is_not_told_and_goes_on_unsampled(collector: Collector) -> None:
    async with traced(collector.base_url, ratio=0.0) as (scene, _, counts):
        own = await walked(scene, written("A", "a1"))
        theirs = await walked(scene, written("B", "b1"), PIMS)
    assert parent_of(own)[-3:] in {"-00", "-02"}, "the other bit says that the id was drawn at random"
    assert parent_of(theirs)[-3:] == "-01"
    assert {span.trace for span in collector.spans} == {TRACE}, "their decision holds, whatever our share"
    assert counts.counted == {"exported": 2}


async def test_walks_that_are_called_off_are_told_and_the_diary_forgets_their_trace(collector: Collector) -> None:
    async with traced(collector.base_url) as (scene, _, _):
        scene.actor.handling = lambda _: asyncio.Event().wait()  # type: ignore[assignment,return-value] # for ever
        lane = scene.lane()
        scene.bring(lane, "A/a1")
        await settled()
        scene.worker.abandon([lane])
        await settled()
        assert get_contextvars() == {}
    assert one(collector.spans, PROCESS).facts["error.type"] == "cancelled"


class Quay:
    """All doors in one: every call answers at once, or fails as told."""

    def __init__(self) -> None:
        self.fails: Exception | None = None
        self.released: list[str] = []

    def _go(self) -> None:
        if self.fails is not None:
            raise self.fails

    async def admit(self, ask: Ask) -> str:
        self._go()
        return f"grant for {ask.kind}"

    def release_job(self, job_key: str) -> None:
        self.released.append(job_key)

    async def submit(self, order: Order) -> JobReport:
        self._go()
        return JobReport(JobState.RUNNING, job_id="job-1", output_url=SIGNED)

    async def poll(self, operation: str, job_id: str) -> JobReport:
        return JobReport(JobState.COMPLETED, job_id=job_id, output_url=SIGNED)

    async def find(self, mark: str) -> JobReport | None:
        return None

    async def put_file(self, key: str, path: Path, *, content_type: str, sha256: str) -> StoredFile:
        return StoredFile(key, content_type, 12, sha256)

    async def get_file(self, key: str, path: Path, *, max_bytes: int) -> StoredFile:
        return StoredFile(key, "image/png", 34, "")

    @asynccontextmanager
    async def fetch(self, url: str, whose: Whose) -> AsyncIterator[Spooled]:
        self._go()
        yield Spooled(Path("x"), 56, "")


def doors(quay: Quay, tracing: OtlpTracing) -> Doors:
    return tracing.watched(
        Doors(cast("Quota", quay), cast("PixelApi", quay), cast("ObjectStore", quay), cast("Downloads", quay))
    )


async def test_calls_of_the_doors_are_the_walks_children_and_keep_secrets(collector: Collector) -> None:
    quay = Quay()
    async with traced(collector.base_url) as (scene, tracing, _):
        watched = doors(quay, tracing)

        async def handle(_: object) -> None:
            assert str(await watched.quota.admit(Ask(AskKind.SUBMIT))) == "grant for submit"
            await watched.api.submit(Order("upscale", SIGNED, {"prompt": "hush"}))
            await watched.api.poll("upscale", "job-1")
            await watched.api.find("mark")
            async with watched.downloads.fetch(SIGNED, Whose.RESULT) as spooled:
                await watched.objects.put_file("a/b.png", spooled.path, content_type="image/png", sha256="")
            await watched.objects.get_file("a/b.png", Path("x"), max_bytes=1)
            watched.quota.release_job("key")
            quay.fails = Transient(f"{SIGNED} broke off")
            with pytest.raises(Transient):
                async with watched.downloads.fetch(SIGNED, Whose.SOURCE):
                    pass

        scene.actor.handling = handle
        await walked(scene, written("A", "a1"))
        quay.fails = None
        await watched.quota.admit(Ask(AskKind.ACCOUNT))
    walk = one(collector.spans, PROCESS)
    steps = [span for span in collector.spans if span.name not in {PROCESS, "commit"}]
    assert {span.parent for span in steps} == {walk.id}, "outside of a walk nobody is told"
    assert quay.released == ["key"], "what is no step goes straight through"
    told = [
        (span.name, span.kind, {name.removeprefix("skustream."): value for name, value in span.facts.items()})
        for span in steps
    ]
    host = {"server.address": "cdn.example.com"}
    assert told == [
        ("wait", "internal", {"ask": "submit", "priority": "live"}),
        ("submit", "client", {"operation": "upscale", "job_id": "job-1", "job_state": "running"}),
        ("poll", "client", {"operation": "upscale", "job_id": "job-1", "job_state": "completed"}),
        ("look up", "client", {}),
        ("download", "client", {"download": "result", "bytes": 56, **host}),
        ("put", "client", {"asset_key": "a/b.png", "bytes": 12}),
        ("get", "client", {"asset_key": "a/b.png", "bytes": 34}),
        ("download", "client", {"download": "source", "error.type": "Transient", **host}),
    ]
    assert [span.is_error for span in steps] == [False] * 7 + [True]
    assert re.search(rb"feedface|token-in-path|hush|broke off", collector.raw) is None


async def test_a_collector_that_is_down_costs_spans_and_nothing_else() -> None:
    async with traced(f"http://127.0.0.1:{free_ports(1)[0]}", answers=False) as (scene, tracing, counts):
        for _ in range(20 * QUEUE_SPANS):
            with tracing.walk("remove-bg", arrived(b"", 0), None):
                pass
            if counts.counted["dropped"]:
                break
        end = await walked(scene, written("A", "a1"))
        assert end.outcome == "completed"
        assert counts.counted["dropped"] > 0
    assert counts.counted["exported"] == 0


async def test_a_collector_that_never_answers_holds_up_no_end(collector: Collector) -> None:
    collector.is_deaf = True
    async with traced(collector.base_url, answers=False) as (scene, _, counts):
        await walked(scene, written("A", "a1"))
    assert counts.counted["exported"] == 0
    collector.let_go.set()
