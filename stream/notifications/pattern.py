"""The pattern that finds SKU and image in an object's key: a template that people can write, and no regular expression.

Comes in: the setting, and foreign keys. Goes out: (sku_id, image_id), or None. A key costs time linear in its length,
whatever was written: no pattern and no key can make a worker think for long.
"""

import re
from dataclasses import dataclass
from typing import Self

from stream.events import DEFAULT_IMAGE_ID

DEFAULT_PATTERN = "**/{sku}/{image}.*"
EXPECTATION = (
    "a template of a key such as **/{sku}/{image}.* or photos/{sku}.jpg: {sku} once, {image} at most once, * for any"
    " characters but '/', a leading **/ for any folders; something between two of them"
)
MAX_PATTERN_CHARACTERS = 500
_WILD = re.compile(r"(\{sku\}|\{image\}|\*)")
_ANY_FOLDERS = "**"


@dataclass(frozen=True, slots=True)
class KeyPattern:
    """A template, cut at its slashes; each segment is literals and wildcards by turns, a literal at both ends."""

    text: str
    anywhere: bool
    """Whether any folders may stand in front."""
    segments: tuple[tuple[str, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError whose text is the expectation."""
        segments = text.split("/")
        anywhere = segments[0] == _ANY_FOLDERS
        cut = tuple(tuple(_WILD.split(segment)) for segment in segments[anywhere:])
        wild = [name for segment in cut for name in segment[1::2]]
        literals = [part for segment in cut for part in segment[::2]]
        touching = any("" in segment[2:-1:2] for segment in cut)
        if (
            len(text) > MAX_PATTERN_CHARACTERS
            or not text.isprintable()
            or "" in segments
            or wild.count("{sku}") != 1
            or wild.count("{image}") > 1
            or touching
            or any(set(part) & set("{}") for part in literals)
        ):
            raise ValueError(EXPECTATION)
        return cls(text, anywhere, cut)

    def match(self, key: str) -> tuple[str, str] | None:
        """SKU and image of `key`; without `{image}` in the template the image is the default one."""
        segments = key.split("/")
        if len(segments) < len(self.segments) or (len(segments) > len(self.segments) and not self.anywhere):
            return None
        found: dict[str, str] = {}
        for template, segment in zip(self.segments, segments[-len(self.segments) :], strict=True):
            values = _fit(template, segment)
            if values is None:
                return None
            found |= zip(template[1::2], values, strict=True)
        return found["{sku}"], found.get("{image}", DEFAULT_IMAGE_ID)


def _fit(template: tuple[str, ...], segment: str) -> list[str] | None:
    """What the wildcards of `template` stand for, none of them empty; the first ones take as much as they can.

    From the right, each literal at its last place that leaves one character to the wildcard behind it: for templates
    of this kind that finds a fit wherever there is one, without trying again.
    """
    first, last = template[0], template[-1]
    end = len(segment) - len(last)
    if len(template) == 1:
        return [] if segment == first else None
    if not segment.startswith(first) or not segment.endswith(last) or end <= len(first):
        return None
    values: list[str] = []
    for literal in reversed(template[2:-1:2]):
        at = segment.rfind(literal, len(first) + 1, end - 1)
        if at < 0:
            return None
        values.append(segment[at + len(literal) : end])
        end = at
    values.append(segment[len(first) : end])
    return values[::-1]
