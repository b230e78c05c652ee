"""The recorder as the other doors and the runtime see it: verbs of the walk, no metric names.

Comes in: what just happened. Goes out: nothing; a recorder never fails and never waits.
"""

from decimal import Decimal
from typing import Protocol


class Recorder(Protocol):
    """What may be observed. Labels are closed sets: stages, operations, reasons, outcomes; never an id."""

    def received(self, stage: str, topic: str) -> None:
        """A record was admitted to a lane."""
        ...

    def finished(self, stage: str, outcome: str, priority: str, age_seconds: float) -> None:
        """A record left the stage and its offset is committed; `age_seconds` since the origin's record time.

        `outcome` is a word of `OutcomeKind`, postponed, or dead-letter; `priority` is empty where it could not be read.
        """
        ...

    def ignored(self, stage: str, entries: int) -> None:
        """So many entries of a record asked for nothing (an object was removed), and its offset is committed."""
        ...

    def lettered(self, stage: str, reason: str) -> None:
        """A letter was acknowledged."""
        ...

    def replayed(self, stage: str) -> None:
        """A letter that a person put back was admitted."""
        ...

    def in_flight(self, stage: str, tickets: int) -> None:
        """Tickets open now."""
        ...

    def oldest_open(self, stage: str, timestamp_seconds: float | None) -> None:
        """Record time of the oldest ticket still open; None when none is."""
        ...

    def lag(self, stage: str, topic: str, partition: int, records: int | None) -> None:
        """Records between the committed offset and the end; None when the partition is no longer ours."""
        ...

    def retried(self, stage: str, cause: str) -> None:
        """A walk will be tried again; `cause` is transient, throttled or unavailable."""
        ...

    def rebalanced(self, stage: str, event: str) -> None:
        """Partitions were assigned, revoked or lost."""
        ...

    def committed(self, stage: str, seconds: float, records: int) -> None:
        """A transaction (or a batch, at least once) was committed."""
        ...

    def aborted(self, stage: str, cause: str) -> None:
        """A transaction was aborted; `cause` is record, group or broken."""
        ...

    def paused(self, resource: str, *, is_paused: bool) -> None:
        """Intake stands still for lack of `resource`, or goes on."""
        ...

    def flood_stopped(self, stage: str, reason: str, *, is_stopped: bool) -> None:
        """Letters of `reason` have to wait, and the stage with them; or they no longer do."""
        ...

    def requested(self, operation: str, code: str, seconds: float) -> None:
        """One HTTP request to the API host was answered; `code` is the status, or `lost`, or `unsent`."""
        ...

    def job_ended(self, operation: str, state: str, seconds: float, polls: int) -> None:
        """A job reached its final state (completed, failed, blocked or overdue); `seconds` since the submit."""
        ...

    def waited(self, kind: str, seconds: float) -> None:
        """An ask waited at the limiter; `kind` is the kind of request."""
        ...

    def quota(self, used_requests: int, limit_requests: int, window_seconds: float, running_jobs: int) -> None:
        """The limiter's books: requests charged to the current window, the contract, jobs running."""
        ...

    def contract(self, requests: int) -> None:
        """Requests the whole contract allows in one window, of which this process has a share."""
        ...

    def line(self, waiting_asks: int) -> None:
        """Asks that wait at the limiter now."""
        ...

    def useful_replicas(self, stage: str, replicas: float) -> None:
        """This process's part of how many workers of the stage would be of use."""
        ...

    def credited(self, operation: str, cause: str, amount_credits: Decimal) -> None:
        """Credits by cause: spent, refunded (charged less in the end), reused, ambiguous."""
        ...

    def balance(self, left_credits: Decimal) -> None:
        """The account's credits, as PixelAPI just told them."""
        ...

    def price_differed(self, operation: str) -> None:
        """PixelAPI charged a job otherwise than the price book says."""
        ...

    def stored(self, action: str, seconds: float) -> None:
        """One call to the object store; `action` is one of the catalogue's: read, create, put, list ..."""
        ...

    def store_failed(self, action: str) -> None:
        """A call to the object store failed in the end; `stored` was told of it, too."""
        ...

    def spans(self, outcome: str, count: int) -> None:
        """So many spans of traces were exported, failed to be, or were dropped because too many waited."""
        ...

    def progressed(self) -> None:
        """Something moved: the last-progress timestamp."""
        ...
