"""The story of a SKU: its images, their events, each event's moments in order, and a sentence about how it stands.

Comes in: events with all their moments, the manifests. Goes out: a `Story`. Pure.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from stream.explain import wording
from stream.explain.jobs import Job
from stream.explain.moments import Event, Moment, What, origin_text

ENDS = {What.COMPLETED, What.SUPERSEDED, What.LETTER}


class State(StrEnum):
    """How an event stands."""

    COMPLETED = "completed"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    DISCARDED = "discarded"
    WAITING = "waiting"
    """For a delayed retry."""
    IN_PROGRESS = "in-progress"


@dataclass(frozen=True, slots=True)
class EventStory:
    """One event. `attempts`: walks that ended badly, and the one after them; `credits`: of the jobs it paid."""

    event: Event
    moments: tuple[Moment, ...]
    state: State
    attempts: int
    replays: int
    credits: Decimal
    credits_in_doubt: Decimal
    is_at_most: bool
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the shop sees: the manifest's event, since when, and its URLs by asset."""

    origin: str
    since_ms: int
    urls: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ImageStory:
    """One image, its events oldest first; `summary` is about the latest that counts."""

    image_id: str
    events: tuple[EventStory, ...]
    shown: Shown | None
    summary: str


@dataclass(frozen=True, slots=True)
class Story:
    """Everything told of one SKU."""

    sku_id: str
    images: tuple[ImageStory, ...]
    warnings: tuple[str, ...] = ()


def story_of(
    sku_id: str, events: Collection[Event], jobs: Iterable[Job], shown: Mapping[str, Shown], warnings: Sequence[str]
) -> Story:
    """The events in order, by image."""
    jobs_by_key = {job.record.key: job for job in jobs}
    by_image: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda each: (each.begun_ms, origin_text(each.origin))):
        by_image.setdefault(event.image_id, []).append(event)
    images = []
    for image_id in sorted(by_image.keys() | shown.keys()):
        told = tuple(_event_story(event, jobs_by_key) for event in by_image.get(image_id, ()))
        images.append(ImageStory(image_id, told, shown.get(image_id), _image_summary(sku_id, image_id, told)))
    return Story(sku_id, tuple(images), tuple(dict.fromkeys(warnings)))


def _event_story(event: Event, jobs: Mapping[str, Job]) -> EventStory:
    moments = tuple(event.all_moments())
    failures = {(moment.replay, moment.facts.get("stage")) for moment in moments if moment.what is What.LETTER}
    postponed = {
        (moment.replay, moment.facts.get("postponed")) for moment in moments if moment.what is What.POSTPONED
    }  # fmt: skip
    replays = {moment.replay for moment in moments if moment.what is What.RE_ENTERED}
    replays |= {moment.replay for moment in moments if moment.what in ENDS and moment.replay}
    state, latest = _state(moments)
    attempts = len(failures) + len(postponed) + (state not in {State.FAILED, State.DISCARDED})
    paid = [jobs[key] for key in event.paid if key in jobs]
    bill = sum((job.credits for job in paid), start=Decimal(0))
    told = EventStory(
        event, moments, state, max(1, attempts), len(replays), bill, _in_doubt(state, moments),
        # Whether failed jobs are charged in the end, no answer tells (docs/money.md).
        is_at_most=any(job.record.failed_credits > 0 for job in paid),
    )  # fmt: skip
    return replace(told, summary=_sentence(told, latest))


def _in_doubt(state: State, moments: Sequence[Moment]) -> Decimal:
    """What a lost submit may have cost, while nobody has resolved it."""
    if state not in {State.FAILED, State.DISCARDED}:
        return Decimal(0)
    letter = max((each for each in moments if each.what is What.LETTER), key=lambda each: (each.replay, each.order))
    return Decimal(letter.facts["credits_in_doubt"])


def _state(moments: Sequence[Moment]) -> tuple[State, Moment | None]:
    """How it stands, and the moment that says so: the end of the highest replay, unless it was put back since."""
    end = max((each for each in moments if each.what in ENDS), key=lambda each: (each.replay, each.order), default=None)
    put_back = max((each.replay for each in moments if each.what in {What.RE_ENTERED, What.REPLAYED}), default=0)
    if end is None or put_back > end.replay:
        latest = next((each for each in reversed(moments) if each.what in _UNDER_WAY), None)
        return (State.WAITING if latest and latest.what is What.POSTPONED else State.IN_PROGRESS), latest
    if end.what is not What.LETTER:
        return (State.COMPLETED if end.what is What.COMPLETED else State.SUPERSEDED), end
    discarded = next((each for each in moments if each.what is What.DISCARDED and _is_of(each, end)), None)
    return (State.DISCARDED, discarded) if discarded else (State.FAILED, end)


_UNDER_WAY = {What.RECEIVED, What.HANDED_ON, What.POSTPONED, What.RE_ENTERED}


def _is_of(mark: Moment, letter: Moment) -> bool:
    return mark.facts.get("letter") == letter.facts.get("letter")


def _sentence(told: EventStory, latest: Moment | None) -> str:
    parts = [_standing(told, latest) + _tries(told)]
    parts.append(("at most " if told.is_at_most else "") + wording.amount(told.credits))
    if told.credits_in_doubt:
        parts.append(f"{wording.amount(told.credits_in_doubt)} in doubt")
    return ", ".join(parts)


def _standing(told: EventStory, latest: Moment | None) -> str:
    facts = latest.facts if latest is not None else {}
    match told.state:
        case State.FAILED:
            return wording.clean(f"failed in {facts['stage']} ({facts['reason']})")
        case State.DISCARDED:
            return wording.clean(f"failed, and discarded by {facts['by']}")
        case State.WAITING:
            return f"waits until {wording.time_of(facts['due_ms'])} UTC"
        case State.SUPERSEDED:
            by = facts.get("superseded_by")
            return f"superseded by {by}" if by else "superseded"
        case State.IN_PROGRESS:
            stage = facts.get("stage")
            return f"in progress at {stage}" if stage else "in progress"
        case _:
            return told.state.value


def _tries(told: EventStory) -> str:
    replays = [] if not told.replays else ["one replay" if told.replays == 1 else f"{told.replays} replays"]
    if told.state in {State.WAITING, State.IN_PROGRESS}:
        under_way = [f"attempt {told.attempts}"] if told.attempts > 1 else []
        return f" ({', '.join(under_way + replays)})" if under_way or replays else ""
    over = [f"{told.attempts} attempts"] if told.attempts > 1 else []
    return f" after {' and '.join(over + replays)}" if over or replays else ""


def _image_summary(sku_id: str, image_id: str, events: Sequence[EventStory]) -> str:
    """About the latest event that no other one superseded; how many others there are, and what all of them cost."""
    if not events:
        return wording.clean(f"{sku_id} {image_id}: no topic holds a record of it any more; its manifest stands")
    counting = [event for event in events if event.state is not State.SUPERSEDED] or list(events)
    text = f"{sku_id} {image_id}: {counting[-1].summary}"
    others = len(events) - 1
    if others:
        total = sum((event.credits for event in events), start=Decimal(0))
        text += f"; {others} other event{'s' if others > 1 else ''}, {wording.amount(total)} in all"
    return wording.clean(text)
