"""Letters by their names, and what their origins still tell. Blocking; one scanner for each question.

Comes in: ids, or letters. Goes out: the letters that lie there; the record times of origins that are still kept.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from stream.broker.port import InRecord, Partition
from stream.broker.scan import Scanner
from stream.events import Origin
from stream.letters.dialects import read_letter
from stream.letters.letter import Letter, LetterId

Progress = Callable[[int, int], None]
LITTLE_MEMORY = {"queued.max.messages.kbytes": 8_192, "fetch.message.max.bytes": 1_048_576}


def letters_at(
    client: Mapping[str, Any], ids: Collection[LetterId], on_progress: Progress | None = None
) -> Iterator[Letter]:
    """Those of `ids` that lie there still, partition by partition. Raises `Unavailable(broker)`."""
    places = {(Partition(each.topic, each.partition), each.offset) for each in ids}
    for record in _records_at(client, places, on_progress):
        yield read_letter(record)


def times_of(client: Mapping[str, Any], origins: Collection[Origin]) -> dict[Origin, int]:
    """The record times (Unix ms) of those origins whose records are still kept. Raises `Unavailable(broker)`."""
    if not origins:
        return {}
    places = {(Partition(each.topic, each.partition), each.offset) for each in origins}
    found = {
        (Partition(record.topic, record.partition), record.offset): record.timestamp_ms
        for record in _records_at(client, places, None)
    }
    times = {each: found.get((Partition(each.topic, each.partition), each.offset), 0) for each in origins}
    return {origin: time_ms for origin, time_ms in times.items() if time_ms > 0}


def _records_at(
    client: Mapping[str, Any], places: Collection[tuple[Partition, int]], on_progress: Progress | None
) -> Iterator[InRecord]:
    """Read each partition once, from the first wanted offset to the last."""
    wanted: dict[Partition, set[int]] = {}
    for partition, offset in places:
        wanted.setdefault(partition, set()).add(offset)
    with Scanner({**client, **LITTLE_MEMORY}) as scanner:
        spans = scanner.spans({partition.topic for partition in wanted})
        starts = {}
        for partition, offsets in wanted.items():
            span = spans.get(partition)
            kept = [offset for offset in offsets if span is not None and span.low <= offset < span.high]
            if kept:
                starts[partition] = min(kept)
        ends = {partition: max(wanted[partition]) for partition in starts}
        scanner.begin(starts)
        for records in scanner.read(on_progress):
            for record in records:
                partition = Partition(record.topic, record.partition)
                if record.offset in wanted[partition]:
                    yield record
                if record.offset >= ends.get(partition, record.offset):
                    ends.pop(partition, None)
            if not ends:
                return
