"""Submitting: which rows go, where to, and what is noted about it before and after.

Comes in: checked rows. Goes out: raw-image events for an entry topic, keyed by SKU, and the note about them.
"""

import getpass
import hashlib
import json
import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from stream.broker.port import OutRecord, Partition
from stream.broker.publishing import Published
from stream.broker.refusals import demand
from stream.broker.scan import Scanner
from stream.catalog.notes import Submission, SubmitState
from stream.catalog.rows import Row
from stream.core.errors import Misconfigured, Rejected, shown
from stream.events import Priority, read_raw
from stream.topics import Topics


def sample(rows: Sequence[Row], count: int, *, batch_id: str) -> list[Row]:
    """`count` rows spread over the whole catalog, in its order; all when there are fewer.

    The same batch name and rows give the same sample, and a larger one contains a smaller one: rows are drawn by a hash
    of batch and image, so that neither the order of the file nor a second look changes the choice.
    """

    def lot(row: Row) -> bytes:
        return hashlib.sha256("\0".join((batch_id, *row.image)).encode()).digest()

    drawn = {id(row) for row in sorted(rows, key=lot)[:count]}
    return [row for row in rows if id(row) in drawn]


def entry_topic(topics: Topics, priority: str) -> str:
    """Where events of this priority enter. Raises `Misconfigured` for one that has no entry."""
    entries = {each.value: topic for topic, each in topics.entries().items()}
    if priority not in entries:
        raise Misconfigured(f"--priority: got {shown(priority)}; expected {' or '.join(entries)}")
    return entries[priority]


def checked_batch(batch_id: str) -> str:
    """A batch's name as events may carry it. Raises `Misconfigured`."""
    probe = {"sku_id": "A", "raw_url": "https://a.example/a", "batch_id": batch_id}
    try:
        read_raw(json.dumps(probe).encode())
    except Rejected as error:
        raise Misconfigured(f"--batch: got {shown(batch_id)}; expected {error.expected}") from None
    return batch_id


def starts_now(client: Mapping[str, Any], topics: Topics) -> dict[Partition, int]:
    """Where the entry topics, `completed` and `dead-letter` end: everything about a new batch comes after.

    Raises `Unavailable(broker)`, `Misconfigured` when a topic is missing.
    """
    names = (*topics.entries(), topics.completed, topics.dead_letter)
    with Scanner(client) as scanner:
        spans = scanner.spans(names)
    demand(names, {partition.topic for partition in spans})
    return {partition: span.high for partition, span in spans.items()}


def submission_of(
    *, source: str, at: float, topic: str, priority: Priority, rows: int, events: int, skipped: int, is_sample: bool
) -> Submission:
    """What is noted before sending; `source` is a name without its folder."""
    return Submission(
        id=uuid.uuid4().hex, at=at, by=person(), source=source, topic=topic, priority=priority, rows=rows,
        events=events, skipped=skipped, is_sample=is_sample,
    )  # fmt: skip


def record_of(row: Row, topic: str) -> OutRecord:
    """The row as it is published: keyed by SKU, so that the events of an image stay in one partition and in order."""
    return OutRecord(topic, key=row.sku_id.encode(), value=row.value)


def end_of(published: Published) -> SubmitState:
    """How a submit ended, for its note."""
    if published.interrupted:
        return SubmitState.INTERRUPTED
    return SubmitState.FAILED if published.failed else SubmitState.SENT


def person() -> str:
    """Who types, as `user@host`: for notes and marks."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"
