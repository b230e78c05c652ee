"""The book of marks: everything that people decided about letters, read from the compacted topic `replays`.

Comes in: a scanner. Goes out: `Marks`, as they stood when the reading began. Topic contents are hostile: what is no
mark, or speaks of another letter than its key, is counted and ignored.
"""

import re
from collections.abc import Callable, Iterable

from pydantic import ValidationError

from stream.broker.port import InRecord
from stream.broker.scan import Scanner
from stream.letters.letter import LetterId
from stream.replays.marks import Mark, Marks

MAX_MARK_BYTES = 32 * 1024
MAX_KEY_BYTES = 300
_NUMBER = "(0|[1-9][0-9]{0,18})"
_LETTER_ID = re.compile(rf"([a-zA-Z0-9._-]{{1,249}})/{_NUMBER}/{_NUMBER}")


def read_marks(scanner: Scanner, topic: str, on_progress: Callable[[int, int], None] | None = None) -> Marks:
    """Every committed mark of `topic` from its beginning to where it ends now; none where there is no such topic.

    The scanner reads `topic` alone here. Raises `Unavailable(broker)`.
    """
    scanner.begin({partition: span.low for partition, span in scanner.spans([topic]).items()})
    marks = Marks()
    for records in scanner.read(on_progress):
        take_marks(marks, records)
    return marks


def take_marks(marks: Marks, records: Iterable[InRecord]) -> None:
    """Note these records of the topic, in their order."""
    for record in records:
        letter = letter_of(record.key)
        if letter is None:
            marks.unreadable += 1
        elif record.value is None:
            marks.forget(letter)
        else:
            mark = _mark(record.value)
            if mark is None or mark.letter != letter:
                marks.unreadable += 1
            else:
                marks.add(mark)


def letter_of(key: bytes | None) -> LetterId | None:
    """The letter that a key names, `topic/partition/offset`; None where it names none."""
    if key is None or len(key) > MAX_KEY_BYTES:
        return None
    try:
        return parse_letter_id(key.decode())
    except ValueError:
        return None


def parse_letter_id(text: str) -> LetterId:
    """The reverse of `str(LetterId)`. Raises ValueError whose text is the expectation."""
    found = _LETTER_ID.fullmatch(text)
    if found is None or int(found[2]) >= 2**31 or int(found[3]) >= 2**63:
        raise ValueError("topic/partition/offset, e.g. product-images.dead-letter/0/17")
    return LetterId(found[1], int(found[2]), int(found[3]))


def _mark(value: bytes) -> Mark | None:
    if len(value) > MAX_MARK_BYTES:
        return None
    try:
        return Mark.model_validate_json(value)
    except ValidationError:
        return None
