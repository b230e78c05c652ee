"""Letters: what failed, with its picture, what the reason means and what can be done about it.

Comes in: a look from the catalog team. Goes out: rows by filter; and one letter with everything in it, secrets masked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from stream.console.gallery_pages import TITLES, Frame, frame_of
from stream.console.letterbox import LetterRow, reasons_and_stages
from stream.console.paper import link, paged
from stream.console.pictures import TYPES, Picture
from stream.console.shelf import LARGE, SMALL
from stream.console.site import Site, address_of, page, site_of, word
from stream.core.errors import Reason
from stream.core.reasons import CARDS, ReasonCard
from stream.letters.document import document
from stream.letters.filters import State
from stream.letters.letter import LetterId
from stream.pipeline import RAW_ASSET
from stream.replays.book import parse_letter_id

LETTERS_PER_PAGE = 25
ALL = "all"
STATES = (*State, ALL)
MAX_VALUE_CHARACTERS = 60_000
MAX_BATCHES = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """The filter of the list. `sku` is a part of one; `state` is one of `STATES`."""

    reason: str
    stage: str
    sku: str
    batch: str
    state: str

    @property
    def words(self) -> dict[str, str]:
        """For addresses: what is not as it is by itself."""
        told = {"reason": self.reason, "stage": self.stage, "sku": self.sku, "batch": self.batch}
        return told if self.state == State.OPEN else {**told, "state": self.state}


@dataclass(frozen=True, slots=True)
class Line:
    """One letter in the list."""

    row: LetterRow
    state: State
    card: ReasonCard | None
    key: str
    """Of its picture."""
    is_clear: bool


def asked_of(values: Mapping[str, str]) -> Asked:
    """The filter as an address or a form tells it."""
    state = values.get("state", State.OPEN)
    reason, stage, sku, batch = (values.get(name, "").strip()[:300] for name in ("reason", "stage", "sku", "batch"))
    return Asked(reason, stage, sku, batch, state if state in STATES else State.OPEN.value)


def described(asked: Asked) -> str:
    """The filter as a mark keeps it."""
    told = [f"{name}={value}" for name, value in asked.words.items() if value]
    return " ".join(["console:", *told] if told else ["console: all open letters"])


def chosen(site: Site, asked: Asked) -> list[LetterRow]:
    """The letters that fit, the newest first."""
    sku = asked.sku.lower()
    return [
        row for row in site.index.letters.newest
        if (not asked.reason or row.reason == asked.reason) and (not asked.stage or row.stage == asked.stage)
        and (not asked.batch or row.batch_id == asked.batch) and (not sku or sku in row.sku_id.lower())
        and (asked.state == ALL or state_of(site, row) == asked.state)
    ]  # fmt: skip


def state_of(site: Site, row: LetterRow) -> State:
    """What became of a letter."""
    mark = site.index.letters.decision_about(row.at, row.timestamp_ms)
    return State.OPEN if mark is None else State(mark.fate.value)


async def letters(request: web.Request) -> web.Response:
    """All that fit, the newest first."""
    site = site_of(request)
    asked = asked_of(request.query)
    found = chosen(site, asked)
    shown = paged(found, request.query.get("page"), per_page=LETTERS_PER_PAGE)
    reasons, stages = reasons_and_stages(site.index.letters.newest)
    open_ones = [row for row in found if state_of(site, row) is State.OPEN]
    values = {
        "lines": await _lines(site, shown.items), "shown": shown, "asked": asked, "base": asked.words,
        "reasons": reasons, "stages": stages, "states": STATES, "dropped": site.index.letters.dropped,
        "batches": sorted({row.batch_id for row in site.index.letters.newest if row.batch_id})[:MAX_BATCHES],
        "has_any": bool(site.index.letters.newest),
        "open": len(open_ones), "newest": open_ones[0].at if open_ones else None,
    }  # fmt: skip
    return page(request, "letters.html", values, room="letters")


async def letter(request: web.Request) -> web.Response:
    """One of them, read again from Kafka: everything in it. Raises HTTP 404."""
    site = site_of(request)
    at = _place(site, request)
    found = await site.find_letter(at)
    if found is None:
        raise web.HTTPNotFound(text="That letter is not in its topic any more: retention took it.")
    row = site.index.letters.rows.get(at)
    mark = site.index.letters.decision_about(at, found.timestamp_ms)
    state = State.OPEN if mark is None else State(mark.fate.value)
    told = document(found, state, None if mark is None else mark.model_dump(mode="json"))
    text = told["value"] if isinstance(told["value"], str) else orjson.dumps(told["value"], option=INDENTED).decode()
    values: dict[str, Any] = {
        "letter": found, "told": told, "mark": mark, "state": state, "card": card_of(found.reason),
        "frames": await _frames(site, row), "value_text": text[:MAX_VALUE_CHARACTERS],
        "is_cut": len(text) > MAX_VALUE_CHARACTERS,
        "batch_link": link("/batch", id=found.batch_id) if found.batch_id in site.index.batches else "",
    }  # fmt: skip
    return page(request, "letter.html", values, room="letters")


INDENTED = orjson.OPT_INDENT_2


def card_of(reason: str) -> ReasonCard | None:
    """What a reason means; None for a foreign letter's."""
    try:
        return CARDS[Reason(reason)]
    except ValueError:
        return None


def _place(site: Site, request: web.Request) -> LetterId:
    """The letter asked for: only of our own dead-letter topic. Raises HTTP 404."""
    try:
        at = parse_letter_id(word(request, "at"))
    except ValueError:
        raise web.HTTPNotFound(text="That is no letter's place.") from None
    if at.topic != site.index.topics.dead_letter or at not in site.index.letters.rows:
        raise web.HTTPNotFound(text="No letter is known at that place.")
    return at


async def _lines(site: Site, rows: Sequence[LetterRow]) -> list[Line]:
    """Rows with a picture each: the last one made before it failed, else the photo in the store."""
    made = {row.at: picture for row in rows if (picture := _last(row.pictures)) is not None}
    photos = await site.shelf.raws_of([row.unit for row in rows if row.at not in made and row.unit])
    lines = []
    for row in rows:
        picture = made.get(row.at)
        key = photos.get(row.unit, "") if picture is None else picture.key
        lines.append(Line(row, state_of(site, row), card_of(row.reason), key, key.endswith(".png")))
    return lines


def _last(pictures: Sequence[Picture]) -> Picture | None:
    return pictures[-1] if pictures else None


async def _frames(site: Site, row: LetterRow | None) -> list[Frame]:
    """What the letter names, or the photo in the store."""
    if row is None or not row.unit:
        return []
    if row.pictures:
        return [frame_of(site, picture, SMALL) for picture in row.pictures]
    key = (await site.shelf.raws_of([row.unit])).get(row.unit)
    return [] if key is None else [_photo(site, key)]


def _photo(site: Site, key: str) -> Frame:
    """A photo that only the store told of: its size is not known before it is opened."""
    return Frame(
        title=TITLES[RAW_ASSET], name=RAW_ASSET, full=link("/picture", key=key),
        small=link("/preview", key=key, side=LARGE), address=address_of(site, key),
        is_clear=False, is_bought=False, width=0, height=0,
        bytes=0, credits=None, seconds=0.0, content_type=TYPES[key.rpartition(".")[2]],
    )  # fmt: skip
