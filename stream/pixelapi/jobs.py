"""Reading a job, or a balance, out of a JSON object of PixelAPI, whichever field names it uses today.

A parsed object comes in, hostile; a `JobReport` or `Balance` goes out, or None where nothing usable was in it. Pure.
"""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from stream.pixelapi.port import Balance, JobReport, JobState
from stream.pixelapi.wording import Content, Kind, Scrubber, message_in

_ID_FIELDS = ("generation_id", "id", "job_id")
_ROW_ID_FIELDS = ("generation_id", "job_id", "id")
_WRAPPERS = ("data", "result", "generation", "job")
_URL_FIELDS = ("output_url", "url", "result_url", "image_url_out")
_URL_HOLDERS = ("output", "outputs", "result", "results", "images")
_ERROR_FIELDS = ("error_message", "error", "detail", "message")
_ROWS_FIELDS = ("usage", "items", "jobs", "generations", "results", "data", "records", "history")
_MOST_ROWS = 1_000
_BALANCE_FIELDS = ("credits_remaining", "credits", "balance", "remaining")
_ID = re.compile(r"(?=[^A-Za-z0-9]*[A-Za-z0-9])[A-Za-z0-9._:-]{1,256}", re.ASCII)
_URL = re.compile(r"https?://[^\s\x00-\x1f\x7f\"'<>\\]{1,8000}", re.IGNORECASE)
_STATES = {"completed": JobState.COMPLETED, "failed": JobState.FAILED, "blocked": JobState.BLOCKED}
# Words that other versions may use for the end. They count only beside a picture: "success" alone may be the envelope.
_DONE_WORDS = frozenset({"complete", "succeeded", "success", "done", "finished", "ready", "ok"})
_STATUS_CHARACTERS = 40
_MOST_CREDITS = Decimal(10**9)
_CREDIT_STEP = Decimal("0.000001")


def is_job_id(text: str) -> bool:
    """Whether `text` may stand in a URL path: 1 to 256 of A-Z a-z 0-9 . _ : -, and not dots alone."""
    return _ID.fullmatch(text) is not None


def job_in(content: Content, scrub: Scrubber) -> JobReport | None:
    """The job an answer speaks of; None when it names no id, no result and no known status."""
    if content.kind is not Kind.JSON or not content.fields:
        return None
    places = list(_places(content.fields))
    job_id, url, status = _job_id(places, scrub), _output_url(places), _status(places, scrub)
    state = _state(status, job_id, url)
    if state is None:
        return None
    wrong = state in {JobState.FAILED, JobState.BLOCKED}
    return JobReport(
        state=state,
        job_id=job_id,
        output_url=url,
        credits=_first_credits(places, ("credits_used",)),
        detail=_error_text(places, scrub, fallback=content if wrong else None),
        status=status,
    )


def balance_in(content: Content, scrub: Scrubber) -> Balance | None:
    """Credits left and the plan's name; None when the object tells neither."""
    places = list(_places(content.fields))
    left = _first_credits(places, _BALANCE_FIELDS)
    plans = (place.get("plan") for place in places)
    plan = next((scrub(name)[:_STATUS_CHARACTERS] for name in plans if isinstance(name, str) and name), None)
    return None if left is None and plan is None else Balance(left, plan)


def rows_in(content: Content) -> list[dict[str, Any]] | None:
    """The rows of a usage list, at most `_MOST_ROWS`; None where there is no list."""
    if content.kind is not Kind.JSON:
        return None
    lists = [content.value, *(place.get(name) for place in _places(content.fields) for name in _ROWS_FIELDS)]
    rows = next((value for value in lists if isinstance(value, list)), None)
    return None if rows is None else [row for row in rows[:_MOST_ROWS] if isinstance(row, dict)]


def holds_mark(row: dict[str, Any], mark: str) -> bool:
    """Whether some text of the row (an image_url, a file name) holds `mark`."""
    return any(isinstance(value, str) and mark in value for value in row.values())


def job_of_row(row: dict[str, Any], scrub: Scrubber) -> JobReport | None:
    """The job a row speaks of, to be polled; None without a usable id. No price is told by a job not charged yet."""
    # In a list of usage `id` may be the line's own: the names that can only be a job's come first.
    job_id = _job_id([row], scrub, _ROW_ID_FIELDS)
    if job_id is None:
        return None
    paid = _first_credits([row], ("credits_used",))
    return JobReport(JobState.RUNNING, job_id=job_id, credits=paid or None, status=_status([row], scrub))


def credits_of(value: object) -> Decimal | None:
    """A number or a numeric string as a decimal; None for NaN, infinities, negatives and nonsense."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        text = str(value).strip()
        amount = Decimal(text) if len(text) <= _STATUS_CHARACTERS else Decimal("NaN")
        if not amount.is_finite() or amount < 0 or amount > _MOST_CREDITS:
            return None
        return abs(amount.quantize(_CREDIT_STEP)).normalize() + 0
    except (InvalidOperation, ValueError):
        return None


def _places(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Where to look: the object itself, then one level of the usual wrappers."""
    yield fields
    for name in _WRAPPERS:
        inner = fields.get(name)
        if isinstance(inner, dict):
            yield inner


def _job_id(places: list[dict[str, Any]], scrub: Scrubber, names: tuple[str, ...] = _ID_FIELDS) -> str | None:
    for place in places:
        for name in names:
            value = place.get(name)
            # orjson's integers have at most 20 digits.
            text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
            # An id is written to records and logs: our key, echoed, is none.
            if is_job_id(text) and not scrub.holds_key(text):
                return text
    return None


def _output_url(places: list[dict[str, Any]]) -> str | None:
    for place in places:
        for name in _URL_FIELDS:
            if url := _url(place.get(name)):
                return url
    for place in places:
        for name in _URL_HOLDERS:
            if url := _held_url(place.get(name)):
                return url
    return None


def _held_url(value: object) -> str | None:
    """`output` as a string, an object with a URL, or a list of either, of which the first counts."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        return next((url for name in _URL_FIELDS if (url := _url(value.get(name)))), None)
    return _url(value)


def _url(value: object) -> str | None:
    return value if isinstance(value, str) and _URL.fullmatch(value) else None


def _status(places: list[dict[str, Any]], scrub: Scrubber) -> str:
    words = (place.get("status", place.get("state")) for place in places)
    word = next((word for word in words if isinstance(word, str) and word.strip()), "")
    return scrub(word)[:_STATUS_CHARACTERS].lower()


def _state(status: str, job_id: str | None, url: str | None) -> JobState | None:
    if status in _STATES:
        return _STATES[status]
    if url is not None and (not status or status in _DONE_WORDS or job_id is None):
        return JobState.COMPLETED
    return JobState.RUNNING if status or job_id is not None else None


def _first_credits(places: list[dict[str, Any]], names: tuple[str, ...]) -> Decimal | None:
    found = (credits_of(place.get(name)) for place in places for name in names)
    return next((amount for amount in found if amount is not None), None)


def _error_text(places: list[dict[str, Any]], scrub: Scrubber, *, fallback: Content | None) -> str | None:
    for place in places:
        for name in _ERROR_FIELDS:
            if said := place.get(name):
                text = message_in(Content(Kind.JSON, said), scrub)
                if text:
                    return text
    return None if fallback is None else (message_in(fallback, scrub) or None)
