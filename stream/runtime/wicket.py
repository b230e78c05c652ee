"""Two small habits of a station: a wicket beside the closed gate, and a rest between two short lives.

Comes in: the time. Goes out: whether one record may come in although intake is paused; how long to wait for a new link.
"""

from stream.core.clock import Clock

LET_IN_SECONDS = 10.0
OPEN_SECONDS = 3.0
SHORT_LIFE_SECONDS = 60.0
FIRST_REST_SECONDS = 0.5
LONGEST_REST_SECONDS = 30.0


class Wicket:
    """While intake is paused, one record comes in every ten seconds.

    Those who wait may all be the ones at fault (a picture that makes the provider stumble, a job of a closed account):
    only somebody new can find out that everybody else could go on.
    """

    def __init__(self, clock: Clock) -> None:
        """Closed."""
        self._clock = clock
        self._opens_at = float("-inf")
        self._closes_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether just one record is wanted."""
        return self._closes_at > 0

    def lets_in(self) -> bool:
        """Asked at every turn while intake is paused: whether lanes with room may be read now, for one record."""
        now = self._clock.monotonic()
        if self.is_open:
            if now >= self._closes_at:
                self._shut(now)
        elif now > self._opens_at + LET_IN_SECONDS:
            self._shut(now)  # nobody asked for long: a pause has just begun
        elif now >= self._opens_at:
            self._closes_at = now + OPEN_SECONDS
        return self.is_open

    def passed(self) -> None:
        """A record came in."""
        if self.is_open:
            self._shut(self._clock.monotonic())

    def _shut(self, now: float) -> None:
        self._closes_at = 0.0
        self._opens_at = now + LET_IN_SECONDS


class Lives:
    """How long a station rests before its next link: not at all after a long life, ever longer after short ones."""

    def __init__(self) -> None:
        """The first life is yet to come."""
        self._born = float("-inf")
        self._rest_seconds = 0.0

    def rest_seconds(self, now: float) -> float:
        """A life has ended at `now`; the next one begins after so many seconds."""
        if now - self._born > SHORT_LIFE_SECONDS:
            self._rest_seconds = 0.0
        else:
            self._rest_seconds = min(max(self._rest_seconds * 2, FIRST_REST_SECONDS), LONGEST_REST_SECONDS)
        self._born = now + self._rest_seconds
        return self._rest_seconds
