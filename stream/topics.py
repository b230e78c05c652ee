"""The addresses: every topic's name, purpose and the limits that keep the laws.

Comes in: the prefix and the pipeline's asset names. Goes out: names, and what `topics create|check` demands of each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from stream.events import MAX_EVENT_BYTES, Priority
from stream.records import MAX_RECORD_BYTES
from stream.retries import MAX_NOTE_BYTES, RETRY_DELAYS

DEFAULT_PREFIX = "product-images"
LETTERS = ".dead-letter"
BROKERS_CLOCK = {"message.timestamp.type": "LogAppendTime"}
"""On entry topics: one clock orders events across partitions (decision 0007), and an event that says it is old is not
deleted before it is read."""
DAY_MS = 24 * 3600 * 1000
UNREAD_DAYS = 28
"""How long topics keep what may still wait to be read: 50,000 SKUs on 20 requests a minute take 16 days, and Kafka
deletes unread records, too (L1). Less than ends and condemned assets are kept (30 days): nothing waits for what is
gone."""
LETTER_HEADERS_MAX_BYTES = 16 * 1024
RECORD_OVERHEAD_BYTES = 4 * 1024
"""Batch and record framing, key and our own small headers."""
MARK_BYTES = 1_000_000
"""A mark holds a person's words and a filter; this is Kafka's own default."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What one topic must be like. `limits` are topic configurations by their Kafka names."""

    name: str
    purpose: str
    limits: dict[str, str] = field(default_factory=dict)
    is_for_letters: bool = False
    """Whatever the other topics hold must fit into it, with its headers (L6)."""
    is_for_retries: bool = False
    """Whatever the input topics hold must fit into it, with a note."""
    is_read_whole: bool = False
    """Small, and read from its beginning: one partition will do."""


@dataclass(frozen=True, slots=True)
class Topics:
    """All names below one prefix."""

    prefix: str = DEFAULT_PREFIX

    @property
    def raw(self) -> str:
        """Where the PIM publishes live events."""
        return f"{self.prefix}.raw"

    @property
    def backfill(self) -> str:
        """Where catalogs go that can wait."""
        return f"{self.prefix}.raw.backfill"

    @property
    def completed(self) -> str:
        """Terminal records."""
        return f"{self.prefix}.completed"

    @property
    def dead_letter(self) -> str:
        """Letters (L6)."""
        return f"{self.prefix}{LETTERS}"

    @property
    def replays(self) -> str:
        """Marks of what people decided about letters (compacted)."""
        return f"{self.prefix}.replays"

    @property
    def operator(self) -> str:
        """The transactional id of whoever puts letters back: one at a time, the later fences the earlier."""
        return f"{self.prefix}.replay"

    def retry(self, delay: str) -> str:
        """Where records wait for `delay`, one of `RETRY_DELAYS`."""
        return f"{self.prefix}.retry.{delay}"

    def retries(self) -> tuple[str, ...]:
        """All retry topics: every stage reads every one of them."""
        return tuple(self.retry(delay) for delay in RETRY_DELAYS)

    def asset(self, name: str) -> str:
        """Where records wait that have the asset `name`."""
        return f"{self.prefix}.{name}"

    def group(self, stage: str) -> str:
        """The consumer group of a stage."""
        return f"{self.prefix}.{stage}"

    def entries(self) -> dict[str, Priority]:
        """The entry topics and the priority each one means."""
        return {self.raw: Priority.LIVE, self.backfill: Priority.BACKFILL}

    @classmethod
    def beside(cls, dead_letter: str) -> "Topics | None":
        """The names beside a dead-letter topic; None where it is not named as ours are."""
        prefix = dead_letter.removesuffix(LETTERS)
        return None if prefix == dead_letter else cls(prefix)

    def plans(self, between: Iterable[str]) -> list[TopicPlan]:
        """Every topic a pipeline needs; `between` are the stage topics of `Pipeline.topics_between`."""
        stage_bytes = MAX_RECORD_BYTES + RECORD_OVERHEAD_BYTES
        retry_bytes = retry_bytes_of(stage_bytes)
        unread, month = str(UNREAD_DAYS * DAY_MS), str(30 * DAY_MS)
        entry = {**_limits(MAX_EVENT_BYTES + RECORD_OVERHEAD_BYTES, unread), **BROKERS_CLOCK}
        plans = [
            TopicPlan(self.raw, "raw-image events from the PIM", entry),
            TopicPlan(self.backfill, "raw-image events that can wait", entry),
        ]
        plans += [TopicPlan(name, "records between two stages", _limits(stage_bytes, unread)) for name in between]
        plans.append(TopicPlan(self.completed, "one terminal record per event", _limits(stage_bytes, month)))
        retry = _limits(retry_bytes, unread)
        purpose = "records that wait {} for their stage to try again"
        plans += [
            TopicPlan(self.retry(name), purpose.format(name) if seconds else "replays", retry, is_for_retries=True)
            for name, seconds in RETRY_DELAYS.items()
        ]
        marks = {"max.message.bytes": str(MARK_BYTES), "cleanup.policy": "compact"}
        plans.append(TopicPlan(self.replays, "marks of what became of letters", marks, is_read_whole=True))
        letters = _limits(letter_bytes_of(retry_bytes), month)
        plans.append(TopicPlan(self.dead_letter, "letters: failed input, byte for byte", letters, is_for_letters=True))
        return plans


def retry_bytes_of(record_bytes: int) -> int:
    """What the retry record of a record of this size may need."""
    return record_bytes + MAX_NOTE_BYTES + RECORD_OVERHEAD_BYTES


def letter_bytes_of(record_bytes: int) -> int:
    """What the letter of a record of this size may need."""
    return record_bytes + LETTER_HEADERS_MAX_BYTES + RECORD_OVERHEAD_BYTES


def _limits(max_message_bytes: int, retention_ms: str) -> dict[str, str]:
    return {"max.message.bytes": str(max_message_bytes), "retention.ms": retention_ms, "cleanup.policy": "delete"}
