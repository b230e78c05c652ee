"""The guard at the door: every request passes here, and every answer leaves with the same strict headers.

Comes in: a request. Goes out: to a page, with a `Visit` that says who asks; or a refusal in one sentence.
In this order: is it us who is called (DNS rebinding), who calls, and for a form whether our own page sent it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.cookies import CookieError
from urllib.parse import urlencode

from aiohttp import web

from stream.console.access import Access, Mode, person_named
from stream.console.sessions import LASTS_SECONDS, Guesses, Session, Sessions

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOGIN, STATIC = "/login", "/static/"
FORM_TOKEN = "form_token"  # noqa: S105 - the field's name
FORM_TYPE = "application/x-www-form-urlencoded"
MAX_BODY_BYTES = 16 * 1024
POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Nothing to other sites; `no-referrer` would make browsers send forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Server": "skustream",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks, as a mark will name them."""

    session: Session
    person: str
    is_new: bool


VISIT = web.RequestKey("visit", Visit)


class Guard:
    """One for the application."""

    def __init__(self, access: Access, sessions: Sessions, guesses: Guesses, *, owner: str, port: int) -> None:
        """`owner`: who everybody is where the console is open to this machine. `port`: cookies do not tell ports."""
        self.access = access
        self.sessions = sessions
        self.guesses = guesses
        self.port = port
        self._owner = owner

    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The request, if it may pass. Raises HTTP 400, 401 or 403; 303 to the login."""
        if not self.access.knows_host(request.host):
            raise web.HTTPForbidden(text="This console is not known by that name: see SKUSTREAM_CONSOLE_HOSTS.")
        named = self._named_by_proxy(request)
        if request.path.startswith(STATIC):
            return await handler(request)
        visit = self._visit(request, named)
        request[VISIT] = visit
        if request.method not in {"GET", "HEAD"}:
            await self._check_form(request, visit)
        if not visit.person and request.path != LOGIN:
            raise self._turned_away(request)
        response = await handler(request)
        # A page handler that logs somebody in has set another one.
        if visit.is_new and self.cookie_name not in response.cookies and not response.prepared:
            self.keep(request, response, visit.session)
        return response

    @property
    def cookie_name(self) -> str:
        """Consoles on other ports of this host have others."""
        return f"skustream_console_{self.port}"

    def keep(self, request: web.Request, response: web.StreamResponse, session: Session) -> None:
        """Give the browser its cookie."""
        is_secure = request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"
        response.set_cookie(
            self.cookie_name, self.sessions.cookie(session), max_age=LASTS_SECONDS, path="/", httponly=True,
            samesite="Strict", secure=is_secure,
        )  # fmt: skip

    def _named_by_proxy(self, request: web.Request) -> str:
        if self.access.mode is not Mode.PROXY:
            return ""
        if not self.access.is_the_proxy(request.remote):
            raise web.HTTPForbidden(text="Only the reverse proxy may call this console.")
        told = request.headers.getall(self.access.header, [])
        person = person_named(told[0]) if len(told) == 1 else ""
        if not person:
            raise web.HTTPUnauthorized(text=f"The reverse proxy named nobody in {self.access.header}.")
        return person

    def _visit(self, request: web.Request, named: str) -> Visit:
        try:
            session = self.sessions.read(request.cookies.get(self.cookie_name, ""))
        except (CookieError, ValueError):
            session = None
        is_new = session is None
        session = session or self.sessions.begin()
        persons = {Mode.OPEN: self._owner, Mode.PROXY: named, Mode.TOKEN: session.person}
        return Visit(session, persons[self.access.mode], is_new)

    async def _check_form(self, request: web.Request, visit: Visit) -> None:
        if not self.access.is_own_origin(request.headers.get("Origin", ""), request.host):
            raise web.HTTPForbidden(text="This form was not sent by a page of this console.")
        if request.content_type != FORM_TYPE:
            raise web.HTTPUnsupportedMediaType(text="A form is expected.")
        form = await request.post()
        if visit.is_new or not self.sessions.is_form_token(visit.session, str(form.get(FORM_TOKEN, ""))):
            raise web.HTTPForbidden(text="This form is too old. Go back, load the page again, and send it once more.")

    def _turned_away(self, request: web.Request) -> web.HTTPException:
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            return web.HTTPSeeOther(f"{LOGIN}?{urlencode({'next': request.path_qs})}")
        return web.HTTPUnauthorized(text="Log in first.")


async def harden(_: web.Request, response: web.StreamResponse) -> None:
    """The headers of every answer, refusals and pictures included."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")


def is_local_path(path: str) -> bool:
    """Whether a redirect to it stays here."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
