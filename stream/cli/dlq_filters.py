"""The options that choose letters, the same for every `skustream dlq` command that takes many.

Comes in: flags. Goes out: a `Wanted`, handed to the command in their place.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.core.errors import Misconfigured, Reason, shown

if TYPE_CHECKING:
    from stream.letters.filters import Filters

Many = list[str] | None


class Which(StrEnum):
    """States as they are typed."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"
    ANY = "any"


class Class(StrEnum):
    """Priorities as they are typed: `events.Priority`, whose module is too heavy for a help text."""

    LIVE = "live"
    BACKFILL = "backfill"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters a person means: of this topic (None: the deployment's own), and of those, these."""

    topic: str | None
    filters: "Filters"


Topic = Annotated[str | None, typer.Option(help="Another dead-letter topic, anybody's. Default: this deployment's.")]
SINCE_HELP = "Written then or later: 2026-11-20T08:00:00Z, or how long ago: 2h."


def filtered(state: Which = Which.OPEN) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The command with the filter options, in place of its keyword `wanted`. `state` is where --state begins."""

    def around(command: Callable[..., Any]) -> Callable[..., Any]:
        def flagged(**given: Any) -> Any:
            flags = {name: given.pop(name) for name in _FLAGS}
            return command(wanted=_wanted(**flags), **given)

        own = [each for each in inspect.signature(command).parameters.values() if each.name != "wanted"]
        flags = [each.replace(default=state) if each.name == "state" else each for each in _FLAGS.values()]
        vars(flagged)["__signature__"] = inspect.Signature([*flags, *own])
        flagged.__doc__ = command.__doc__
        return flagged

    return around


def _wanted(
    *,
    topic: Topic = None,
    stage: Annotated[Many, typer.Option(help="The stage that gave up; may be repeated, as all of these.")] = None,
    reason: Annotated[Many, typer.Option(help="One of docs/reasons.md; of a foreign letter, the exception.")] = None,
    sku: Annotated[Many, typer.Option(help="The product.")] = None,
    image: Annotated[Many, typer.Option(help="The image of the product.")] = None,
    batch: Annotated[Many, typer.Option(help="The batch.")] = None,
    priority: Annotated[list[Class] | None, typer.Option(help="The event's priority.")] = None,
    since: Annotated[str | None, typer.Option(help=SINCE_HELP)] = None,
    until: Annotated[str | None, typer.Option(help="Written before: as --since.")] = None,
    attempts: Annotated[int, typer.Option(min=0, help="At least so many attempts were spent.")] = 0,
    state: Annotated[Which, typer.Option(help="What became of the letter.")] = Which.OPEN,
    where: Annotated[
        str | None, typer.Option(help="A JMESPath condition over the letter as `show --json` has it.")
    ] = None,
) -> Wanted:
    from stream.core.clock import SystemClock  # noqa: PLC0415 - help stays quick
    from stream.events import Priority  # noqa: PLC0415
    from stream.letters.filters import Filters, State  # noqa: PLC0415
    from stream.letters.times import moment  # noqa: PLC0415
    from stream.letters.where import Where  # noqa: PLC0415

    now = SystemClock().wall()
    filters = Filters(
        stages=tuple(stage or ()), reasons=_reasons(reason or [], is_ours=topic is None), skus=tuple(sku or ()),
        images=tuple(image or ()), batches=tuple(batch or ()),
        priorities=tuple(Priority(each.value) for each in priority or ()),
        since_ms=None if since is None else moment(since, now=now, option="--since"),
        until_ms=None if until is None else moment(until, now=now, option="--until"),
        attempts=attempts, states=() if state is Which.ANY else (State(state.value),),
        where=None if where is None else Where.parse(where),
    )  # fmt: skip
    return Wanted(topic, filters)


_FLAGS = dict(inspect.signature(_wanted).parameters)


def _reasons(given: list[str], *, is_ours: bool) -> tuple[str, ...]:
    """Ours are a closed list: a mistyped one would be an empty answer."""
    known = {reason.value for reason in Reason}
    for word in given:
        if is_ours and word not in known:
            from stream.core.complaints import suggestion  # noqa: PLC0415

            near = suggestion(word, known)
            expected = f"{near} (perhaps)" if near else f"one of {', '.join(sorted(known))}"
            raise Misconfigured(f"--reason: got {shown(word)}; expected {expected}")
    return tuple(given)
