"""Results: the raw photo beside each asset that was made of it; and one image with everything known about it.

Comes in: a look from the catalog team. Goes out: pictures by key, with sizes, credits and the CDN's address.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aiohttp import web

from stream.console.index import ImageRow
from stream.console.paper import link, paged
from stream.console.pictures import Picture, unit_of
from stream.console.shelf import LARGE, SMALL
from stream.console.site import Site, address_of, page, site_of, word

IMAGES_PER_PAGE = 12
_THUMBNAIL = re.compile(r".+-[0-9]+-(webp|jpeg)")
"""As the stage `thumbnails` names them."""
TITLES = {"raw": "Raw photo", "transparent": "Cut out", "upscaled": "Upscaled", "lifestyle": "Lifestyle"}


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture as a page shows it. `full`: the picture itself; `small`: what the page loads."""

    title: str
    name: str
    full: str
    small: str
    address: str
    is_clear: bool
    is_bought: bool
    """Whether its price is worth a word: photos and thumbnails have none."""
    width: int
    height: int
    bytes: int
    credits: Decimal | None
    seconds: float
    content_type: str


@dataclass(frozen=True, slots=True)
class Strip:
    """An image's pictures: the stages' own, then the thumbnails."""

    frames: tuple[Frame, ...]
    thumbnails: tuple[Frame, ...]


async def gallery(request: web.Request) -> web.Response:
    """Finished images, the latest first."""
    site = site_of(request)
    asked = {"batch": word(request, "batch"), "sku": word(request, "sku")}
    shown = paged(_chosen(site.index.newest, asked), request.query.get("page"), per_page=IMAGES_PER_PAGE)
    cards = [{"row": row, "strip": strip_of(site, row.pictures, SMALL)} for row in shown.items]
    values = {
        "cards": cards, "shown": shown, "asked": asked, "base": asked, "has_any": bool(site.index.newest),
        "batches": sorted(site.index.batches, key=str.lower)[:500],
    }  # fmt: skip
    return page(request, "gallery.html", values, room="gallery")


async def image(request: web.Request) -> web.Response:
    """One image: its pictures and its letters. Raises HTTP 404."""
    site = site_of(request)
    sku_id, image_id = word(request, "sku"), word(request, "image") or "main"
    unit = unit_of(sku_id, image_id)
    row = site.index.images.get(unit)
    letters = site.index.letters.about(unit)
    if row is None and not letters:
        raise web.HTTPNotFound(text="Neither a finished picture nor a letter of that image is known.")
    pictures = row.pictures if row is not None else (letters[0].pictures if letters else [])
    values: dict[str, Any] = {
        "sku_id": sku_id, "image_id": image_id, "row": row, "strip": strip_of(site, pictures, LARGE),
        "letters": letters, "marks": {
            row.at: site.index.letters.decision_about(row.at, row.timestamp_ms) for row in letters
        },
        "batch_link": link("/batch", id=row.batch_id) if row is not None and row.batch_id else "",
    }  # fmt: skip
    return page(request, "image.html", values, room="gallery")


def strip_of(site: Site, pictures: list[Picture], side: int) -> Strip:
    """An image's pictures as frames."""
    frames = [frame_of(site, picture, side) for picture in pictures]
    thumbnails = tuple(frame for frame in frames if _THUMBNAIL.fullmatch(frame.name))
    return Strip(tuple(frame for frame in frames if frame not in thumbnails), thumbnails)


def frame_of(site: Site, picture: Picture, side: int) -> Frame:
    """One picture as a frame."""
    return Frame(
        title=TITLES.get(picture.name, picture.name), name=picture.name, full=link("/picture", key=picture.key),
        small=link("/preview", key=picture.key, side=side), address=address_of(site, picture.key),
        # A PNG or WebP asset may be transparent; a photo of those types hides the checks behind it.
        is_clear=picture.content_type == "image/png",
        is_bought=not picture.is_raw and (picture.credits > 0 or _THUMBNAIL.fullmatch(picture.name) is None),
        width=picture.width, height=picture.height,
        bytes=picture.bytes, credits=picture.credits, seconds=picture.seconds, content_type=picture.content_type,
    )  # fmt: skip


def _chosen(rows: tuple[ImageRow, ...], asked: dict[str, str]) -> tuple[ImageRow, ...] | list[ImageRow]:
    batch, sku = asked["batch"], asked["sku"].lower()
    if not batch and not sku:
        return rows
    return [row for row in rows if (not batch or row.batch_id == batch) and (not sku or sku in row.sku_id.lower())]
