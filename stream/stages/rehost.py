"""From a foreign file to an asset of ours: checked by its bytes, put under its own key, never overwritten.

Comes in: a spooled file. Goes out: an `Asset` that the CDN serves.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from stream.core.errors import Reason, Rejected
from stream.images.inspect import Picture, inspect, verify
from stream.objects.keys import asset_key
from stream.objects.port import StoredFile
from stream.records import Asset, StageRecord
from stream.stages.desk import Desk


@dataclass(frozen=True, slots=True)
class Naming:
    """What an asset is called: its name in the record, and the hash of source version and recipe."""

    name: str
    recipe_hash: str


async def look_at(desk: Desk, path: Path) -> Picture:
    """Header and every pixel row checked, off the loop. Raises `NotAPicture`."""
    return await desk.workers.run(_look, path, desk)


def _look(path: Path, desk: Desk) -> Picture:
    picture = inspect(path, desk.limits)
    verify(path)
    return picture


async def demand_input(desk: Desk, source: Asset) -> None:
    """Raises `Rejected(asset-missing)` for an input that was deleted since the record was written."""
    if await desk.objects.stat(source.key) is None:
        raise _missing(source.key)


async def fetch_input(desk: Desk, source: Asset, path: Path) -> None:
    """A stage's input, copied to `path`. Raises `Rejected(asset-missing)`."""
    try:
        await desk.objects.get_file(source.key, path, max_bytes=desk.limits.max_bytes)
    except FileNotFoundError:
        raise _missing(source.key) from None


def _missing(key: str) -> Rejected:
    return Rejected(Reason.ASSET_MISSING, f"{key} is not in the store any more; publish the event anew")


async def rehost(
    desk: Desk, record: StageRecord, naming: Naming, path: Path, picture: Picture, *, sha256: str, seconds: float
) -> Asset:
    """Put the checked file at `path` into the store. What stands there already is kept, and told as it stands."""
    event = record.event
    key = asset_key(event.sku_id, event.image_id, naming.name, naming.recipe_hash, picture.extension)
    stored = await desk.objects.put_file(key, path, content_type=picture.content_type, sha256=sha256)
    return asset_of(desk, stored, picture.width, picture.height, seconds=seconds)


def asset_of(desk: Desk, stored: StoredFile, width: int, height: int, *, seconds: float) -> Asset:
    """The asset that `stored` is."""
    return Asset(
        key=stored.key,
        url=desk.objects.public_url(stored.key),
        content_type=stored.content_type,
        width=width,
        height=height,
        bytes=stored.bytes,
        sha256=stored.sha256,
        credits=Decimal(0),
        seconds=round(seconds, 3),
    )
