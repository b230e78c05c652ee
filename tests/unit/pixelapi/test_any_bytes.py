"""Whatever comes back: a report, a balance or one of our errors; no key in any of them; and money judged carefully."""

import string
from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as some
from pydantic import SecretStr

from stream.core.errors import Ambiguous, StreamError, Throttled, Transient
from stream.pixelapi.answers import Answer, is_route_missing, quiet_seconds, read_balance, read_poll, read_submit
from stream.pixelapi.jobs import is_job_id
from stream.pixelapi.port import Balance, JobReport, JobState
from stream.pixelapi.waits import LONGEST_SECONDS
from stream.pixelapi.wording import MESSAGE_CHARACTERS, Scrubber

KEY = "pk_live_3f9c0d7e5a"
SCRUB = Scrubber(SecretStr(KEY))
NAMES = [
    *("generation_id", "id", "job_id", "status", "state", "output_url", "url", "output", "result", "data", "images"),
    *("credits_used", "error", "detail", "message", "error_message", "code", "guidance", "loc", "msg"),
    *("retry_after", "credits_remaining", "plan"),
]
TEXTS = [
    *("queued", "completed", "failed", "blocked", "success", KEY, f"x{KEY}y", "https://h/a?sig=1", "try again in 5 s"),
    *("1e999999", "NaN", "-1", "..", "image not found", "\ud7ff", "9" * 400),
]

words = some.one_of(some.text(max_size=40), some.sampled_from(TEXTS))
values = some.recursive(
    some.one_of(some.none(), some.booleans(), some.integers(-(2**63), 2**64 - 1), some.floats(), words),
    lambda inner: some.one_of(
        some.lists(inner, max_size=4),
        some.dictionaries(some.one_of(some.sampled_from(NAMES), words), inner, max_size=6),
    ),
    max_leaves=12,
)
objects = some.dictionaries(some.sampled_from(NAMES), values, max_size=8)
bodies = some.one_of(
    some.binary(max_size=300),
    some.one_of(objects, values).map(orjson.dumps),
    objects.map(lambda value: orjson.dumps(value)[:-3]),
    words.map(lambda text: f"<html><title>{text}</title>{text}".encode()),
)
headers = some.dictionaries(
    some.sampled_from(["Retry-After", "X-RateLimit-Remaining", "x-ratelimit-reset", "Date", "Content-Type"]),
    some.one_of(
        some.text(string.printable, max_size=30),
        some.integers(-10, 10**16).map(str),
        some.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT")),
        some.sampled_from(["text/html", "Mon, 99 Zzz 99999 99:99:99 +9999", "0", "Fri, 31 Dec 9999 23:59:59 -2359"]),
    ),
)
answers = some.builds(
    Answer,
    status=some.one_of(
        some.sampled_from([200, 202, 301, 400, 401, 402, 403, 404, 422, 429, 500, 503, 504]), some.integers(0, 999)
    ),
    headers=headers,
    body=bodies,
    now_seconds=some.floats(0, 4e9),
    is_whole=some.booleans(),
)
nested = Answer(200, {}, b'{"detail":' * 2_000 + b"1" + b"}" * 2_000)


def _ask(read: Callable[[Answer, Scrubber], Any], answer: Answer) -> object:
    try:
        return read(answer, SCRUB)
    except StreamError as error:
        outcome = error
    assert KEY not in str(outcome) + repr(outcome)
    assert len(str(outcome)) < MESSAGE_CHARACTERS + 200
    if isinstance(outcome, Throttled | Transient) and outcome.after_seconds is not None:
        assert 0 <= outcome.after_seconds <= LONGEST_SECONDS
    return outcome


def _check_report(report: JobReport) -> None:
    assert report.job_id is None or (is_job_id(report.job_id) and KEY not in report.job_id)
    assert report.credits is None or (report.credits.is_finite() and report.credits >= 0)
    assert report.output_url is None or report.output_url.lower().startswith(("http://", "https://"))
    assert KEY not in f"{report.detail}{report.status}"
    assert len(report.detail or "") <= MESSAGE_CHARACTERS


@given(answers)
@example(nested)
def test_any_answer_to_a_submit_is_a_report_or_an_error_of_ours(answer: Answer) -> None:
    outcome = _ask(read_submit, answer)
    if isinstance(outcome, JobReport):
        _check_report(outcome)
        assert 200 <= answer.status < 300
        assert outcome.job_id or outcome.output_url or outcome.state in {JobState.FAILED, JobState.BLOCKED}
        assert outcome.state is not JobState.COMPLETED or outcome.output_url
    elif 200 <= answer.status < 300:
        assert isinstance(outcome, Ambiguous)
    elif 300 <= answer.status < 500:
        assert not isinstance(outcome, Ambiguous)
    else:
        assert isinstance(outcome, Ambiguous | Transient)


@given(answers)
@example(nested)
def test_any_answer_to_a_poll_is_a_report_or_leaves_the_job_alive(answer: Answer) -> None:
    outcome = _ask(read_poll, answer)
    if isinstance(outcome, JobReport):
        _check_report(outcome)
    else:
        assert not isinstance(outcome, Ambiguous)
        assert type(outcome).__name__ in {"Transient", "UnknownJob", "Throttled", "Unavailable"}


@given(answers)
@example(nested)
def test_any_answer_about_the_account_is_a_balance_or_an_error_of_ours(answer: Answer) -> None:
    outcome = _ask(read_balance, answer)
    if isinstance(outcome, Balance):
        assert outcome.credits is None or outcome.credits >= 0
        assert KEY not in (outcome.plan or "")


@given(answers)
@example(nested)
def test_side_questions_never_fail(answer: Answer) -> None:
    is_route_missing(answer, SCRUB)
    seconds = quiet_seconds(answer, SCRUB)
    assert seconds is None or 0 < seconds <= LONGEST_SECONDS
