"""A board drawn from its JSON and what a Prometheus answers: one HTML page with inline SVG. It is no Grafana.

Comes in: a board, answers for its queries. Goes out: HTML. Everything that is not ours is escaped.
"""

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tests.boards.grafana import Asked, Moment

Answers = Callable[[Asked], list[dict[str, Any]]]
COLUMN, UNIT, GAP, TITLE = 62, 30, 8, 28
PALETTE = ("#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#b877d9", "#fa6400", "#8ab8ff", "#e0b400", "#f2495c", "#37872d")
COLOURS = {"green": "#73bf69", "yellow": "#f2cc0c", "red": "#f2495c", "blue": "#5794f2", "text": "#ccccdc"}
STYLE = """
body { margin: 0; background: #111217; color: #ccccdc; font: 12px Inter, "DejaVu Sans", sans-serif; position: relative }
h1 { font-size: 20px; font-weight: 500; margin: 0; padding: 14px 8px 0 }
h1 + p { margin: 2px 8px 0; color: #8e8ea0 }
section { position: absolute; background: #181b1f; border: 1px solid #2c3235; border-radius: 3px; overflow: hidden }
section > h3 { font-size: 13px; font-weight: 500; margin: 0; padding: 6px 9px; white-space: nowrap }
h2 { position: absolute; font-size: 14px; font-weight: 500; margin: 0; padding: 5px 0 }
.figure { display: flex; align-items: center; justify-content: center; font-weight: 500 }
.legend { padding: 0 9px; font-size: 11px; line-height: 15px; height: 30px; overflow: hidden; color: #b0b0c0 }
.legend i { display: inline-block; width: 11px; height: 3px; margin: 0 5px 3px 0 }
.legend span { margin-right: 11px; white-space: nowrap; display: inline-block }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: 3px 9px; font-weight: 400 }
th { color: #6e9fff; font-size: 11px }
td { border-top: 1px solid #25282d } .words { padding: 4px 12px; font-size: 13px }
svg text { fill: #9fa7b3; font-size: 10px }
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its name and (time, value) pairs."""

    name: str
    points: Sequence[tuple[float, float]]


def page(board: Mapping[str, Any], answers: Answers, questions: Sequence[Asked], moment: Moment, rows: int) -> str:
    """The first `rows` rows of the board."""
    shown = [panel for panel in board["panels"] if panel["gridPos"]["y"] < _end(board, rows)]
    height = 64 + max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in shown) * UNIT + GAP
    asked = {title: [each for each in questions if each.panel == title] for title in {each.panel for each in questions}}
    bodies = "".join(_panel(panel, asked.get(panel["title"], []), answers, moment) for panel in shown)
    head = f"<h1>{escape(board['title'])}</h1><p>{escape(board['description'])}</p>"
    return (
        f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>"
        f'<body style="width:{COLUMN * 24 + GAP}px;height:{height}px">{head}{bodies}'
    )


def _end(board: Mapping[str, Any], rows: int) -> int:
    starts = [panel["gridPos"]["y"] for panel in board["panels"] if panel["type"] == "row"]
    return starts[rows] if rows < len(starts) else 10_000


def _panel(panel: Mapping[str, Any], asked: Sequence[Asked], answers: Answers, moment: Moment) -> str:
    place = panel["gridPos"]
    left, top = place["x"] * COLUMN + GAP, place["y"] * UNIT + 60
    if panel["type"] == "row":
        return f'<h2 style="left:{left}px;top:{top}px">⌄ {escape(panel["title"])}</h2>'
    width, height = place["w"] * COLUMN - GAP, place["h"] * UNIT - GAP
    inner = (width, height - TITLE)
    if panel["type"] == "text":
        body = f"<div class=words>{_markdown(panel['options']['content'])}</div>"
    else:
        body = _BODIES[panel["type"]](panel, [(each, answers(each)) for each in asked], inner, moment)
    box = f"left:{left}px;top:{top}px;width:{width}px;height:{height}px"
    return f'<section style="{box}"><h3>{escape(panel["title"])}</h3>{body}</section>'


def _markdown(text: str) -> str:
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text), flags=re.DOTALL)
    return re.sub(r"\[(.+?)\]\((.+?)\)", r"<u>\1</u>", bold)


Found = Sequence[tuple[Asked, list[dict[str, Any]]]]


def _lines(found: Found) -> list[Line]:
    lines = []
    for asked, answer in found:
        for each in answer:
            points = [(float(at), float(value)) for at, value in each["values"]]
            lines.append(Line(_called(asked.legend, each["metric"]), points))
    return lines


def _called(legend: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda label: labels.get(label[1], ""), legend).strip()


def _chart(panel: Mapping[str, Any], found: Found, size: tuple[int, int], moment: Moment) -> str:
    field = panel["fieldConfig"]["defaults"]
    lines = _lines(found)
    is_stacked = field["custom"]["stacking"]["mode"] == "normal"
    drawn = _stacked(lines) if is_stacked else [(line, [0.0] * len(line.points)) for line in lines]
    tops = [value for line, _ in drawn for _, value in line.points if math.isfinite(value)]
    most = field.get("max") or _round_up(max([0, *tops]) * 1.05, field["unit"])
    width, height = size[0], size[1] - 32
    frame = (58, 6, width - 12, height - 20)

    def at(when: float, value: float) -> str:
        x = frame[0] + (when - moment.since) / (moment.until - moment.since) * (frame[2] - frame[0])
        return f"{x:.1f},{frame[3] - min(value, most) / most * (frame[3] - frame[1]):.1f}"

    parts = [_axes(frame, most, field["unit"], moment)]
    for place, (line, base) in enumerate(drawn):
        colour = PALETTE[place % len(PALETTE)]
        for piece in _pieces(line.points, base):
            top = " ".join(at(when, value) for when, value, _ in piece)
            below = " ".join(at(when, low) for when, _, low in reversed(piece))
            parts.append(f'<polygon points="{top} {below}" fill="{colour}" opacity="{0.35 if is_stacked else 0.06}"/>')
            parts.append(f'<polyline points="{top}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
    if field["custom"]["thresholdsStyle"]["mode"] == "dashed":
        for step in field["thresholds"]["steps"][1:]:
            if step["value"] <= most:
                ends = f"{at(moment.since, step['value'])} {at(moment.until, step['value'])}"
                stroke = f'stroke="{COLOURS[step["color"]]}" stroke-dasharray="6 5"'
                parts.append(f'<polyline points="{ends}" {stroke} opacity="0.8"/>')
    names = "".join(
        f'<span><i style="background:{PALETTE[place % len(PALETTE)]}"></i>{escape(line.name)}</span>'
        for place, line in enumerate(lines)
    )
    return f'<svg width="{width}" height="{height}">{"".join(parts)}</svg><div class=legend>{names}</div>'


def _stacked(lines: Sequence[Line]) -> list[tuple[Line, list[float]]]:
    heights: dict[float, float] = {}
    found = []
    for line in lines:
        base = [heights.get(when, 0.0) for when, _ in line.points]
        for when, value in line.points:
            heights[when] = heights.get(when, 0.0) + (value if math.isfinite(value) else 0.0)
        found.append((Line(line.name, [(when, heights[when]) for when, _ in line.points]), base))
    return found


def _pieces(points: Sequence[tuple[float, float]], base: Sequence[float]) -> list[list[tuple[float, float, float]]]:
    """Runs without gaps: where nothing is known, nothing is drawn."""
    pieces: list[list[tuple[float, float, float]]] = [[]]
    for (when, value), low in zip(points, base, strict=True):
        if math.isfinite(value):
            pieces[-1].append((when, value, low))
        else:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _axes(frame: tuple[int, int, int, int], most: float, unit: str, moment: Moment) -> str:
    left, top, right, bottom = frame
    parts = []
    for part in range(5):
        y = bottom - part / 4 * (bottom - top)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#2a2e33"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 3:.1f}" text-anchor="end">{written(most * part / 4, unit)}</text>')
        when = moment.since + part / 4 * (moment.until - moment.since)
        clock = dt.datetime.fromtimestamp(when, dt.UTC).strftime("%H:%M:%S")
        x = left + part / 4 * (right - left)
        anchor = ("start", "middle", "middle", "middle", "end")[part]
        parts.append(f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="{anchor}">{clock}</text>')
    return "".join(parts)


def _round_up(value: float, unit: str) -> float:
    """The end of an axis: its quarters are figures that can be read."""
    if value == 0:
        return 1.0
    if unit == "s" and value > 120:
        return math.ceil(value / 240) * 240
    scale = 10 ** math.floor(math.log10(value))
    return float(next(step * scale for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * scale >= value))


def _figure(panel: Mapping[str, Any], found: Found, size: tuple[int, int], moment: Moment) -> str:
    field = panel["fieldConfig"]["defaults"]
    values = [float(each["value"][1]) for _, answer in found for each in answer]
    if not values or not math.isfinite(values[0]):
        text, colour = field["noValue"], COLOURS["text"]
    else:
        text = written(values[0], field["unit"], field.get("decimals"))
        reached = [step for step in field["thresholds"]["steps"] if step["value"] is None or values[0] >= step["value"]]
        colour = COLOURS[reached[-1]["color"]]
    pixels = min(size[1] * 0.5, size[0] * 1.6 / max(4, len(text)))
    box = f"height:{size[1] - 14}px;color:{colour};font-size:{pixels:.0f}px"
    return f'<div class=figure style="{box}">{escape(text)}</div>'


def _table(panel: Mapping[str, Any], found: Found, size: tuple[int, int], moment: Moment) -> str:
    answer = [each for _, answer in found for each in answer]
    if not answer:
        return f'<div class=figure style="height:{size[1] - 14}px">{panel["fieldConfig"]["defaults"]["noValue"]}</div>'
    labels = sorted({label for each in answer for label in each["metric"]})
    head = "".join(f"<th>{escape(label)}</th>" for label in [*labels, "Value"])
    unit, decimals = panel["fieldConfig"]["defaults"]["unit"], panel["fieldConfig"]["defaults"].get("decimals")
    rows = [
        "".join(f"<td>{escape(each['metric'].get(label, ''))}</td>" for label in labels)
        + f"<td>{written(float(each['value'][1]), unit, decimals)}</td>"
        for each in answer
    ]
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _states(panel: Mapping[str, Any], found: Found, size: tuple[int, int], moment: Moment) -> str:
    told = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    lines, label = _lines(found), 96
    band = (size[1] - 10) / max(1, len(lines))
    step = (size[0] - label - 12) * moment.step_seconds / (moment.until - moment.since)
    parts = []
    for place, line in enumerate(lines):
        y = place * band
        parts.append(f'<text x="{label - 8}" y="{y + band / 2 + 3:.1f}" text-anchor="end">{escape(line.name)}</text>')
        for when, value in line.points:
            colour = COLOURS[told[f"{value:g}"]["color"]]
            x = label + (when - moment.since) / moment.step_seconds * step
            box = f'x="{x:.1f}" y="{y + 1:.1f}" width="{step + 0.5:.1f}" height="{band - 2:.1f}"'
            parts.append(f'<rect {box} fill="{colour}" opacity="0.7"/>')
    return f'<svg width="{size[0]}" height="{size[1]}">{"".join(parts)}</svg>'


_BODIES: Mapping[str, Callable[[Mapping[str, Any], Found, tuple[int, int], Moment], str]] = {
    "timeseries": _chart, "stat": _figure, "table": _table, "state-timeline": _states,
}  # fmt: skip


def written(value: float, unit: str, decimals: int | None = None) -> str:
    """A value in its unit, about as Grafana writes it."""
    if unit == "dateTimeAsIso":
        return dt.datetime.fromtimestamp(value / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        small = next(((name, size) for name, size in (("µs", 1e-6), ("ms", 1e-3)) if 0 < value < size * 1000), None)
        name, size = small or (("min", 60) if value >= 120 else ("s", 1))
        return f"{value / size:.3g} {name}"
    powers = {"bytes": (1024, ("B", "KiB", "MiB", "GiB"))}.get(unit, (1000, ("", "K", "M", "G")))
    power = min(3, int(math.log(abs(value), powers[0]))) if abs(value) >= powers[0] else 0
    digits = "{:.3g}" if decimals is None or power else f"{{:.{decimals}f}}"
    text = f"{digits.format(value / powers[0] ** power)} {powers[1][power]}".strip()
    return f"{text}/min" if unit == "cpm" else text
