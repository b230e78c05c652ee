"""What one event went through: the tries of this walk, and those before its delays. It travels with the event.

Comes in: the note of a retry record, or nothing, and every try that fails. Goes out: the counts and the history that
letters and further notes carry.
"""

from dataclasses import dataclass

from stream.core.clock import Clock
from stream.retries import Attempt, RetryNote, lengthened
from stream.runtime.verdict import DeadLetter, Postpone


@dataclass(slots=True)
class Past:
    """One event's, so far. `attempts` counts every try that failed, `history` remembers some of them."""

    note: RetryNote | None = None
    """What the retry record said of itself, where the event came from a retry topic."""
    attempts: int = 0
    history: tuple[Attempt, ...] = ()

    @classmethod
    def of(cls, note: RetryNote | None) -> "Past":
        """The past of an event that just arrived."""
        return cls() if note is None else cls(note, note.attempts, note.history)

    @property
    def postponed(self) -> int:
        """Delayed retries so far."""
        return 0 if self.note is None else self.note.postponed

    def failed(self, clock: Clock, word: str, cause: str) -> None:
        """One more try failed, just now. The time of day is told, and decides nothing."""
        self.attempts += 1
        self.history = lengthened(self.history, Attempt(int(clock.wall() * 1000), word, cause))


class GivenUp(Exception):
    """The walk ends here: in a letter, or in a retry topic."""

    def __init__(self, verdict: DeadLetter | Postpone, past: Past) -> None:
        """`past`: the last try included."""
        self.verdict = verdict
        self.past = past
        super().__init__(self.letter.error)

    @property
    def letter(self) -> DeadLetter:
        """What its letter says, now or after the last delay."""
        return self.verdict.letter if isinstance(self.verdict, Postpone) else self.verdict
