"""What a stage can do: the card of every operation, and how a pipeline file names one of its own.

Comes in: the word after `operation:`. Goes out: a `Card`: the operation's name, the model of its parameters, whether it
buys. Who does the work stands upstairs, in `stages`; a foreign operation brings both in one class.
"""

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, cast

from pydantic import Field, field_validator

from stream.core.complaints import suggestion
from stream.core.errors import shown
from stream.events import Frozen

LIFESTYLE_PROMPT = "clean white studio, subtle shadow, professional product photography"
NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,48}$"
PATH_PATTERN = r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$"
WAY_IN = "package.module:Class"
MAX_CAUSE_CHARACTERS = 300


class Params(Frozen):
    """Base of an operation's parameters: immutable, strict, unknown names refused. As it stands: none are taken."""


class RemoveBgParams(Params):
    """PixelAPI's background removal takes no parameters."""


class UpscaleParams(Params):
    """`scale`: factor for both sides. `skip_if_longest_side`: pixels from which the picture is taken as it is."""

    scale: Literal[2, 4] = 4
    skip_if_longest_side: Annotated[int, Field(ge=1)] | None = None


class ReplaceBgParams(Params):
    """`prompt`: the scene behind the product."""

    prompt: Annotated[str, Field(min_length=1, max_length=2_000)] = LIFESTYLE_PROMPT


class AddShadowParams(Params):
    """`shadow_type`, `shadow_opacity` (0 to 1) and `shadow_blur` (pixels), as the API documents them."""

    shadow_type: Literal["soft", "hard", "natural", "floating"] = "soft"
    shadow_opacity: Annotated[float, Field(ge=0, le=1)] | None = None
    shadow_blur: Annotated[float, Field(ge=0, le=500)] | None = None


class ThumbnailParams(Params):
    """`widths` in pixels, `formats` as file kinds; `flatten`: the background colour under transparent pictures."""

    # Bounded: an event may name its own, and all of them stand in one ledger document and one `completed` record.
    widths: Annotated[tuple[Annotated[int, Field(ge=16, le=10_000)], ...], Field(min_length=1, max_length=20)] = (
        1600, 800, 400, 200,
    )  # fmt: skip
    formats: Annotated[tuple[Literal["webp", "jpeg"], ...], Field(min_length=1, max_length=4)] = ("webp", "jpeg")
    flatten: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#ffffff"

    @field_validator("widths", "formats", mode="before")
    @classmethod
    def _tuples(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Card:
    """An operation as the map knows it. `name` stands in job keys, metrics, the ledger and the price book.

    `path` (bought, foreign): where below PixelAPI's base URL it is ordered. `maker`: the foreign class that does it.
    """

    name: str
    params: type[Params]
    local: bool = False
    path: str | None = None
    maker: type | None = None


OPERATIONS: Mapping[str, Card] = {
    card.name: card
    for card in (
        Card("remove-bg", RemoveBgParams),
        Card("upscale", UpscaleParams),
        Card("replace-bg", ReplaceBgParams),
        Card("add-shadow", AddShadowParams),
        Card("thumbnails", ThumbnailParams, local=True),
    )
}
"""Every operation of the house."""


def card_of(operation: str) -> Card:
    """The card of `operation`: one of the house, or a class named as `package.module:Class`, which is imported.

    A pipeline file is the operator's own, as trusted as the command that names it. Raises ValueError, a sentence that
    says what is wrong with the name or the class.
    """
    if operation in OPERATIONS:
        return OPERATIONS[operation]
    module, colon, name = operation.partition(":")
    if not colon:
        close = suggestion(operation, OPERATIONS)
        known = f"did you mean {close}?" if close else f"known: {', '.join(sorted(OPERATIONS))}; your own: {WAY_IN}"
        raise ValueError(f"unknown operation {shown(operation)}; {known}")
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        raise ValueError(f"operation {shown(operation)}: expected {WAY_IN}")
    return _card_on(operation, _imported(operation, module, name))


def _imported(operation: str, module: str, name: str) -> object:
    try:
        opened = importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - foreign code runs here and may raise anything
        cause = f"{type(error).__name__}: {error}"[:MAX_CAUSE_CHARACTERS]
        raise ValueError(
            f"operation {shown(operation)} cannot be imported ({cause}); install its package beside skustream, or put"
            " its folder into PYTHONPATH"
        ) from None
    if not hasattr(opened, name):
        close = suggestion(name, [each for each in vars(opened) if not each.startswith("_")])
        perhaps = f"; did you mean {close}?" if close else ""
        raise ValueError(f"operation {shown(operation)}: {module} has no {name}{perhaps}")
    return getattr(opened, name)


def _card_on(operation: str, found: object) -> Card:
    """The card that a foreign class carries. Raises ValueError naming the attribute that is missing or wrong."""
    name, params, local, path = (getattr(found, field, None) for field in ("name", "params", "local", "path"))
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    demands = (
        (
            isinstance(found, type) and callable(getattr(found, "make", None)),
            "no class of an operation; derive it from DrawnOperation or BoughtOperation",
        ),
        (not missing, f"{', '.join(missing)} is not defined"),
        (
            isinstance(name, str) and re.fullmatch(NAME_PATTERN, name),
            f"name is {shown(name)}, expected small letters, digits and hyphens",
        ),
        (name not in list(OPERATIONS), f"the name {shown(name)} is taken by an operation of the house"),
        (
            isinstance(params, type) and issubclass(params, Params),
            f"params is {shown(params)}, expected a class derived from Params",
        ),
        (isinstance(local, bool), f"local is {shown(local)}, expected True (made here) or False (bought)"),
        (
            local or (isinstance(path, str) and re.fullmatch(PATH_PATTERN, path)),
            f"path is {shown(path)}, expected where PixelAPI takes it, such as image/remove-text",
        ),
    )
    for holds, complaint in demands:
        if not holds:
            raise ValueError(f"operation {shown(operation)}: {complaint}")
    return Card(
        cast("str", name), cast("type[Params]", params), local=bool(local), path=path, maker=cast("type", found)
    )
