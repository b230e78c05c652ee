"""The recorder behind `/metrics`: verbs of the walk in, Prometheus series out.

One registry of its own per recorder. Known series exist from the start; values outside a closed set count as `other`,
so that no answer of a foreign host can make new ones. Safe to call from the Kafka threads.
"""

import platform
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib import metadata

import confluent_kafka
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from stream.core.clock import Clock
from stream.metrics import catalogue
from stream.metrics.catalogue import CATALOGUE, Kind, Known, Metric

NONE = float("nan")
"""A gauge that has nothing to say: every comparison with it is false, so no alert fires."""


class PrometheusRecorder:
    """`Recorder` over a registry of its own; `known` decides which series exist from the start."""

    def __init__(self, known: Known, clock: Clock) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the whole library's switch: no `_created` series
        self.registry = CollectorRegistry()
        self._known = known
        self._clock = clock
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        ProcessCollector(registry=self.registry)
        for metric in CATALOGUE:
            made = self._create(metric)
            for values in known.label_sets(metric) if metric.labels else ():
                made.labels(*values)
        for stage in known.values["stage"]:
            self.oldest_open(stage, None)
        for unknown in (catalogue.BALANCE, catalogue.BALANCE_TIME):
            self._set(unknown, NONE)
        self._set(catalogue.BUILD, 1, *_versions())
        self.progressed()

    def _create(self, metric: Metric) -> Counter | Gauge | Histogram:
        name, labels = metric.name, metric.label_names
        if metric.kind is Kind.COUNTER:
            return self._counters.setdefault(name, Counter(name, metric.help, labels, registry=self.registry))
        if metric.kind is Kind.GAUGE:
            return self._gauges.setdefault(name, Gauge(name, metric.help, labels, registry=self.registry))
        histogram = Histogram(name, metric.help, labels, registry=self.registry, buckets=metric.buckets)
        return self._histograms.setdefault(name, histogram)

    def _count(self, metric: Metric, *values: str, amount: float = 1) -> None:
        self._counters[metric.name].labels(*self._known.closed(metric, values)).inc(amount)

    def _set(self, metric: Metric, value: float, *values: str) -> None:
        gauge = self._gauges[metric.name]
        (gauge.labels(*self._known.closed(metric, values)) if values else gauge).set(value)

    def _observe(self, metric: Metric, value: float, *values: str) -> None:
        self._histograms[metric.name].labels(*self._known.closed(metric, values)).observe(max(0.0, value))

    def received(self, stage: str, topic: str) -> None:
        """Count a record that was admitted to a lane."""
        self._count(catalogue.RECEIVED, stage, topic)

    def finished(self, stage: str, outcome: str, priority: str, age_seconds: float) -> None:
        """Count a record that left the stage, and how old it had become; who was put off comes back and is older."""
        self._count(catalogue.FINISHED, stage, outcome, priority)
        if outcome != catalogue.POSTPONED:
            self._observe(catalogue.EVENT_AGE, age_seconds, stage, priority)

    def ignored(self, stage: str, entries: int) -> None:
        """Count what asked for nothing."""
        self._count(catalogue.IGNORED, stage, amount=entries)

    def lettered(self, stage: str, reason: str) -> None:
        """Count a letter."""
        self._count(catalogue.LETTERS, stage, reason)

    def replayed(self, stage: str) -> None:
        """Count a letter that came in again."""
        self._count(catalogue.REPLAYS, stage)

    def in_flight(self, stage: str, tickets: int) -> None:
        """Set the open tickets."""
        self._set(catalogue.IN_FLIGHT, tickets, stage)

    def oldest_open(self, stage: str, timestamp_seconds: float | None) -> None:
        """Set the record time of the oldest open ticket; NaN for none, so that no age can be computed."""
        self._set(catalogue.OLDEST_OPEN, NONE if timestamp_seconds is None else timestamp_seconds, stage)

    def lag(self, stage: str, topic: str, partition: int, records: int | None) -> None:
        """Set a partition's lag; a partition that left us disappears."""
        if records is not None:
            self._set(catalogue.LAG, records, stage, topic, str(partition))
            return
        labels = self._known.closed(catalogue.LAG, (stage, topic, str(partition)))
        # The library would warn about removing what was never set.
        gauge = self._gauges[catalogue.LAG.name]
        gauge.labels(*labels)
        gauge.remove(*labels)

    def retried(self, stage: str, cause: str) -> None:
        """Count a walk that will be tried again."""
        self._count(catalogue.RETRIES, stage, cause)

    def rebalanced(self, stage: str, event: str) -> None:
        """Count a rebalance."""
        self._count(catalogue.REBALANCES, stage, event)

    def committed(self, stage: str, seconds: float, records: int) -> None:
        """Count a commit's records and its duration."""
        self._observe(catalogue.COMMIT_SECONDS, seconds, stage)
        self._count(catalogue.COMMITTED, stage, amount=records)

    def aborted(self, stage: str, cause: str) -> None:
        """Count an aborted transaction."""
        self._count(catalogue.ABORTS, stage, cause)

    def paused(self, resource: str, *, is_paused: bool) -> None:
        """Set whether intake stands still for lack of `resource`."""
        self._set(catalogue.PAUSED, int(is_paused), resource)

    def flood_stopped(self, stage: str, reason: str, *, is_stopped: bool) -> None:
        """Set whether the stage is stopped by letters of `reason`."""
        self._set(catalogue.FLOOD_STOPPED, int(is_stopped), stage, reason)

    def requested(self, operation: str, code: str, seconds: float) -> None:
        """Count an HTTP request and its duration."""
        self._observe(catalogue.REQUEST_SECONDS, seconds, operation, code)

    def job_ended(self, operation: str, state: str, seconds: float, polls: int) -> None:
        """Count a job, its duration and its polls."""
        self._observe(catalogue.JOB_SECONDS, seconds, operation, state)
        self._observe(catalogue.JOB_POLLS, polls, operation)

    def waited(self, kind: str, seconds: float) -> None:
        """Count a wait at the limiter."""
        self._observe(catalogue.LIMITER_WAIT, seconds, kind)

    def quota(self, used_requests: int, limit_requests: int, window_seconds: float, running_jobs: int) -> None:
        """Set the limiter's books."""
        self._set(catalogue.LIMITER_USED, used_requests)
        self._set(catalogue.LIMITER_LIMIT, limit_requests)
        self._set(catalogue.LIMITER_WINDOW, window_seconds)
        self._set(catalogue.RUNNING_JOBS, running_jobs)

    def contract(self, requests: int) -> None:
        """Set the whole contract."""
        self._set(catalogue.LIMITER_CONTRACT, requests)

    def line(self, waiting_asks: int) -> None:
        """Set how many wait."""
        self._set(catalogue.LIMITER_WAITING, waiting_asks)

    def useful_replicas(self, stage: str, replicas: float) -> None:
        """Set this process's part of the useful workers."""
        self._set(catalogue.USEFUL_REPLICAS, replicas, stage)

    def credited(self, operation: str, cause: str, amount_credits: Decimal) -> None:
        """Count credits."""
        self._count(catalogue.CREDITS, operation, cause, amount=max(0.0, float(amount_credits)))

    def balance(self, left_credits: Decimal) -> None:
        """Set the account's credits, and when they were told."""
        self._set(catalogue.BALANCE, float(left_credits))
        self._set(catalogue.BALANCE_TIME, self._clock.wall())

    def price_differed(self, operation: str) -> None:
        """Count a job whose price is not the book's."""
        self._count(catalogue.PRICE_MISMATCH, operation)

    def stored(self, action: str, seconds: float) -> None:
        """Count a call to the store and its duration."""
        self._observe(catalogue.STORE_SECONDS, seconds, action)

    def store_failed(self, action: str) -> None:
        """Count a call to the store that failed."""
        self._count(catalogue.STORE_FAILURES, action)

    def spans(self, outcome: str, count: int) -> None:
        """Count what became of spans."""
        self._count(catalogue.SPANS, outcome, amount=count)

    def progressed(self) -> None:
        """Set the last progress to now."""
        self._set(catalogue.PROGRESS, self._clock.wall())

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The page for a scraper that accepts `accept`, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


@cache
def _versions() -> tuple[str, str, str]:
    try:
        version = metadata.version("skustream")
    except metadata.PackageNotFoundError:
        version = "unreleased"
    return version, platform.python_version(), str(confluent_kafka.libversion()[0])


def series(recorder: PrometheusRecorder) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by (name, sorted labels): for tests and tools that read the page."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in recorder.registry.collect()
        for sample in family.samples
    }
