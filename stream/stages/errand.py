"""One job wanted by one event: what the counter is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stream.core.errors import StreamError
from stream.images.inspect import Picture
from stream.ledger.port import Entry, Payer
from stream.pipeline import Stage
from stream.records import Asset, StageRecord
from stream.stages.recipes import JobName

Error = TypeVar("Error", bound=StreamError)
Check = Callable[[Path, Picture], None]
"""Judges a finished picture off the loop; raises `NotAPicture` when it is not what was ordered."""


@dataclass(frozen=True, slots=True)
class Errand:
    """`job` is the ledger's name; `params` are what PixelAPI is told; `source` is our own re-hosted input."""

    record: StageRecord
    stage: Stage
    stage_index: int
    job: JobName
    source: Asset
    params: Mapping[str, Any]
    check: Check

    @property
    def payer(self) -> Payer:
        """Whose event this is: a job it bought is paid by it, after any number of crashes."""
        return Payer(origin=self.record.origin, timestamp_ms=self.record.timestamp_ms, replay=self.record.replay)

    @property
    def operation(self) -> str:
        """PixelAPI's operation in our words."""
        return self.stage.card.name


def with_facts(error: Error, entry: Entry) -> Error:
    """`error` with what a letter should say about the job: its key, its ids, what it cost."""
    record = entry.record
    job_ids = [*record.failed_jobs, *([record.job_id] if record.job_id else [])]
    error.facts = {
        **error.facts,
        "job-key": record.key,
        "job-ids": ",".join(dict.fromkeys(job_ids)),
        "operation": record.operation,
        "credits": str(record.total_credits),
    }
    return error
