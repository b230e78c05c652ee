"""The counter where money is spent: look, ask, claim, buy, and make the job's id durable (L2, L5, L7).

Comes in: an `Errand` (one job wanted by one event). Goes out: the asset: reused, adopted or bought.
The only place that submits. What happens to a bought job afterwards is `follow`'s business.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import structlog

from stream.core.errors import Ambiguous, Reason, Rejected, Resource, Throttled, Transient, Unavailable
from stream.events import Origin
from stream.ledger.jobs import new_claim_id
from stream.ledger.port import RUNNING, Entry, LedgerState
from stream.pixelapi.port import Busy, JobReport, JobState, NoBooks, Order, Upload
from stream.quota.port import Ask, AskKind, Grant
from stream.records import Asset
from stream.stages.desk import Desk
from stream.stages.errand import Errand, with_facts
from stream.stages.follow import follow
from stream.stages.reconcile import told_by
from stream.stages.rehost import demand_input, fetch_input

log = structlog.get_logger(__name__)
Result = TypeVar("Result")

PRESIGNED_SECONDS = 6 * 3600
"""A queued job may be started hours after its submit."""
STORE_RETRY_SECONDS = 1.0
BUSY_SECONDS = 2.0
BOOK_WAITS_SECONDS = (0.0, 2.0, 5.0)
"""Pauses before each look into the provider's books: a job may be listed a moment after it was taken."""
DEFINITE = (Rejected, Throttled, Transient, Unavailable)
"""What a submit may end in when surely nothing was bought."""


class Superseded(Exception):
    """A newer event of the image is known: nothing more is bought for this one (L5)."""

    def __init__(self, by: Origin) -> None:
        """`by`: the newer event's origin."""
        self.by = by
        super().__init__(f"superseded by {by}")


async def obtain(desk: Desk, errand: Errand) -> Asset:
    """The asset that the errand's job makes. Idempotent: a second call goes on where the first one ended.

    Raises `Superseded`, `Ambiguous` (a person decides), `Rejected` for the job's own end, and what the doors raise.
    """
    key = errand.job.key
    async with desk.lock(key):
        try:
            while True:
                entry = await desk.ledger.usable(key)
                asset = _settled(desk, errand, entry)
                if asset is not None:
                    return asset
                await _next_step(desk, errand, entry)
        finally:
            desk.quota.release_job(key)


async def _next_step(desk: Desk, errand: Errand, entry: Entry | None) -> None:
    """One step along the ledger's states; the caller looks again."""
    if entry is None or entry.state in {LedgerState.RELEASED, LedgerState.COLLECTED}:
        await _buy(desk, errand, entry)
    elif entry.state is LedgerState.FAILED:
        if len(entry.record.failed_jobs) >= errand.stage.job_attempts:
            raise _ended(Reason.JOB_FAILED, entry)
        await _buy(desk, errand, entry)
    elif entry.state in RUNNING:
        await follow(desk, errand, entry)
    elif entry.state is LedgerState.CLAIMED:
        await _wait_for_claim(desk, entry)
    elif entry.state is LedgerState.BLOCKED:
        raise _ended(Reason.JOB_BLOCKED, entry)
    else:
        await _resolve(desk, errand, entry)


async def _resolve(desk: Desk, errand: Errand, entry: Entry) -> None:
    """An ambiguous job: found in the books, or let go by a person's decision about this very claim. Else a letter."""
    if await _look_up(desk, errand, entry):
        return
    claim = entry.record.claim
    if _is_decided(errand, entry):
        log.warning("bought-again-by-decision", job_key=entry.record.key, operation=errand.operation, claim=claim)
        await desk.ledger.let_go(entry, claim, f"a person decided to buy again, whatever became of claim {claim}")
        return
    standing = await desk.ledger.look(entry.record.key)
    if standing is not None and standing.tag != entry.tag:
        return  # the books take seconds: its owner's late answer came in between, or somebody's decision
    price = desk.reconciliation.price(errand.operation)
    desk.recorder.credited(errand.operation, "ambiguous", price)
    doubt = with_facts(Ambiguous(entry.record.detail or "the answer to the submit was lost"), entry)
    doubt.facts = {**doubt.facts, "credits-in-doubt": str(price)}
    raise doubt


def _is_decided(errand: Errand, entry: Entry) -> bool:
    """Whether a person said of this claim that it may be bought again. Another one's answer was lost since: no."""
    return errand.record.buy_again == entry.record.claim


def _settled(desk: Desk, errand: Errand, entry: Entry | None) -> Asset | None:
    """The asset of a settled job, with its price if this very event paid it."""
    if entry is None or entry.state is not LedgerState.SETTLED:
        return None
    asset = next(iter(entry.record.assets.values()))
    payer = entry.record.payer
    if payer is not None and payer.pays_for(errand.payer):
        return asset
    desk.recorder.credited(errand.operation, "reused", entry.record.credits)
    return asset.as_reused()


async def _wait_for_claim(desk: Desk, entry: Entry) -> None:
    """Somebody is at the counter with this job. A claim without an owner is never taken over: it becomes ambiguous."""
    if desk.ledger.never_posted(entry):
        await desk.ledger.release(entry, "the claim's answer was lost and nothing was sent")
    elif entry.lease_expired:
        await desk.ledger.doubt(entry, "the worker that claimed the job vanished around its submit")
        log.error("submit-ambiguous", job_key=entry.record.key, cause="claim expired")
    else:
        await desk.clock.sleep(desk.claim_poll_seconds)


async def _look_up(desk: Desk, errand: Errand, entry: Entry) -> bool:
    """Look for an ambiguous job in the provider's books, by the claim's mark; whether it was found, and adopted.

    Where it is not found nothing is known: the books may lag, or not name inputs at all. Nothing is bought again.
    """
    was_read = False
    for wait_seconds in BOOK_WAITS_SECONDS:
        await desk.clock.sleep(wait_seconds)
        grant = await desk.quota.admit(Ask(AskKind.ACCOUNT, errand.record.priority, errand.stage_index))
        try:
            report = await desk.api.find(entry.record.claim)
        except NoBooks:
            was_read = True
            break
        except (Transient, Throttled) as error:
            log.warning("books-not-read", job_key=entry.record.key, cause=str(error))
            continue
        finally:
            grant.answered()
        was_read = True
        if report is not None:
            log.warning("ambiguous-job-found", job_key=entry.record.key, job_id=report.job_id)
            await _adopt(desk, errand, entry, report)
            return True
    if not was_read and desk.orders.lasts:
        raise Unavailable(Resource.API_OUTAGE, "the provider's books cannot be read during the outage")
    if not was_read and _is_decided(errand, entry):
        raise Transient("the provider's books cannot be read; nothing is bought again unseen")
    return False


async def _adopt(desk: Desk, errand: Errand, entry: Entry, report: JobReport) -> None:
    """The books say that it was bought, whatever was noted of its claim meanwhile: it is followed like any other."""
    accepted = await _accept(desk, errand, entry, report)
    if accepted.record.claim != entry.record.claim:
        log.error("job-found-too-late", job_key=entry.record.key, job_id=report.job_id, state=accepted.state)


async def _buy(desk: Desk, errand: Errand, seen: Entry | None) -> None:
    """Ask, then spend without interruption. A lost claim spends nothing: the caller looks again."""
    await _may_buy(desk, errand)  # before the line as after it: who may not buy must not wait for a grant
    ask = Ask(AskKind.SUBMIT, errand.record.priority, errand.stage_index, errand.job.key)
    asked = desk.clock.monotonic()
    grant = await desk.quota.admit(ask)
    waited_seconds = desk.clock.monotonic() - asked
    await desk.unbroken.run(_spend(desk, errand, seen, grant, waited_seconds))


async def _spend(desk: Desk, errand: Errand, seen: Entry | None, grant: Grant, waited_seconds: float) -> None:
    is_sent = False
    try:
        await _may_buy(desk, errand)
        _wait_out_an_outage(desk)
        claim_id = new_claim_id()
        async with _picture(desk, errand, claim_id) as source:
            entry = await desk.ledger.claim(
                errand.job.key, errand.operation, errand.payer, seen, claim_id=claim_id, waited_seconds=waited_seconds
            )
            if entry is None:
                return
            try:
                grant.sending()
            except Throttled as error:
                await _durable(desk, partial(desk.ledger.release, entry, str(error)))
                raise
            is_sent = True
            await _submit(desk, errand, entry, Order(errand.operation, source, errand.params), grant)
    finally:
        if not is_sent:
            grant.give_back()


def _lasts(desk: Desk, errand: Errand, error: BaseException) -> bool:
    """Count a submit that failed for no fault of its picture; whether events should wait instead of trying on."""
    return desk.orders.failed(errand.job.key, says_busy=isinstance(error, Busy))


def _wait_out_an_outage(desk: Desk) -> None:
    """While PixelAPI takes no orders, one at a time tries: a lost answer costs its event a letter (L2, L8)."""
    if not desk.orders.may_try():
        raise Unavailable(Resource.API_OUTAGE, "PixelAPI takes no orders; one at a time tries")


async def _may_buy(desk: Desk, errand: Errand) -> None:
    """Nothing is bought for a stale event (L5), nor while its stage is stopped: then it goes back to the gate."""
    newer = await desk.newest.superseding(errand.record)
    if newer is not None:
        raise Superseded(newer)
    if desk.holds_back(errand.stage.name, errand.record):
        raise Transient("the stage was stopped: too many of its events became letters", free=True)


@asynccontextmanager
async def _picture(desk: Desk, errand: Errand, claim_id: str) -> AsyncIterator[str | Upload]:
    """The input as PixelAPI gets it: a URL of ours, or the file itself. Its name says whose claim it is (L2)."""
    source = errand.source
    url = await desk.objects.fetch_url(source.key, valid_seconds=PRESIGNED_SECONDS, mark=claim_id)
    if url is not None:
        await demand_input(desk, source)  # a dead URL may cost an attempt
        yield url
        return
    filename = f"{claim_id}-{source.key.replace('/', '_')}"
    async with desk.downloads.scratch() as path:
        await fetch_input(desk, source, path)
        yield Upload(path, filename, source.content_type)


async def _submit(desk: Desk, errand: Errand, entry: Entry, order: Order, grant: Grant) -> None:
    """The one POST, and what it came to, durable before anything else happens."""
    try:
        report = await desk.api.submit(order)
    except DEFINITE as error:
        grant.answered()
        if isinstance(error, Rejected):
            desk.api_takes_orders(errand.job.key)
        await _durable(desk, partial(desk.ledger.release, entry, str(error)))
        if isinstance(error, Transient) and not error.free and _lasts(desk, errand, error):
            raise Unavailable(Resource.API_OUTAGE, str(error), after_seconds=error.after_seconds) from None
        if isinstance(error, Busy):  # no word about this order: it spends no attempt
            raise Throttled(str(error), after_seconds=error.after_seconds or BUSY_SECONDS) from None
        raise
    except BaseException as error:
        grant.answered()
        cause = str(error) or type(error).__name__
        await _durable(desk, partial(desk.ledger.doubt, entry, cause))
        log.error("submit-ambiguous", job_key=entry.record.key, operation=errand.operation, cause=cause)  # noqa: TRY400
        _lasts(desk, errand, error)
        if isinstance(error, Ambiguous):
            return  # the ledger says so now; whoever looks there goes through the provider's books next
        raise
    grant.answered()
    await _accept(desk, errand, entry, report)
    desk.api_takes_orders(errand.job.key)
    desk.recovered(Resource.API_CREDITS)


async def _accept(desk: Desk, errand: Errand, entry: Entry, report: JobReport) -> Entry:
    """The job's id durable; returns what stands in the ledger, which may be somebody else's truth."""
    told = told_by(report)
    price = desk.reconciliation.price(errand.operation) if told is None else told
    accept = partial(
        desk.ledger.accept, entry, job_id=report.job_id, output_url=report.output_url, credits_charged=price
    )
    accepted = await _durable(desk, accept, job_id=report.job_id)
    if accepted.state is LedgerState.ACCEPTED and accepted.record.job_id == report.job_id:
        desk.recorder.credited(errand.operation, "spent", price)
        if report.state not in {JobState.FAILED, JobState.BLOCKED}:
            desk.reconciliation.compare(errand.operation, told)
    if report.state is JobState.FAILED:
        return await _durable(desk, partial(desk.ledger.fail, accepted, report.detail or "failed at once"))
    if report.state is JobState.BLOCKED:
        return await _durable(desk, partial(desk.ledger.block, accepted, report.detail or "blocked at once"))
    return accepted


async def _durable(desk: Desk, change: Callable[[], Awaitable[Result]], *, job_id: str | None = None) -> Result:
    """Repeat `change` until the store takes it: what just became true at PixelAPI must not be forgotten."""
    while True:
        try:
            return await change()
        except Unavailable as error:
            log.error("ledger-write-waits", cause=str(error), job_id=job_id)  # noqa: TRY400 - expected, no traceback
            await desk.clock.sleep(STORE_RETRY_SECONDS)


def _ended(reason: Reason, entry: Entry) -> Rejected:
    record = entry.record
    attempts = f" in {len(record.failed_jobs)} attempts" if record.failed_jobs else ""
    return with_facts(Rejected(reason, f"PixelAPI ended the job{attempts}: {record.detail}"), entry)
