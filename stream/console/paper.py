"""What pages are printed on: templates that escape everything, and figures and times as a person reads them.

Comes in: values, most of them written by strangers. Goes out: HTML.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent
PER_PAGE = 50
MINUTE, HOUR, DAY = 60, 3600, 86_400
KILO, MEGA = 1_000, 1_000_000
MAX_SHOWN = 4_000

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Paged(Generic[Item]):
    """One page of many. `number` counts from 1 and is always a page that exists."""

    items: Sequence[Item]
    number: int
    pages: int
    total: int
    first: int
    """The place of the first item shown, from 1; 0 when there is none."""


def paged(items: Sequence[Item], asked: str | None, *, per_page: int = PER_PAGE) -> Paged[Item]:
    """The page asked for, or the nearest one."""
    pages = max(1, -(-len(items) // per_page))
    number = int(asked) if asked is not None and asked.isascii() and asked.isdigit() and len(asked) < 10 else 1  # noqa: PLR2004
    number = min(max(1, number), pages)
    begin = (number - 1) * per_page
    shown = items[begin : begin + per_page]
    return Paged(shown, number, pages, len(items), begin + 1 if shown else 0)


def link(path: str, values: Mapping[str, object] | None = None, **more: object) -> str:
    """`path` with a query of what is not empty; every character that means something is encoded."""
    told = {name: str(value) for name, value in {**(values or {}), **more}.items() if value not in {None, ""}}
    return f"{path}?{urlencode(told, errors='replace')}" if told else path


def plain(value: object, limit: int = MAX_SHOWN) -> str:
    """A stranger's text on one line: cut, and without characters that would write over their surroundings."""
    text = str(value)
    cut = text if len(text) <= limit else f"{text[:limit]}…"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cut)


def lines(value: object, limit: int = 16_000) -> str:
    """The same for a text of several lines, such as a traceback."""
    return "\n".join(plain(line, limit) for line in str(value)[:limit].splitlines())


def number(value: int) -> str:
    """With thousands apart."""
    return f"{value:,}"


def credits_(value: Decimal | None) -> str:
    """An amount of credits; a dash for none."""
    if value is None:
        return "—"
    text = f"{value:,.2f}"
    return text.removesuffix(".00")


def share(value: float | None) -> str:
    """A part of one, in per cent."""
    return "—" if value is None else f"{value:.1%}"


def size(value: int) -> str:
    """Bytes for a person."""
    if value < KILO:
        return f"{value} B"
    return f"{value / KILO:.0f} kB" if value < MEGA else f"{value / MEGA:.1f} MB"


def duration(seconds: float) -> str:
    """A length of time for a person."""
    if seconds < 2 * MINUTE:
        return f"{max(0, round(seconds))} s"
    if seconds < 2 * HOUR:
        return f"{round(seconds / MINUTE)} min"
    return f"{seconds / HOUR:.1f} h" if seconds < 2 * DAY else f"{round(seconds / DAY)} days"


def moment(milliseconds: int) -> str:
    """A time, in UTC; empty for none."""
    if not 0 < milliseconds < 253_402_300_000_000:  # noqa: PLR2004 - the year 10000
        return ""
    return datetime.fromtimestamp(milliseconds / KILO, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@lru_cache(maxsize=1)
def printer() -> Environment:
    """The templates of the package."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.filters |= {
        "plain": plain, "lines": lines, "number": number, "credits": credits_, "share": share, "size": size,
        "duration": duration, "moment": moment,
    }  # fmt: skip
    environment.globals |= {"link": link, "static": static_address}
    return environment


def printed(template: str, values: Mapping[str, Any]) -> str:
    """A page."""
    text: str = printer().get_template(template).render(values)
    return text


STATIC_FILES = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}


@lru_cache(maxsize=len(STATIC_FILES))
def static_content(name: str) -> bytes:
    """One of `STATIC_FILES`."""
    return (FOLDER / "static" / name).read_bytes()


@lru_cache(maxsize=len(STATIC_FILES))
def static_address(name: str) -> str:
    """Where a static file is served: another content has another address."""
    return f"/static/{name}?v={hashlib.sha256(static_content(name)).hexdigest()[:12]}"
