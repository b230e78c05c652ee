"""Rows of one file about the same image: harmless repetition, an order they carry themselves, or a conflict.

Comes in: rows in the order of the file. Goes out: None, a `Duplicate`, or a `Complaint` that names the earlier line.
"""

import hashlib
from dataclasses import dataclass

from stream.catalog.rows import Complaint, Duplicate, Row
from stream.core.errors import shown
from stream.events import OrderKind, Origin, Place, RawEvent

NOWHERE = Origin(topic="", partition=0, offset=0)
"""Rows have no place in a topic yet."""


@dataclass(frozen=True, slots=True)
class _Seen:
    line: int
    digest: bytes


class Twins:
    """What was seen of every image: some 300 bytes per row."""

    def __init__(self) -> None:
        """Nothing seen."""
        self._kinds: dict[tuple[str, str], tuple[OrderKind, int]] = {}
        self._places: dict[tuple[str, str, int], _Seen] = {}

    def meet(self, row: Row, event: RawEvent) -> Duplicate | Complaint | None:
        """What this row (and the event in it) is to the earlier ones; None: a row of its own."""
        place = event.place(NOWHERE, 0)
        digest = hashlib.sha256(row.value).digest()
        kind, first_line = self._kinds.setdefault(row.image, (place.kind, row.line))
        seen = self._places.get((*row.image, place.value)) if kind is place.kind else None
        if seen is not None and seen.digest == digest:
            return Duplicate(row.line, seen.line)
        if seen is not None or kind is not place.kind:
            return _conflict(row, seen.line if seen else first_line, place, kind)
        self._places[(*row.image, place.value)] = _Seen(row.line, digest)
        return None


def _conflict(row: Row, earlier_line: int, place: Place, kind: OrderKind) -> Complaint:
    image = f"{shown(row.sku_id)} / {shown(row.image_id)}"
    if kind is not place.kind:
        expected = f"{kind} in both, or another image_id" if kind is not OrderKind.OFFSET else "the same order in both"
        why = f"{image} is ordered by {place.kind} here, but by {kind} in line {earlier_line}"
        return Complaint(row.line, str(place.kind), f"{why}; expected {expected}", expected)
    expected = "one row per image, another image_id, or a different sequence (or occurred_at) in each"
    why = f"{image} stands in line {earlier_line} with other content; which one would win is luck"
    return Complaint(row.line, "sku_id", f"{why}; expected {expected}", expected)
