"""What an answer means: pure judgement over status, headers and bytes, three ways of reading it.

An `Answer` comes in, and whether it was to a submit, a poll or an account question; a `JobReport` or `Balance` goes
out, or one of the errors of `core.errors`. No bytes whatever raise anything else. Statuses: RFC 9110.

A submit's 5xx is a definite refusal only where the API itself spoke. Web pages, empty bodies, gateways' timeouts (504,
520 and up) and the phrases of proxies and crashed frameworks say nothing about the job: `Ambiguous` (L2).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from stream.core.errors import Ambiguous, Reason, Rejected, Resource, StreamError, Throttled, Transient, Unavailable
from stream.pixelapi import waits
from stream.pixelapi.jobs import balance_in, holds_mark, job_in, job_of_row, rows_in
from stream.pixelapi.port import Balance, Busy, JobReport, JobState, NoBooks, UnknownJob
from stream.pixelapi.wording import Content, Kind, Scrubber, content_of, message_in

_ROUTE_MISSING = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_ROUTE_SPOKE = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
    | {HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
_CAME_TOO_SLOWLY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_CLOSED_BOOKS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED})
_EDGE_STATUSES_FROM = 520
_ABOUT_THE_PICTURE = re.compile(r"\b(image|picture|photo|file|image_url)s?\b", re.IGNORECASE)
_ABOUT_THE_ROUTE = re.compile(r"\b(route|path|endpoint|page|resource|cannot (post|get)|method)\b|/v\d+/", re.IGNORECASE)
_GATEWAYS_WORD = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""Said by whoever stands between us and the API, in JSON too: what became of the order it does not know."""
_NOBODY_SPOKE = re.compile(
    r"(\d{3} )?(internal( server)? error|server error|unknown error|bad gateway|gateway time-?out|stream timeout)"
    r"|service (temporarily )?unavailable|(an )?unexpected error( occurred)?|an error occurred"
    r"|.*\bupstream\b.*|.*\borigin (web )?server\b.*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `now_seconds`: wall clock when it came. `is_whole`: False when its body was cut off."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    now_seconds: float = 0.0
    is_whole: bool = True

    @property
    def content(self) -> Content:
        """The body, read."""
        return content_of(self.body, waits.header(self.headers, "Content-Type"))


def read_submit(answer: Answer, scrub: Scrubber) -> JobReport:
    """The job bought. Raises `Ambiguous` when it may have been bought unseen, or the error of a definite refusal."""
    said = _said(answer, scrub)
    if HTTPStatus(200) <= answer.status < HTTPStatus(300):
        return _accepted(answer, scrub)
    _raise_common(answer, said)
    if answer.status == HTTPStatus.PAYMENT_REQUIRED:
        raise Unavailable(Resource.API_CREDITS, said)
    if answer.status in _ROUTE_MISSING or answer.status == HTTPStatus.GONE:
        if is_about_picture(answer, scrub):
            raise Rejected(Reason.API_REJECTED, said)
        raise Unavailable(Resource.API_CONTRACT, said)
    if answer.status in _CAME_TOO_SLOWLY:
        raise Transient(said)
    if HTTPStatus(400) <= answer.status < HTTPStatus(500):
        raise Rejected(Reason.API_REJECTED, said)
    if api_spoke(answer, scrub):
        kind = Busy if answer.status == HTTPStatus.SERVICE_UNAVAILABLE else Transient
        raise kind(said, after_seconds=_asked_seconds(answer, said))
    raise Ambiguous(f"{said}; the job may have been bought")


def read_poll(answer: Answer, scrub: Scrubber) -> JobReport:
    """How the job stands. Raises `Throttled`, `Unavailable` (key, access, contract), and `Transient` for all else.

    A 404 or 405 is the `Transient` called `UnknownJob`.
    """
    said = _said(answer, scrub)
    if not HTTPStatus(200) <= answer.status < HTTPStatus(300):
        _raise_common(answer, said)
        if answer.status in _ROUTE_MISSING:
            raise UnknownJob(said)
        raise Transient(said, after_seconds=_asked_seconds(answer, said))
    report = job_in(answer.content, scrub)
    # An id alone is an echo of the question: some other page answers at this path.
    if report is None or (not report.status and report.output_url is None):
        raise Transient(f"{said}; it says nothing about the job")
    return report


def read_balance(answer: Answer, scrub: Scrubber) -> Balance:
    """Credits left; an API that has no such path gives a balance of None. Raises as `read_poll` does."""
    said = _said(answer, scrub)
    if HTTPStatus(200) <= answer.status < HTTPStatus(300):
        balance = balance_in(answer.content, scrub)
        if balance is None:
            raise Transient(f"{said}; no balance is in it")
        return balance
    _raise_common(answer, said)
    if answer.status in _ROUTE_MISSING:
        return Balance(None, None)
    if answer.status == HTTPStatus.PAYMENT_REQUIRED:
        raise Unavailable(Resource.API_CREDITS, said)
    raise Transient(said, after_seconds=_asked_seconds(answer, said))


def read_usage(answer: Answer, mark: str, scrub: Scrubber) -> JobReport | None:
    """The listed job whose row holds `mark`; None when no row does. Raises `NoBooks`, else as `read_balance` does.

    Two rows with one mark would be two purchases: neither is taken, so that a person looks.
    """
    said = _said(answer, scrub)
    if answer.status in _CLOSED_BOOKS or HTTPStatus(300) <= answer.status < HTTPStatus(400):
        raise NoBooks(said)  # a bad key is found out by the next order or poll, and costs nobody a pause here
    if HTTPStatus(200) <= answer.status < HTTPStatus(300):
        rows = rows_in(answer.content)
        if rows is None:
            raise NoBooks(f"{said}; no list of jobs is in it")
        found = [job for row in rows if holds_mark(row, mark) and (job := job_of_row(row, scrub)) is not None]
        return found[0] if len(found) == 1 else None
    _raise_common(answer, said)
    if answer.status in _ROUTE_MISSING:
        raise NoBooks(said)
    raise Transient(said, after_seconds=_asked_seconds(answer, said))


def quiet_seconds(answer: Answer, scrub: Scrubber) -> float | None:
    """For how long nobody should ask: after a 429, or when the headers say that no request is left; else None."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _throttle_seconds(answer, _said(answer, scrub))
    return waits.exhausted_seconds(answer.headers, answer.now_seconds)


def is_route_missing(answer: Answer, scrub: Scrubber) -> bool:
    """Whether a submit's path does not exist here: 404 or 405, unless a 404 speaks of the picture."""
    return answer.status in _ROUTE_MISSING and not is_about_picture(answer, scrub)


def is_route_known(answer: Answer) -> bool:
    """Whether the path's own code answered. 401, 403, 429 and 5xx may come from a gate in front of every path."""
    return HTTPStatus(200) <= answer.status < HTTPStatus(300) or answer.status in _ROUTE_SPOKE


def is_poll_path_missing(answer: Answer) -> bool:
    """Whether a poll's path, or the job below it, is unknown here."""
    return answer.status in _ROUTE_MISSING


def is_about_picture(answer: Answer, scrub: Scrubber) -> bool:
    """Whether a 404's JSON speaks of the picture ("image not found"): one event's fault must not pause a fleet."""
    content = answer.content
    if answer.status != HTTPStatus.NOT_FOUND or content.kind is not Kind.JSON:
        return False
    message = message_in(content, scrub)
    return bool(_ABOUT_THE_PICTURE.search(message)) and not _ABOUT_THE_ROUTE.search(message)


def api_spoke(answer: Answer, scrub: Scrubber) -> bool:
    """Whether a 5xx is the API's own refusal, so that surely nothing was bought."""
    if not answer.is_whole or answer.status in _GATEWAYS_WORD:
        return False
    if not HTTPStatus(500) <= answer.status < _EDGE_STATUSES_FROM:
        return False
    content = answer.content
    if content.kind not in {Kind.JSON, Kind.TEXT}:
        return False
    return any(_is_sentence(part) for part in message_in(content, scrub).split("; "))


def _is_sentence(text: str) -> bool:
    """Whether `text` tells anything of its own.

    A bare "Internal Server Error" is a crash, before or after the job was taken: nobody refused anything. Nor does a
    code or field before it, or a hint in brackets behind it, make it a refusal.
    """
    said = text.replace("_", " ").partition(" (")[0]
    ending = said.rpartition(": ")[2].rstrip(" .!")
    return any(map(str.isalpha, ending)) and not any(map(_NOBODY_SPOKE.fullmatch, (said, ending)))


def _accepted(answer: Answer, scrub: Scrubber) -> JobReport:
    report = job_in(answer.content, scrub) if answer.is_whole else None
    said = f"PixelAPI answered {answer.status}"
    if report is None:
        raise Ambiguous(f"{said}, unreadable ({answer.content.kind}); the job may have been bought")
    if report.state in {JobState.FAILED, JobState.BLOCKED}:
        return report
    if report.job_id is None and report.output_url is None:
        raise Ambiguous(f"{said} without a job id or a result; the job may have been bought")
    if report.state is JobState.COMPLETED and report.output_url is None:
        # A poll may still bring the URL; a synchronous answer that lacks it is no reason to give up the job.
        return replace(report, state=JobState.RUNNING)
    return report


def _raise_common(answer: Answer, said: str) -> None:
    """What means the same to every question."""
    error = _common(answer, said)
    if error is not None:
        raise error


def _common(answer: Answer, said: str) -> StreamError | None:
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return Unavailable(Resource.API_KEY, said)
    if answer.status in {HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}:
        return Unavailable(Resource.API_ACCESS, said)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(said, after_seconds=_throttle_seconds(answer, said))
    if HTTPStatus(300) <= answer.status < HTTPStatus(400):
        return Unavailable(Resource.API_CONTRACT, f"{said}: a redirect, which is never followed with the key")
    return None


def _said(answer: Answer, scrub: Scrubber) -> str:
    message = message_in(answer.content, scrub) if answer.status >= HTTPStatus.BAD_REQUEST else ""
    words = f"PixelAPI answered {answer.status}"
    return f"{words}: {message}" if message else words


def _throttle_seconds(answer: Answer, said: str) -> float:
    hint = _asked_seconds(answer, said)
    return waits.throttle_seconds(waits.reset_seconds(answer.headers, answer.now_seconds) if hint is None else hint)


def _asked_seconds(answer: Answer, said: str) -> float | None:
    """The delay asked for: header first, then a member of the body, then the sentence."""
    asked = waits.retry_after_seconds(answer.headers, answer.now_seconds)
    if asked is not None:
        return asked
    fields = answer.content.fields
    for place in (fields, fields.get("detail"), fields.get("error")):
        if isinstance(place, dict):
            for name in ("retry_after", "retry_after_seconds"):
                if (asked := waits.field_seconds(place.get(name))) is not None:
                    return asked
    return waits.prose_seconds(said)
