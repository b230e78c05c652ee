"""A bought job's way home: polled when it is due, downloaded at once, re-hosted, settled. Never abandoned (L7).

Comes in: an accepted entry, whoever bought it. Goes out: the entry settled, failed or blocked in the ledger;
`Rejected` only where a person has to look (overdue, unusable result).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from stream.core.errors import Reason, Rejected, Resource, StreamError, Throttled, Transient, Unavailable
from stream.downloads.port import ResultGone, Spooled, Whose
from stream.images.loading import NotAPicture
from stream.ledger.port import Entry, LedgerState
from stream.pixelapi.port import JobReport, JobState, UnknownJob
from stream.quota.port import Ask, AskKind
from stream.stages.desk import Desk
from stream.stages.errand import Errand, with_facts
from stream.stages.rehost import Naming, look_at, rehost

log = structlog.get_logger(__name__)

POLLS_FOR_A_URL = 3
"""A completed job without a usable URL is asked so many more times before its letter is written."""
SILENT_POLLS = 10
"""Polls of one job in a row that may go unanswered past its deadline, while PixelAPI answers others."""


async def follow(desk: Desk, errand: Errand, entry: Entry) -> None:
    """Bring the job of `entry` to its end in the ledger.

    Raises `Rejected(job-overdue | bad-result)`, `Unavailable`, `Transient` of the download or the store.
    """
    desk.quota.adopt(entry.record.key)
    try:
        await _bring_home(desk, errand, entry)
    except StreamError as error:
        raise with_facts(error, entry) from error.__cause__


async def _bring_home(desk: Desk, errand: Errand, entry: Entry) -> None:
    poll = _Polling(desk, errand, entry)
    cause = "no poll brings a URL"
    for turn in range(1 + POLLS_FOR_A_URL):
        if turn:
            await desk.clock.sleep(desk.pace.next_seconds(errand.operation, turn))
        report = await poll.until_the_end()
        if report.state is JobState.FAILED:
            written = await desk.ledger.fail(entry, report.detail or "no reason given", credits_charged=report.credits)
            _correct(desk, errand, entry, written, report)
            return
        if report.state is JobState.BLOCKED:
            written = await desk.ledger.block(entry, report.detail or "no reason given", credits_charged=report.credits)
            _correct(desk, errand, entry, written, report)
            return
        if report.output_url is not None:
            try:
                await _settle(desk, errand, entry, report, poll)
            except (ResultGone, NotAPicture) as error:
                cause = str(error)
                log.warning("result-unusable", job_id=entry.record.job_id, polls=poll.polls, cause=cause)
            else:
                return
        if entry.record.job_id is None:
            break
    raise Rejected(Reason.BAD_RESULT, f"the job is completed, but its result cannot be used: {cause}")


class _Polling:
    """Asking after one job; knows how often it asked."""

    def __init__(self, desk: Desk, errand: Errand, entry: Entry) -> None:
        self._desk = desk
        self._errand = errand
        self._entry = entry
        self.polls = 0
        self._unanswered = 0
        self._silent_before = self._silent_last = float("inf")
        # Its age by the store's clock, then ours that never jumps: the time of day may be put right while a job runs.
        now = desk.clock.monotonic()
        self._accepted_at = now - entry.age_seconds
        # An overdue job that is looked at again (a replay) is given its whole time anew.
        since = now if entry.state is LedgerState.OVERDUE else self._accepted_at
        self._overdue_at = since + errand.stage.deadline_seconds

    @property
    def elapsed_seconds(self) -> float:
        """Since PixelAPI took the job."""
        return self._desk.clock.monotonic() - self._accepted_at

    async def until_the_end(self) -> JobReport:
        """The report that ends the job. Raises `Rejected(job-overdue)`, `Unavailable`."""
        record = self._entry.record
        if record.job_id is None:
            return JobReport(JobState.COMPLETED, output_url=record.output_url, credits=record.credits)
        desk, operation = self._desk, self._errand.operation
        await desk.clock.sleep(desk.pace.first_seconds(operation) - self.elapsed_seconds if not self.polls else 0.0)
        while True:
            report = await self._ask(record.job_id)
            if report is not None and report.state is not JobState.RUNNING:
                return self._seen(report)
            if desk.clock.monotonic() >= self._overdue_at and (report is not None or self._only_this_job_is_silent()):
                status = report.status if report is not None else "without an answer"
                detail = f"still {status or 'unknown'} after {self._errand.stage.deadline_seconds:g} s"
                await desk.ledger.overdue(self._entry, detail)
                raise Rejected(Reason.JOB_OVERDUE, f"the job is {detail}; a replay polls on")
            await desk.clock.sleep(desk.pace.next_seconds(operation, self.polls))

    def _only_this_job_is_silent(self) -> bool:
        """Whether polls of this job fail although PixelAPI answers others: an outage (L8) is not a job's end.

        Others must have been answered since this job's poll before last: an outage may have begun in between.
        """
        return self._unanswered >= SILENT_POLLS and self._desk.pulse.last_answer > self._silent_before

    async def _ask(self, job_id: str) -> JobReport | None:
        """One poll; None when nothing was learned. A lost answer never ends a job."""
        desk, errand = self._desk, self._errand
        grant = await desk.quota.admit(Ask(AskKind.POLL, errand.record.priority, errand.stage_index))
        self.polls += 1
        try:
            report = await desk.api.poll(errand.operation, job_id)
        except UnknownJob as error:
            log.warning("job-unknown", job_id=job_id, cause=str(error))
            return JobReport(JobState.RUNNING, job_id=job_id, status="unknown to PixelAPI")
        except (Transient, Throttled) as error:
            self._unanswered_by(error)
            return None
        except Unavailable as error:
            if not self._is_barred_alone():
                raise
            self._unanswered_by(error)
            return None
        finally:
            grant.answered()
        self._unanswered = 0
        self._silent_last = float("inf")
        desk.pulse.barred_at.pop(self._entry.record.key, None)
        desk.api_answers()
        return report

    def _unanswered_by(self, error: StreamError) -> None:
        log.debug("poll-without-answer", job_id=self._entry.record.job_id, cause=str(error))
        self._silent_before, self._silent_last = self._silent_last, self._desk.clock.monotonic()
        self._unanswered += 1

    def _is_barred_alone(self) -> bool:
        """Whether this job's polls were barred before, and PixelAPI answered others since: no reason to pause all."""
        pulse, key = self._desk.pulse, self._entry.record.key
        before = pulse.barred_at.get(key)
        pulse.barred_at[key] = self._desk.clock.monotonic()
        return before is not None and pulse.last_answer > before

    def _seen(self, report: JobReport) -> JobReport:
        desk, operation = self._desk, self._errand.operation
        seconds = self.elapsed_seconds
        desk.recorder.job_ended(operation, report.state, seconds, self.polls)
        if self.polls > 0 and report.state is JobState.COMPLETED:
            desk.pace.finished(operation, seconds)
        return report


@asynccontextmanager
async def _downloaded(desk: Desk, entry: Entry, url: str) -> AsyncIterator[Spooled]:
    """The result, spooled. One that does not come is its job's trouble; several in a row are an outage (L8)."""
    key = entry.record.key
    try:
        async with desk.downloads.fetch(url, Whose.RESULT) as spooled:
            desk.results_come(key)
            yield spooled
    except Transient as error:
        if desk.results.failed(key):
            raise Unavailable(Resource.API_RESULTS, str(error), after_seconds=error.after_seconds) from None
        raise


async def _settle(desk: Desk, errand: Errand, entry: Entry, report: JobReport, poll: _Polling) -> None:
    """Download, check, re-host, settle. Raises `ResultGone` or `NotAPicture` where another poll may help."""
    assert report.output_url is not None  # noqa: S101 - the caller looked
    async with _downloaded(desk, entry, report.output_url) as spooled:
        picture = await look_at(desk, spooled.path)
        await desk.workers.run(errand.check, spooled.path, picture)
        seconds = poll.elapsed_seconds
        naming = Naming(errand.stage.makes, errand.job.after(entry).short)
        asset = await rehost(desk, errand.record, naming, spooled.path, picture, sha256=spooled.sha256, seconds=seconds)
    charged = report.credits if report.credits is not None else entry.record.credits
    paid = asset.model_copy(update={"credits": charged + entry.record.failed_credits})
    _correct(desk, errand, entry, await desk.ledger.settle(entry, {errand.stage.makes: paid}, charged), report)


def _correct(desk: Desk, errand: Errand, accepted: Entry, written: Entry, report: JobReport) -> None:
    """A price told only at the end, once: by whoever ended the job in the ledger, against what stood there before."""
    noted = accepted.record.credits
    if not written.is_ours or report.credits is None or report.credits == noted:
        return
    desk.reconciliation.correct(errand.operation, noted, report.credits)
    if report.state is JobState.COMPLETED:
        desk.reconciliation.compare(errand.operation, report.credits)
