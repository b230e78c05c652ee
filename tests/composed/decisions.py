"""What people decided about letters, as it was left behind: marks, what went back with them, what may be bought again.

Imports nothing from `stream`: names of topics and headers are the contract's.
"""

import json
from collections import Counter
from typing import Any

from tests.composed.evidence import Coordinates, Evidence, Record

Returned = tuple[str, int, int, int, int]
"""Origin topic, partition, offset, index; replay number."""


class Decisions:
    """All of them, by what the topics `replays` and `retry.now` hold."""

    def __init__(self, evidence: Evidence) -> None:
        self._marks = [record.json() for record in evidence.records.get("replays", []) if record.value is not None]
        self._back = evidence.records.get("retry.now", [])
        self.replayed: set[Coordinates] = {
            (mark["topic"], mark["partition"], mark["offset"]) for mark in self._marks if mark["fate"] == "replayed"
        }
        """Letters whose event went back: its next end stands over them."""

    def problems(self, ends: Counter[Returned]) -> list[str]:
        """Each replay went back in one record, and came to one end; nothing went back without a mark."""
        marked = Counter(
            _returned(mark["origin"], mark["replay"]) for mark in self._marks if mark["fate"] == "replayed"
        )
        back = Counter(_told(record) for record in self._back)
        found = [f"L1: {count} marks of {each}" for each, count in marked.items() if count > 1]
        found += [f"L1: {count} records of the replay {each}" for each, count in back.items() if count > 1]
        found += [f"L1: went back without a mark: {each}" for each in back.keys() - marked.keys()]
        found += [f"L1: marked, and nothing went back: {each}" for each in marked.keys() - back.keys()]
        return found + [f"L1: {ends[each]} ends of the replay {each}" for each in marked if ends[each] != 1]

    def bought_again(self) -> Counter[tuple[str, str]]:
        """By SKU and image: how many jobs in doubt may be bought once more."""
        return Counter(_image(record) for record in self._back if "skustream.buy-again" in record.headers)


def _returned(origin: dict[str, Any], replay: int) -> Returned:
    return (origin["topic"], origin["partition"], origin["offset"], origin["index"], replay)


def _told(record: Record) -> Returned:
    told = {name.removeprefix("skustream."): value for name, value in record.headers.items()}
    numbers = (int(told[f"origin.{name}"]) for name in ("partition", "offset", "index"))
    partition, offset, index = numbers
    return told["origin.topic"], partition, offset, index, int(told["replay"])


def _image(record: Record) -> tuple[str, str]:
    fields = record.json()
    event = json.loads(fields["raw"]) if "raw" in fields else fields
    return event["sku_id"], event.get("image_id", "main")
