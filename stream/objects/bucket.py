"""One bucket behind one botocore client: every attempt bounded in time, every foreign error sorted once.

Comes in: `s3.S3Store`'s calls. Goes out: answers, `Refused` (a definite no), `Lost` (no answer: it may have happened),
or `Unavailable(store)`, whose message names bucket and endpoint and never a key.
"""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore import exceptions as faults

from stream.core.clock import Clock
from stream.core.errors import Misconfigured, Resource, Unavailable
from stream.objects.options import StoreOptions, joined_url

T = TypeVar("T")

TRIES = 4
MISSING = 404
_CONNECTIONS = 64
_LONGEST_PRESIGN_SECONDS = 7 * 24 * 3600
_LOST = (
    faults.ConnectionError,
    faults.HTTPClientError,
    faults.IncompleteReadError,
    aiohttp.ClientError,
    TimeoutError,
)
_NO_KEYS = (faults.NoCredentialsError, faults.PartialCredentialsError)
_REDIRECTS = range(300, 400)
_NOT_IMPLEMENTED = 501
_PASSING_CODES = frozenset({"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException"})
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Refused(Exception):
    """The server answered no; `status` and `code` say why. This attempt wrote nothing."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"HTTP {status} {code}")
        self.status = status
        self.code = code


class Lost(Exception):
    """No answer, or a server's 5xx: the request may have been carried out, now or a little later."""


class Bucket:
    """An open connection pool to one bucket. `aclose` it."""

    def __init__(self, name: str, options: StoreOptions, clock: Clock) -> None:
        if not _NAME.fullmatch(name):
            raise Misconfigured(f"{name!r} is no bucket name: 3 to 63 lower-case letters, digits, '-' or '.'")
        self.name = name
        self.options = options
        self._clock = clock
        self._exits = AsyncExitStack()
        self._client: Any = None
        self._signer: Any = None

    async def open(self) -> Self:
        """Connect lazily: no request is sent. Raises Misconfigured for an endpoint that is no URL."""
        session = get_session()
        try:
            self._client = await self._enter(session, self.options.endpoint_url)
            presign = self.options.presign_endpoint_url
            self._signer = self._client if presign is None else await self._enter(session, presign)
        except (ValueError, faults.BotoCoreError) as error:
            await self.aclose()
            raise Misconfigured(f"cannot use {self.place}: {error}") from error
        return self

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exits.aclose()

    @property
    def place(self) -> str:
        """Bucket and endpoint for a person, without credentials a URL may carry."""
        url = urlsplit(self.options.endpoint_url or "")
        endpoint = f"{url.scheme}://{url.hostname}{f':{url.port}' if url.port else ''}" if url.hostname else "AWS S3"
        return f"bucket {self.name!r} at {endpoint}"

    @asynccontextmanager
    async def client(self, limit_seconds: float | None) -> AsyncIterator[Any]:
        """The client, for one attempt of at most `limit_seconds`; foreign errors leave sorted."""
        try:
            async with asyncio.timeout(limit_seconds):
                yield self._client
        except faults.ClientError as error:
            raise self.sort(error) from error
        except _NO_KEYS as error:
            raise self.unavailable("no complete AWS credentials were found", is_refusal=True) from error
        except _LOST as error:
            raise Lost(type(error).__name__) from error
        except faults.BotoCoreError as error:
            raise self.unavailable(f"{type(error).__name__}: {error}") from error

    async def repeated(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do harmless work until it is answered. Raises Refused; Unavailable when `TRIES` answers were lost."""
        for attempt in range(TRIES):
            try:
                return await work()
            except Lost as lost:
                last = lost
            await self.pause(attempt)
        raise self.unavailable(f"no answer in {TRIES} tries, last: {last}") from last

    async def pause(self, attempt: int) -> None:
        """Full jitter, doubling from 0.1 s."""
        await self._clock.sleep(self._clock.chance() * 0.1 * 2**attempt)

    def unavailable(self, detail: str, *, is_refusal: bool = False) -> Unavailable:
        """The store's fault, told with its place."""
        return Unavailable(Resource.STORE, f"{self.place}: {detail}", is_refusal=is_refusal)

    async def presigned(self, full_key: str, valid_seconds: int, mark: str = "") -> str:
        """A URL that anybody can GET for `valid_seconds` (S3 allows 7 days). Signed here, nothing is sent."""
        seconds = max(1, min(valid_seconds, _LONGEST_PRESIGN_SECONDS))
        named = {"Bucket": self.name, "Key": full_key}
        if mark:  # a parameter of S3's own, because a foreign one would not be signed
            named["ResponseContentDisposition"] = f'inline; filename="{mark}"'

        async def signed() -> str:  # temporary credentials may have to be fetched first
            async with self.client(self.options.timeout_seconds):
                url: str = await self._signer.generate_presigned_url("get_object", Params=named, ExpiresIn=seconds)
            return url

        return await self.repeated(signed)

    def url(self, full_key: str) -> str:
        """Where the server itself serves the key, if the bucket's policy lets anybody read."""
        path = quote(full_key, safe="/~")
        if self.options.endpoint_url is not None:
            return joined_url(self.options.endpoint_url, f"{self.name}/{path}")
        region = self._client.meta.region_name
        if "." in self.name:  # a dotted name does not match the certificate's wildcard
            return f"https://s3.{region}.amazonaws.com/{self.name}/{path}"
        return f"https://{self.name}.s3.{region}.amazonaws.com/{path}"

    async def _enter(self, session: AioSession, endpoint_url: str | None) -> Any:
        options = self.options
        context = session.create_client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=options.region or session.get_config_variable("region") or "us-east-1",
            aws_access_key_id=options.access_key.get_secret_value() if options.access_key else None,
            aws_secret_access_key=options.secret_key.get_secret_value() if options.secret_key else None,
            aws_session_token=options.session_token.get_secret_value() if options.session_token else None,
            config=_config(endpoint_url, options.timeout_seconds),
        )
        client = await self._exits.enter_async_context(context)
        client.meta.events.register_last("before-call.s3", _by_body)
        return client

    def sort(self, error: faults.ClientError) -> Exception:
        """An answer that is no success: whose fault it is."""
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code == "NoSuchBucket":
            return self.unavailable(
                "the bucket does not exist: create it, or correct the store's address", is_refusal=True
            )
        if status in {401, 403}:
            return self.unavailable(
                f"access refused ({code}): check the keys; they need s3:GetObject, s3:PutObject, and s3:ListBucket, "
                "without which a missing key looks forbidden; `skustream gc --yes` needs s3:DeleteObject too; see "
                "docs/security.md",
                is_refusal=True,
            )
        if status in _REDIRECTS or code == "AuthorizationHeaderMalformed":
            return self.unavailable(f"the bucket lives elsewhere ({code}): check region and endpoint", is_refusal=True)
        if code in _PASSING_CODES or status == 429 or (status >= 500 and status != _NOT_IMPLEMENTED):  # noqa: PLR2004
            return Lost(f"HTTP {status} {code}")
        return Refused(status, code)


def _by_body(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Documents and files are sent differently.

    Waiting for "100 Continue" pays for a file that may be refused unread; for a document it is a round trip lost.
    The read timeout runs from the last byte's going into the kernel's buffer, of which megabytes may still be under
    way, and the server has the whole file to store: `s3_files` bounds a file's silence itself, by its size.
    """
    body = params.get("body")
    if isinstance(body, io.BytesIO):
        params["headers"].pop("Expect", None)
    elif isinstance(body, io.IOBase):
        context["read_timeout"] = 0  # aiohttp's word for none


def _config(endpoint_url: str | None, timeout_seconds: float) -> AioConfig:
    is_encrypted = endpoint_url is None or endpoint_url.startswith("https://")
    return AioConfig(
        signature_version="s3v4",
        connect_timeout=min(5.0, timeout_seconds),
        read_timeout=timeout_seconds,
        max_pool_connections=_CONNECTIONS,
        # We repeat ourselves, because only we know how to tell our own write from another's.
        retries={"total_max_attempts": 1},
        # Files carry their SHA-256; a CRC trailer on top is what older S3 servers stumble over.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={
            "addressing_style": "auto" if endpoint_url is None else "path",
            # Signing a payload reads it whole first, on the event loop: needed only where TLS does not guard it.
            "payload_signing_enabled": not is_encrypted,
        },
    )
