"""Each answer seen or feared, and what it proves: about the job, about whose fault it was, about the money."""

from decimal import Decimal
from email.utils import formatdate

import orjson
import pytest
from pydantic import SecretStr

from stream.core.errors import Ambiguous, Reason, Rejected, Resource, StreamError, Throttled, Transient, Unavailable
from stream.pixelapi.answers import (
    Answer,
    is_route_known,
    is_route_missing,
    quiet_seconds,
    read_balance,
    read_poll,
    read_submit,
)
from stream.pixelapi.port import Balance, JobReport, JobState, UnknownJob
from stream.pixelapi.wording import Scrubber

KEY = "pk_live_3f9c0d7e5a"
NOW = 1_790_000_000.0
SCRUB = Scrubber(SecretStr(KEY))
HTML = b"<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>"
RUNNING, COMPLETED, FAILED, BLOCKED = JobState.RUNNING, JobState.COMPLETED, JobState.FAILED, JobState.BLOCKED


def answer(status: int, body: object = b"", *, is_whole: bool = True, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, content, NOW, is_whole)


def submit_error(given: Answer) -> StreamError:
    with pytest.raises(StreamError) as caught:
        read_submit(given, SCRUB)
    return caught.value


def poll_error(given: Answer) -> StreamError:
    with pytest.raises(StreamError) as caught:
        read_poll(given, SCRUB)
    return caught.value


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"generation_id": "g-1", "status": "queued"}, JobReport(RUNNING, "g-1", status="queued")),
        ({"id": "g.1", "status": "pending"}, JobReport(RUNNING, "g.1", status="pending")),
        ({"job_id": 77, "status": "processing"}, JobReport(RUNNING, "77", status="processing")),
        ({"id": "g", "status": "Optimizing"}, JobReport(RUNNING, "g", status="optimizing")),
        ({"id": "g"}, JobReport(RUNNING, "g")),
        ({"data": {"id": "g", "status": "queued"}}, JobReport(RUNNING, "g", status="queued")),
        ({"id": "g", "credits_used": 2}, JobReport(RUNNING, "g", credits=Decimal(2))),
        ({"id": "g", "credits_used": "12.50"}, JobReport(RUNNING, "g", credits=Decimal("12.5"))),
        ({"id": "g", "credits_used": 1e5}, JobReport(RUNNING, "g", credits=Decimal(100_000))),
        ({"output_url": "https://h/a.png"}, JobReport(COMPLETED, None, "https://h/a.png")),
        ({"id": "g", "url": "https://h/a"}, JobReport(COMPLETED, "g", "https://h/a")),
        ({"id": "g", "output": ["https://h/a"]}, JobReport(COMPLETED, "g", "https://h/a")),
        ({"id": "g", "output": [{"url": "https://h/a"}]}, JobReport(COMPLETED, "g", "https://h/a")),
        ({"id": "g", "result": {"url": "https://h/a"}}, JobReport(COMPLETED, "g", "https://h/a")),
        (
            {"status": "success", "output_url": "https://h/a"},
            JobReport(COMPLETED, None, "https://h/a", status="success"),
        ),
        # "success" without a picture is an envelope, not the end of the job.
        ({"status": "success", "id": "g"}, JobReport(RUNNING, "g", status="success")),
        # Completed, but no picture yet: a poll may bring it.
        ({"status": "completed", "id": "g"}, JobReport(RUNNING, "g", status="completed")),
        # A URL beside "queued" is not ready, and the job can be asked after.
        (
            {"status": "queued", "id": "g", "url": "https://h/a"},
            JobReport(RUNNING, "g", "https://h/a", status="queued"),
        ),
        ({"status": "failed", "error": "oom"}, JobReport(FAILED, detail="oom", status="failed")),
        (
            {"status": "blocked", "error_message": "unsafe", "id": 5},
            JobReport(BLOCKED, "5", detail="unsafe", status="blocked"),
        ),
    ],
)
def test_an_accepted_submit_gives_the_job(body: object, expected: JobReport) -> None:
    for status in (200, 201, 202):
        assert read_submit(answer(status, body), SCRUB) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"OK",
        HTML,
        b"\xff\xfe\x00",
        b'{"generation_id": "g-1", "sta',
        b"[]",
        b"[1]",
        b"null",
        b"7",
        {},
        {"status": "queued"},
        {"status": "completed"},
        {"error": "who knows"},
        {"id": ""},
        {"id": None},
        {"id": True},
        {"id": 1.5},
        {"id": ["g"]},
        {"id": "../account/balance"},
        {"id": ".."},
        {"id": "a/b"},
        {"id": "a b"},
        {"id": "g\n"},
        {"id": "g" * 257},
        {"id": KEY},
        {"id": "ä"},
        {"output_url": "javascript:alert(1)"},
        {"output_url": "file:///etc/passwd"},
        {"output_url": "https://h/a b"},
        {"image_url": "https://h/the-input.png"},
    ],
)
def test_a_success_nobody_can_read_is_possibly_bought(body: object) -> None:
    assert isinstance(submit_error(answer(200, body)), Ambiguous)


def test_a_success_cut_off_is_possibly_bought_even_if_it_parses() -> None:
    assert isinstance(submit_error(answer(200, {"id": "g"}, is_whole=False)), Ambiguous)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"detail": "image too small"}, "image too small"),
        (
            {"detail": [{"loc": ["body", "image_url"], "msg": "bad URL", "type": "value_error"}]},
            "body.image_url: bad URL",
        ),
        ({"detail": [{"loc": ["body", 1], "msg": "a"}, {"msg": "b"}]}, "body.1: a; b"),
        (
            {
                "detail": {
                    "code": "bad_image",
                    "message": "not a picture",
                    "retryable": False,
                    "guidance": "Send a JPEG.",
                }
            },
            "bad_image: not a picture (Send a JPEG.)",
        ),
        ({"detail": {"code": "x", "message": "m", "error": "x"}}, "x: m"),
        ({"error": "nope"}, "nope"),
        ({"error": {"code": "E1", "message": "nope"}}, "E1: nope"),
        ({"message": "nope"}, "nope"),
        ({"error": "bad_request", "message": "the sentence"}, "the sentence"),
        ({"error_message": "nope"}, "nope"),
        ({"foo": 1}, '{"foo":1}'),
        (b"plain words\nin two lines", "plain words in two lines"),
        (
            b"<html><head><title>Oops</title><style>x{}</style></head><body><p>No&nbsp;way</p></body></html>",
            "Oops: No way",
        ),
    ],
)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_carries_the_apis_own_words(status: int, body: object, message: str) -> None:
    error = submit_error(answer(status, body))
    assert isinstance(error, Rejected)
    assert error.reason is Reason.API_REJECTED
    assert str(error) == f"PixelAPI answered {status}: {message}"


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b"null"])
def test_a_refusal_without_words_is_still_a_refusal(body: bytes) -> None:
    assert str(submit_error(answer(422, body))) == "PixelAPI answered 422"


def test_a_refusal_is_definite_even_when_its_words_were_cut_off() -> None:
    assert isinstance(submit_error(answer(400, b'{"detail": "ima', is_whole=False)), Rejected)


@pytest.mark.parametrize(
    ("status", "resource"),
    [
        (401, Resource.API_KEY),
        (402, Resource.API_CREDITS),
        (403, Resource.API_ACCESS),
        (407, Resource.API_ACCESS),
        (404, Resource.API_CONTRACT),
        (405, Resource.API_CONTRACT),
        (410, Resource.API_CONTRACT),
        (301, Resource.API_CONTRACT),
        (302, Resource.API_CONTRACT),
        (307, Resource.API_CONTRACT),
        (308, Resource.API_CONTRACT),
    ],
)
@pytest.mark.parametrize("body", [b"", HTML, b'{"detail": "Not Found"}'])
def test_the_environment_is_named_by_the_status_alone(status: int, resource: Resource, body: bytes) -> None:
    error = submit_error(answer(status, body))
    assert isinstance(error, Unavailable)
    assert error.resource is resource


@pytest.mark.parametrize(
    ("status", "body", "is_missing"),
    [
        (404, {"detail": "Not Found"}, True),
        (404, {"detail": "No route for POST /v1/edit"}, True),
        (404, {"detail": "Cannot POST /v1/image/upscale"}, True),
        (404, {"detail": "no such file at this path"}, True),
        (404, HTML, True),
        (404, b"", True),
        (404, b"image not found", True),
        (405, {"detail": "image not found"}, True),
        (404, {"detail": "Image not found"}, False),
        (404, {"detail": "image_url could not be fetched: 404"}, False),
    ],
)
def test_a_404_is_the_routes_unless_its_json_speaks_of_the_picture(status: int, body: object, is_missing: bool) -> None:  # noqa: FBT001
    """One event's missing picture must not pause the fleet; a missing path must not send every event to the letters."""
    given = answer(status, body)
    assert is_route_missing(given, SCRUB) is is_missing
    assert isinstance(submit_error(given), Unavailable if is_missing else Rejected)


@pytest.mark.parametrize(
    ("status", "known"),
    [
        *((status, True) for status in (200, 202, 400, 402, 413, 422)),
        *((status, False) for status in (301, 401, 403, 404, 405, 429, 500, 503)),
    ],
)
def test_only_a_paths_own_code_proves_the_path(status: int, known: bool) -> None:  # noqa: FBT001
    assert is_route_known(answer(status)) is known


@pytest.mark.parametrize(
    ("status", "body", "after_seconds"),
    [
        (503, {"detail": "All GPUs are busy right now. Please try again in 20 seconds."}, 20.0),
        (503, b"Please retry after 1.5 s", 1.5),
        (500, {"error": "could not load the model"}, None),
        (503, {"error": {"code": "busy", "message": "wait 2 minutes"}}, 120.0),
        (503, {"detail": {"message": "busy", "retry_after": 7}}, 7.0),
        (503, {"retry_after": "9", "message": "busy"}, 9.0),
        (503, {"foo": 1}, None),
    ],
)
def test_a_5xx_in_the_apis_own_words_is_a_refusal_that_passes(
    status: int, body: object, after_seconds: float | None
) -> None:
    error = submit_error(answer(status, body))
    assert isinstance(error, Transient)
    assert error.after_seconds == after_seconds
    assert not error.free


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (500, b" "),
        (500, HTML),
        (502, b"\xef\xbb\xbf<HTML>"),
        (503, b"{}"),
        (503, b"null"),
        (503, b"\x1f\x8b\xff"),
        (503, b"123"),
        # A crash, not a refusal: the job may have been taken a line earlier.
        (500, b"Internal Server Error"),
        (500, {"detail": "Internal Server Error"}),
        (500, {"error": {"code": "server_error", "message": ""}, "message": "Internal server error."}),
        (500, {"error": {"code": "server_error", "message": "Internal Server Error"}}),
        (500, {"detail": {"code": "server_error", "message": "Internal Server Error", "guidance": "See the docs."}}),
        # Gateways that did not hear the API.
        (502, b"Bad Gateway"),
        (502, b'{"message":"An invalid response was received from the upstream server"}'),
        (502, b'{"detail":"The model could not be loaded, try again"}'),
        (503, b'{"message":"Service Unavailable"}'),
        (500, b'{"message":"An unexpected error occurred"}'),
        (502, b"error code: 502"),
        (503, b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"),
        (504, {"detail": "timeout"}),
        (504, {"message": "Endpoint request timed out"}),
        (520, {"message": "A server error occurred."}),
        (524, b"error code: 524"),
        (530, {"message": "A server error occurred."}),
        (600, {"message": "what is this"}),
        (100, b""),
    ],
)
def test_a_5xx_nobody_answers_for_is_possibly_bought(status: int, body: object) -> None:
    assert isinstance(submit_error(answer(status, body)), Ambiguous)


def test_a_page_labelled_html_is_a_page_whatever_it_begins_with() -> None:
    assert isinstance(submit_error(answer(503, b"Service busy", Content_Type="text/html")), Ambiguous)


@pytest.mark.parametrize("status", [408, 425])
def test_a_request_that_came_too_slowly_passes(status: int) -> None:
    assert isinstance(submit_error(answer(status, {"detail": "x"})), Transient)


@pytest.mark.parametrize(
    ("headers", "body", "after_seconds"),
    [
        ({}, b"", 5.0),
        ({"Retry-After": "12"}, b"", 12.0),
        ({"retry-after": "12"}, b"", 12.0),
        ({"Retry-After": "0"}, b"", 1.0),
        ({"Retry-After": "1e9"}, b"", 5.0),
        ({"Retry-After": "999999"}, b"", 900.0),
        ({"Retry-After": "-3"}, b"", 5.0),
        ({"Retry-After": "nan"}, b"", 5.0),
        ({"Retry-After": formatdate(NOW + 30, usegmt=True)}, b"", 30.0),
        ({"Retry-After": formatdate(NOW - 30, usegmt=True)}, b"", 1.0),
        # Their clock is an hour ahead of ours: what counts is the difference they show.
        (
            {"Retry-After": formatdate(NOW + 3630, usegmt=True), "Date": formatdate(NOW + 3600, usegmt=True)},
            b"",
            30.0,
        ),
        ({"X-RateLimit-Reset": "17"}, b"", 17.0),
        ({"X-RateLimit-Reset": str(int(NOW + 17))}, b"", 17.0),
        ({"X-RateLimit-Reset": str(int(NOW + 17) * 1000)}, b"", 17.0),
        ({"Retry-After": "3", "X-RateLimit-Reset": "17"}, b"", 3.0),
        ({}, b'{"detail": "try again in 20 seconds"}', 20.0),
        ({}, b"<html><body>Please wait 30 seconds</body></html>", 30.0),
    ],
)
def test_a_429_says_how_long_nobody_should_ask(headers: dict[str, str], body: bytes, after_seconds: float) -> None:
    given = Answer(429, headers, body, NOW)
    for error in (submit_error(given), poll_error(given)):
        assert isinstance(error, Throttled)
        assert error.after_seconds == pytest.approx(after_seconds)
    assert quiet_seconds(given, SCRUB) == pytest.approx(after_seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"}, 9.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW + 9))}, 9.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW - 9))}, None),
        ({"X-RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "9"}, None),
        ({"X-RateLimit-Remaining": "none", "X-RateLimit-Reset": "9"}, None),
        ({}, None),
    ],
)
def test_an_empty_window_quiets_everybody_on_any_answer(headers: dict[str, str], seconds: float | None) -> None:
    assert quiet_seconds(Answer(200, headers, b"{}", NOW), SCRUB) == seconds


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": "queued"}, JobReport(RUNNING, status="queued")),
        ({"status": "weird", "id": "g"}, JobReport(RUNNING, "g", status="weird")),
        (
            {"status": "completed", "output_url": "https://h/a"},
            JobReport(COMPLETED, None, "https://h/a", status="completed"),
        ),
        ({"output_url": "https://h/a"}, JobReport(COMPLETED, None, "https://h/a")),
        ({"status": "completed"}, JobReport(COMPLETED, status="completed")),
        ({"status": "failed", "error_message": "boom"}, JobReport(FAILED, detail="boom", status="failed")),
        ({"status": "failed", "error": {"message": "boom"}}, JobReport(FAILED, detail="boom", status="failed")),
        ({"status": "blocked", "detail": "unsafe"}, JobReport(BLOCKED, detail="unsafe", status="blocked")),
        (
            {"status": "completed", "url": "https://h/a", "credits_used": "NaN"},
            JobReport(COMPLETED, None, "https://h/a", status="completed"),
        ),
    ],
)
def test_a_poll_tells_how_the_job_stands(body: object, expected: JobReport) -> None:
    assert read_poll(answer(200, body), SCRUB) == expected


@pytest.mark.parametrize("status", [400, 402, 404, 405, 408, 409, 410, 422, 500, 502, 503, 504, 520])
@pytest.mark.parametrize("body", [b"", HTML, b'{"detail": "image not found"}'])
def test_a_poll_never_abandons_a_job(status: int, body: bytes) -> None:
    error = poll_error(answer(status, body))
    assert isinstance(error, Transient)
    assert isinstance(error, UnknownJob) is (status in {404, 405})


@pytest.mark.parametrize("body", [b"", HTML, b"{}", b"[]", b'{"id": "g"}', b'{"hello": 1}', b"\xff"])
def test_a_poll_that_says_nothing_of_the_job_is_asked_again(body: bytes) -> None:
    assert isinstance(poll_error(answer(200, body)), Transient)


@pytest.mark.parametrize(
    ("status", "resource"), [(401, Resource.API_KEY), (403, Resource.API_ACCESS), (302, Resource.API_CONTRACT)]
)
def test_a_barred_poll_is_the_environments_fault(status: int, resource: Resource) -> None:
    error = poll_error(answer(status, HTML))
    assert isinstance(error, Unavailable)
    assert error.resource is resource


def test_a_busy_poll_passes_on_the_delay_asked_for() -> None:
    error = poll_error(answer(503, b"", Retry_After="4"))
    assert isinstance(error, Transient)
    assert error.after_seconds == 4.0


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"credits_remaining": 299_990, "plan": "scale"}, Balance(Decimal(299_990), "scale")),
        ({"credits_remaining": "12.5"}, Balance(Decimal("12.5"), None)),
        ({"data": {"balance": 3}}, Balance(Decimal(3), None)),
        ({"credits_remaining": -1, "plan": "free"}, Balance(None, "free")),
    ],
)
def test_a_balance_is_read(body: object, expected: Balance) -> None:
    assert read_balance(answer(200, body), SCRUB) == expected


def test_an_api_without_balance_has_an_unknown_balance() -> None:
    assert read_balance(answer(404, {"detail": "Not Found"}), SCRUB) == Balance(None, None)


@pytest.mark.parametrize(
    ("status", "kind"), [(200, Transient), (500, Transient), (401, Unavailable), (402, Unavailable), (429, Throttled)]
)
def test_a_balance_that_cannot_be_had_raises(status: int, kind: type[StreamError]) -> None:
    with pytest.raises(kind):
        read_balance(answer(status, HTML), SCRUB)
