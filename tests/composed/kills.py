"""Kills that are aimed, and counted honestly: what each one hit is asked of the provider's books, not assumed."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.composed.plant import Plant
from tests.composed.worker import WorkerProcess
from tests.services.waiting import until

MANY_JOBS = 5


@dataclass(slots=True)
class Kills:
    """SIGKILLs so far. `str()` is the line that belongs into the run's output."""

    seed: int
    rng: random.Random
    total: int = 0
    hit_submits: int = 0
    """Kills that cut at least one open submit: its answer found nobody."""
    hit_many_jobs: int = 0
    """Kills while the provider ran five jobs or more."""
    cut_submits: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.total} kills, {self.hit_submits} with a submit open, {self.hit_many_jobs} with {MANY_JOBS} or more "
            f"jobs running; seed {self.seed}"
        )

    def at_random(self, plant: Plant, *, longest_wait_seconds: float = 1.5) -> WorkerProcess:
        """Kill any running worker at any moment."""
        moment = time.monotonic() + self.rng.uniform(0, longest_wait_seconds)
        until(lambda: time.monotonic() >= moment, timeout_seconds=150, what="the drawn moment")
        victim = self.rng.choice([worker for worker in plant.workers if worker.is_running])
        return self._kill(plant, victim)

    def in_a_submit(
        self, plant: Plant, *, jobs: int = 0, meanwhile: Callable[[], None] = lambda: None, timeout_seconds: float = 150
    ) -> WorkerProcess:
        """Wait until a living worker's submit is open and `jobs` jobs run, and kill that worker.

        `meanwhile` is called all the time: it keeps the plant busy.
        """
        victims: list[WorkerProcess] = []

        def somebody_waits() -> bool:
            meanwhile()
            submits, running = plant.provider.open_now()
            victims[:] = [owner for submit in submits if (owner := _owner(plant, submit))]
            return bool(victims) and running >= jobs

        until(somebody_waits, timeout_seconds=timeout_seconds, what="an open submit")
        return self._kill(plant, victims[0])

    def _kill(self, plant: Plant, victim: WorkerProcess) -> WorkerProcess:
        submits, running = plant.provider.open_now()
        mine = [submit["number"] for submit in submits if victim.owns_port(submit["peer_port"])]
        victim.kill()
        self.total += 1
        self.hit_many_jobs += running >= MANY_JOBS
        cut = self._unanswered(plant, mine)
        self.hit_submits += bool(cut)
        self.cut_submits += cut
        return victim

    @staticmethod
    def _unanswered(plant: Plant, numbers: list[int]) -> list[int]:
        """Which of these submits found nobody to answer to, once the provider has tried."""

        def of_mine() -> list[dict[str, Any]]:
            return [request for request in plant.provider.ledger()["requests"] if request["number"] in numbers]

        until(lambda: all(request["ended"] for request in of_mine()), timeout_seconds=150, what="the answers")
        return [request["number"] for request in of_mine() if not request["delivered"]]


def _owner(plant: Plant, submit: dict[str, Any]) -> WorkerProcess | None:
    return next((worker for worker in plant.workers if worker.owns_port(submit["peer_port"])), None)
