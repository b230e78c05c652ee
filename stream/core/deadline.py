"""One shared deadline for a clean-up of many steps, so that ten bounded waits do not add up to ten bounds."""

from dataclasses import dataclass

from stream.core.clock import Clock


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock after which waiting is over."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> "Deadline":
        """The deadline `seconds` from now."""
        return cls(clock, clock.monotonic() + seconds)

    def remaining_seconds(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - self.clock.monotonic())

    @property
    def passed(self) -> bool:
        """Whether nothing is left."""
        return self.remaining_seconds() <= 0
