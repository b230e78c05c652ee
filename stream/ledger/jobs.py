"""The job ledger over conditional documents: every change is a compare-and-swap, every lost race is looked at again.

Comes in: a job key and what just became true of it. Goes out: the entry as it stands afterwards.
The same code serves S3, disk and memory: what differs is the documents' door.
Raises `Unavailable(store)` from below; a change is durable exactly when the method returns.
"""

import uuid
from decimal import Decimal
from typing import Any

from stream.core.clock import Clock
from stream.ledger.documents import read_document
from stream.ledger.port import BUYABLE, RUNNING, Entry, JobRecord, LedgerState, Payer
from stream.objects.keys import job_key_path
from stream.objects.port import Documents
from stream.records import Asset, dump

AFTER_A_CLAIM = frozenset({LedgerState.CLAIMED, LedgerState.AMBIGUOUS})
BEFORE_AN_ID = AFTER_A_CLAIM | {LedgerState.RELEASED}


class Ledger:
    """Claims, job ids and outcomes, one document per job key."""

    def __init__(self, documents: Documents, *, clock: Clock, lease_seconds: float) -> None:
        """`lease_seconds` must outlast the submit timeout; it runs on the store's clock."""
        self._documents = documents
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._unposted: set[str] = set()

    async def look(self, key: str) -> Entry | None:
        """The job's entry, or None when nobody ever claimed it."""
        path = job_key_path(key)
        document = await self._documents.read(path)
        if document is None:
            return None
        record = read_document(JobRecord, path, document.body)
        return Entry(record, document.tag, document.age_seconds)

    async def usable(self, key: str) -> Entry | None:
        """As `look`, for whoever would use the assets: a condemned job is settled again before it is told."""
        while True:
            entry = await self.look(key)
            if entry is None or entry.state is not LedgerState.CONDEMNED:
                return entry
            await self._change(entry, {"state": LedgerState.SETTLED})

    async def claim(
        self, key: str, operation: str, payer: Payer, seen: Entry | None, *,
        claim_id: str | None = None, waited_seconds: float = 0.0,
    ) -> Entry | None:  # fmt: skip
        """Claim the job, only just before its POST; None when somebody else was quicker.

        `seen` is the entry the decision rests on: None, `released`, or `failed` and `collected` (then the attempt
        number rises; failures of a collected purchase count no more).
        `claim_id` names the claim, where the caller has marked the input with it; `waited_seconds`: for the limiter.
        """
        if seen is not None and seen.state not in BUYABLE:
            raise ValueError(f"a {seen.state} job cannot be claimed")
        before = seen.record if seen else None
        record = JobRecord(
            key=key, state=LedgerState.CLAIMED, operation=operation, nonce=_nonce(), claim=claim_id or new_claim_id(),
            attempt=1 + (sum(map(len, (before.failed_jobs, *before.collected))) if before else 0), payer=payer,
            claimed_at=self._clock.wall(), lease_seconds=self._lease_seconds, waited_seconds=round(waited_seconds, 3),
            failed_jobs=before.failed_jobs if before else (),
            failed_credits=before.failed_credits if before else Decimal(0),
            collected=before.collected if before else (),
        )  # fmt: skip
        path, body = job_key_path(key), dump(record)
        try:
            tag = await (self._documents.create(path, body) if seen is None else self._replace(path, body, seen.tag))
        except BaseException:
            # The claim may stand although its answer was lost; we alone know that no POST followed it.
            self._unposted.add(record.claim)
            raise
        return Entry(record, tag, 0.0) if tag is not None else None

    def never_posted(self, entry: Entry) -> bool:
        """Whether this very process wrote the claim and surely sent nothing: it may be released at once."""
        return entry.state is LedgerState.CLAIMED and entry.record.claim in self._unposted

    async def accept(
        self, entry: Entry, *, job_id: str | None, output_url: str | None, credits_charged: Decimal
    ) -> Entry:
        """The provider took the job: its id becomes durable.

        Wins over an `ambiguous` that came in between, and over a refusal noted of the same claim: its books list it.
        """
        change = {
            "state": LedgerState.ACCEPTED,
            "job_id": job_id,
            "output_url": output_url,
            "credits": credits_charged,
            "accepted_at": self._clock.wall(),
            "detail": None,
        }
        return await self._move(entry, BEFORE_AN_ID, change)

    async def release(self, entry: Entry, detail: str) -> Entry:
        """Definitely not bought: the claim is free again."""
        return await self._move(entry, AFTER_A_CLAIM, {"state": LedgerState.RELEASED, "detail": detail})

    async def let_go(self, entry: Entry, claim: str, detail: str) -> Entry:
        """A person decided to buy again what `claim` may have bought: of this claim alone, and only while in doubt.

        Returns what stands otherwise. Raises ValueError when `entry` is of another claim.
        """
        if entry.record.claim != claim:
            raise ValueError(f"the decision is about claim {claim}, not {entry.record.claim}")
        change = {"state": LedgerState.RELEASED, "detail": detail}
        return await self._move(entry, frozenset({LedgerState.AMBIGUOUS}), change)

    async def doubt(self, entry: Entry, detail: str) -> Entry:
        """Perhaps bought: `ambiguous`, unless its owner wrote something better meanwhile."""
        change = {"state": LedgerState.AMBIGUOUS, "detail": detail}
        return await self._move(entry, frozenset({LedgerState.CLAIMED}), change)

    async def settle(self, entry: Entry, assets: dict[str, Asset], credits_charged: Decimal) -> Entry:
        """The asset is in our store. The first settlement of two racing pollers stands, and is returned to both."""
        change = {"state": LedgerState.SETTLED, "assets": assets, "credits": credits_charged, "output_url": None}
        return await self._move(entry, RUNNING, change)

    async def fail(self, entry: Entry, detail: str, *, credits_charged: Decimal | None = None) -> Entry:
        """The provider itself reported this attempt failed; `credits_charged` as it told, None where it did not."""
        record = entry.record
        change = {
            "state": LedgerState.FAILED,
            "detail": detail,
            "failed_jobs": (*record.failed_jobs, record.job_id or "synchronous"),
            "failed_credits": record.failed_credits + (record.credits if credits_charged is None else credits_charged),
            "credits": Decimal(0),
        }
        return await self._move(entry, RUNNING, change)

    async def block(self, entry: Entry, detail: str, *, credits_charged: Decimal | None = None) -> Entry:
        """The safety filter refused the picture; `credits_charged` as for `fail`."""
        told = {} if credits_charged is None else {"credits": credits_charged}
        return await self._move(entry, RUNNING, {"state": LedgerState.BLOCKED, "detail": detail, **told})

    async def overdue(self, entry: Entry, detail: str) -> Entry:
        """The job outlived its deadline; its id stays."""
        return await self._move(entry, RUNNING, {"state": LedgerState.OVERDUE, "detail": detail})

    async def settle_local(
        self, key: str, operation: str, assets: dict[str, Asset], seen: Entry | None = None
    ) -> Entry | None:
        """Note work done here (nothing bought), so that a re-sent event need not repeat it. None: noted already.

        `seen` is None, or the `collected` entry whose assets were made anew.
        """
        record = JobRecord(
            key=key, state=LedgerState.SETTLED, operation=operation, nonce=_nonce(), assets=assets,
            collected=seen.record.collected if seen else (),
        )  # fmt: skip
        path, body = job_key_path(key), dump(record)
        tag = await (self._documents.create(path, body) if seen is None else self._replace(path, body, seen.tag))
        return Entry(record, tag, 0.0) if tag is not None else None

    async def condemn(self, entry: Entry) -> bool:
        """Superseded: `settled` becomes `condemned`; False when the entry changed meanwhile."""
        _demand(entry, LedgerState.SETTLED)
        return await self._change(entry, {"state": LedgerState.CONDEMNED})

    async def collect(self, entry: Entry) -> bool:
        """Nobody may use the assets any more: `condemned` becomes `collected`, and only then they may be deleted.

        False when the entry changed meanwhile: somebody needs them.
        """
        _demand(entry, LedgerState.CONDEMNED)
        record = entry.record
        attempts = (*record.failed_jobs, record.job_id or "synchronous") if record.attempt else ()
        fresh = JobRecord(
            key=record.key, state=LedgerState.COLLECTED, operation=record.operation, nonce=_nonce(),
            collected=(*record.collected, attempts),
        )  # fmt: skip
        return await self._replace(job_key_path(record.key), dump(fresh), entry.tag) is not None

    async def _change(self, entry: Entry, change: dict[str, Any]) -> bool:
        """Apply `change` to exactly the version seen; False when another stands there."""
        record = entry.record.model_copy(update={**change, "nonce": _nonce()})
        return await self._replace(job_key_path(record.key), dump(record), entry.tag) is not None

    async def _move(self, entry: Entry, allowed: frozenset[LedgerState], change: dict[str, Any]) -> Entry:
        """Apply `change` while the entry is of the same claim and in an allowed state; else return what stands.

        What stands is read from the store at least once: a stale `entry` of the caller's is never the answer.
        """
        path = job_key_path(entry.record.key)
        current: Entry | None = entry
        while current is not None:
            if current.record.claim == entry.record.claim and current.state in allowed:
                record = current.record.model_copy(update={**change, "nonce": _nonce()})
                tag = await self._replace(path, dump(record), current.tag)
                if tag is not None:
                    return Entry(record, tag, 0.0, is_ours=True)
            elif current is not entry:
                return current
            current = await self.look(entry.record.key)
        raise LookupError(f"the ledger entry of job {entry.record.key} vanished; was it deleted by hand?")

    async def _replace(self, path: str, body: bytes, tag: str) -> str | None:
        return await self._documents.replace(path, body, tag)


def _demand(entry: Entry, state: LedgerState) -> None:
    if entry.state is not state:
        raise ValueError(f"a {entry.state} job is not {state}")


def new_claim_id() -> str:
    """A name for one claim: 32 hex digits that stand nowhere else."""
    return uuid.uuid4().hex


def _nonce() -> str:
    return uuid.uuid4().hex
