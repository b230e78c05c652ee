"""Mending: what a person changes about an event before it goes back. The letter keeps the original bytes.

Comes in: `--set key=value` and the name of a Python function. Goes out: a raw event's new text, or None where the
function leaves the event out. An event that nothing changed keeps its bytes.
"""

import copy
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stream.core.errors import Misconfigured, shown

IDENTITY = ("sku_id", "id", "image_id", "sequence", "occurred_at", "version", "raw_url")
"""What decides which photo of which image this is, and its place: changed, the event begins anew."""
TEXTS = frozenset({"sku_id", "id", "raw_url", "event_id", "image_id", "version", "batch_id"})
"""Always text: `--set version=2` means "2"."""
MAX_CAUSE_CHARACTERS = 300
WAY_IN = "module:function, a function that takes the event as a dict and returns a dict, or None to leave it out"

Event = dict[str, Any]


class Unmendable(Exception):
    """The event cannot be mended; the text says why."""


@dataclass(frozen=True, slots=True)
class Mends:
    """All changes of one replay: `sets` first, in their order, then `function`, named `name`."""

    sets: tuple[tuple[tuple[str, ...], Any], ...] = ()
    function: Callable[[Event], Event | None] | None = None
    name: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether events go back as they are."""
        return not self.sets and self.function is None

    @property
    def told(self) -> str:
        """For a person and a mark. Values of `--set` are left out: a URL may hold a secret."""
        return ", ".join([*(f"set {'.'.join(path)}" for path, _ in self.sets), *([self.name] if self.name else [])])

    def apply(self, raw: str) -> str | None:
        """The raw event's text afterwards; None where the function leaves it out. Raises `Unmendable`."""
        if self.is_empty:
            return raw
        before = _event(raw)
        changed = copy.deepcopy(before)
        for path, value in self.sets:
            _put(changed, path, copy.deepcopy(value))
        after = _called(self.function, self.name, copy.deepcopy(changed)) if self.function is not None else changed
        if after is None:
            return None
        text = _text(after)
        return raw if text == json.dumps(before, ensure_ascii=False) else text


def parse_mends(sets: list[str], function: str | None) -> Mends:
    """What was typed. Raises `Misconfigured`."""
    return Mends(tuple(_parsed(each) for each in sets), _loaded(function) if function else None, function or "")


def changed_identity(before: str, after: str) -> list[str]:
    """Which fields of an event's identity a mend changed. Both are texts of raw events."""
    old, new = _event(before), _event(after)
    return [name for name in IDENTITY if old.get(name) != new.get(name)]


def _parsed(text: str) -> tuple[tuple[str, ...], Any]:
    key, sign, value = text.partition("=")
    path = tuple(key.split("."))
    if not sign or not all(path):
        expected = "key=value with dots between names, e.g. params.upscale.scale=2"
        raise Misconfigured(f"--set: got {shown(key)}; expected {expected}")
    try:
        parsed = json.loads(value)
    except ValueError:
        return path, value
    is_text = len(path) == 1 and path[0] in TEXTS and not (parsed is None or isinstance(parsed, str))
    return path, value if is_text else parsed


def _put(event: Event, path: tuple[str, ...], value: Any) -> None:
    """Set it; null takes the field away: an absent one means the same."""
    *way, last = path
    for name in way:
        below = event.setdefault(name, {})
        if not isinstance(below, dict):
            raise Unmendable(f"--set {'.'.join(path)}: {name} is no object in this event")
        event = below
    if value is None:
        event.pop(last, None)
    else:
        event[last] = value


def _event(raw: str) -> Event:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise Unmendable("the event is not JSON") from None
    if not isinstance(found, dict):
        raise Unmendable("the event is no JSON object")
    return found


def _text(event: Event) -> str:
    try:
        text = json.dumps(event, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Unmendable(f"what the mend made is not JSON: {error}"[:MAX_CAUSE_CHARACTERS]) from None
    return text


def _called(function: Callable[[Event], Event | None], name: str, event: Event) -> Event | None:
    try:
        made = function(event)
    except Exception as error:  # noqa: BLE001 - a person's own function may raise anything
        raise Unmendable(f"{name} raised {type(error).__name__}: {error}"[:MAX_CAUSE_CHARACTERS]) from None
    if made is not None and not isinstance(made, dict):
        raise Unmendable(f"{name} returned a {type(made).__name__}; expected a dict, or None to leave the event out")
    return made


def _loaded(text: str) -> Callable[[Event], Event | None]:
    module, colon, name = text.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module.split("."), name]):
        raise Misconfigured(f"--mend: got {shown(text)}; expected {WAY_IN}")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # noqa: BLE001 - a person's own module may raise anything
        cause = f"{type(error).__name__}: {error}"[:MAX_CAUSE_CHARACTERS]
        raise Misconfigured(f"--mend: {module} cannot be imported ({cause}); put its folder into PYTHONPATH") from None
    if not callable(found):
        raise Misconfigured(f"--mend: {module} has no function {name}; expected {WAY_IN}")
    return found  # type: ignore[no-any-return] # checked where it is called
