"""Pictures from the store, by key, for the browser: whole ones and small ones. No other address is ever fetched.

Comes in: a key that the index knows. Goes out: a file in a bounded temporary folder, or a small WebP from memory.
"""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from stream.console.pictures import TYPES
from stream.images.previews import preview
from stream.objects.keys import quote, read_asset_key
from stream.objects.port import ObjectStore
from stream.pipeline import RAW_ASSET

MINI, SMALL, LARGE = 160, 400, 960
"""Longest sides of what is shown, in pixels: in a row of a list, in a strip, and on an image's own page."""
SIDES = (MINI, SMALL, LARGE)
FETCHED_AT_ONCE = 4
LISTED_AT_ONCE = 8
SHOWN_BYTES = 96 * 1024 * 1024
FOUND_IMAGES = 20_000


class NoPicture(Exception):
    """Nothing there that could be shown."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A picture's file, as long as its context lasts."""

    path: Path
    content_type: str


class Shelf:
    """Used on the loop. Raises `Unavailable(store)`."""

    def __init__(self, objects: ObjectStore, folder: Path, *, max_bytes: int) -> None:
        """`folder`: temporary, holds at most `FETCHED_AT_ONCE` files of `max_bytes`."""
        self._objects = objects
        self._folder = folder
        self._max_bytes = max_bytes
        self._room = asyncio.Semaphore(FETCHED_AT_ONCE)
        self._small: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._small_bytes = 0
        self._found: OrderedDict[str, str] = OrderedDict()

    @asynccontextmanager
    async def fetched(self, key: str) -> AsyncIterator[Fetched]:
        """The picture at `key`. Raises `NoPicture` for what is gone, too large, or no picture by its type."""
        path = self._folder / uuid.uuid4().hex
        async with self._room:
            try:
                stored = await self._objects.get_file(key, path, max_bytes=self._max_bytes)
                if stored.content_type not in TYPES.values():
                    raise NoPicture
                yield Fetched(path, stored.content_type)
            except (FileNotFoundError, ValueError):
                raise NoPicture from None
            finally:
                await asyncio.to_thread(path.unlink, missing_ok=True)

    async def small(self, key: str, side: int) -> bytes:
        """The picture at `key` as WebP, no larger than `side`. Raises as `fetched`."""
        known = self._small.get((key, side))
        if known is not None:
            self._small.move_to_end((key, side))
            return known
        async with self.fetched(key) as file:
            made = await asyncio.to_thread(preview, file.path, side)
        if made is None:
            raise NoPicture
        self._keep((key, side), made.content)
        return made.content

    async def raw_of(self, unit: str) -> str | None:
        """The key of an image's photo in the store, though no record names it: most letters fail at the first stage.

        None also where several versions of the photo are there: nobody could say which one failed.
        """
        if unit not in self._found:
            keys = [listed.key async for listed in self._objects.list_keys(f"{unit}/{quote(RAW_ASSET)}-")]
            photos = [key for key in keys if _is_of(unit, key)]
            if len(photos) != 1:
                return None
            self._found[unit] = photos[0]
            while len(self._found) > FOUND_IMAGES:
                self._found.popitem(last=False)
        return self._found[unit]

    async def raws_of(self, units: Collection[str]) -> dict[str, str]:
        """The same for several images."""
        room = asyncio.Semaphore(LISTED_AT_ONCE)

        async def asked(unit: str) -> tuple[str, str | None]:
            async with room:
                return unit, await self.raw_of(unit)

        return {unit: key for unit, key in await asyncio.gather(*map(asked, set(units))) if key is not None}

    def has_found(self, key: str) -> bool:
        """Whether `raw_of` told this key."""
        name = read_asset_key(key)
        return name is not None and self._found.get(name.unit) == key

    def address(self, key: str) -> str:
        """Where the CDN serves it."""
        return self._objects.public_url(key)

    def _keep(self, name: tuple[str, int], content: bytes) -> None:
        self._small[name] = content
        self._small_bytes += len(content)
        while self._small_bytes > SHOWN_BYTES:
            _, dropped = self._small.popitem(last=False)
            self._small_bytes -= len(dropped)


def _is_of(unit: str, key: str) -> bool:
    name = read_asset_key(key)
    return name is not None and name.unit == unit and key.rpartition(".")[2] in TYPES
