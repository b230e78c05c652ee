"""How many workers would be of use: what the lag needs, within what the contract can keep busy.

Comes in: each stage's lag by partition, this process's share of the contract, and whether more hands could help.
Goes out: this process's part of a sum over the fleet. Lag alone would add workers that only wait for the same quota,
and each of them is a rebalance: docs/decisions/0031-useful-replicas.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stream.metrics.port import Recorder
from stream.pipeline import Pipeline
from stream.quota.port import Quota
from stream.runtime.environment import Environment
from stream.runtime.process import Crew
from stream.topics import Topics

DRAIN_SECONDS = 900.0
"""A backlog should be worked off within it: the age that freshness allows a live event."""
REQUESTS_PER_JOB = 3
"""A submit and two polls, as `skustream cost` reckons."""
LOCAL_SECONDS = 0.5
"""CPU of a stage that buys nothing, per event, roughly: thumbnails of a large photo."""
HOLD_SECONDS = 600.0
"""So long after a 429 nobody is added: the account has nothing left to share."""


@dataclass(frozen=True, slots=True)
class Share:
    """This process may send `requests` of the contract's `contract_requests` in `window_seconds`."""

    requests: int
    contract_requests: int
    window_seconds: float

    @property
    def workers(self) -> int:
        """Workers with a share like this one that the contract can keep busy."""
        return max(1, self.contract_requests // self.requests)

    def event_seconds(self, bought: int, local: int) -> float:
        """How long one event occupies such a worker, with so many stages that buy, and that do not, ahead of it."""
        return bought * REQUESTS_PER_JOB * self.window_seconds / self.requests + local * LOCAL_SECONDS


def useful(lags: Iterable[int], event_seconds: float, most: float) -> float:
    """Workers of use for partitions with `lags`, as a fraction: at most one for each partition, and `most` in all.

    Sums of these over a fleet, cut at the number of shares, are what one that saw every partition would say.
    """
    return min(sum(min(1.0, lag * event_seconds / DRAIN_SECONDS) for lag in lags), most)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A crew, the topics that count (who waits in a retry topic is not due), and what an event of it takes."""

    crew: Crew
    topics: frozenset[str]
    event_seconds: float


class Replicas:
    """Told to the recorder by `report`, on the loop."""

    def __init__(
        self,
        crews: Sequence[Crew],
        pipeline: Pipeline,
        topics: Topics,
        share: Share,
        *,
        environment: Environment,
        quota: Quota,
        recorder: Recorder,
    ) -> None:
        """`crews`: those of this process. What one of them forwards, a later one works on."""
        crews = sorted(crews, key=lambda crew: pipeline.index(crew.stage))
        local = [pipeline.stages[pipeline.index(crew.stage)].local for crew in crews]
        self._watched = [
            _Watched(
                crew,
                frozenset(pipeline.input_topics(crew.stage, topics)),
                share.event_seconds(local[at:].count(False), local[at:].count(True)),
            )
            for at, crew in enumerate(crews)
        ]
        self._buys = not all(local)
        self._share = share
        self._environment = environment
        self._quota = quota
        self._recorder = recorder

    def report(self) -> None:
        """Tell each stage's part as of now. Where more workers could not work either, nobody but us is of use."""
        throttled = self._buys and self._quota.seconds_since_throttle() < HOLD_SECONDS
        held = throttled or self._environment.is_paused()
        for watched in self._watched:
            lags = [lag for at, lag in watched.crew.station.lags.items() if at.topic in watched.topics]
            is_stopped = held or bool(watched.crew.worker.reasons())
            most = 1 / len(self._watched) if is_stopped else self._share.workers
            self._recorder.useful_replicas(watched.crew.stage, useful(lags, watched.event_seconds, most))
