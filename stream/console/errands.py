"""Errands: a replay or a discard, from the plan to its end. One after the other, on a thread of their own.

Comes in: letters a person chose, and later a PLAN_ID that they approve. Goes out: the plan with its price, then what
became of it. The letters are those that were seen when it began: what was approved is what goes back. One at a time,
because two operators with one transactional id would fence each other.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

import structlog

from stream.core.clock import Clock
from stream.core.errors import StreamError
from stream.letters.letter import LetterId
from stream.replays.bench import Bench, BenchParts
from stream.replays.choosing import letters_at
from stream.replays.held import WAYS_OUT, Cause
from stream.replays.plan import Line, Plan, Staying, changes
from stream.replays.reentry import Wish
from stream.replays.sending import Decision, Done, Pace

log = structlog.get_logger(__name__)

KEPT_ERRANDS = 100
"""The latest ones; what was decided stands in the marks for ever."""
MAX_LETTERS = 50_000
"""More at once belong into a terminal."""


class Kind(StrEnum):
    """What is done."""

    REPLAY = "replay"
    DISCARD = "discard"


class Stand(StrEnum):
    """How far it is."""

    PLANNING = "planning"
    PLANNED = "planned"
    CHANGED = "changed"
    """It was approved, but the plan is another one now: nothing was sent."""
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Price:
    """A plan, without the letters' own bytes: what a person decides by."""

    plan_id: str
    letters: int
    credits: Decimal
    is_at_most: bool
    requests: int
    seconds: float
    lines: tuple[Line, ...]
    jobs: tuple[tuple[str, int], ...]
    unpriced: tuple[str, ...]
    superseded: int
    bought_again: int
    staying: Mapping[Cause, Staying]

    @classmethod
    def of(cls, plan: Plan) -> "Price":
        """What a plan costs."""
        jobs = tuple((line.operation, line.jobs) for line in plan.forecast.lines if line.jobs)
        return cls(
            plan.id, len(plan.returning), plan.credits, bool(plan.at_most), plan.requests, plan.seconds, plan.lines,
            jobs, plan.forecast.unpriced, plan.superseded, plan.bought_again, plan.staying,
        )  # fmt: skip

    @property
    def held(self) -> list[tuple[str, int, str, str]]:
        """What stays and why: cause, letters, way out, an example."""
        return [
            (cause.value, those.letters, WAYS_OUT.get(cause, ""), those.examples[0][1] if those.examples else "")
            for cause, those in self.staying.items()
        ]


@dataclass(slots=True)
class Errand:
    """One of them. Changed by its thread, read by pages: each field is replaced whole."""

    id: str
    kind: Kind
    ids: Mapping[LetterId, int]
    """The letters, each with its record time."""
    filter: str
    by: str
    why: str
    wish: Wish
    begun_ms: int
    stand: Stand = Stand.PLANNING
    passed: int = 0
    price: Price | None = None
    approved_by: str = ""
    changed: tuple[str, ...] = ()
    """How the plan differs from the one that was approved."""
    done: Done | None = None
    trouble: str = ""

    @property
    def is_moving(self) -> bool:
        """Whether something happens by itself."""
        return self.stand in {Stand.PLANNING, Stand.SENDING}


@dataclass(slots=True)
class Errands:
    """Those of this console. `parts`: the bench they are done at."""

    parts: BenchParts
    clock: Clock
    _known: OrderedDict[str, Errand] = field(default_factory=OrderedDict)
    _enough: threading.Event = field(default_factory=threading.Event)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "console-errand"))

    @property
    def is_transactional(self) -> bool:
        """Whether a letter goes back exactly once."""
        return self.parts.is_transactional

    def plan(self, ids: Mapping[LetterId, int], *, by: str, why: str, chosen_by: str, wish: Wish) -> Errand:
        """Begin to plan a replay of these letters."""
        errand = self._new(Kind.REPLAY, ids, by=by, why=why, chosen_by=chosen_by, wish=wish)
        self._begin(errand, self._plan)
        return errand

    def discard(self, ids: Mapping[LetterId, int], *, by: str, why: str, chosen_by: str) -> Errand:
        """Begin to mark these letters."""
        errand = self._new(Kind.DISCARD, ids, by=by, why=why, chosen_by=chosen_by, wish=Wish())
        errand.stand = Stand.SENDING
        self._begin(errand, self._discard)
        return errand

    def approve(self, errand: Errand, plan_id: str, *, by: str) -> bool:
        """Put the letters back, if `plan_id` is still the plan; False where nothing waits for approval."""
        if errand.kind is not Kind.REPLAY or errand.stand not in {Stand.PLANNED, Stand.CHANGED}:
            return False
        errand.stand, errand.passed, errand.approved_by, errand.changed = Stand.SENDING, 0, by, ()
        self._begin(errand, lambda errand: self._put_back(errand, plan_id))
        return True

    def find(self, errand_id: str) -> Errand | None:
        """One of them."""
        return self._known.get(errand_id)

    def latest(self) -> list[Errand]:
        """The newest first."""
        return list(reversed(self._known.values()))

    def close(self) -> None:
        """Stop after the batch under way; what was written stays written."""
        self._enough.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _new(self, kind: Kind, ids: Mapping[LetterId, int], *, by: str, why: str, chosen_by: str, wish: Wish) -> Errand:
        errand = Errand(secrets.token_urlsafe(9), kind, ids, chosen_by, by, why, wish, int(self.clock.wall() * 1000))
        self._known[errand.id] = errand
        while len(self._known) > KEPT_ERRANDS:
            self._known.popitem(last=False)
        return errand

    def _begin(self, errand: Errand, work: Callable[[Errand], None]) -> None:
        def done() -> None:
            try:
                work(errand)
            except StreamError as error:
                errand.trouble, errand.stand = str(error), Stand.FAILED
            except Exception as error:  # a page that says so, and an errand that does not hang
                log.exception("console-errand")
                errand.trouble, errand.stand = f"the console failed ({type(error).__name__}); see its log", Stand.FAILED

        self._thread.submit(done)

    def _planned(self, bench: Bench, errand: Errand) -> Plan:
        def looked_at(count: int) -> None:
            errand.passed = count

        return bench.plan(letters_at(self.parts.client, errand.ids), bench.marks(), looked_at)

    def _plan(self, errand: Errand) -> None:
        with Bench(self.parts, errand.wish) as bench:
            errand.price = Price.of(self._planned(bench, errand))
        errand.stand = Stand.PLANNED

    def _put_back(self, errand: Errand, plan_id: str) -> None:
        """The plan is made anew: between two looks somebody may have replayed, bought or raised a price."""
        with Bench(self.parts, errand.wish) as bench:
            plan = self._planned(bench, errand)
            told = changes(plan_id, plan)
            errand.price = Price.of(plan)
            if told:
                errand.changed, errand.stand = tuple(told), Stand.CHANGED
                return
            errand.passed = 0
            errand.done = bench.put_back(plan.returning, self._decision(errand, plan.id), self._pace(errand))
        self._end(errand)

    def _discard(self, errand: Errand) -> None:
        with Bench(self.parts) as bench:
            errand.done = bench.discard(errand.ids, self._decision(errand, ""), self._pace(errand))
        self._end(errand)

    def _end(self, errand: Errand) -> None:
        done = errand.done
        errand.trouble = "" if done is None else done.trouble
        errand.stand = Stand.FAILED if errand.trouble or (done is not None and done.is_fenced) else Stand.DONE

    def _decision(self, errand: Errand, plan_id: str) -> Decision:
        wish = errand.wish
        words = [errand.filter, "from raw" if wish.from_raw else "", "buy again" if wish.buy_again else ""]
        return Decision(
            by=errand.approved_by or errand.by, why=errand.why, filter="; ".join(each for each in words if each),
            plan_id=plan_id,
        )  # fmt: skip

    def _pace(self, errand: Errand) -> Pace:
        def written(count: int) -> None:
            errand.passed = count

        return Pace(None, self._enough.is_set, self._wait, written)

    def _wait(self, seconds: float) -> None:
        self._enough.wait(seconds)


def facts_of(errand: Errand) -> dict[str, Any]:
    """How far it is, in figures for a page."""
    price = errand.price
    total = len(errand.ids) if errand.kind is Kind.DISCARD or price is None else price.letters
    return {"passed": errand.passed, "total": total if errand.stand is Stand.SENDING else len(errand.ids)}
