"""Kafka as the runtime sees it: records in, records out, offsets committed with them.

Comes in: a topic list and a group. Goes out: batches of records, partitions gained and lost, the end of a delivery.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One partition of one topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class InRecord:
    """A record as read: bytes and coordinates; `timestamp_ms` is the broker's record time."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers = ()
    is_append_time: bool = False
    """Whether `timestamp_ms` is when the broker took it, not when its sender made it."""

    @property
    def size_bytes(self) -> int:
        """Memory it holds, roughly."""
        headers = sum(len(name) + len(value or b"") for name, value in self.headers)
        return len(self.value or b"") + len(self.key or b"") + headers + 200


@dataclass(frozen=True, slots=True)
class OutRecord:
    """A record to publish."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Committed:
    """What the group has committed for a partition: the next offset (None: nothing yet) and the metadata text."""

    partition: Partition
    offset: int | None
    metadata: str


@dataclass(frozen=True, slots=True)
class CommitPoint:
    """What to commit: the next offset, and the finished offsets beyond it as metadata text."""

    partition: Partition
    offset: int
    metadata: str


class DeliveryAborted(Exception):
    """Nothing of this delivery is visible to anybody; it may be tried again."""


class LinkBroken(Exception):
    """The link can do no more: fenced, or a commit whose end is unknown.

    Close it, open a new one, and start from what is committed. Outcomes in memory are dropped, because some of them may
    already be delivered.
    """


class LinkListener(Protocol):
    """Called on the link's own thread, inside `poll` and `close`."""

    def assigned(self, committed: Sequence[Committed]) -> None:
        """These partitions are ours from now on, starting at what is committed."""
        ...

    def revoked(self, partitions: Sequence[Partition], *, lost: bool) -> None:
        """These are ours no more; unless `lost`, a delivery may still be made inside this call."""
        ...

    def drained(self, partition: Partition, end: int) -> None:
        """Everything below `end` was read: records, and the markers of transactions, which are no records."""
        ...

    def ends(self, offsets: Mapping[Partition, int]) -> None:
        """Where the assigned partitions end for a reader of committed records: the other half of lag."""
        ...


class Link(Protocol):
    """A consumer and a producer that deliver together."""

    @property
    def transactional(self) -> bool:
        """Whether `publish` and `commit` are one transaction, so that `abort` undoes the publishing."""
        ...

    def poll(self, timeout_seconds: float, max_records: int) -> list[InRecord]:
        """The next records; waits up to `timeout_seconds` for the first one only."""
        ...

    def pause(self, partition: Partition) -> None:
        """Fetch no more from it."""
        ...

    def resume(self, partition: Partition) -> None:
        """Fetch from it again."""
        ...

    def publish(self, records: Sequence[OutRecord]) -> dict[int, str]:
        """Publish and wait for all acknowledgements: the failed ones by index, with the cause.

        Raises `DeliveryAborted` when it cannot be said which one failed, `LinkBroken`.
        """
        ...

    def commit(self, points: Sequence[CommitPoint]) -> None:
        """Commit the offsets (and, transactional, everything published since). Raises as `publish`."""
        ...

    def abort(self) -> None:
        """Undo everything published since the last commit (nothing, when not transactional). Raises `LinkBroken`."""
        ...

    def close(self) -> None:
        """Leave the group and close; bounded."""
        ...


LinkFactory = Callable[[LinkListener], Link]
