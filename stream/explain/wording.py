"""The words of the timeline: one sentence for each moment. Whatever came from outside is cut, printable, and masked.

Comes in: what was read. Goes out: text for a terminal; no colours, no secrets.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from stream.core.reasons import CARDS, Replay
from stream.explain.moments import origin_text
from stream.ledger.port import JobRecord, LedgerState
from stream.letters.letter import Letter
from stream.letters.masking import masked, printable
from stream.records import Asset, StageRecord, Status, Terminal
from stream.replays.marks import Fate, Mark
from stream.retries import Attempt, RetryNote
from stream.traceparent import trace_id

MAX_CHARACTERS = 300
MAX_AMOUNT_CHARACTERS = 40
MAX_MAGNITUDE = 15
"""As a power of ten."""
_REPLAY_HELPS = {
    Replay.USEFUL: "a replay helps", Replay.AFTER_A_CHANGE: "a replay helps after a change",
    Replay.USELESS: "a replay does not help", Replay.BY_DECISION: "a replay needs a decision (--buy-again)",
}  # fmt: skip


def clean(text: str) -> str:
    """For a terminal and a page."""
    return printable(masked(text[: 4 * MAX_CHARACTERS]), MAX_CHARACTERS)


def time_of(at_ms: float) -> str:
    """UTC, to the millisecond."""
    try:
        return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    except (ValueError, OverflowError, OSError):
        return f"{at_ms:.0f} ms"


def amount(number: Decimal) -> str:
    """Credits, without zeros behind. A figure that nobody ever paid is not written out: it may have gigabytes."""
    sane = abs(number.adjusted()) < MAX_MAGNITUDE
    text = f"{number.normalize():f}" if sane else str(number)
    return f"{text[:MAX_AMOUNT_CHARACTERS]} credit{'' if number == 1 else 's'}"


def received(read: StageRecord) -> str:
    """An event at the door."""
    event = read.event
    place = f", {read.place.kind} {read.place.value}" if event.sequence is not None else ""
    return clean(f"{read.priority} event{place}: {event.raw_url}")


def postponed(note: RetryNote) -> str:
    """A delayed retry."""
    last = f": {note.history[-1].word}: {note.history[-1].cause}" if note.history else ""
    return clean(f"{note.stage} tries again at {time_of(note.due_ms)[11:19]} ({_times(note.attempts)} so far){last}")


def re_entered(note: RetryNote) -> str:
    """A replay's record."""
    decided = ", to buy again what is ambiguous" if note.buy_again is not None else ""
    return clean(f"at {note.stage} as replay {note.replay}{decided}")


def letter(told: Letter) -> str:
    """Why it failed, and whether a replay helps."""
    card = next((card for reason, card in CARDS.items() if reason.value == told.reason), None)
    helps = f" ({_REPLAY_HELPS[card.replay]})" if card else ""
    trace = trace_id(told.headers)
    return f"{clean(f'{told.stage}: {told.reason}: {told.error}')}{helps}{f', trace {trace}' if trace else ''}"


def mark(told: Mark) -> str:
    """Who decided what about a letter, and why."""
    parts = [f"by {told.by}"]
    if told.fate is Fate.REPLAYED:
        parts.append(f"re-enters at {told.stage} as replay {told.replay}")
    parts += [f"{name} {text}" for name, text in (("plan", told.plan_id), ("filter", told.filter)) if text]
    return clean(", ".join(parts) + (f": {told.why}" if told.why else ""))


def ended(end: Terminal) -> str:
    """The one end."""
    if end.status is Status.SUPERSEDED:
        by = f"by {origin_text(end.superseded_by)}, " if end.superseded_by else ""
        return clean(f"{by}{amount(end.credits)}")
    return f"{len(end.assets)} assets, {amount(end.credits)}"


def claimed(record: JobRecord, stage: str) -> str:
    """An order about to be sent."""
    before = f", after {', '.join(record.failed_jobs)} failed" if record.failed_jobs and record.attempt > 1 else ""
    return clean(f"{stage}: attempt {record.attempt}{before}")


def accepted(record: JobRecord, stage: str) -> str:
    """PixelAPI took it."""
    return clean(f"{stage}: job {record.job_id or 'without an id (answered at once)'}")


def job(record: JobRecord, stage: str) -> str:
    """What became of it."""
    told = [f"{stage}: {record.state}"]
    if record.state is LedgerState.SETTLED:
        told += [f"{name} {picture(asset)}" for name, asset in record.assets.items()]
        told.append(amount(record.total_credits))
    elif record.state is LedgerState.FAILED:
        told.append(f"{', '.join(record.failed_jobs)}; {record.detail}")
    elif record.detail:
        told.append(record.detail)
    return clean(", ".join(told))


def made(record: JobRecord, stage: str) -> str:
    """Work of this machine."""
    assets = record.assets
    shown = picture(next(iter(assets.values()))) if len(assets) == 1 else f"{len(assets)} pictures"
    return clean(f"{stage}: {shown if record.state is LedgerState.SETTLED else record.state}")


def picture(asset: Asset) -> str:
    """Size and kind."""
    return f"{asset.width}x{asset.height} {asset.content_type}"


def clean_history(attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """The tries before, fit to be shown."""
    return tuple(Attempt(each.at_ms, clean(each.word), clean(each.cause)) for each in attempts)


def history(attempts: Iterable[Attempt]) -> list[dict[str, object]]:
    """For machines."""
    return [asdict(each) for each in clean_history(attempts)]


def note_facts(note: RetryNote) -> dict[str, Any]:
    """A retry record for machines."""
    return {
        "stage": note.stage, "due_ms": note.due_ms, "replay": note.replay, "attempts": note.attempts,
        "postponed": note.postponed, "history": history(note.history), "buys_again": note.buy_again is not None,
    }  # fmt: skip


def letter_facts(letter: Letter) -> dict[str, Any]:
    """A letter for machines."""
    return {
        "letter": str(letter.at), "dialect": letter.dialect.value, "stage": letter.stage, "reason": letter.reason,
        "error": clean(letter.error), "attempts": letter.attempts, "replay": letter.replay,
        "job_key": letter.job_key, "job_ids": list(letter.job_ids), "credits": str(letter.credits),
        "credits_in_doubt": str(letter.credits_in_doubt), "history": history(letter.history),
        "trace_id": trace_id(letter.headers),
    }  # fmt: skip


def _times(number: int) -> str:
    return {0: "not tried", 1: "tried once"}.get(number, f"tried {number} times")
