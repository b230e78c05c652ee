"""The real tracing: OpenTelemetry's SDK, sending OTLP over HTTP. The only room, with `export`, that imports it.

Comes in: walks and their steps. Goes out: spans to a collector. One trace per event: the stage that reads a record
goes on in the trace that its headers name, as a child of the walk that wrote it. What came back from a retry topic, or
lay in its topic for longer than `LONG_WAIT_SECONDS`, begins a trace of its own that links to that walk.
"""

import asyncio
import threading
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import metadata
from types import MappingProxyType

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from stream.broker.port import Headers, InRecord
from stream.core.clock import Clock
from stream.core.errors import Rejected
from stream.metrics.port import Recorder
from stream.records import StageRecord, event_id_of
from stream.topics import Topics
from stream.traceparent import carried
from stream.tracing import attributes as names
from stream.tracing.export import EXPORT_SECONDS, Outbox
from stream.tracing.port import Doors, Walk
from stream.tracing.steps import Facts, watched

log = structlog.get_logger(__name__)

LONG_WAIT_SECONDS = 600.0
"""Between a record's time and its walk; beyond it most collectors have closed the trace."""
END_SECONDS = 2.0
"""How long what is left may take at the end; a stopping worker waits for nobody's collector."""
MAX_VALUE_CHARACTERS = 256
_W3C = TraceContextTextMapPropagator()


class OtlpTracing:
    """`Tracing` that tells a collector at `endpoint` (a base URL; traces go to `/v1/traces` below it).

    `ratio`: the share of traces begun here that is sampled; a trace that comes in keeps the decision it brings.
    """

    def __init__(
        self,
        endpoint: str,
        headers: Mapping[str, str],
        ratio: float,
        *,
        topics: Topics,
        clock: Clock,
        recorder: Recorder,
    ) -> None:
        self._topics = topics
        self._clock = clock
        self._exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", headers=dict(headers), timeout=EXPORT_SECONDS)
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            resource=_resource(),
            shutdown_on_exit=False,  # it would wait half a minute for a collector that is down
            span_limits=SpanLimits(max_span_attribute_length=MAX_VALUE_CHARACTERS),
        )
        self._provider.add_span_processor(Outbox(self._exporter, recorder))
        self._tracer = self._provider.get_tracer("skustream", schema_url=names.SCHEMA_URL)
        self._present: ContextVar[_Walk | None] = ContextVar("walk", default=None)

    @contextmanager
    def walk(self, stage: str, record: InRecord, read: StageRecord | None, *, returned: str = "") -> Iterator[Walk]:
        """See `Tracing`."""
        context, links = self._place(record, returned)
        span = self._tracer.start_span(
            f"{names.PROCESS} {record.topic}", context, SpanKind.CONSUMER, self._about(stage, record, read), links
        )
        walk = _Walk(self._tracer, span, context, self._clock)
        token = self._present.set(walk if span.is_recording() else None)  # of what is not sampled no step is told
        try:
            with bound_contextvars(**walk.facts), _judged(span):
                yield walk
        finally:
            self._present.reset(token)
            span.end()

    def noted(self, word: str, **facts: str) -> None:
        """See `Tracing`."""
        walk = self._present.get()
        if walk is not None:
            walk.span.add_event(word, {f"skustream.{name}": value for name, value in facts.items()})

    def watched(self, doors: Doors) -> Doors:
        """See `Tracing`."""
        return watched(doors, self._step)

    async def aclose(self) -> None:
        """See `Tracing`; whatever a collector does, it takes little more than `END_SECONDS`."""
        ending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, END_SECONDS)
        if ending.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call] # the library's signature
            log.warning("traces-cut-off", cause=f"the collector did not take the last spans in {END_SECONDS:g} s")

    @contextmanager
    def _step(self, name: str, facts: Facts) -> Iterator[Callable[[Facts], None]]:
        """A call that the present walk makes; outside of walks nobody is told."""
        walk = self._present.get()
        if walk is None:
            yield _deaf
            return
        kind = SpanKind.INTERNAL if name == names.WAIT else SpanKind.CLIENT
        span = self._tracer.start_span(name, walk.context, kind, facts)
        try:
            with _judged(span):
                yield span.set_attributes
        finally:
            span.end()

    def _place(self, record: InRecord, returned: str) -> tuple[Context, Sequence[Link]]:
        """Where the walk of `record` stands: below another one, or at the beginning of a trace, perhaps with a link."""
        told = {name: (value or b"").decode() for name, value in carried(record.headers)}
        came = _W3C.extract(told, Context())
        before = get_current_span(came).get_span_context()
        if not before.is_valid:
            return Context(), ()
        cause = returned or ("long-wait" if self._has_waited_long(record) else "")
        return (Context(), (Link(before, {names.LINK: cause}),)) if cause else (came, ())

    def _has_waited_long(self, record: InRecord) -> bool:
        return record.timestamp_ms > 0 and self._clock.wall() - record.timestamp_ms / 1000 > LONG_WAIT_SECONDS

    def _about(self, stage: str, record: InRecord, read: StageRecord | None) -> Facts:
        facts: dict[str, str | int] = {
            names.SYSTEM: names.KAFKA, names.OPERATION_NAME: names.PROCESS, names.OPERATION_TYPE: names.PROCESS,
            names.DESTINATION: record.topic, names.PARTITION: str(record.partition), names.OFFSET: record.offset,
            names.GROUP: self._topics.group(stage), names.STAGE: stage,
        }  # fmt: skip
        if read is not None:
            event = read.event
            facts |= {
                names.SKU: event.sku_id, names.IMAGE: event.image_id, names.EVENT: event_id_of(read),
                names.PRIORITY: read.priority.value, names.REPLAY: read.replay,
            }  # fmt: skip
            if event.batch_id:
                facts[names.BATCH_ID] = event.batch_id
        return facts


class _Walk:
    """See `Walk`. `context`: what its steps, and the next stage's walk, stand below."""

    def __init__(self, tracer: Tracer, span: Span, context: Context, clock: Clock) -> None:
        self.span = span
        self.context = set_span_in_context(span, context)
        bearer: dict[str, str] = {}
        _W3C.inject(bearer, self.context)
        self.headers: Headers = tuple((name, value.encode()) for name, value in bearer.items())
        self.facts: Mapping[str, str] = MappingProxyType(
            {"trace_id": format_trace_id(span.get_span_context().trace_id)} if bearer else {}
        )
        self._tracer = tracer
        self._clock = clock
        self._is_recording = span.is_recording()
        self._ended_ns = 0

    def ended(self, outcome: str, reason: str) -> None:
        """See `Walk`."""
        self._ended_ns = int(self._clock.wall() * 1e9)
        self.span.set_attribute(names.OUTCOME, outcome)
        if reason:
            self.span.set_attributes({names.REASON: reason, names.ERROR: reason})
        if outcome == "dead-letter":
            self.span.set_status(StatusCode.ERROR)

    def committed(self, topic: str, records: int) -> None:
        """See `Walk`: from the walk's end until now, the wait for its transaction included."""
        if not self._is_recording:
            return
        facts: Facts = {
            names.SYSTEM: names.KAFKA, names.OPERATION_NAME: names.COMMIT, names.OPERATION_TYPE: "settle",
            names.DESTINATION: topic, names.BATCH: records,
        }  # fmt: skip
        self._tracer.start_span(names.COMMIT, self.context, SpanKind.CLIENT, facts, start_time=self._ended_ns).end()


def _deaf(facts: Facts) -> None:
    del facts


@contextmanager
def _judged(span: Span) -> Iterator[None]:
    """Of an error that passes, its kind; never its words, which may quote what a stranger wrote."""
    try:
        yield
    except CancelledError:
        span.set_attribute(names.ERROR, "cancelled")
        raise
    except Exception as error:
        span.set_attribute(names.ERROR, error.reason.value if isinstance(error, Rejected) else type(error).__name__)
        span.set_status(StatusCode.ERROR)
        raise


def _resource() -> Resource:
    """Who tells; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` have the last word, as everywhere."""
    try:
        version = metadata.version("skustream")
    except metadata.PackageNotFoundError:
        version = "unreleased"
    own = Resource.create({"service.name": "skustream", "service.version": version})
    return own.merge(OTELResourceDetector().detect())
