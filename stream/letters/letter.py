"""A letter as the tools see it, whichever dialect its headers speak.

Comes in: a record of a dead-letter topic, through `dialects.read_letter`. Goes out: a `Letter`.
Nothing in it is trusted.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from stream.broker.port import Headers
from stream.events import Origin
from stream.retries import Attempt


class Dialect(StrEnum):
    """Whose headers a letter bears."""

    SKUSTREAM = "skustream"
    CONNECT = "kafka-connect"
    SPRING = "spring"
    STREAMS = "kafka-streams"
    SMALLRYE = "smallrye"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class LetterId:
    """Where a letter lies: its identity, and the key of its mark."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """As a person types it: `topic/partition/offset`."""
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """`value` is the failing stage's input byte for byte. Empty text where the letter does not say."""

    at: LetterId
    timestamp_ms: int
    """When it was written."""
    key: bytes | None
    value: bytes | None
    headers: Headers
    dialect: Dialect
    origin: Origin | None = None
    """Where the event entered; of a foreign letter, where its record lay."""
    origin_timestamp_ms: int = 0
    """The origin's record time; 0 where it is not told."""
    stage: str = ""
    reason: str = ""
    """One of `Reason`; of a foreign letter, the class of its exception."""
    error: str = ""
    traceback: str = ""
    attempts: int = 0
    replay: int = 0
    priority: str = ""
    event_id: str = ""
    sku_id: str = ""
    image_id: str = ""
    batch_id: str = ""
    operation: str = ""
    job_key: str = ""
    job_ids: tuple[str, ...] = ()
    credits: Decimal = Decimal(0)
    """What the failed job itself cost."""
    credits_in_doubt: Decimal = Decimal(0)
    fingerprint: str = ""
    """Equal for repeats: the same content failing in the same stage for the same reason."""
    history: tuple[Attempt, ...] = ()
