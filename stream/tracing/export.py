"""The way out for spans: a bounded queue and a thread of its own, so that a collector that is slow or down costs spans.

Comes in: spans that ended, from any thread. Goes out: batches to the collector, and counts of what became of each span.
"""

import logging
import threading
from collections.abc import Callable, Sequence

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from stream.metrics.port import Recorder

log = structlog.get_logger(__name__)

QUEUE_SPANS = 4_096
"""What waits at most, some megabytes; about 300 events' spans."""
BATCH_SPANS = 512
EVERY_SECONDS = 2.0
EXPORT_SECONDS = 10.0
"""How long one batch is tried, all its tries together."""
LIBRARY = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class Outbox(BatchSpanProcessor):
    """OpenTelemetry's own batches; what does not fit into the queue is dropped and counted, without a word each."""

    def __init__(self, exporter: SpanExporter, recorder: Recorder) -> None:
        """`exporter` sends a batch, or gives it up within a bounded time."""
        self._recorder = recorder
        self._waiting = 0
        self._lock = threading.Lock()
        super().__init__(
            _Counted(exporter, recorder, self._left),
            max_queue_size=QUEUE_SPANS, schedule_delay_millis=EVERY_SECONDS * 1000, max_export_batch_size=BATCH_SPANS,
        )  # fmt: skip

    def on_end(self, span: ReadableSpan) -> None:
        """A span to send, if its trace is sampled."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._lock:
            is_taken = self._waiting < QUEUE_SPANS
            self._waiting += is_taken
        if is_taken:
            super().on_end(span)
        else:
            self._recorder.spans("dropped", 1)

    def _left(self, spans: int) -> None:
        with self._lock:
            self._waiting -= spans


class _Counted(SpanExporter):
    """An exporter whose batches are counted, and whose troubles are told once each time they begin."""

    def __init__(self, exporter: SpanExporter, recorder: Recorder, left: Callable[[int], None]) -> None:
        self._exporter = exporter
        self._recorder = recorder
        self._left = left
        self._troubles = _Troubles()
        logging.getLogger(LIBRARY).addFilter(self._troubles)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            is_sent = result is SpanExportResult.SUCCESS
            self._recorder.spans("exported" if is_sent else "failed", len(spans))
            self._left(len(spans))
        if is_sent and self._troubles.last:
            self._troubles.last = False
            log.info("traces-exported-again")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
        logging.getLogger(LIBRARY).removeFilter(self._troubles)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Troubles(logging.Filter):
    """Lets the library's first error pass; a collector that is down for hours is not told every few seconds."""

    last = False

    def filter(self, record: logging.LogRecord) -> bool:
        is_news = record.levelno >= logging.ERROR and not self.last
        self.last = self.last or record.levelno >= logging.ERROR
        return is_news
