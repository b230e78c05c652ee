"""What every page is given: the index, the shelf of pictures, who asks, and how far the reading is.

Comes in: a request that the guard has let pass. Goes out: an answer with a whole page.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from stream.console.access import Access, Mode
from stream.console.errands import Errands
from stream.console.guard import VISIT, Guard
from stream.console.index import Index
from stream.console.paper import duration, printed
from stream.console.pictures import Picture
from stream.console.shelf import Shelf
from stream.console.watching import Watcher
from stream.core.clock import Clock
from stream.letters.letter import Letter, LetterId

STALE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Site:
    """The rooms behind the pages."""

    index: Index
    watcher: Watcher
    shelf: Shelf
    guard: Guard
    clock: Clock
    errands: Errands | None
    """None: letters are only shown."""
    find_letter: Callable[[LetterId], Awaitable[Letter | None]]
    """Raises `Unavailable(broker)`, `Misconfigured`."""

    @property
    def access(self) -> Access:
        """The rules at the door."""
        return self.guard.access


SITE = web.AppKey("site", Site)


def site_of(request: web.Request) -> Site:
    """The application's site."""
    return request.app[SITE]


def page(
    request: web.Request, template: str, values: Mapping[str, Any], *, status: int = 200, room: str = ""
) -> web.Response:
    """A whole page; `room` is the part of the house whose link is marked."""
    site = site_of(request)
    visit = request.get(VISIT)
    common = {
        "room": room, "visit": visit, "reading": reading_told(site), "allow_replay": site.errands is not None,
        "can_leave": site.access.mode is Mode.TOKEN and visit is not None and bool(visit.person),
        "form_token": "" if visit is None else site.guard.sessions.form_token(visit.session),
        "now_ms": int(site.clock.wall() * 1000),
    }  # fmt: skip
    body = printed(template, {**common, **values}).encode("utf-8", errors="replace")
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8")


def reading_told(site: Site) -> dict[str, Any]:
    """How fresh the page is, for its head."""
    reading = site.watcher.reading
    age = site.clock.wall() - reading.at if reading.at else 0.0
    trouble = reading.trouble
    if not trouble and not site.watcher.is_alive:
        trouble = "the reading of the topics has ended"
    if not trouble and reading.is_complete and age > STALE_SECONDS:
        trouble = f"nothing was read for {duration(age)}"
    return {
        "trouble": trouble, "is_complete": reading.is_complete, "done": reading.done, "total": reading.total,
        "at_ms": int(reading.at * 1000), "missing": reading.missing,
    }  # fmt: skip


def word(request: web.Request, name: str, limit: int = 300) -> str:
    """A value of the query, cut and trimmed; empty when it is not given."""
    return request.query.get(name, "").strip()[:limit]


def picture_known(site: Site, key: str) -> Picture | str | None:
    """The picture at `key`, or the key itself where only the store told it; None for any other key."""
    return site.index.picture_of(key) or (key if site.shelf.has_found(key) else None)


def address_of(site: Site, key: str) -> str:
    """The CDN's address of a picture, if a browser may follow it; a folder's `file:` address is none."""
    address = site.shelf.address(key)
    return address if address.startswith(("https://", "http://")) else ""
