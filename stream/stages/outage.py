"""When refusals stop being one event's bad luck: PixelAPI answers busy time after time (L8).

Comes in: submits that PixelAPI refused for a passing fault, and those it took. Goes out: whether this is an outage.
A single picture that makes PixelAPI stumble must not stop a fleet, so plain faults count only across several jobs.
"""

from stream.core.errors import Transient
from stream.pixelapi.port import Busy

BUSY_IN_A_ROW = 2
"""So many 503 one after the other, of whatever jobs: the provider says of itself that it cannot serve."""
JOBS_IN_A_ROW = 3
"""So many different jobs refused by any 5xx, and none taken in between."""


class Outage:
    """One per process; belongs to the loop."""

    def __init__(self) -> None:
        """All is well."""
        self._busy_in_a_row = 0
        self._jobs: set[str] = set()

    @property
    def lasts(self) -> bool:
        """Whether events should wait instead of spending attempts."""
        return self._busy_in_a_row >= BUSY_IN_A_ROW or len(self._jobs) >= JOBS_IN_A_ROW

    def refused(self, job_key: str, error: Transient) -> bool:
        """A submit was refused for a passing fault; whether that makes it an outage."""
        if error.free:
            return False
        self._jobs.add(job_key)
        self._busy_in_a_row = self._busy_in_a_row + 1 if isinstance(error, Busy) else 0
        return self.lasts

    def over(self) -> None:
        """An order was taken, or refused for its picture's sake."""
        self._busy_in_a_row = 0
        self._jobs.clear()
