"""The limiter as the stages see it: ask, wait, be granted, report what became of the request.

Comes in: an `Ask` with its priority. Goes out: a `Grant` for exactly one HTTP request to the API host.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from stream.events import Priority


class AskKind(StrEnum):
    """What the request will be; polls go before submits of the same rank."""

    POLL = "poll"
    SUBMIT = "submit"
    ACCOUNT = "account"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request wanted. Later stages (`stage_index`) are served first; a submit takes a slot for `job_key`."""

    kind: AskKind
    priority: Priority = Priority.LIVE
    stage_index: int = 0
    job_key: str = ""


class Grant(Protocol):
    """The right to send one request now."""

    def sending(self) -> None:
        """The request leaves now: call it just before sending when something was awaited since `admit` (a claim).

        Raises `Throttled` when the grant ended unused meanwhile: give it back, send nothing, ask again.
        """
        ...

    def answered(self) -> None:
        """The request surely arrived by now (it was answered, or it failed): charged for one window from now.

        Call it for every request that was sent, however late and whatever came of it.
        """
        ...

    def give_back(self) -> None:
        """Nothing was sent (a lost claim): the charge and the running-job slot are free again."""
        ...


class Quota(Protocol):
    """All-or-nothing admission by contract, priority and running jobs. Fails closed."""

    async def admit(self, ask: Ask) -> Grant:
        """Wait for a grant. A SUBMIT also takes a running-job slot for `job_key`. Cancelling the wait takes nothing."""
        ...

    def adopt(self, job_key: str) -> None:
        """A job that runs already (bought by an earlier owner) counts as running here; idempotent, never waits."""
        ...

    def release_job(self, job_key: str) -> None:
        """The job ended, was refused, or left with another owner: its slot is free; idempotent."""
        ...

    def throttle(self, after_seconds: float) -> None:
        """The provider answered 429 (or its headers say nothing is left): nobody asks for `after_seconds`."""
        ...

    def seconds_since_throttle(self) -> float:
        """How long ago the provider last asked for silence; infinite when it never did."""
        ...

    def close(self) -> None:
        """No further request leaves, granted or not: the process is ending, and its successor counts from its start."""
        ...

    def report(self) -> None:
        """Tell the recorder how the books stand: charges end while nobody calls."""
        ...
