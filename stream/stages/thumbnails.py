"""Thumbnails, made here: of every source asset that is there, in all widths and formats, flattened on one colour."""

import asyncio
import hashlib
from pathlib import Path

from stream.core.errors import Reason, Rejected
from stream.images.loading import NotAPicture
from stream.images.thumbnails import Thumbnail, make
from stream.objects.keys import asset_key
from stream.operations import ThumbnailParams
from stream.pipeline import Stage
from stream.records import Asset, StageRecord
from stream.stages.desk import Desk
from stream.stages.local import LocalOperation
from stream.stages.recipes import JobName
from stream.stages.rehost import asset_of, fetch_input


class Thumbnails(LocalOperation[ThumbnailParams]):
    """All thumbnails, named `<source>-<width>-<format>`."""

    name = "thumbnails"
    params = ThumbnailParams

    async def pictures(
        self, desk: Desk, record: StageRecord, stage: Stage, params: ThumbnailParams, job: JobName
    ) -> dict[str, Asset]:
        """Of every source that is there. Raises `Rejected(bad-result | asset-missing)`."""
        made: dict[str, Asset] = {}
        for name in stage.inputs(record.assets):
            made |= await _of(desk, record, job, name, params)
        return made


async def _of(desk: Desk, record: StageRecord, job: JobName, name: str, params: ThumbnailParams) -> dict[str, Asset]:
    started = desk.clock.monotonic()
    async with desk.downloads.scratch() as source, desk.downloads.scratch() as folder:
        await fetch_input(desk, record.assets[name], source)
        try:
            files = await desk.workers.run(make, source, params, folder)
        except NotAPicture as error:
            raise Rejected(Reason.BAD_RESULT, f"{name} cannot be read: {error}") from None
        seconds = desk.clock.monotonic() - started
        assets = await asyncio.gather(*(_put(desk, record, job, name, file, seconds) for file in files))
    return {_name(name, file): asset for file, asset in zip(files, assets, strict=True)}


async def _put(desk: Desk, record: StageRecord, job: JobName, name: str, file: Thumbnail, seconds: float) -> Asset:
    event = record.event
    key = asset_key(event.sku_id, event.image_id, _name(name, file), job.short, file.extension)
    sha256 = await asyncio.to_thread(_sha256, file.path)
    stored = await desk.objects.put_file(key, file.path, content_type=file.content_type, sha256=sha256)
    return asset_of(desk, stored, file.width, file.height, seconds=seconds)


def _name(source: str, file: Thumbnail) -> str:
    return f"{source}-{file.width_requested}-{file.format}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
