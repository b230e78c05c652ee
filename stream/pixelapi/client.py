"""The real door to PixelAPI, over HTTP. It sends and listens; `answers` judges, `dialects` finds the words.

Orders and job ids come in; reports go out, or the errors of `core.errors`. Every port call is one HTTP request, sent to
the base URL's host alone; the key travels nowhere else and is never shown.

A submit in flight must not be cancelled: its answer would be lost, and the job with it. The caller shields the call.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from importlib import metadata
from types import MappingProxyType
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp import hdrs
from pydantic import SecretStr

from stream.core.clock import Clock
from stream.core.errors import Ambiguous, Misconfigured, Resource, StreamError, Transient, Unavailable, shown
from stream.metrics.port import Recorder
from stream.pixelapi import answers
from stream.pixelapi.answers import Answer
from stream.pixelapi.dialects import (
    BALANCE_PATH,
    ENDPOINTS,
    USAGE_PATH,
    Dialect,
    DialectChoice,
    DialectMemory,
    Endpoint,
    Form,
    PollPaths,
    as_form_text,
    form_of,
)
from stream.pixelapi.line import Line, LostError, UnsentError, headers_with
from stream.pixelapi.port import Balance, JobReport, Order, Upload
from stream.pixelapi.wording import Scrubber

POLL_LABEL = "poll"
BALANCE_LABEL = "balance"
USAGE_LABEL = "usage"
DIALECT_LABEL = "dialect"
USAGE_ROWS = 100
"""A job is listed among the newest; so many rows stay well below the longest body we read."""


def default_user_agent() -> str:
    """The name we go by: PixelAPI's CDN may turn away the default names of libraries."""
    try:
        version = metadata.version("skustream")
    except metadata.PackageNotFoundError:
        version = "0"
    return f"skustream/{version} (+event processor)"


class HttpPixelApi:
    """PixelAPI over aiohttp; implements `port.PixelApi`.

    `prompt_field`: what the API calls a scene's prompt. `on_throttle`: told for how many seconds nobody should ask.
    `own_endpoints`: the pipeline's foreign operations.
    Requests are recorded as (operation of a submit, or `poll`, or `balance`; status, `lost` or `unsent`; seconds).
    Raises `Misconfigured` for an address, key or name that cannot be used.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: SecretStr,
        clock: Clock,
        recorder: Recorder,
        dialect: DialectChoice = "auto",
        prompt_field: str = "prompt",
        user_agent: str | None = None,
        submit_timeout_seconds: float = 30.0,
        poll_timeout_seconds: float = 15.0,
        on_throttle: Callable[[float], None] = lambda _: None,
        own_endpoints: Mapping[str, Endpoint] = MappingProxyType({}),
    ) -> None:
        self._base_url = _checked_base_url(base_url)
        self._key = _checked_key(api_key)
        self._user_agent = _checked_user_agent(default_user_agent() if user_agent is None else user_agent)
        self._prompt_field = prompt_field
        self._on_throttle = on_throttle
        self._scrub = Scrubber(self._key)
        self._endpoints = {**ENDPOINTS, **own_endpoints}
        self._dialects = DialectMemory(dialect)
        self._poll_paths = PollPaths(self._endpoints)
        self._submits = Line(is_fresh=True, timeout_seconds=submit_timeout_seconds, clock=clock, recorder=recorder)
        self._asks = Line(is_fresh=False, timeout_seconds=poll_timeout_seconds, clock=clock, recorder=recorder)

    async def submit(self, order: Order) -> JobReport:
        """Buy one job: one POST on a connection of its own, never repeated. Errors: see the port, and `read_submit`.

        Raises ValueError for an operation or parameter that PixelAPI does not take: a bug of ours.
        """
        dialect = self._dialects.choose()
        form = form_of(dialect, order, self._prompt_field, self._endpoints)
        answer = await self._post(order, form)
        self._heed(answer)
        if answers.is_route_missing(answer, self._scrub):
            raise self._dialects.missing(dialect, f"PixelAPI answered {answer.status}")
        if answers.is_route_known(answer):
            self._dialects.understood(dialect)
        return answers.read_submit(answer, self._scrub)

    async def poll(self, operation: str, job_id: str) -> JobReport:
        """Ask after a job: one GET. Raises ValueError for an id that no answer of ours can have held."""
        number, path = self._poll_paths.path(operation, job_id)
        answer = await self._get(POLL_LABEL, path)
        if answers.is_poll_path_missing(answer):
            self._poll_paths.missed(operation, number)
        report = answers.read_poll(answer, self._scrub)
        self._poll_paths.found(operation, number)
        return report

    async def balance(self) -> Balance:
        """Credits left: one GET; a balance of None where the API has no such path."""
        return answers.read_balance(await self._get(BALANCE_LABEL, BALANCE_PATH), self._scrub)

    async def find(self, mark: str) -> JobReport | None:
        """The job whose input carried `mark`, as the newest page of the usage lists it; see the port."""
        answer = await self._get(USAGE_LABEL, f"{USAGE_PATH}?limit={USAGE_ROWS}")
        return answers.read_usage(answer, mark, self._scrub)

    async def recognise(self) -> Dialect | None:
        """The dialect understood here, found without buying: at most one POST for each, of an order with no picture.

        Whoever knows the path refuses such an order (400, 422); where it does not exist the other one is tried. None
        when neither is known. Raises as `poll` does, and `Transient` for an answer that tells nothing.
        """
        chosen = self._dialects.settled
        for dialect in Dialect if chosen is None else (chosen,):
            form = form_of(dialect, Order("remove-bg", ""), self._prompt_field)
            answer = await self._ask(DIALECT_LABEL, hdrs.METH_POST, form.path, orjson.dumps(form.fields))
            if answers.is_route_missing(answer, self._scrub):
                continue
            if not answers.is_route_known(answer) and not answers.is_about_picture(answer, self._scrub):
                answers.read_poll(answer, self._scrub)  # raises what means the same to every question
            return dialect
        return None

    async def aclose(self) -> None:
        """Close connections; later calls are `Unavailable`."""
        await self._submits.aclose()
        await self._asks.aclose()

    @property
    def dialect(self) -> Dialect | None:
        """The dialect that is understood here; None while `auto` has not found out."""
        return self._dialects.settled

    async def _post(self, order: Order, form: Form) -> Answer:
        headers = headers_with(self._key.get_secret_value(), self._user_agent)
        url = f"{self._base_url}/{form.path}"
        failure: StreamError
        async with AsyncExitStack() as stack:
            if isinstance(order.source, Upload):
                data: aiohttp.FormData | bytes = await _multipart(order.source, form, stack)
            else:
                headers[hdrs.CONTENT_TYPE] = "application/json"
                data = orjson.dumps({**form.fields, "image_url": order.source})
            try:
                return await self._submits.exchange(order.operation, hdrs.METH_POST, url, headers=headers, data=data)
            except UnsentError as error:
                failure = self._outage(error)
            except LostError as error:
                failure = Ambiguous(f"the answer to the submit is lost: {self._scrub(str(error))}")
        raise failure

    async def _get(self, label: str, path: str) -> Answer:
        return await self._ask(label, hdrs.METH_GET, path)

    async def _ask(self, label: str, method: str, path: str, body: bytes | None = None) -> Answer:
        """A question that buys nothing, so that a lost answer is a passing fault."""
        headers = headers_with(self._key.get_secret_value(), self._user_agent)
        if body is not None:
            headers[hdrs.CONTENT_TYPE] = "application/json"
        failure: StreamError
        try:
            answer = await self._asks.exchange(label, method, f"{self._base_url}/{path}", headers=headers, data=body)
        except UnsentError as error:
            failure = self._outage(error)
        except LostError as error:
            failure = Transient(f"the answer to the {label} is lost: {self._scrub(str(error))}")
        else:
            self._heed(answer)
            return answer
        raise failure

    def _outage(self, error: UnsentError) -> Unavailable:
        return Unavailable(Resource.API_OUTAGE, f"PixelAPI cannot be reached: {self._scrub(str(error))}")

    def _heed(self, answer: Answer) -> None:
        """Pass on that nobody should ask for a while, before anything else is made of the answer."""
        seconds = answers.quiet_seconds(answer, self._scrub)
        if seconds is not None:
            self._on_throttle(seconds)


async def _multipart(upload: Upload, form: Form, stack: AsyncExitStack) -> aiohttp.FormData:
    """The picture as `image`, read from disk while it is sent; `stack` closes the file."""
    try:
        picture = await asyncio.to_thread(upload.path.open, "rb")
    except OSError as error:
        raise Transient(f"the picture to upload cannot be read: {error.strerror}") from None
    stack.callback(picture.close)
    data = aiohttp.FormData()
    for name, value in form.fields.items():
        data.add_field(name, as_form_text(value))
    data.add_field("image", picture, filename=upload.filename, content_type=upload.content_type)
    return data


def _checked_base_url(base_url: str) -> str:
    try:
        parts = urlsplit(base_url.strip())
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        is_usable = is_plain = False
    if not is_usable:
        raise Misconfigured("PixelAPI base URL: expected http(s)://host/path, such as https://api.pixelapi.dev/v1")
    if not is_plain:
        raise Misconfigured("PixelAPI base URL: it must hold no user, password, query or fragment")
    return base_url.strip().rstrip("/")


def _checked_key(api_key: SecretStr) -> SecretStr:
    """The key without the line end that key files have. Its value is never part of a complaint."""
    key = api_key.get_secret_value().strip()
    if not key:
        raise Misconfigured("PixelAPI key: it is empty")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Misconfigured("PixelAPI key: it holds blanks or characters that no HTTP header takes")
    return SecretStr(key)


def _checked_user_agent(user_agent: str) -> str:
    if not user_agent.strip() or not user_agent.isascii() or not user_agent.isprintable():
        raise Misconfigured(f"PixelAPI user agent {shown(user_agent)}: expected plain text on one line")
    return user_agent.strip()
