"""Errors sorted by whose fault they are; foreign exceptions are translated into these at the doors.

Comes in: every door that fails. Goes out: `runtime.verdict`, which decides by the class alone.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Reason(StrEnum):
    """Why an event ended as a dead letter: the closed list used in headers, metrics, logs and docs."""

    INVALID_EVENT = "invalid-event"
    """The record could not be read as an event, or a field is wrong (the PIM's fault)."""
    ORDER_KIND = "order-kind"
    """The image's events are ordered by another field than this one carries (L5 never mixes kinds)."""
    SOURCE_REFUSED = "source-refused"
    """`raw_url` leads somewhere we do not fetch from: a private address, another scheme, a foreign redirect."""
    SOURCE_MISSING = "source-missing"
    """`raw_url` answered definitely that there is no photo (404, 403, 410 ...)."""
    INVALID_IMAGE = "invalid-image"
    """The photo's bytes are not a picture we take: HTML, truncated, too large, animated, unknown format."""
    TOO_MANY_PIXELS = "too-many-pixels"
    """A stage's output would pass the pixel cap; refused before buying."""
    API_REJECTED = "api-rejected"
    """PixelAPI refused the submit for the input's sake (400, 404, 413, 422); nothing was bought."""
    JOB_BLOCKED = "job-blocked"
    """PixelAPI's safety filter blocked the picture; remembered and never retried."""
    JOB_FAILED = "job-failed"
    """PixelAPI reported the job failed in every numbered attempt the policy allows."""
    JOB_OVERDUE = "job-overdue"
    """The job did not end within its deadline; its id is kept and a replay polls on."""
    BAD_RESULT = "bad-result"
    """The finished job's result is unusable: no URL, expired, not a picture, wrong shape."""
    ASSET_MISSING = "asset-missing"
    """An asset that the stage record names was deleted since (`skustream gc`, or by hand)."""
    AMBIGUOUS_SUBMIT = "ambiguous-submit"
    """A submit's answer was lost; the job may exist and be charged. Buying again is a person's decision (L2)."""
    RETRIES_EXHAUSTED = "retries-exhausted"
    """A passing fault did not pass within the policy's attempts."""
    BUG = "bug"
    """An error nobody foresaw; the letter carries the traceback."""


class Resource(StrEnum):
    """What can be missing around us without any event being at fault (L8)."""

    API_KEY = "api-key"
    """401: the key is refused."""
    API_ACCESS = "api-access"
    """403: the CDN or the account bars us."""
    API_CREDITS = "api-credits"
    """402: no credits left."""
    API_OUTAGE = "api-outage"
    """PixelAPI cannot be reached, or answers busy time after time."""
    API_RESULTS = "api-results"
    """Finished results cannot be downloaded, job after job."""
    SOURCES = "sources"
    """Photos cannot be fetched, one after the other: their host, our name server or our network is gone."""
    API_CONTRACT = "api-contract"
    """PixelAPI speaks no dialect we know at this base URL."""
    BROKER = "broker"
    """Kafka cannot be reached."""
    STORE = "store"
    """The object store cannot be reached or refuses us."""
    DISK = "disk"
    """The spool folder is full."""
    OURSELVES = "ourselves"
    """Several unforeseen errors in a row: more letters would help nobody; a person has to look."""


WAYS_OUT: Mapping[Resource, str] = MappingProxyType({
    Resource.BROKER: "see SKUSTREAM_KAFKA_* in docs/settings.md, and docs/security.md",
    Resource.STORE: "look at SKUSTREAM_STORE, AWS_*, the bucket, its rights and the endpoint",
    Resource.DISK: "free space, or give the folder to this user",
    Resource.API_OUTAGE: "look at PIXELAPI_BASE and the way out of this network; or wait",
})  # fmt: skip
"""Where to look first, for whoever reads that something is unavailable."""


class StreamError(Exception):
    """Base of all errors we raise on purpose: a message for a person, and never a secret in it."""

    facts: Mapping[str, str] = MappingProxyType({})
    """What a letter should carry besides the message: job ids, job keys. Set by whoever knows them on the way up."""


class Rejected(StreamError):
    """The event's own fault: a letter now, no retry.

    `field` and `expected` are set where a single value of the event is wrong.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        field: str | None = None,
        value: object = None,
        expected: str | None = None,
    ) -> None:
        """Compose the sentence a person reads in the letter."""
        self.reason = reason
        self.detail = detail
        self.field = field
        self.expected = expected
        parts = [f"{field}: {detail}" if field else detail]
        if field is not None and value is not None:
            parts.append(f"got {shown(value)}")
        if expected is not None:
            parts.append(f"expected {expected}")
        super().__init__("; ".join(parts))


class Transient(StreamError):
    """A passing fault: retried with full jitter; spends an attempt.

    `after_seconds` is a delay the other side asked for.
    """

    def __init__(self, detail: str, *, after_seconds: float | None = None, free: bool = False) -> None:
        """`free`: this retry spends no attempt (we learned something and simply go again)."""
        self.after_seconds = after_seconds
        self.free = free
        super().__init__(detail)


class Throttled(StreamError):
    """429: our own pace was wrong; waits `after_seconds` and spends no attempt."""

    def __init__(self, detail: str, *, after_seconds: float) -> None:
        """`after_seconds`: how long the provider wants us quiet."""
        self.after_seconds = after_seconds
        super().__init__(detail)


class Unavailable(StreamError):
    """The environment's fault (L8): intake pauses, the event waits, no attempt is spent, no letter is written."""

    def __init__(
        self,
        resource: Resource,
        detail: str,
        *,
        after_seconds: float | None = None,
        is_refusal: bool = False,
        way_out: str = "",
    ) -> None:
        """`resource`: what is missing; `after_seconds`: when asking again makes sense, where known.

        `is_refusal`: somebody answered, and said no: waiting alone will hardly help.
        """
        self.resource = resource
        self.after_seconds = after_seconds
        self.is_refusal = is_refusal
        self.way_out = way_out or WAYS_OUT.get(resource, "")
        super().__init__(detail)


class Ambiguous(StreamError):
    """A submit was sent and its answer lost: possibly bought. Never repeated by the machine (L2)."""


class CorruptDocument(StreamError):
    """A document of our own in the store cannot be read back: somebody else wrote there. A person has to look."""


class Misconfigured(StreamError):
    """A person's mistake in settings or the pipeline file: names the setting, the value and the way out."""


class Missing(Misconfigured):
    """What a person has to create is not there, or not yet."""


def shown(value: object, limit: int = 120) -> str:
    """A foreign value made safe to show: repr, cut to `limit` characters."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
