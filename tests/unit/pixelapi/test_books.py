"""Looking for an ambiguous job in the provider's own usage: found only when exactly one row holds the claim's mark."""

from decimal import Decimal
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from stream.core.errors import Throttled, Transient
from stream.pixelapi.answers import Answer, read_usage
from stream.pixelapi.port import NoBooks
from stream.pixelapi.wording import Scrubber

MARK = "0123456789abcdef0123456789abcdef"
SCRUB = Scrubber(SecretStr("pk_live_secret"))


def row(job_id: str, mark: str = MARK, **fields: Any) -> dict[str, Any]:
    return {"id": job_id, "operation": "upscale", "image_url": f"https://cdn.example/a.png?mark={mark}", **fields}


def answer(value: object, status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, orjson.dumps(value))


@pytest.mark.parametrize("name", ["usage", "items", "data", "generations"])
def test_the_one_row_that_holds_the_mark_is_the_job(name: str) -> None:
    rows = [row("other", "f" * 32), row("job-7", credits_used=50), {"id": "without-url"}, "nonsense"]
    report = read_usage(answer({name: rows}), MARK, SCRUB)
    assert report is not None
    assert (report.job_id, report.credits) == ("job-7", Decimal(50))


def test_a_bare_list_is_read_too() -> None:
    report = read_usage(answer([row("job-7", credits_used=0)]), MARK, SCRUB)
    assert report is not None
    assert report.credits is None  # not charged yet says nothing about the price


def test_an_unlisted_job_is_not_there_yet() -> None:
    assert read_usage(answer({"usage": [row("other", "f" * 32)]}), MARK, SCRUB) is None


def test_two_rows_with_one_mark_are_left_to_a_person() -> None:
    assert read_usage(answer({"usage": [row("a"), row("b")]}), MARK, SCRUB) is None


def test_a_row_without_a_usable_id_is_none() -> None:
    assert read_usage(answer({"usage": [row("../../etc")]}), MARK, SCRUB) is None


@pytest.mark.parametrize("body", [{"count": 3}, "text", 7])
def test_an_answer_without_a_list_is_no_book(body: object) -> None:
    with pytest.raises(NoBooks):
        read_usage(answer(body), MARK, SCRUB)


def test_an_api_without_usage_is_no_book() -> None:
    with pytest.raises(NoBooks):
        read_usage(answer({"detail": "Not Found"}, 404), MARK, SCRUB)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405])
def test_closed_books_are_no_reason_to_pause(status: int) -> None:
    """Many plans refuse account pages to plain keys; a key that is bad is found out by the next order or poll."""
    with pytest.raises(NoBooks):
        read_usage(answer({"detail": "no"}, status), MARK, SCRUB)


def test_a_line_of_the_books_has_a_number_of_its_own() -> None:
    report = read_usage(answer({"usage": [{**row("991"), "job_id": "job-7"}]}), MARK, SCRUB)
    assert report is not None
    assert report.job_id == "job-7"


@pytest.mark.parametrize(("status", "error"), [(429, Throttled), (500, Transient), (402, Transient)])
def test_other_answers_mean_what_they_always_mean(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_usage(answer({"detail": "no"}, status), MARK, SCRUB)
