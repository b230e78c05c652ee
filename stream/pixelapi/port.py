"""PixelAPI as the stages see it. Every call is exactly one HTTP request to the API host (L3 counts them).

Comes in: an order (operation, parameters, picture). Goes out: a `JobReport`, or an error that says whose fault it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from stream.core.errors import StreamError, Transient


class JobState(StrEnum):
    """What PixelAPI says of a job; unknown statuses count as running until the deadline."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Upload:
    """The input picture as a local file, for multipart."""

    path: Path
    filename: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Order:
    """One job to buy. `source` is a URL PixelAPI can read, or a file to upload."""

    operation: str
    source: str | Upload = field(repr=False)
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobReport:
    """What one answer said. `job_id` may be None on a synchronous answer; `output_url` is temporary (24 h)."""

    state: JobState
    job_id: str | None = None
    output_url: str | None = field(default=None, repr=False)
    credits: Decimal | None = None
    detail: str | None = None
    status: str = ""
    """The provider's own word, for the logs."""


class UnknownJob(Transient):
    """A poll's 404: the job is not known at that path. It may be a wrong path or a replica that lags."""


class Busy(Transient):
    """A submit's 503 in the API's own words: it is overloaded, whatever was ordered."""


class NoBooks(StreamError):
    """This API shows no usage in which a job could be found."""


@dataclass(frozen=True, slots=True)
class Balance:
    """`GET /account/balance`."""

    credits: Decimal | None
    plan: str | None


class PixelApi(Protocol):
    """The paid API.

    All methods raise: `Throttled` (429), `Unavailable` (401, 402, 403, unreachable before anything was sent, no known
    dialect), `Transient` (a refusal that passes: 5xx in the API's own words), and as each method says.
    """

    async def submit(self, order: Order) -> JobReport:
        """Buy one job: one POST, never repeated inside.

        Raises `Rejected(api-rejected)` on a definite refusal for the input's sake, `Ambiguous` when the request may
        have arrived and its answer is lost. `Transient(free=True)` when this dialect's path does not exist: the other
        dialect is remembered, and nothing was bought.
        """
        ...

    async def poll(self, operation: str, job_id: str) -> JobReport:
        """Ask after a job: one GET. A poll never abandons a job: a 404 is `UnknownJob`, a lost answer `Transient`."""
        ...

    async def find(self, mark: str) -> JobReport | None:
        """Look for the job whose input carried `mark` in the account's usage: one GET; None when it is not listed.

        Raises `NoBooks` where there is no usage to look at.
        """
        ...

    async def balance(self) -> Balance:
        """Credits left: one GET."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
