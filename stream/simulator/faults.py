"""The mischief list: which request or job misbehaves, and how.

Faults come in with the behaviour; every step of a request asks `Mischief.pick` and goes out with a fault or none. The
draw for a probability hangs on the seed and on *what* is asked (operation, picture, how often it was asked before), not
on the order of arrival, so the same pictures meet the same fate in every run, however their requests interleave.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence


class Operation(StrEnum):
    """What can be bought; the value is the path below /image/."""

    REMOVE_BACKGROUND = "remove-background"
    UPSCALE = "upscale"
    REPLACE_BACKGROUND = "replace-background"
    ADD_SHADOW = "add-shadow"


class ErrorShape(StrEnum):
    """The forms an error body has been seen in."""

    DETAIL_STRING = "detail-string"
    DETAIL_LIST = "detail-list"
    DETAIL_OBJECT = "detail-object"
    ERROR_STRING = "error-string"
    ERROR_OBJECT = "error-object"
    MESSAGE = "message"
    ERROR_MESSAGE = "error-message"
    TEXT = "text"
    HTML = "html"
    EMPTY = "empty"


def _shape_of_name(value: object) -> object:
    return value.replace("_", "-") if isinstance(value, str) else value


Shape = Annotated[ErrorShape, BeforeValidator(_shape_of_name)]


class Step(StrEnum):
    """Where a fault can strike."""

    SUBMIT = "submit"
    JOB = "job"
    POLL = "poll"
    DOWNLOAD = "download"
    ACCOUNT = "account"


class FaultKind(StrEnum):
    """What can go wrong. Those named `accept-*` take the job and the money first."""

    ERROR = "error"
    BUSY = "busy"
    DROP = "drop"
    HANG = "hang"
    ACCEPT_DROP = "accept-drop"
    ACCEPT_HANG = "accept-hang"
    ACCEPT_ERROR = "accept-error"
    FAILED = "failed"
    BLOCKED = "blocked"
    UNKNOWN_STATUS = "unknown-status"
    NO_URL = "no-url"
    NEVER_ENDS = "never-ends"
    SLOW = "slow"
    DRIP = "drip"
    TRUNCATED = "truncated"
    HTML = "html"
    OVERSIZED = "oversized"
    EXPIRED = "expired"


_ANYWHERE = frozenset({FaultKind.ERROR, FaultKind.BUSY, FaultKind.DROP, FaultKind.HANG})
_HOME = {
    FaultKind.ACCEPT_DROP: Step.SUBMIT,
    FaultKind.ACCEPT_HANG: Step.SUBMIT,
    FaultKind.ACCEPT_ERROR: Step.SUBMIT,
    FaultKind.FAILED: Step.JOB,
    FaultKind.BLOCKED: Step.JOB,
    FaultKind.UNKNOWN_STATUS: Step.JOB,
    FaultKind.NO_URL: Step.JOB,
    FaultKind.NEVER_ENDS: Step.JOB,
    FaultKind.SLOW: Step.JOB,
    FaultKind.DRIP: Step.DOWNLOAD,
    FaultKind.TRUNCATED: Step.DOWNLOAD,
    FaultKind.HTML: Step.DOWNLOAD,
    FaultKind.OVERSIZED: Step.DOWNLOAD,
    FaultKind.EXPIRED: Step.DOWNLOAD,
}


class Match(TypedDict, total=False):
    """Whom a fault is meant for: all conditions given must hold; `nth` and `every` count what fits the rest.

    `url`: part of the image_url; `filename`: part of the multipart file name; `picture`: part of either;
    `client`: the X-Client-Id header; `nth`: only the nth (from 1); `every`: each nth.
    """

    url: str
    filename: str
    picture: str
    client: str
    nth: int
    every: int


class Fault(BaseModel):
    """One line of the mischief list. `at` is needed only for error, busy, drop and hang (default: submit).

    `status`, `shape`, `message`: what an error says. `seconds`: the delay a busy answer names in prose, the latency of
    a slow job, how long an unknown status (`text`) lasts (0: for ever), or the pause between drips. `size_bytes`: that
    of an oversized body.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    at: Step | None = None
    operation: Operation | None = None
    match: Match = Field(default_factory=Match)
    times: int | None = Field(default=None, ge=1)
    probability: float = Field(default=1.0, ge=0, le=1)
    status: int = Field(default=500, ge=400, le=599)
    shape: Shape | None = None
    message: str = ""
    seconds: float = Field(default=0.0, ge=0)
    size_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    text: str = "optimizing"

    @model_validator(mode="after")
    def _strikes_somewhere(self) -> Self:
        if self.kind not in _ANYWHERE and self.at not in {None, _HOME[self.kind]}:
            raise ValueError(f"{self.kind.value} strikes at {_HOME[self.kind].value} only")
        if self.kind in _ANYWHERE and self.at is Step.JOB:
            raise ValueError(f"{self.kind.value} cannot strike at job")
        return self

    @property
    def step(self) -> Step:
        """Where it strikes."""
        return _HOME.get(self.kind, self.at or Step.SUBMIT)


@dataclass(frozen=True, slots=True)
class Question:
    """Who is asking: the step, and the picture as far as it is known."""

    step: Step
    operation: Operation | None = None
    image_url: str | None = None
    filename: str | None = None
    client: str = ""

    @property
    def identity(self) -> str:
        """Stable between runs: the host, port and query (presigned signatures) are left out."""
        picture = urlsplit(self.image_url).path if self.image_url else (self.filename or "")
        return f"{self.step.value}|{self.operation.value if self.operation else ''}|{picture}"


class Mischief:
    """Counts what was asked and what struck. One per run; `forget` starts anew."""

    def __init__(self) -> None:
        self.struck: Counter[str] = Counter()
        self._left: dict[int, int] = {}
        self._seen: Counter[tuple[int, str]] = Counter()
        self._fitting: Counter[int] = Counter()

    def forget(self) -> None:
        """Counts start at zero, as for a new list of faults."""
        self._left.clear()
        self._seen.clear()
        self._fitting.clear()

    def pick(self, faults: Sequence[Fault], question: Question, seed: int) -> Fault | None:
        """The first fault of the list that strikes here, or None."""
        for place, fault in enumerate(faults):
            if fault.step is question.step and fits(fault, question) and self._strikes(place, fault, question, seed):
                self.struck[fault.kind.value] += 1
                return fault
        return None

    def _strikes(self, place: int, fault: Fault, question: Question, seed: int) -> bool:
        self._fitting[place] += 1
        self._seen[place, question.identity] += 1
        count = self._fitting[place]
        if count != fault.match.get("nth", count) or count % fault.match.get("every", 1):
            return False
        if fault.times is not None and self._left.setdefault(place, fault.times) <= 0:
            return False
        if fault.probability < 1:
            again = self._seen[place, question.identity]
            if rng_for(seed, place, question.identity, again).random() >= fault.probability:
                return False
        if fault.times is not None:
            self._left[place] -= 1
        return True


def fits(fault: Fault, question: Question) -> bool:
    """Whether the fault's operation and match (counts aside) are those of the question."""
    if fault.operation is not None and fault.operation is not question.operation:
        return False
    match, url, filename = fault.match, question.image_url or "", question.filename or ""
    return (
        match.get("url", "") in url
        and match.get("filename", "") in filename
        and (match.get("picture", "") in url or match.get("picture", "") in filename)
        and match.get("client", question.client) == question.client
    )


def rng_for(seed: int, *what: object) -> random.Random:
    """A generator that depends on nothing but its arguments."""
    return random.Random("|".join(str(part) for part in (seed, *what)))
