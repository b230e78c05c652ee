"""Replays and discards: the plan and its price first, then a person's word, then how it went on. Only where enabled.

Comes in: forms that the guard has checked. Goes out: an errand's page, which tells how far it is; and all decisions.
"""

from typing import Any

from aiohttp import web

from stream.console.decisions import Aftermath, Decided, aftermath
from stream.console.errands import MAX_LETTERS, Errand, Errands, Kind, Stand, facts_of
from stream.console.guard import VISIT
from stream.console.letter_pages import asked_of, chosen, described
from stream.console.letterbox import LetterRow
from stream.console.paper import link, paged
from stream.console.site import Site, page, site_of, word
from stream.letters.filters import State
from stream.letters.letter import LetterId
from stream.replays.book import parse_letter_id
from stream.replays.marks import MAX_WHY_CHARACTERS
from stream.replays.reentry import Wish

DECISIONS_PER_PAGE = 25


async def plan(request: web.Request) -> web.StreamResponse:
    """Begin to plan a replay of the letters that a form tells."""
    site, errands = _enabled(request)
    form = await request.post()
    ids, filter_ = _letters(site, form)
    wish = Wish(from_raw="from_raw" in form, buy_again="buy_again" in form, include_failing="include_failing" in form)
    errand = errands.plan(ids, by=request[VISIT].person, why=_why(form), chosen_by=filter_, wish=wish)
    raise web.HTTPSeeOther(link("/errand", id=errand.id))


async def approve(request: web.Request) -> web.StreamResponse:
    """A person's word: the plan of this id, and no other."""
    _, errands = _enabled(request)
    form = await request.post()
    errand = _errand(errands, str(form.get("errand", "")))
    errands.approve(errand, str(form.get("plan_id", ""))[:200], by=request[VISIT].person)
    raise web.HTTPSeeOther(link("/errand", id=errand.id))


async def discard(request: web.Request) -> web.StreamResponse:
    """Mark the letters that a form tells. Raises HTTP 400 without a reason, 409 where they are other letters now."""
    site, errands = _enabled(request)
    form = await request.post()
    ids, filter_ = _letters(site, form)
    why = _why(form)
    if not why:
        raise web.HTTPBadRequest(text="Say why: it stands with the letter from now on.")
    # One more and one less are as many: the newest tells them apart.
    seen = (str(form.get("count", "")), str(form.get("newest", "") or form.get("at", "")))
    if seen != (str(len(ids)), str(next(iter(ids)))):
        raise web.HTTPConflict(text=f"Others fit now, {len(ids):,} letters. Look at them again, then discard them.")
    errand = errands.discard(ids, by=request[VISIT].person, why=why, chosen_by=filter_)
    raise web.HTTPSeeOther(link("/errand", id=errand.id))


async def errand(request: web.Request) -> web.Response:
    """How far one is. Raises HTTP 404."""
    site, errands = _enabled(request)
    found = _errand(errands, word(request, "id"))
    after = None
    if found.stand in {Stand.DONE, Stand.FAILED} and found.kind is Kind.REPLAY and found.price is not None:
        after = _after(site, found.price.plan_id)
    values: dict[str, Any] = {
        "errand": found, "facts": facts_of(found), "after": after, "price": found.price,
        "is_exactly_once": errands.is_transactional,
    }  # fmt: skip
    return page(request, "errand.html", values, room="decisions")


async def decisions(request: web.Request) -> web.Response:
    """Everything that was decided, by whom and why, the newest first."""
    site = site_of(request)
    shown = paged(site.index.letters.decisions, request.query.get("page"), per_page=DECISIONS_PER_PAGE)
    rows = [{"decided": each, "after": aftermath(each, site.index.letters.ends)} for each in shown.items]
    moving = [] if site.errands is None else [each for each in site.errands.latest() if _is_pending(each)]
    return page(request, "decisions.html", {"rows": rows, "shown": shown, "moving": moving}, room="decisions")


def _enabled(request: web.Request) -> tuple[Site, Errands]:
    site = site_of(request)
    if site.errands is None:
        raise web.HTTPForbidden(text="This console only shows. skustream console --allow-replay lets letters go back.")
    return site, site.errands


def _is_pending(errand: Errand) -> bool:
    return errand.is_moving or errand.stand in {Stand.PLANNED, Stand.CHANGED}


def _errand(errands: Errands, errand_id: str) -> Errand:
    found = errands.find(errand_id)
    if found is None:
        raise web.HTTPNotFound(text="That plan is not known any more. Plan it again; nothing is put back twice.")
    return found


def _letters(site: Site, form: Any) -> tuple[dict[LetterId, int], str]:
    """Which letters, each with its record time, and in which words. Raises HTTP 400, 404."""
    told = {name: str(value) for name, value in form.items()}
    if told.get("at"):
        row = _one(site, told["at"])
        return {row.at: row.timestamp_ms}, "one letter"
    asked = asked_of({**told, "state": State.OPEN.value})
    ids = {row.at: row.timestamp_ms for row in chosen(site, asked)}
    if not ids:
        raise web.HTTPBadRequest(text="No letter fits that nobody decided about.")
    if len(ids) > MAX_LETTERS:
        raise web.HTTPBadRequest(text=f"{len(ids):,} letters at once: use skustream dlq, or a narrower filter.")
    return ids, described(asked)


def _one(site: Site, text: str) -> LetterRow:
    try:
        at = parse_letter_id(text)
    except ValueError:
        raise web.HTTPBadRequest(text="That is no letter's place.") from None
    row = site.index.letters.rows.get(at)
    if row is None:
        raise web.HTTPNotFound(text="No letter is known at that place.")
    return row


def _why(form: Any) -> str:
    text = "".join(each if each.isprintable() else " " for each in str(form.get("why", "")))
    return text.strip()[:MAX_WHY_CHARACTERS]


def _after(site: Site, plan_id: str) -> Aftermath | None:
    """How a plan's events went on; None before its marks were read."""
    decided: Decided | None = next((each for each in site.index.letters.decisions if each.plan_id == plan_id), None)
    return None if decided is None else aftermath(decided, site.index.letters.ends)
