"""The two ways to speak to PixelAPI, and the memory of which one is understood here.

An `Order` comes in; the path and the fields of its request go out. The documented dialect (`image`) has a path per
operation; the founding article's (`edit`) has one path and names the operation. Pure, but for what is remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal
from urllib.parse import quote

from stream.core.errors import Misconfigured, Resource, Transient, Unavailable, shown
from stream.pixelapi.jobs import is_job_id
from stream.pixelapi.port import Order

BALANCE_PATH = "account/balance"
USAGE_PATH = "account/usage"
DialectChoice = Literal["auto", "image", "edit"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an operation is ordered in the documented dialect, and the only parameters ever sent for it."""

    path: str
    params: frozenset[str] = frozenset()


ENDPOINTS: Mapping[str, Endpoint] = {
    "remove-bg": Endpoint("image/remove-background"),
    "upscale": Endpoint("image/upscale", frozenset({"scale"})),
    "replace-bg": Endpoint("image/replace-background", frozenset({"prompt"})),
    "add-shadow": Endpoint("image/add-shadow", frozenset({"shadow_type", "shadow_opacity", "shadow_blur"})),
}
"""The operations of the house; a pipeline's own ones are told to the client beside them."""


class Dialect(StrEnum):
    """A way to order, in the order of trying: the documented one first."""

    IMAGE = "image"
    EDIT = "edit"


@dataclass(frozen=True, slots=True)
class Form:
    """What a submit looks like: the path below the base URL, and its fields without the picture."""

    path: str
    fields: Mapping[str, Any]


def form_of(
    dialect: Dialect, order: Order, prompt_field: str = "prompt", endpoints: Mapping[str, Endpoint] = ENDPOINTS
) -> Form:
    """The request of `order`. Raises ValueError for what the API does not take: that is a bug of ours, not of an event.

    Parameters that are None are left out; no name outside the allow-list of its operation is ever sent.
    """
    endpoint = endpoints.get(order.operation)
    if endpoint is None:
        raise ValueError(f"PixelAPI has no operation {shown(order.operation)}")
    fields = {name: value for name, value in order.params.items() if value is not None}
    strangers = sorted(fields.keys() - endpoint.params)
    if strangers:
        raise ValueError(f"PixelAPI's {order.operation} takes no {', '.join(map(shown, strangers))}")
    fields = {prompt_field if name == "prompt" else name: value for name, value in fields.items()}
    if dialect is Dialect.EDIT:
        return Form("edit", {"operation": order.operation, **fields})
    return Form(endpoint.path, fields)


def as_form_text(value: object) -> str:
    """A field's value in a multipart form, where everything is text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class DialectMemory:
    """Which dialect this API speaks. One per client; every method returns at once.

    `auto` tries the documented dialect first and changes on 404 or 405. The first answer of a path's own code settles
    it for the client's life; until then two misses in a row, one of each, mean that no dialect is known here.
    """

    def __init__(self, choice: DialectChoice) -> None:
        if choice not in {"auto", *Dialect}:
            raise Misconfigured(f"PixelAPI dialect {shown(choice)}: expected auto, image or edit")
        self._settled = None if choice == "auto" else Dialect(choice)
        self._missed: set[Dialect] = set()

    @property
    def settled(self) -> Dialect | None:
        """The dialect known to be understood, or configured; None while `auto` has not found out."""
        return self._settled

    def choose(self) -> Dialect:
        """The dialect for the next submit."""
        if self._settled is not None:
            return self._settled
        return next((dialect for dialect in Dialect if dialect not in self._missed), Dialect.IMAGE)

    def understood(self, dialect: Dialect) -> None:
        """The path's own code answered a submit in `dialect`."""
        if self._settled is None:
            self._settled = dialect

    def missing(self, dialect: Dialect, said: str) -> Transient | Unavailable:
        """The path of `dialect` does not exist; gives the error to raise. Nothing was bought."""
        if self._settled is not None and self._settled is not dialect:
            # Sent before another answer settled it.
            return Transient(f"{said} in the dialect {dialect}; {self._settled} is understood", free=True)
        if self._settled is None:
            self._missed.add(dialect)
            if len(self._missed) < len(Dialect):
                return Transient(f"{said} in the dialect {dialect}; the other one is next", free=True)
            # Both are tried anew when intake goes on: the address may have been repaired.
            self._missed.clear()
            return Unavailable(Resource.API_CONTRACT, f"{said}; no known dialect is understood at this base URL")
        return Unavailable(Resource.API_CONTRACT, f"{said}; the dialect {dialect} has no such path at this base URL")


class PollPaths:
    """Where jobs of an operation are asked after: the documented path, then the others seen.

    One per client. A path that answered with a job stays, and other operations begin with it; before that a 404 moves
    on to the next, round and round, as a fresh job may be unknown for a moment even where the path is right.
    """

    _TEMPLATES = ("image/{id}", "{operation}/{id}", "generation/{id}")

    def __init__(self, endpoints: Mapping[str, Endpoint] = ENDPOINTS) -> None:
        self._endpoints = endpoints
        self._current: dict[str, int] = {}
        self._proven: set[str] = set()
        self._first = 0

    def path(self, operation: str, job_id: str) -> tuple[int, str]:
        """The template's number and the path for `job_id`. Raises ValueError for an id unfit for a path."""
        if not is_job_id(job_id):
            raise ValueError(f"unfit for a path: job id {shown(job_id)}")
        number = self._current.get(operation, self._first)
        endpoint = self._endpoints.get(operation)
        prefix = endpoint.path if endpoint else "image"
        return number, self._TEMPLATES[number].format(operation=prefix, id=quote(job_id, safe=""))

    def found(self, operation: str, number: int) -> None:
        """The template `number` answered with a job of `operation`."""
        if operation not in self._proven:
            self._proven.add(operation)
            self._current[operation] = self._first = number

    def missed(self, operation: str, number: int) -> None:
        """The template `number` answered 404; several polls may have used it at once, and only the first moves on."""
        if operation not in self._proven and self._current.get(operation, self._first) == number:
            self._current[operation] = (number + 1) % len(self._TEMPLATES)
