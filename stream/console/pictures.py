"""A picture of an image, as the console remembers it: in few bytes, because there are a million of them.

Comes in: the `assets` of a terminal record or of a stage record, written by whoever can write to the topic. Goes out:
only what is an asset's key *of that image*, with sane figures. Its URL is made anew from the key, never taken over.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from stream.letters.dialects import SMALLEST_CREDIT
from stream.objects.keys import quote, read_asset_key
from stream.pipeline import RAW_ASSET

MAX_ASSETS = 200
MAX_NAME_CHARACTERS = 120
MAX_FIGURE = 2**53
QUICKLY = 1
"""Of zlib: a tenth larger than by its default, in a third of the time."""
TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
"""The closed list of what is shown, by extension."""
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Picture:
    """One stored picture: `name` as the record calls it, sizes in pixels and bytes, `credits` this event paid."""

    name: str
    key: str
    width: int
    height: int
    bytes: int
    credits: Decimal
    seconds: float

    @property
    def content_type(self) -> str:
        """What it is served as."""
        return TYPES[self.key.rpartition(".")[2]]

    @property
    def is_raw(self) -> bool:
        """Whether it is the photo that came in."""
        return self.name == RAW_ASSET


def unit_of(sku_id: str, image_id: str) -> str:
    """The image's folder in the store, which is also its name in the index. Never raises."""
    return f"{quote(sku_id)}/{quote(image_id)}"


def pack(unit: str, assets: object) -> bytes:
    """The assets of a record as bytes; what is no picture of this image is left out."""
    if not isinstance(assets, Mapping) or not assets:
        return b""
    rows = [row for name, facts in list(assets.items())[:MAX_ASSETS] if (row := _row(unit, name, facts)) is not None]
    return zlib.compress(orjson.dumps(rows), QUICKLY) if rows else b""


def unpack(unit: str, packed: bytes) -> list[Picture]:
    """The reverse of `pack`, in the order of the record."""
    return list(_unpacked(unit, packed)) if packed else []


def _unpacked(unit: str, packed: bytes) -> Iterator[Picture]:
    for name, file, width, height, size, credits_, seconds in orjson.loads(zlib.decompress(packed)):
        yield Picture(name, f"{unit}/{file}", width, height, size, Decimal(credits_), seconds)


def _row(unit: str, name: object, facts: Any) -> list[Any] | None:
    try:
        key = facts["key"]
        parsed = read_asset_key(key)
        if parsed is None or parsed.unit != unit or key.rpartition(".")[2] not in TYPES:
            return None
        figures = [_figure(facts[each]) for each in ("width", "height", "bytes")]
        credits_ = Decimal(str(facts.get("credits", "0")))
        if not 0 <= credits_ < MAX_FIGURE or int(credits_.as_tuple().exponent) < SMALLEST_CREDIT:
            return None  # written out, 1E-9000000000 has nine gigabytes
        return [
            str(name)[:MAX_NAME_CHARACTERS], key.rpartition("/")[2], *figures, f"{credits_:f}"[:40],
            min(max(float(facts.get("seconds", 0)), 0.0), 1e9),
        ]  # fmt: skip
    except UNREADABLE:
        return None


def _figure(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < MAX_FIGURE:
        raise ValueError("no figure")
    return value
