"""The door for persons: logging in with the token, and leaving.

Comes in: a name and a token. Goes out: a session that says the name. Tries are counted; a wrong one tells nothing else.
"""

import math

from aiohttp import web

from stream.console.access import Mode, person_named
from stream.console.guard import VISIT, is_local_path
from stream.console.sessions import is_token
from stream.console.site import page, site_of

HOME = "/batches"
MAX_TOKEN_CHARACTERS = 512


async def home(_: web.Request) -> web.Response:
    """The first page."""
    return web.HTTPSeeOther(HOME)


async def ask(request: web.Request) -> web.Response:
    """The form."""
    if request[VISIT].person:
        raise web.HTTPSeeOther(_next(request))
    return _form(request)


async def let_in(request: web.Request) -> web.StreamResponse:
    """The form, filled in. HTTP 429 after too many tries."""
    site = site_of(request)
    if site.access.mode is not Mode.TOKEN:
        raise web.HTTPSeeOther(HOME)
    form = await request.post()
    wait_seconds = site.guard.guesses.take(request.remote or "")
    if wait_seconds > 0:
        seconds = math.ceil(wait_seconds)
        response = _form(request, f"Too many tries. Wait {seconds} s.", status=429)
        response.headers["Retry-After"] = str(seconds)
        return response
    person = person_named(str(form.get("person", "")))
    if not person or not is_token(str(form.get("token", ""))[:MAX_TOKEN_CHARACTERS].strip(), site.access.token):
        return _form(request, "That is not the token." if person else "Tell your name.", status=403, person=person)
    # A session of its own: what was known before the login is worth nothing after it.
    site.guard.sessions.end(request[VISIT].session)
    response = web.Response(status=303, headers={"Location": _next(request)})
    site.guard.keep(request, response, site.guard.sessions.begin(person))
    return response


async def leave(request: web.Request) -> web.StreamResponse:
    """The session ends, here and in the browser."""
    site = site_of(request)
    site.guard.sessions.end(request[VISIT].session)
    response = web.Response(status=303, headers={"Location": HOME})
    response.del_cookie(site.guard.cookie_name, path="/")
    return response


def _form(request: web.Request, trouble: str = "", *, status: int = 200, person: str = "") -> web.Response:
    values = {"trouble": trouble, "next": _next(request), "person": person}
    return page(request, "login.html", values, status=status)


def _next(request: web.Request) -> str:
    wanted = request.query.get("next", HOME)
    return wanted if is_local_path(wanted) else HOME
