"""The console's HTTP side: routes, refusals as pages, and listening.

Comes in: a `Site`. Goes out: an application that listens on one port until it is told to stop.
"""

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from stream.console import batch_pages, entrance, errand_pages, gallery_pages, letter_pages, picture_pages
from stream.console.guard import LOGIN, MAX_BODY_BYTES, STATIC, VISIT, harden
from stream.console.paper import STATIC_FILES, static_content
from stream.console.site import SITE, Site, page, site_of
from stream.core.errors import CorruptDocument, Misconfigured, Unavailable

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 2.0
FOREVER = "public, max-age=31536000, immutable"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(site: Site) -> web.Application:
    """Everything wired; nothing listens yet."""
    app = web.Application(middlewares=[_told, _guarded], client_max_size=MAX_BODY_BYTES)
    app[SITE] = site
    app.on_response_prepare.append(harden)
    app.router.add_get("/", entrance.home)
    app.router.add_get(LOGIN, entrance.ask)
    app.router.add_post(LOGIN, entrance.let_in)
    app.router.add_post("/logout", entrance.leave)
    app.router.add_get("/batches", batch_pages.batches)
    app.router.add_get("/batch", batch_pages.batch)
    app.router.add_get("/gallery", gallery_pages.gallery)
    app.router.add_get("/image", gallery_pages.image)
    app.router.add_get("/letters", letter_pages.letters)
    app.router.add_get("/letter", letter_pages.letter)
    app.router.add_get("/decisions", errand_pages.decisions)
    app.router.add_get("/errand", errand_pages.errand)
    app.router.add_post("/plan", errand_pages.plan)
    app.router.add_post("/approve", errand_pages.approve)
    app.router.add_post("/discard", errand_pages.discard)
    app.router.add_get("/picture", picture_pages.picture)
    app.router.add_get("/preview", picture_pages.preview)
    app.router.add_get(STATIC + "{name}", _static)
    return app


class Listening:
    """An application on a port; `url` is where a browser of this machine finds it."""

    def __init__(self, runner: web.AppRunner, url: str) -> None:
        self._runner = runner
        self.url = url

    async def stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()


async def listen(app: web.Application, host: str, port: int) -> Listening:
    """Listen. Raises `Misconfigured` when the address cannot be had."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise Misconfigured(
            f"SKUSTREAM_CONSOLE_HOST={host}, SKUSTREAM_CONSOLE_PORT={port}: cannot listen there "
            f"({error.strerror or error}); choose another port, or 0 for a free one"
        ) from None
    taken = runner.addresses[0][1]
    app[SITE].guard.port = taken
    shown = f"[{host}]" if ":" in host else host
    return Listening(runner, f"http://{shown}:{taken}/")


async def _static(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in STATIC_FILES:
        raise web.HTTPNotFound(text="There is no such file.")
    return web.Response(
        body=static_content(name), content_type=STATIC_FILES[name], charset="utf-8", headers={"Cache-Control": FOREVER}
    )


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    return await site_of(request).guard.admit(request, handler)


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal and every failure as a page, with a sentence and without a traceback."""
    try:
        return await handler(request)
    except web.HTTPException as answer:
        if answer.status < 400:  # noqa: PLR2004
            raise
        told = answer.text or ""
        if told == f"{answer.status}: {answer.reason}":  # aiohttp's own, which says nothing twice
            told = "There is nothing here by that name, or not in that way."
        return _refusal(request, answer.status, answer.reason, told)
    except Unavailable as error:
        return _refusal(request, 503, "Something is not available", f"{error.resource.value}: {error}")
    except Misconfigured as error:
        return _refusal(request, 500, "Something is not set up", str(error))
    except CorruptDocument as error:
        return _refusal(request, 500, "A document cannot be read", str(error))
    except (ConnectionResetError, TimeoutError):  # the browser left, or is too slow
        raise
    except Exception:
        log.exception("console-page", path=request.path)
        return _refusal(request, 500, "The console made a mistake", "Its log tells where.")


def _refusal(request: web.Request, status: int, title: str, text: str) -> web.Response:
    visit = request.get(VISIT)
    if "text/html" not in request.headers.get("Accept", ""):
        return web.Response(status=status, text=f"{title}: {text}\n")
    values = {"title": title, "text": text, "visit": visit}
    return page(request, "refusal.html", values, status=status)
