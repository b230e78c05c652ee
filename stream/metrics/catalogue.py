"""Every metric there is: name, kind, labels, help and meaning. Docs, dashboards and alerts are tested against it.

Comes in: a pipeline, whose stages, topics and operations are the known label values. Goes out: definitions, and the
label sets that exist from the start, so that a ratio is zero and not empty before the first failure.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from stream.core.errors import Reason, Resource
from stream.events import Priority
from stream.outcome import OutcomeKind
from stream.pipeline import Pipeline
from stream.topics import Topics

PREFIX = "skustream_"
OTHER = "other"
"""Takes the place of a value outside a closed set: nothing from outside can make new series."""

LETTERED = "dead-letter"
"""The outcome of an event that left as a letter."""
POSTPONED = "postponed"
"""The outcome of an event that left for a retry topic: it comes back."""
JOB_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 30, 45, 60, 120, 300)
AGE_BUCKETS = (0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400)
REQUEST_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
WAIT_BUCKETS = (0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
SHORT_BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
POLL_BUCKETS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55)

# Written out, because doors do not import each other's words; tests compare them with their owners'.
CLOSED: Mapping[str, tuple[str, ...]] = {
    "outcome": (*(kind.value for kind in OutcomeKind), POSTPONED, LETTERED),
    "reason": tuple(Reason),
    "resource": tuple(Resource),
    "retry_cause": ("transient", "throttled", "unavailable"),
    "rebalance": ("assigned", "revoked", "lost"),
    "abort_cause": ("record", "group", "broken"),
    "code": (
        *("200", "201", "202", "204", "400", "401", "402", "403", "404", "405", "408", "409", "413", "422", "429"),
        *("500", "502", "503", "504", "lost", "unsent", OTHER),
    ),
    "state": ("completed", "failed", "blocked", "overdue"),
    "kind": ("poll", "submit", "account", "download"),
    "credit_cause": ("spent", "refunded", "reused", "ambiguous"),
    "priority": (*Priority, OTHER),
    "span_outcome": ("exported", "failed", "dropped"),
    "action": ("read", "create", "replace", "put", "get", "stat", "list", "delete", "probe"),
}
"""Label → its known values. `stage`, `topic` and `operation` come from the pipeline; `partition` alone is open."""

ASKING_REQUESTS = ("poll", "balance", "usage")
"""Requests that buy nothing; a submit is recorded under its operation."""


class Kind(StrEnum):
    """Prometheus's kinds."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One definition. `labels`: label name → the closed set that it takes its values from (a key of `Known.values`).

    `help` is what Prometheus shows; `meaning` is what a person at night should conclude.
    """

    name: str
    kind: Kind
    help: str
    meaning: str
    labels: tuple[tuple[str, str], ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def label_names(self) -> tuple[str, ...]:
        """The label names in their order."""
        return tuple(name for name, _ in self.labels)


def _labels(*names: str, **sets: str) -> tuple[tuple[str, str], ...]:
    return (*((name, name) for name in names), *sets.items())


def _counter(name: str, help_text: str, meaning: str, labels: tuple[tuple[str, str], ...] = ()) -> Metric:
    return Metric(f"{PREFIX}{name}", Kind.COUNTER, help_text, meaning, labels)


def _gauge(name: str, help_text: str, meaning: str, labels: tuple[tuple[str, str], ...] = ()) -> Metric:
    return Metric(f"{PREFIX}{name}", Kind.GAUGE, help_text, meaning, labels)


def _histogram(
    name: str, help_text: str, meaning: str, buckets: tuple[float, ...], labels: tuple[tuple[str, str], ...] = ()
) -> Metric:
    return Metric(f"{PREFIX}{name}", Kind.HISTOGRAM, help_text, meaning, labels, buckets)


RECEIVED = _counter(
    "events_received_total", "Records admitted to a lane.",
    "Repeated records after a crash count again; against finished it shows work piling up.", _labels("stage", "topic"),
)  # fmt: skip
FINISHED = _counter(
    "events_finished_total", "Records that left a stage, with their offset committed, by outcome and priority.",
    "The denominator of the success ratio; `dead-letter` is its failure side, and who is `postponed` comes back. "
    "`other` is what could not be read, and so has no priority.",
    _labels("stage", "outcome", "priority"),
)  # fmt: skip
EVENT_AGE = _histogram(
    "event_age_seconds", "From the origin's record time to the committed end of the stage; put off does not count.",
    "Freshness as the catalog team feels it: waiting in Kafka, at the limiter and at PixelAPI together, over all "
    "stages so far. Look at `live`: a backfill is old by nature, and a replay as old as its origin.",
    AGE_BUCKETS, _labels("stage", "priority"),
)  # fmt: skip
REPLAYS = _counter(
    "replays_total", "Letters that people put back and that came in again.",
    "Set it against the letters: a replay that only makes new ones has mended nothing. Repeated after a crash.",
    _labels("stage"),
)  # fmt: skip
IGNORED = _counter(
    "entries_ignored_total", "Entries of S3 notifications that ask for nothing: an object was removed, a test event.",
    "Harmless. A high rate: narrow the bucket's notification to s3:ObjectCreated:*.", _labels("stage"),
)  # fmt: skip
LETTERS = _counter(
    "dead_letters_total", "Letters acknowledged by Kafka, by reason.",
    "A steady trickle is the PIM's data; a sudden rate of one reason is ours or PixelAPI's.",
    _labels("stage", "reason"),
)  # fmt: skip
IN_FLIGHT = _gauge(
    "events_in_flight", "Tickets open now.",
    "Near the lane's limit for long: the quota, PixelAPI or the store is the bottleneck.", _labels("stage"),
)  # fmt: skip
OLDEST_OPEN = _gauge(
    "oldest_open_timestamp_seconds", "Record time of the oldest ticket still open; NaN when none is.",
    "time() minus this is how long the slowest event waits: what holds the committed offset back.", _labels("stage"),
)  # fmt: skip
LAG = _gauge(
    "lag_records", "Records between the committed offset and the end, of the partitions this process owns.",
    "Sum it by stage; a rising sum with the limiter at its limit means the contract is too small, not the fleet. "
    "Of the retry topics it counts what waits to be due.",
    _labels("stage", "topic", "partition"),
)  # fmt: skip
RETRIES = _counter(
    "retries_total", "Walks that will be tried again, by cause.",
    "`throttled` says the pace is wrong; `unavailable` that the world is down; both spend no attempt.",
    _labels("stage", cause="retry_cause"),
)  # fmt: skip
REBALANCES = _counter(
    "rebalances_total", "Partitions assigned, revoked or lost.",
    "`lost` means the group gave us up: sessions time out, or the process stood still.",
    _labels("stage", event="rebalance"),
)  # fmt: skip
COMMIT_SECONDS = _histogram(
    "commit_seconds", "Duration of one commit of outputs and offsets.",
    "Slow commits hold back every reader behind them: look at the brokers.", SHORT_BUCKETS, _labels("stage"),
)  # fmt: skip
COMMITTED = _counter(
    "committed_records_total", "Records whose outputs and offsets were committed.",
    "Standing still while tickets are open: commits are stuck.", _labels("stage"),
)  # fmt: skip
ABORTS = _counter(
    "aborts_total", "Transactions aborted, by cause.",
    "The work is delivered again, never bought again; a steady rate wants the brokers looked at.",
    _labels("stage", cause="abort_cause"),
)  # fmt: skip
PAUSED = _gauge(
    "intake_paused", "1 while intake stands still for lack of the resource, else 0.",
    "Events are safe in Kafka; the resource named here needs a person (key, credits) or time (outage).",
    _labels("resource"),
)  # fmt: skip
FLOOD_STOPPED = _gauge(
    "flood_stopped", "1 while a stage is stopped because letters of a reason passed their budget.",
    "Alert on it. Look at a few of the letters; the stage goes on by itself once events succeed, or by dlq resume.",
    _labels("stage", "reason"),
)  # fmt: skip
REQUEST_SECONDS = _histogram(
    "api_request_seconds", "HTTP requests to the API host until their answer, by request and status code.",
    "Its count is what the contract is spent on; `lost` are answers that never came (ambiguous when a submit).",
    REQUEST_BUCKETS, _labels("request", "code"),
)  # fmt: skip
JOB_SECONDS = _histogram(
    "job_seconds", "From the submit to the job's final state.",
    "PixelAPI's own speed; the deadline of a stage must stay far above its tail.",
    JOB_BUCKETS, _labels("operation", "state"),
)  # fmt: skip
JOB_POLLS = _histogram(
    "job_polls", "Polls a job needed.",
    "Every poll costs a request of the contract: above three, the poll timing has not learned the operation.",
    POLL_BUCKETS, _labels("operation"),
)  # fmt: skip
LIMITER_WAIT = _histogram(
    "limiter_wait_seconds", "Time an ask waited for its grant.",
    "Long waits of submits are the quota at work; long waits of polls mean that results come late.",
    WAIT_BUCKETS, _labels("kind"),
)  # fmt: skip
LIMITER_USED = _gauge(
    "limiter_used_requests", "Requests charged to the window, as of the last ask.",
    "Never above the limit (L3). An idle limiter keeps its last figure: rates of requests tell the use over time.",
)  # fmt: skip
LIMITER_LIMIT = _gauge(
    "limiter_limit_requests", "Requests the contract allows in one window.", "Used divided by this is utilisation.",
)  # fmt: skip
LIMITER_CONTRACT = _gauge(
    "limiter_contract_requests", "Requests the whole contract allows in one window, all workers together.",
    "What the limits of all workers may add up to; divided by one worker's limit it is the number of workers that fit.",
)  # fmt: skip
LIMITER_WAITING = _gauge(
    "limiter_waiting_requests", "Asks that wait for their grant now.",
    "Many for long with the contract used up: the contract is the bottleneck. With a contract hardly used: running "
    "jobs are at their cap, or PixelAPI asked for silence.",
)  # fmt: skip
LIMITER_WINDOW = _gauge(
    "limiter_window_seconds", "Length of the contract's window.",
    "The rate of API requests times this, divided by the limit, is utilisation over any time.",
)  # fmt: skip
RUNNING_JOBS = _gauge(
    "running_jobs", "Jobs that hold a running-job slot.", "At its cap, more requests would not help.",
)  # fmt: skip
CREDITS = _counter(
    "credits_total", "Credits by cause: spent, refunded, reused (what an earlier job saved), ambiguous.",
    "Spent less refunded is the bill; `ambiguous` may be charged for nothing and waits for a person.",
    _labels("operation", cause="credit_cause"),
)  # fmt: skip
BALANCE = _gauge(
    "balance_credits", "Credits left on PixelAPI's account, when it was last asked; NaN while that is not known.",
    "The account's, not this worker's: take the smallest, never the sum. Asked every SKUSTREAM_BALANCE_SECONDS; some "
    "accounts tell none.",
)  # fmt: skip
BALANCE_TIME = _gauge(
    "balance_timestamp_seconds", "When the balance was last told; NaN before the first time.",
    "time() minus this is the balance's age: a balance of hours ago says little.",
)  # fmt: skip
PRICE_MISMATCH = _counter(
    "price_mismatch_total", "Jobs that PixelAPI charged otherwise than the price book says.",
    "Forecasts and prices of unanswered submits are wrong by that; the ledger and the records are not.",
    _labels("operation"),
)  # fmt: skip
STORE_SECONDS = _histogram(
    "store_call_seconds", "Calls to the object store.",
    "Five calls a job are normal; their tail delays every settle.", SHORT_BUCKETS, _labels("action"),
)  # fmt: skip
STORE_FAILURES = _counter(
    "store_failures_total", "Calls to the object store that failed in the end, after their own retries.",
    "Not what was merely not there, nor a condition lost to another worker. Intake pauses while this goes on.",
    _labels("action"),
)  # fmt: skip
USEFUL_REPLICAS = _gauge(
    "useful_replicas", "Workers that the lag of this process's partitions would keep busy, within what the contract's "
    "shares allow: this process's part of a sum.",
    "Rounded up, the sum over all workers, and at least 1, is how many are of use: what an autoscaler should follow, "
    "never lag. It does not grow where the contract is the bottleneck, nor after a 429 or during a pause.",
    _labels("stage"),
)  # fmt: skip
SPANS = _counter(
    "trace_spans_total", "Spans of traces: exported, failed, or dropped because too many waited.",
    "All zero without tracing. What is not `exported` is missing in traces and nowhere else: look at the collector.",
    _labels(outcome="span_outcome"),
)  # fmt: skip
PROGRESS = _gauge(
    "last_progress_timestamp_seconds", "When something last moved; the start of the process at first.",
    "With lag and no progress for minutes, the worker is stuck.",
)  # fmt: skip
BUILD = _gauge(
    "build_info", "Always 1; the versions are its labels.", "Tells which version a pod runs during a roll-out.",
    _labels("version", "python", "librdkafka"),
)  # fmt: skip

CATALOGUE: tuple[Metric, ...] = (
    RECEIVED, FINISHED, EVENT_AGE, IGNORED, LETTERS, REPLAYS, IN_FLIGHT, OLDEST_OPEN, LAG, RETRIES, REBALANCES,
    COMMIT_SECONDS, COMMITTED, ABORTS, PAUSED, FLOOD_STOPPED, REQUEST_SECONDS, JOB_SECONDS, JOB_POLLS, LIMITER_WAIT,
    LIMITER_WAITING, LIMITER_USED, LIMITER_LIMIT, LIMITER_CONTRACT, LIMITER_WINDOW, RUNNING_JOBS, USEFUL_REPLICAS,
    CREDITS, BALANCE, BALANCE_TIME, PRICE_MISMATCH, STORE_SECONDS, STORE_FAILURES, SPANS, PROGRESS,
    BUILD,
)  # fmt: skip

_UNKNOWN_AT_START = frozenset({"partition", "version"})


@dataclass(frozen=True, slots=True)
class Known:
    """The label values known at the start. `inputs`: (stage, topic) pairs that really occur."""

    values: Mapping[str, tuple[str, ...]]
    inputs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, pipeline: Pipeline, topics: Topics, stages: Iterable[str] = ()) -> "Known":
        """What `pipeline` can produce in a process that runs `stages` (none named: all)."""
        chosen = tuple(stages) or tuple(stage.name for stage in pipeline.stages)
        bought = {stage.card.name for stage in pipeline.stages if stage.name in chosen and not stage.local}
        inputs = tuple((name, topic) for name in chosen for topic in pipeline.reads(name, topics))
        values = {
            **CLOSED,
            "stage": chosen,
            "operation": tuple(sorted(bought)),
            "request": (*sorted(bought), *ASKING_REQUESTS),
            "topic": tuple(dict.fromkeys(topic for _, topic in inputs)),
        }
        return cls(values, inputs)

    def label_sets(self, metric: Metric) -> list[tuple[str, ...]]:
        """The label values of every series of `metric` that exists from the start."""
        sets = [source for _, source in metric.labels]
        if sets == ["stage", "topic"]:
            return list(self.inputs)
        if _UNKNOWN_AT_START.intersection(sets):
            return []
        return list(itertools.product(*(self.values[source] for source in sets)))

    def closed(self, metric: Metric, values: tuple[str, ...]) -> tuple[str, ...]:
        """`values` with everything outside its closed set replaced by `other`."""
        return tuple(
            value if source not in self.values or value in self.values[source] else OTHER
            for (_, source), value in zip(metric.labels, values, strict=True)
        )
