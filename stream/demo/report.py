"""The contact sheet: what a run made comes in, one `report.html` and one `summary.json` go out.

The page opens from disk without a network or script: previews are inside it, full files are linked relatively.
SKU ids, titles, reasons and file names come from outside and are escaped wherever they are written.
"""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from stream.demo.previews import Preview, preview
from stream.demo.report_page import FIGURE, FRAME, PAGE, ROW, STYLE, THUMBS, TILE, VOID

Status = Literal["completed", "failed", "superseded"]

_STAGES: Final = {"raw": "Raw photo", "transparent": "Cut out", "upscaled": "Upscaled", "lifestyle": "Lifestyle"}
_FIRST_DIGIT: Final = re.compile(r"\d")
_SHOWN_THUMBS: Final = 4
_THUMB_SIDE_PIXELS: Final = 150
_KINDS: Final = {"completed": "completed", "failed": "failed-sku", "superseded": "superseded"}


@dataclass(frozen=True, slots=True)
class AssetView:
    """One file of a SKU: `name` is the stage's asset (`raw`, `transparent`, ...; all others count as thumbnails).

    `path` is absolute, sizes are pixels and bytes; credits and seconds are those of the stage that made it.
    """

    name: str
    path: Path
    content_type: str
    width: int
    height: int
    bytes: int
    credits: Decimal | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class SkuRow:
    """One SKU's end: its status, the reason when it is not `completed`, and its files in any order."""

    sku_id: str
    title: str
    status: Status
    reason: str | None
    assets: tuple[AssetView, ...]
    credits: Decimal
    seconds: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals of a run. `success_rate` is 0..1; `failed_skus` maps SKU to reason; `reused` when nothing was bought."""

    total: int
    success: int
    failed: int
    success_rate: float
    failed_skus: dict[str, str]
    credits: Decimal
    submits: int
    requests: int
    seconds: float
    reused: bool


def write_report(path: Path, summary: Summary, rows: list[SkuRow]) -> None:
    """Write the contact sheet to `path`, whole or not at all. Raises OSError where it cannot be written.

    Failed SKUs come first. A file that is missing or no sound JPEG, PNG or WebP leaves an empty frame, not an error.
    """
    folder = path.absolute().parent
    ordered = sorted(rows, key=lambda row: row.status == "completed")
    anchors = {row.sku_id: f"sku-{i}" for i, row in enumerate(ordered)}
    # Shrinking large pictures is all the work there is, and libvips lets other threads run meanwhile.
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        cards = list(pool.map(lambda row: _row(row, anchors[row.sku_id], folder), ordered))
    page = PAGE.substitute(
        title=f"skustream: {summary.success} of {summary.total} finished",
        style=STYLE,
        headline=_headline(summary),
        lead="Every raw photo was cut out, enlarged, set in a scene and scaled for the shop. "
        "One card per SKU: what went in on the left, what came out to its right.",
        tiles=_tiles(summary),
        note=_note(summary),
        failed=_failures(summary, anchors),
        count=f"{len(rows)} SKU{'' if len(rows) == 1 else 's'}",
        rows="".join(cards),
    )
    _write_whole(path, page)


def write_summary_json(path: Path, summary: Summary) -> None:
    """Write the totals as JSON, whole or not at all."""
    content = {
        "total": summary.total,
        "success": summary.success,
        "failed": summary.failed,
        "success_rate": summary.success_rate,
        "failed_skus": [{"sku_id": sku, "reason": reason} for sku, reason in summary.failed_skus.items()],
        "credits": _number(summary.credits),
        "submits": summary.submits,
        "requests": summary.requests,
        "seconds": round(summary.seconds, 3),
    }
    _write_whole(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _number(amount: Decimal) -> int | float:
    """A JSON number: whole where the amount is."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    # A lone surrogate in a hostile name must not stop the report.
    draft.write_bytes(text.encode("utf-8", errors="replace"))
    draft.replace(path)


def _headline(summary: Summary) -> str:
    if summary.total == 0:
        return "No photos came in."
    if summary.failed == 0 and summary.success == summary.total:
        return f"All {summary.total} photos became finished assets."
    return f"{summary.success} of {summary.total} photos became finished assets."


def _tiles(summary: Summary) -> str:
    share = min(max(summary.success_rate, 0.0), 1.0) * 100
    each = f"{_credits(summary.credits / summary.success)} per finished SKU" if summary.success else ""
    facts = (
        ("Photos", str(summary.total), f"{summary.success} finished, {summary.failed} failed"),
        ("Success rate", f"{share:.1f}%", f'<span class="bar"><b style="width:{share:.1f}%"></b></span>'),
        ("Credits", _credits(summary.credits), each),
        ("Submits", f"{summary.submits:,}", "orders sent to PixelAPI"),
        ("API requests", f"{summary.requests:,}", "submits, polls, balance"),
        ("Time", _seconds(summary.seconds), ""),
    )
    return "".join(
        TILE.substitute(label=label, value=value, small=f"<small>{small}</small>" if small else "")
        for label, value, small in facts
    )


def _note(summary: Summary) -> str:
    if not summary.reused:
        return ""
    return (
        '<p class="note"><strong>Nothing was bought this time.</strong> These photos had been worked on before, '
        "so the finished assets were reused for 0 credits.</p>"
    )


def _failures(summary: Summary, anchors: dict[str, str]) -> str:
    if not summary.failed_skus:
        return ""
    items = "".join(
        f"<li>{_jump(sku, anchors)}<p>{escape(reason)}</p></li>" for sku, reason in summary.failed_skus.items()
    )
    return f'<h2>Failed <span>{len(summary.failed_skus)}</span></h2><ul class="failed">{items}</ul>'


def _jump(sku: str, anchors: dict[str, str]) -> str:
    name = escape(sku)
    return f'<a href="#{anchors[sku]}">{name}</a>' if sku in anchors else f"<strong>{name}</strong>"


def _row(row: SkuRow, anchor: str, folder: Path) -> str:
    by_name = {asset.name: asset for asset in row.assets}
    thumbs = [asset for asset in row.assets if asset.name not in _STAGES]
    figures = [_stage(row, label, by_name.get(name), by_name.get("raw"), folder) for name, label in _STAGES.items()]
    return ROW.substitute(
        anchor=anchor,
        kind=_KINDS[row.status],
        title=escape(row.title),
        sku=escape(row.sku_id),
        state=row.status,
        cost=f"{_credits(row.credits)} credits · {_seconds(row.seconds)}",
        why=f'<p class="why">{escape(row.reason)}</p>' if row.reason else "",
        shape=_shape(by_name.get("raw")),
        figures="".join(figures) + _thumbnails(row, thumbs, folder),
    )


def _shape(raw: AssetView | None) -> str:
    """Width over height of a card's frames: the raw photo's, kept between tall and wide cards."""
    return f"{min(max(raw.width / raw.height, 0.75), 1.34):.3f}" if raw and raw.height else "1"


def _stage(row: SkuRow, label: str, asset: AssetView | None, raw: AssetView | None, folder: Path) -> str:
    if asset is None:
        return FIGURE.substitute(frame=VOID.substitute(reason="not made"), label=label, facts="")
    grown = asset.width / raw.width if asset.name == "upscaled" and raw and raw.width else 0
    badge = f'<span class="badge">{grown:.0f}&times;</span>' if grown > 1 else ""
    frame = _frame(asset, preview(asset.path), f"{row.sku_id}: {label.lower()}", folder, badge)
    return FIGURE.substitute(frame=frame, label=label, facts="<br>".join(_facts(asset)))


def _frame(asset: AssetView, small: Preview | None, alt: str, folder: Path, badge: str = "") -> str:
    if small is None:
        return VOID.substitute(reason="no readable picture")
    return FRAME.substitute(
        clear=" clear" if small.clear else "",
        href=_link(asset.path, folder),
        alt=escape(alt),
        source=small.source,
        width=small.width,
        height=small.height,
        badge=badge,
    )


def _thumbnails(row: SkuRow, thumbs: list[AssetView], folder: Path) -> str:
    if not thumbs:
        return FIGURE.substitute(frame=VOID.substitute(reason="not made"), label="Thumbnails", facts="").replace(
            "<figure>", '<figure class="small">', 1
        )
    frames = "".join(
        _frame(asset, preview(asset.path, _THUMB_SIDE_PIXELS), f"{row.sku_id}: {asset.name}", folder)
        for asset in _spread(thumbs)
    )
    items = "".join(
        f'<li><a href="{_link(asset.path, folder)}">{escape(asset.name)}</a> {asset.width} &times; {asset.height}, '
        f"{_bytes(asset.bytes)}</li>"
        for asset in thumbs
    )
    total = sum(asset.bytes for asset in thumbs)
    return THUMBS.substitute(
        frames=frames, facts=f"{_bytes(total)} in all", summary=f"{len(thumbs)} files", items=items
    )


def _spread(thumbs: list[AssetView]) -> list[AssetView]:
    """A few of many: one of each kind in turn (a kind is the name up to its first digit), at different places."""
    kinds: dict[str, list[AssetView]] = {}
    for asset in thumbs:
        kinds.setdefault(_FIRST_DIGIT.split(asset.name, maxsplit=1)[0], []).append(asset)
    queues = list(kinds.values())
    turns = range(min(len(thumbs), _SHOWN_THUMBS))
    picked = [queues[turn % len(queues)][turn // len(queues) % len(queues[turn % len(queues)])] for turn in turns]
    return list(dict.fromkeys(picked))


def _facts(asset: AssetView) -> list[str]:
    facts = [f"{asset.width} &times; {asset.height}", _bytes(asset.bytes)]
    if asset.credits is not None:
        facts.append(f"{_credits(asset.credits)} credits")
    if asset.seconds is not None:
        facts[-1] += f" · {_seconds(asset.seconds)}" if asset.credits is not None else f", {_seconds(asset.seconds)}"
    return facts


def _link(path: Path, folder: Path) -> str:
    """A relative address of a file: every character that means something in an address or in HTML is encoded."""
    return quote(Path(os.path.relpath(path, folder)).as_posix(), errors="replace")


def _credits(value: Decimal) -> str:
    return f"{value:,.2f}".removesuffix(".00")


def _seconds(value: float) -> str:
    minute = 60
    return f"{value:.1f} s" if value < minute else f"{int(value // minute)} min {value % minute:.0f} s"


def _bytes(value: int) -> str:
    thousand, million = 1000, 1_000_000
    if value < thousand:
        return f"{value} B"
    return f"{value / thousand:.0f} kB" if value < million else f"{value / million:.1f} MB"
