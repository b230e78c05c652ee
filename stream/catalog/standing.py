"""How a batch stands: its entries folded by image, and what a person asks about them. Pure.

Comes in: a `Book`, and what the note tells. Goes out: a `Standing`.
An image counts once, however often it was published: its latest event decides, and one that was superseded within the
batch gives way to the others (docs/decisions/0015).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cmp_to_key

from stream.catalog.book import Book, End, Entry, Fate, Image
from stream.catalog.notes import BatchNote
from stream.events import OrderKind, Origin, Place

RATE_WINDOW_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Failure:
    """One image whose latest event ended as a letter."""

    sku_id: str
    image_id: str
    reason: str
    error: str
    stage: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Counts of images. `total` = success + failed + superseded + in_progress + unsent."""

    batch_id: str
    total: int
    success: int
    failed: int
    in_progress: int
    superseded: int
    unsent: int
    """Noted by a submit, and not found in any topic: it was interrupted, or the topics forgot."""
    success_rate: float | None
    """Of the images that ended as success or failure; None before the first one."""
    credits: Decimal
    credits_in_doubt: Decimal
    """Submits whose answer was lost (`ambiguous-submit`): perhaps charged."""
    seconds_left: float | None
    """Until the last one ends, at the pace of the last minutes; 0 when all have, None while nobody can tell."""
    unreadable: int
    is_sending: bool
    """A submit has not told its end yet, and not all that it noted was found."""
    failures: Sequence[Failure]
    warnings: Sequence[str] = field(default_factory=tuple)

    @property
    def is_done(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.in_progress == 0 and not self.is_sending


def standing_of(
    book: Book, *, batch_id: str, note: BatchNote | None, now: float, warnings: Sequence[str] = ()
) -> Standing:
    """The batch as the book has it, and what its note promises, at `now` (Unix seconds)."""
    noted_images = note.images if note else 0
    by_image = _by_image(book)
    latest = {image: _deciding(entries) for image, entries in by_image.items()}
    counts = dict.fromkeys(Fate, 0)
    for entry in latest.values():
        if entry.end is not None:
            counts[entry.end.fate] += 1
    ended = sum(counts.values())
    unsent = max(0, noted_images - len(latest))
    arrived = sum(entry.arrived[0] for entry in book.entries.values())
    decided = counts[Fate.SUCCESS] + counts[Fate.FAILED]
    ends = [entry.end for entry in book.entries.values() if entry.end is not None]
    begun = None if book.first_arrival_ms is None else book.first_arrival_ms / 1000
    return Standing(
        batch_id=batch_id,
        total=max(len(latest), noted_images),
        success=counts[Fate.SUCCESS],
        failed=counts[Fate.FAILED],
        in_progress=len(latest) - ended,
        superseded=counts[Fate.SUPERSEDED],
        unsent=unsent,
        success_rate=counts[Fate.SUCCESS] / decided if decided else None,
        credits=_credits(latest, by_image),
        credits_in_doubt=sum((end.credits_in_doubt for end in ends), start=Decimal(0)),
        seconds_left=seconds_left(len(latest) - ended, (end.timestamp_ms / 1000 for end in ends), begun=begun, now=now),
        unreadable=book.unreadable,
        is_sending=note is not None and note.is_sending and (unsent > 0 or arrived < note.noted_events),
        failures=sorted((_failure(entry, entry.end) for entry in latest.values() if _has_failed(entry)), key=_by_name),
        warnings=warnings,
    )


def seconds_left(waiting: int, ended: Iterable[float], *, begun: float | None, now: float) -> float | None:
    """How long `waiting` more take at the pace of the last five minutes, or since the batch began if that is later."""
    if waiting == 0:
        return 0.0
    times = list(ended)
    now = max([now, *times])
    since = max(now - RATE_WINDOW_SECONDS, begun if begun is not None else min(times, default=now))
    recent = sum(time >= since for time in times)
    return waiting * max(1.0, now - since) / recent if recent else None


def latest_of(book: Book) -> list[Entry]:
    """The entry that speaks for each image, by SKU and image."""
    return [_deciding(entries) for _, entries in sorted(_by_image(book).items())]


def _by_image(book: Book) -> dict[Image, list[Entry]]:
    by_image: dict[Image, list[Entry]] = {}
    for entry in book.entries.values():
        by_image.setdefault(entry.image, []).append(entry)
    return by_image


def _deciding(entries: Sequence[Entry]) -> Entry:
    """The entry that speaks for its image: the last to arrive of those not superseded, if there is one."""
    standing = [entry for entry in entries if entry.end is None or entry.end.fate is not Fate.SUPERSEDED]
    candidates = standing or entries
    return candidates[0] if len(candidates) == 1 else max(candidates, key=cmp_to_key(_compare_arrival))


def _compare_arrival(mine: Entry, other: Entry) -> int:
    """As the workers compare (L5): within a partition its offsets decide, whatever clocks the producers had."""
    if mine.arrived[0] and other.arrived[0]:
        return _place(mine).compare_arrival(_place(other))
    return (mine.arrived > other.arrived) - (mine.arrived < other.arrived)


def _place(entry: Entry) -> Place:
    topic, partition, offset, index = entry.origin
    origin = Origin(topic=topic, partition=partition, offset=offset, index=index)
    return Place(kind=OrderKind.OFFSET, value=offset, origin=origin, timestamp_ms=entry.arrived[1])


def _credits(latest: dict[Image, Entry], by_image: dict[Image, list[Entry]]) -> Decimal:
    """What the batch paid. A job that failed is told by every letter about it, and by the asset bought in the end."""
    paid, failed_jobs = Decimal(0), dict[str, Decimal]()
    for image, entries in by_image.items():
        deciding = latest[image].end
        succeeded = deciding is not None and deciding.fate is Fate.SUCCESS
        for end in (entry.end for entry in entries if entry.end is not None):
            paid += end.credits
            if not succeeded and end.job_credits:
                key = end.job_key or f"{image}"
                failed_jobs[key] = max(failed_jobs.get(key, Decimal(0)), end.job_credits)
    return paid + sum(failed_jobs.values(), start=Decimal(0))


def _has_failed(entry: Entry) -> bool:
    return entry.end is not None and entry.end.fate is Fate.FAILED


def _failure(entry: Entry, end: End | None) -> Failure:
    assert end is not None  # noqa: S101 - asked before
    sku_id, image_id = entry.image
    return Failure(sku_id, image_id, end.reason, end.error, end.stage, end.event_id)


def _by_name(failure: Failure) -> tuple[str, str]:
    return (failure.sku_id, failure.image_id)
