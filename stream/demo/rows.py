"""From ends and books to the report's rows and totals."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from stream.demo.ends import Ends
from stream.demo.photos import CatalogPhoto
from stream.demo.report import AssetView, SkuRow, Status, Summary
from stream.images.inspect import ImageLimits, inspect


def summary_of(
    ends: Ends, photos: list[CatalogPhoto], out: Path, books: Mapping[str, Any], *, seconds: float
) -> tuple[Summary, list[SkuRow]]:
    """Totals and one row per photo, in catalog order. `books` are the simulated provider's own."""
    rows = [
        _row(ends, photo, out) for photo in photos if photo.sku_id in ends.completed or photo.sku_id in ends.letters
    ]
    success = sum(row.status == "completed" for row in rows)
    failed = {row.sku_id: row.reason or "" for row in rows if row.status == "failed"}
    submits = int(books["requests_by_step"].get("submit", 0))
    summary = Summary(
        total=len(rows),
        success=success,
        failed=len(failed),
        success_rate=success / len(rows) if rows else 0.0,
        failed_skus=failed,
        credits=Decimal(str(books["net_credits"])),
        submits=submits,
        requests=int(books["requests"]),
        seconds=seconds,
        reused=submits == 0 and bool(rows),
    )
    return summary, rows


def _row(ends: Ends, photo: CatalogPhoto, out: Path) -> SkuRow:
    raw = out / "photos" / photo.file_name
    end = ends.completed.get(photo.sku_id)
    if end is None:
        letter = ends.letters[photo.sku_id]
        picture = inspect(raw, ImageLimits())
        size = raw.stat().st_size
        view = AssetView("raw", raw, picture.content_type, picture.width, picture.height, size, None, None)
        return SkuRow(photo.sku_id, photo.title, "failed", f"{letter.reason}: {letter.error}", (view,), Decimal(0), 0.0)
    assets = tuple(_view(name, asset, out) for name, asset in end["assets"].items())
    status: Status = "completed" if end["status"] == "completed" else "superseded"
    seconds = float(end["finished_at"]) - float(end["started_at"])
    return SkuRow(photo.sku_id, photo.title, status, None, assets, Decimal(end["credits"]), seconds)


def _view(name: str, asset: Mapping[str, Any], out: Path) -> AssetView:
    return AssetView(
        name=name,
        path=out / "store" / asset["key"],
        content_type=asset["content_type"],
        width=asset["width"],
        height=asset["height"],
        bytes=asset["bytes"],
        credits=Decimal(asset["credits"]),
        seconds=asset["seconds"],
    )
