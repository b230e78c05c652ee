"""The books of the simulated provider: every request, every job, every credit.

Rooms report what happened; tests and auditors read it over `GET /_sim/ledger`. Nothing survives the process, except
that each entry is appended to a state file (JSON lines) when one is given.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from stream.simulator.windows import most_in_window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from stream.simulator.faults import Operation

ENDED = frozenset({"completed", "failed", "blocked"})
OPEN_STEPS = frozenset({"download", "photo"})
# Jobs that hold or made the picture the customer paid for.
ALIVE_OR_COMPLETED = frozenset({"running", "completed"})


@dataclass(slots=True)
class Request:
    """One request to the API host. `status` None: no answer was given (dropped or hanging)."""

    number: int
    arrived: float
    arrived_at: float
    step: str
    method: str
    path: str
    client: str
    job_key: str
    operation: str | None = None
    job: str | None = None
    fault: str | None = None
    status: int | None = None
    delivered: bool = False
    peer_port: int = 0
    """The client's own port: on one machine it tells which process asked."""
    ended: bool = False
    """Answered, or cut without an answer."""


@dataclass(slots=True)
class Job:
    """One accepted job. Times are Unix seconds; `status` is running, completed, failed or blocked."""

    id: str
    operation: Operation
    dialect: str
    image_url: str | None
    filename: str | None
    sha256: str
    params: dict[str, Any]
    client: str
    job_key: str
    price_credits: Decimal
    submitted_at: float
    latency_seconds: float
    started_at: float | None = None
    finished_at: float | None = None
    status: str = "running"
    error: str | None = None
    fault: str | None = None
    charged_credits: Decimal = Decimal(0)
    refunded_credits: Decimal = Decimal(0)
    polls: int = 0
    downloads: int = 0
    answer_delivered: bool = False
    output: str | None = None
    output_names: list[str] = field(default_factory=list)
    output_made_at: float = 0.0

    @property
    def ended(self) -> bool:
        """Completed, failed or blocked."""
        return self.status in ENDED

    @property
    def purchase(self) -> str:
        """What was bought, to find things bought twice: the client's key if it sent one, else picture and recipe."""
        if self.job_key:
            return self.job_key
        picture = (self.image_url or self.filename or "").split("?", 1)[0]
        return f"{self.operation.value}|{picture}|{self.sha256}|{plain(self.params)!r}"


class Book:
    """Requests, jobs and money. All changes go through its verbs, so the state file misses none."""

    def __init__(self, state: Path | None = None) -> None:
        self.requests: list[Request] = []
        self.open_requests: list[Request] = []
        self.jobs: dict[str, Job] = {}
        self.statuses: Counter[int] = Counter()
        self.key_leaks = 0
        self.running = 0
        self.charged_credits = self.refunded_credits = self.promised_credits = Decimal(0)
        self._file: BinaryIO | None = state.open("ab", buffering=0) if state else None

    def close(self) -> None:
        """Close the state file; the book stays readable."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def forget(self) -> None:
        """Empty books and the full balance. The state file keeps its lines and gets a mark."""
        self.requests.clear()
        self.open_requests.clear()
        self.jobs.clear()
        self.statuses.clear()
        self.key_leaks = 0
        self.running = 0
        self.charged_credits = self.refunded_credits = self.promised_credits = Decimal(0)
        self._note("reset", {"at": time.time()})

    def arrive(self, step: str, method: str, path: str, client: str, job_key: str) -> Request:
        """Write a request down at the moment it counts as arrived; those for outputs and photos apart."""
        page = self.open_requests if step in OPEN_STEPS else self.requests
        now = time.monotonic()
        request = Request(len(page) + 1, now, time.time(), step, method, path, client, job_key)
        page.append(request)
        return request

    def answered(self, request: Request, status: int | None, *, delivered: bool) -> None:
        """How the request ended: the status, None when the line was cut without one."""
        request.status, request.delivered, request.ended = status, delivered, True
        if status is not None and request.step not in OPEN_STEPS:
            self.statuses[status] += 1
        self._note("request", asdict(request))

    def leaked(self, path: str) -> None:
        """The API key was sent where none is needed."""
        self.key_leaks += 1
        self._note("key-leak", {"path": path, "at": time.time()})

    def accept(self, job: Job, *, charge: bool) -> None:
        """A job is taken; with `charge` its price is taken at once, else promised until it ends."""
        self.jobs[job.id] = job
        self.running += 1
        self.promised_credits += job.price_credits
        if charge:
            self._charge(job)
        self.changed(job, "accepted")

    def finish(self, job: Job, status: str, *, charge: bool = False, refund: bool = False, error: str = "") -> None:
        """A job ended: charged now (`charge`), or its charge given back (`refund`)."""
        self.running -= 1
        promised = job.price_credits - job.charged_credits
        job.status, job.finished_at, job.error = status, time.time(), error or None
        if charge and not job.charged_credits:
            self._charge(job)
        else:
            self.promised_credits -= promised
        if refund:
            job.refunded_credits = job.charged_credits
            self.refunded_credits += job.charged_credits
        self.changed(job, status)

    def _charge(self, job: Job) -> None:
        job.charged_credits = job.price_credits
        self.charged_credits += job.price_credits
        self.promised_credits -= job.price_credits

    def changed(self, job: Job, what: str) -> None:
        """Append the job as it is now to the state file."""
        if self._file is not None:
            self._note("job", {"what": what, **asdict(job)})

    @property
    def net_credits(self) -> Decimal:
        """Charged less refunded."""
        return self.charged_credits - self.refunded_credits

    def repeated_purchases(self) -> dict[str, list[str]]:
        """Purchases with more than one job alive or completed (law L2), and the job ids."""
        bought: dict[str, list[str]] = {}
        for job in self.jobs.values():
            if job.status in ALIVE_OR_COMPLETED:
                bought.setdefault(job.purchase, []).append(job.id)
        return {what: jobs for what, jobs in bought.items() if len(jobs) > 1}

    def totals(self, balance_credits: Decimal, window_seconds: float) -> dict[str, Any]:
        """The figures tests count; windows are over arrivals at the API host, refused ones included."""
        jobs = self.jobs.values()
        steps = Counter(request.step for request in self.requests)
        return {
            "requests": len(self.requests),
            "requests_by_step": dict(steps),
            "answers_by_status": {str(status): count for status, count in sorted(self.statuses.items())},
            "unanswered": sum(request.status is None for request in self.requests),
            "throttled": self.statuses[429],
            "submits_accepted": len(self.jobs),
            "accepted_by_operation": dict(Counter(job.operation.value for job in jobs)),
            "jobs_by_status": dict(Counter(job.status for job in jobs)),
            "answers_lost": sum(not job.answer_delivered for job in jobs),
            "repeated_purchases": len(self.repeated_purchases()),
            "charged_credits": self.charged_credits,
            "refunded_credits": self.refunded_credits,
            "net_credits": self.net_credits,
            "balance_credits": balance_credits - self.net_credits,
            "polls": sum(job.polls for job in jobs),
            "downloads": sum(job.downloads for job in jobs),
            "window_seconds": window_seconds,
            "most_requests_in_window": most_in_window(list(self._arrivals(None)), window_seconds),
            "most_submits_in_window": most_in_window(list(self._arrivals("submit")), window_seconds),
            "key_leaks": self.key_leaks,
        }

    def _arrivals(self, step: str | None) -> Iterator[float]:
        return (request.arrived for request in self.requests if step is None or request.step == step)

    def _note(self, kind: str, entry: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(orjson.dumps({"kind": kind, **entry}, default=number) + b"\n")


def number(value: object) -> object:
    """Decimals as JSON numbers, whole ones without a point; everything else orjson does not know as text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def plain(params: dict[str, Any]) -> list[tuple[str, str]]:
    """Parameters in a fixed order, as text."""
    return sorted((name, str(value)) for name, value in params.items())
