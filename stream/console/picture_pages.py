"""Pictures themselves: from the store only, by keys that a record of ours names, as a type of the closed list.

Comes in: a key. Goes out: the file, in pieces; or a small copy of it. Any other key is 404, whatever stands there.
"""

import asyncio

from aiohttp import web

from stream.console.shelf import SIDES, SMALL, NoPicture
from stream.console.site import picture_known, site_of

FOREVER = "private, max-age=31536000, immutable"
"""An asset's key never changes its content."""
PIECE_BYTES = 256 * 1024
SENDING_SECONDS = 300.0
MAX_KEY_CHARACTERS = 600


async def picture(request: web.Request) -> web.StreamResponse:
    """The whole file. Raises HTTP 404."""
    site = site_of(request)
    key = _known(request)
    try:
        async with site.shelf.fetched(key) as file, asyncio.timeout(SENDING_SECONDS):
            answer = web.StreamResponse(headers={"Cache-Control": FOREVER, "Content-Type": file.content_type})
            answer.content_length = (await asyncio.to_thread(file.path.stat)).st_size
            await answer.prepare(request)
            with file.path.open("rb") as pieces:
                while piece := await asyncio.to_thread(pieces.read, PIECE_BYTES):
                    await answer.write(piece)
            await answer.write_eof()
            return answer
    except NoPicture:
        raise web.HTTPNotFound(text="That picture is not in the store any more, or is none.") from None


async def preview(request: web.Request) -> web.Response:
    """A small copy. Raises HTTP 404."""
    site = site_of(request)
    key = _known(request)
    side = next((each for each in SIDES if request.query.get("side") == str(each)), SMALL)
    try:
        content = await site.shelf.small(key, side)
    except NoPicture:
        raise web.HTTPNotFound(text="That picture is not in the store any more, or is none.") from None
    return web.Response(body=content, content_type="image/webp", headers={"Cache-Control": FOREVER})


def _known(request: web.Request) -> str:
    key = request.query.get("key", "")
    if len(key) > MAX_KEY_CHARACTERS or picture_known(site_of(request), key) is None:
        raise web.HTTPNotFound(text="No record names that picture.")
    return key
