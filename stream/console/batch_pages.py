"""Batches: how each one stands, and its images one by one.

Comes in: a look from the catalog team. Goes out: counts, credits, the finish; and every SKU with what became of it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from aiohttp import web

from stream.catalog.book import Entry, Fate
from stream.catalog.standing import Standing
from stream.console.index import BatchView, Index
from stream.console.paper import duration, link, paged
from stream.console.pictures import Picture, unit_of
from stream.console.site import Site, page, site_of, word
from stream.letters.masking import masked

BATCHES_PER_PAGE = 25
IN_PROGRESS = "in progress"
STATUSES = (*(fate.value for fate in Fate), IN_PROGRESS)
SHOWN_REASONS = 12
PREFERRED = ("lifestyle", "upscaled", "transparent")
"""The asset that stands for an image in a list, the best first."""


@dataclass(frozen=True, slots=True)
class Line:
    """One image of a batch."""

    sku_id: str
    image_id: str
    status: str
    reason: str
    error: str
    stage: str
    credits: Decimal | None
    ended_ms: int
    unit: str
    key: str = ""
    """Of the picture that stands for it."""
    is_clear: bool = False


async def batches(request: web.Request) -> web.Response:
    """All of them, the latest first."""
    site = site_of(request)
    asked = word(request, "q")
    views = sorted(site.index.batches.values(), key=lambda view: (view.first_ms, view.batch_id), reverse=True)
    found = [view for view in views if asked.lower() in view.batch_id.lower()]
    shown = paged(found, request.query.get("page"), per_page=BATCHES_PER_PAGE)
    cards = [{"view": view, "standing": view.standing, "finish": finish(view.standing)} for view in shown.items]
    values = {"cards": cards, "shown": shown, "asked": asked, "base": {"q": asked}, "has_any": bool(views)}
    return page(request, "batches.html", values, room="batches")


async def batch(request: web.Request) -> web.Response:
    """One of them. Raises HTTP 404."""
    site = site_of(request)
    view = site.index.batches.get(word(request, "id"))
    if view is None:
        raise web.HTTPNotFound(text="No batch of that name was found in the topics or in the store.")
    asked = {"status": word(request, "status"), "sku": word(request, "sku")}
    chosen = _chosen(view, asked["status"], asked["sku"])
    shown = paged(chosen, request.query.get("page"))
    values: dict[str, Any] = {
        "view": view, "standing": view.standing, "finish": finish(view.standing), "asked": asked, "shown": shown,
        "lines": await _lines(site, shown.items), "statuses": STATUSES,
        "is_older": view.note is not None and view.first_ms < site.watcher.since_ms,
        "reasons": _reasons(view), "base": {"id": view.batch_id, **asked},
        "letters": link("/letters", batch=view.batch_id), "gallery": link("/gallery", batch=view.batch_id),
    }  # fmt: skip
    return page(request, "batch.html", values, room="batches")


def finish(standing: Standing) -> str:
    """When it will end, as far as anybody can tell."""
    if standing.in_progress == 0:
        return "waits for rows to be sent" if standing.unsent else "all have ended"
    if standing.seconds_left is None:
        return "not known yet"
    return f"in about {duration(max(1.0, standing.seconds_left))}"


def status_of(entry: Entry) -> str:
    """What became of an image."""
    return IN_PROGRESS if entry.end is None else entry.end.fate.value


def stands_for(pictures: Sequence[Picture]) -> Picture | None:
    """The picture that stands for an image in a list."""
    by_name = {picture.name: picture for picture in pictures}
    named = next((by_name[name] for name in PREFERRED if name in by_name), None)
    return named or (pictures[0] if pictures else None)


def _chosen(view: BatchView, status: str, sku: str) -> Sequence[Entry]:
    if not status and not sku:
        return view.entries
    wanted = sku.lower()
    return [
        entry for entry in view.entries
        if (not status or status_of(entry) == status) and (not wanted or wanted in entry.image[0].lower())
    ]  # fmt: skip


async def _lines(site: Site, entries: Sequence[Entry]) -> list[Line]:
    """The images with a picture each: of an image without a record of one, the photo in the store."""
    lines = [_line(site.index, entry) for entry in entries]
    photos = await site.shelf.raws_of([line.unit for line in lines if not line.key and line.status != IN_PROGRESS])
    return [line if line.key or line.unit not in photos else replace(line, key=photos[line.unit]) for line in lines]


def _line(index: Index, entry: Entry) -> Line:
    sku_id, image_id = entry.image
    end = entry.end
    unit = unit_of(sku_id, image_id)
    row = index.images.get(unit)
    pictures = [] if row is None else row.pictures
    if not pictures:
        pictures = index.letters.pictures_of(unit)
    status, best = status_of(entry), stands_for(pictures)
    key, is_clear = ("", False) if best is None else (best.key, best.content_type == "image/png")
    if end is None:
        return Line(sku_id, image_id, status, "", "", "", None, 0, unit, key, is_clear)
    paid, error = end.credits + end.job_credits, masked(end.error)
    return Line(sku_id, image_id, status, end.reason, error, end.stage, paid, end.timestamp_ms, unit, key, is_clear)


def _reasons(view: BatchView) -> list[tuple[str, int]]:
    return Counter(failure.reason for failure in view.standing.failures).most_common(SHOWN_REASONS)
