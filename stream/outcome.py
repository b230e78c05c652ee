"""The two ends of a desk: what the runtime hands to a stage, and what it gets back. Pure data, known to both floors."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from stream.records import StageRecord


class OutcomeKind(StrEnum):
    """How an event left a stage."""

    FORWARDED = "forwarded"
    COMPLETED = "completed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One record to publish, and what it means."""

    kind: OutcomeKind
    topic: str
    key: bytes
    value: bytes


class Handler(Protocol):
    """A stage behind its desk, as the runtime sees it. It knows no Kafka, no offsets, no retries, no metrics."""

    async def admit(self, record: StageRecord) -> None:
        """Before queueing: record the newest known of the image (L5). Idempotent.

        Raises the errors of `core.errors`.
        """
        ...

    async def handle(self, record: StageRecord) -> Outcome:
        """The whole work of this stage on `record`. Idempotent: a second call continues where the first one ended.

        Raises the errors of `core.errors`; cancelling it never loses a running job.
        """
        ...
