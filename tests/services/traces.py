"""A collector of traces: OTLP over HTTP as a real one takes it, in this process; told to, it takes nothing any more.

Comes in: whatever exporters post. Goes out: spans, with names a test can read.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Told

from tests.services.waiting import until

_PATIENCE_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Span:
    """One span as it was told; ids in hex, `parent` empty for a root."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    facts: dict[str, Any]
    links: list[tuple[str, str, dict[str, Any]]]
    """Trace, span, attributes."""
    events: list[tuple[str, dict[str, Any]]]
    is_error: bool
    service: str
    seconds: float

    @property
    def topic(self) -> str:
        return str(self.facts.get("messaging.destination.name", ""))


class Collector:
    """Listens on a port of its own; `base_url` is what `OTEL_EXPORTER_OTLP_ENDPOINT` takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Span] = []
        self.requests: list[dict[str, str]] = []
        """The headers of every request."""
        self.raw = b""
        """All bodies, to look for what must not be in them."""
        self.let_go = threading.Event()
        self.status = 200
        """What it answers; anything but 200 takes nothing."""
        self.is_deaf = False
        """Takes the connection and never answers, until `let_go`."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def spans(self) -> list[Span]:
        """All so far."""
        with self._lock:
            return list(self._spans)

    def wait(self, fits: Callable[[list[Span]], bool], *, what: str) -> list[Span]:
        """All spans, once they are as told. Raises TimeoutError."""
        until(lambda: fits(self.spans), timeout_seconds=_PATIENCE_SECONDS, what=what)
        return self.spans

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        if self.is_deaf:
            self.let_go.wait(_PATIENCE_SECONDS)
        with self._lock:
            self.requests.append(headers)
            if self.status != 200 or path != "/v1/traces":
                return self.status if path == "/v1/traces" else 404
            self.raw += body
            self._spans += _spans(ExportTraceServiceRequest.FromString(body))
        return 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told = {name.lower(): value for name, value in self.headers.items()}
                try:
                    self.send_response(collector._take(self.path, told, body))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:  # whoever asked has left: that is what a deaf collector is for
                    self.close_connection = True

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def open_collector() -> Iterator[Collector]:
    """A collector, closed whatever happened."""
    collector = Collector()
    try:
        yield collector
    finally:
        collector.close()


def tree(spans: list[Span], trace: str) -> str:
    """One trace as text, children below their parents in the order they began to be told."""
    inside = [span for span in spans if span.trace == trace]
    ids = {span.id for span in inside}
    lines: list[str] = []

    def tell(parent: str, depth: int) -> None:
        for span in inside:
            if span.parent == parent or (depth == 0 and parent == "" and span.parent not in ids):
                facts = " ".join(f"{name.rpartition('.')[2]}={value}" for name, value in _shown(span.facts).items())
                lines.append(f"{'  ' * depth}{span.name}  {span.seconds * 1000:.0f} ms  {facts}".rstrip())
                tell(span.id, depth + 1)

    tell("", 0)
    return "\n".join(lines)


def _shown(facts: dict[str, Any]) -> dict[str, Any]:
    wanted = ("stage", "ask", "operation", "job_state", "download", "outcome", "reason", "bytes")
    return {name: value for name, value in facts.items() if name.startswith("skustream.") and name.endswith(wanted)}


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        service = str(_facts(resource.resource.attributes)["service.name"])
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield _span(span, service)


def _span(span: Told, service: str) -> Span:
    return Span(
        name=span.name, trace=span.trace_id.hex(), id=span.span_id.hex(), parent=span.parent_span_id.hex(),
        kind=Told.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(), facts=_facts(span.attributes),
        links=[(link.trace_id.hex(), link.span_id.hex(), _facts(link.attributes)) for link in span.links],
        events=[(event.name, _facts(event.attributes)) for event in span.events],
        is_error=span.status.code == 2, service=service,
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )  # fmt: skip


def _facts(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
