"""What the ledger knows of a job, and the one state machine it may walk through.

Comes in: a job key. Goes out: an `Entry` (the job's record and the version it was read at).
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from stream.events import FORMAT, FormatVersion, Kept, Origin
from stream.records import Asset


class LedgerState(StrEnum):
    """Where a job stands. One letter's worth of meaning each; `docs/architecture.md` draws the arrows."""

    CLAIMED = "claimed"
    """Somebody is about to POST, or just did. Never taken over to buy: past its lease it becomes `ambiguous`."""
    ACCEPTED = "accepted"
    """PixelAPI runs it; the id is durable. Whoever owns the event polls."""
    SETTLED = "settled"
    """The asset is in our store. Reused by every later event that needs the same job."""
    RELEASED = "released"
    """Definitely not bought (4xx, 402, 429, never sent): free to claim."""
    FAILED = "failed"
    """PixelAPI itself reported the numbered attempt failed: the next number may be claimed."""
    BLOCKED = "blocked"
    """The safety filter: remembered, never retried."""
    OVERDUE = "overdue"
    """Still running past its deadline: a letter holds its id; a replay polls on."""
    AMBIGUOUS = "ambiguous"
    """Perhaps bought: a person decides. A late `accepted` wins over it."""
    CONDEMNED = "condemned"
    """Settled, and `skustream gc` found its assets superseded. Whoever needs them takes it back to `settled`, free."""
    COLLECTED = "collected"
    """Its assets were deleted, by a person's decision: who needs them buys anew, under new keys."""


BUYABLE = frozenset({LedgerState.RELEASED, LedgerState.FAILED, LedgerState.COLLECTED})
RUNNING = frozenset({LedgerState.ACCEPTED, LedgerState.OVERDUE})


class Payer(Kept):
    """Whose event bought a job: it alone reports the credits, after any number of crashes, and exactly once."""

    origin: Origin
    timestamp_ms: int = 0
    """The origin's record time: a topic made anew counts its offsets from 0 again."""
    replay: int = 0

    def pays_for(self, other: "Payer") -> bool:
        """Whether the two are one event, whatever its replay number.

        A replay's end stands over the letter's that it was made from, so it tells what the event paid before too; that
        letter is told no more.
        """
        return (self.origin, self.timestamp_ms) == (other.origin, other.timestamp_ms)


class JobRecord(Kept):
    """One job as it stands in the store. `nonce` makes every written version unique, so a tag can be trusted."""

    v: FormatVersion = FORMAT
    key: str
    state: LedgerState
    operation: str
    nonce: str
    claim: str = ""
    """Identity of the claim: the same from `claimed` to the end of the numbered attempt."""
    attempt: int = 0
    payer: Payer | None = None
    claimed_at: float | None = None
    lease_seconds: float = 0.0
    waited_seconds: float = 0.0
    """For the limiter's leave to send the submit that this claim is for; documents of before do not tell it."""
    job_id: str | None = None
    output_url: str | None = None
    """Only of a synchronous answer: temporary, ours alone, never published."""
    accepted_at: float | None = None
    assets: dict[str, Asset] = Field(default_factory=dict)
    credits: Decimal = Decimal(0)
    detail: str | None = None
    failed_jobs: tuple[str, ...] = ()
    failed_credits: Decimal = Decimal(0)
    """What the failed attempts cost, as PixelAPI last told; `credits` is the present attempt's alone."""
    collected: tuple[tuple[str, ...], ...] = ()
    """Each time `skustream gc` deleted the job's assets: the ids of the attempts that had made them, oldest first."""

    @property
    def total_credits(self) -> Decimal:
        """What the job cost so far, all attempts."""
        return self.credits + self.failed_credits

    @property
    def generation(self) -> int:
        """How often its assets were collected: a part of the keys of what is made from now on."""
        return len(self.collected)


@dataclass(frozen=True, slots=True)
class Entry:
    """A job's record, the tag of the version read, and its age by the store's clock."""

    record: JobRecord
    tag: str
    age_seconds: float
    is_ours: bool = False
    """Whether the call that returned it wrote it: of two that end a job, one counts its credits."""

    @property
    def state(self) -> LedgerState:
        """Where the job stands."""
        return self.record.state

    @property
    def lease_expired(self) -> bool:
        """Whether a claim is older than its lease: its owner is gone, and whether it posted nobody knows."""
        return self.state is LedgerState.CLAIMED and self.age_seconds > self.record.lease_seconds
