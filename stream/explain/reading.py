"""Reading the topics for one SKU: all of them once, from a time on, and then the marks of the letters found.

Comes in: librdkafka options, a search. Goes out: the search, filled; what a person should know about the reading.
Blocking; nothing is committed and no group is joined. Raises `Unavailable(broker)` when Kafka does not answer.
"""

from collections.abc import Callable, Mapping
from typing import Any

from stream.broker.scan import Scanner
from stream.core.errors import Misconfigured
from stream.explain import wording
from stream.explain.gathering import MAX_EVENTS
from stream.explain.moments import Moment, What, place_of
from stream.explain.search import Search
from stream.letters.finding import LITTLE_MEMORY
from stream.pipeline import Pipeline
from stream.replays.book import letter_of, take_marks
from stream.replays.marks import Fate, Mark, Marks
from stream.topics import Topics

Progress = Callable[[int, int], None]


def read_topics(
    client: Mapping[str, Any], search: Search, topics: Topics, pipeline: Pipeline, *,
    since_ms: int | None = None, on_progress: Progress | None = None,
) -> list[str]:  # fmt: skip
    """Fill `search`; returns warnings. Raises `Misconfigured` where none of the topics exists."""
    names = (
        *topics.entries(), *pipeline.topics_between(topics), *topics.retries(), topics.completed, topics.dead_letter,
    )  # fmt: skip
    with Scanner({**client, **LITTLE_MEMORY}) as scanner:
        spans = scanner.spans(names)
        missing = sorted(set(names) - {partition.topic for partition in spans} - set(topics.retries()))
        if not spans:
            raise Misconfigured(
                f"there is no topic {missing[0]}, nor any other: skustream topics create, or another prefix"
            )
        warnings = [f"there is no topic {', '.join(missing)}: what it held is not told"] if missing else []
        if since_ms is not None and not scanner.knows_times(spans):
            warnings.append("this broker cannot find records by time: all topics were read from their beginning")
        lows = {partition: span.low for partition, span in spans.items()}
        scanner.begin(lows if since_ms is None else scanner.since(spans, since_ms))
        for records in scanner.read(on_progress):
            for record in records:
                search.look(record)
    _read_marks(client, search, topics.replays)
    if not search.gathered.is_complete:
        warnings.append(f"more than {MAX_EVENTS:,} events: earlier ones are left out")
    return warnings


def _read_marks(client: Mapping[str, Any], search: Search, topic: str) -> None:
    """What people decided about the letters found."""
    events = {letter: event for event in search.gathered.events.values() for letter in event.letters}
    if not events:
        return
    with Scanner({**client, **LITTLE_MEMORY}) as scanner:
        scanner.begin({partition: span.low for partition, span in scanner.spans([topic]).items()})
        for records in scanner.read():
            for record in records:
                letter = letter_of(record.key)
                if letter is None or str(letter) not in events:
                    continue
                marks = Marks()
                take_marks(marks, [record])
                if (mark := marks.of(letter, events[str(letter)].letters[str(letter)])) is not None:
                    where = place_of(record.topic, record.partition, record.offset)
                    events[str(letter)].moments.append(_marked(mark, where))


def _marked(mark: Mark, where: str) -> Moment:
    what = What.REPLAYED if mark.fate is Fate.REPLAYED else What.DISCARDED
    facts = {
        "letter": str(mark.letter), "by": wording.clean(mark.by), "why": wording.clean(mark.why),
        "filter": wording.clean(mark.filter), "plan_id": mark.plan_id, "stage": mark.stage,
    }  # fmt: skip
    return Moment(mark.at_ms, what, wording.mark(mark), where, facts, mark.replay)
