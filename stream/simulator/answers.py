"""The way out: what an answer looks like, whether good news or bad.

Refusals and jobs come in, aiohttp responses go out, in the shapes the behaviour asks for.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from stream.simulator.book import Job, number
from stream.simulator.faults import ErrorShape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.simulator.behaviour import Behaviour, RateLimit
    from stream.simulator.windows import Admission

_CODES = {
    400: "invalid_request",
    401: "invalid_api_key",
    402: "insufficient_credits",
    403: "forbidden",
    404: "not_found",
    413: "file_too_large",
    422: "validation_error",
    429: "rate_limit_exceeded",
    503: "overloaded",
}
_RETRYABLE = frozenset({429, 500, 502, 503, 504})
_BLOCKED_PAGE = (
    "<!DOCTYPE html><html><head><title>Access denied</title></head><body><h1>Error 1010</h1>"
    "<p>The owner of this website has banned your access based on your browser's signature.</p></body></html>"
)


class RefusedError(Exception):
    """A request that is answered with an error. `shape` None: the behaviour's shape for this status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        shape: ErrorShape | None = None,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.shape, self.field = status, message, shape, field
        self.headers = dict(headers or {})


class CutOffError(Exception):
    """The line is to be cut without an answer; with `hang` only once the client or the simulator gives up."""

    def __init__(self, *, hang: bool = False) -> None:
        super().__init__("hang" if hang else "drop")
        self.hang = hang


def as_json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer; decimals become numbers."""
    content = orjson.dumps(body, default=number, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(body=content, status=status, headers=headers, content_type="application/json")


def refusal(error: RefusedError, behaviour: Behaviour) -> web.Response:
    """The error in its shape."""
    shape = error.shape or behaviour.shape_for(error.status)
    if shape is ErrorShape.EMPTY:
        return web.Response(status=error.status, headers=error.headers)
    if shape is ErrorShape.TEXT:
        return web.Response(text=error.message, status=error.status, headers=error.headers)
    if shape is ErrorShape.HTML:
        page = f"<html><head><title>{error.status}</title></head><body><h1>{error.message}</h1></body></html>"
        return web.Response(text=page, status=error.status, headers=error.headers, content_type="text/html")
    return as_json(_error_body(shape, error), error.status, error.headers)


def _error_body(shape: ErrorShape, error: RefusedError) -> dict[str, Any]:
    code, message = _CODES.get(error.status, "server_error"), error.message
    bodies: dict[ErrorShape, dict[str, Any]] = {
        ErrorShape.DETAIL_STRING: {"detail": message},
        ErrorShape.DETAIL_LIST: {
            "detail": [{"loc": ["body", error.field or "image_url"], "msg": message, "type": "value_error"}]
        },
        ErrorShape.DETAIL_OBJECT: {
            "detail": {
                "code": code,
                "message": message,
                "retryable": error.status in _RETRYABLE,
                "error": code,
                "guidance": "See the documentation.",
            }
        },
        ErrorShape.ERROR_STRING: {"error": message},
        ErrorShape.ERROR_OBJECT: {"error": {"code": code, "message": message}},
        ErrorShape.MESSAGE: {"message": message},
        ErrorShape.ERROR_MESSAGE: {"error_message": message},
    }
    return bodies[shape]


def cdn_block() -> web.Response:
    """What a CDN says to a client that does not name itself."""
    return web.Response(text=_BLOCKED_PAGE, status=403, content_type="text/html", headers={"Server": "cloudflare"})


def rate_headers(rate: RateLimit, admission: Admission) -> dict[str, str]:
    """X-RateLimit-* as configured; none without a contract."""
    if rate.requests is None:
        return {}
    headers = {"X-RateLimit-Limit": str(rate.requests)} if rate.remaining_header else {}
    if rate.remaining_header:
        headers["X-RateLimit-Remaining"] = str(admission.remaining)
    if rate.reset_header == "epoch":
        headers["X-RateLimit-Reset"] = str(-int(-(time.time() + admission.reset_seconds) // 1))
    elif rate.reset_header == "delta":
        headers["X-RateLimit-Reset"] = str(-int(-admission.reset_seconds // 1))
    return headers


def throttled(rate: RateLimit, admission: Admission) -> RefusedError:
    """429, with Retry-After as configured (whole seconds, rounded up: a client that obeys is let in)."""
    wait_seconds = max(-int(-admission.reset_seconds // 1), 1)
    headers = {}
    if rate.retry_after == "seconds":
        headers["Retry-After"] = str(wait_seconds)
    elif rate.retry_after == "date":
        headers["Retry-After"] = formatdate(time.time() + wait_seconds + 1, usegmt=True)
    return RefusedError(429, "Rate limit exceeded. Please slow down.", headers=headers)


def submitted(job: Job, behaviour: Behaviour) -> dict[str, Any]:
    """The answer to an asynchronous submit."""
    body: dict[str, Any] = {behaviour.id_field: job.id, "status": behaviour.first_status}
    if behaviour.credits_in_submit:
        body["credits_used"] = job.price_credits
    return body


def polled(job: Job, behaviour: Behaviour, output_url: str | None) -> dict[str, Any]:
    """The answer to a poll, or the body of a synchronous answer."""
    body: dict[str, Any] = {"status": shown_status(job, behaviour)}
    if behaviour.id_in_poll:
        body[behaviour.id_field] = job.id
    if job.ended and job.status != "completed":
        body[behaviour.error_field] = job.error or job.status
    if output_url is not None:
        body[behaviour.url_field] = output_url
    if behaviour.credits_in_poll:
        body["credits_used"] = job.charged_credits - job.refunded_credits
    return body


def shown_status(job: Job, behaviour: Behaviour) -> str:
    """A running job is first queued, then processing; a fault may have put a word of its own in `job.error`."""
    if job.ended:
        return job.status
    if job.error:
        return job.error
    waited = time.time() - job.submitted_at
    return behaviour.first_status if waited < job.latency_seconds * behaviour.first_status_share else "processing"
