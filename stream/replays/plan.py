"""The plan of a replay, with its price: which letters go back where, what has to be bought, which stay and why. Pure.

Comes in: letters one by one, each with what the ledger said, or why it is held. Goes out: a `Plan` and its PLAN_ID, a
hash of the letters, their re-entries and mends, and the price: what a person approved is what is done.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self

import orjson

from stream.broker.port import Headers
from stream.cost import Forecast, Jobs, forecast
from stream.events import Origin
from stream.letters.letter import LetterId
from stream.letters.masking import masked
from stream.prices import PriceBook
from stream.replays.asking import Need, Prospect
from stream.replays.held import DECIDED, Cause, Held
from stream.replays.reentry import Reentry
from stream.replays.spool import Kept
from stream.retries import Attempt

POLLS_PER_JOB = Decimal(2)
"""As `skustream cost` reckons."""
HASH_CHARACTERS = 12
ID_PATTERN = re.compile(rf"(\d+)-(\d+(?:\.\d+)?)-([0-9a-f]{{{HASH_CHARACTERS}}})-([0-9a-f]{{{HASH_CHARACTERS}}})")
SHOWN_EXAMPLES = 3
MAX_SENTENCE = 300


@dataclass(frozen=True, slots=True)
class Returning:
    """One letter that goes back. Its bytes wait in a spool: letters may be large, and many."""

    at: LetterId
    written_ms: int
    reason: str
    key: bytes | None
    kept: Kept
    stage: str
    origin: Origin
    timestamp_ms: int
    replay: int
    history: tuple[Attempt, ...]
    trace: Headers
    needs: tuple[Need, ...]
    running: int
    is_superseded: bool
    buy_again: str | None
    digest: bytes
    """Of the bytes that go back."""

    @classmethod
    def of(cls, entering: Reentry, prospect: Prospect, kept: Kept) -> Self:
        """As planned."""
        return cls(
            at=entering.at, written_ms=entering.written_ms, reason=entering.reason, key=entering.key, kept=kept,
            stage=entering.stage, origin=entering.origin, timestamp_ms=entering.timestamp_ms, replay=entering.replay,
            history=entering.history, trace=entering.trace, needs=prospect.needs, running=prospect.running,
            is_superseded=prospect.is_superseded, buy_again=prospect.buy_again,
            digest=hashlib.sha256(entering.value).digest()[:8],
        )  # fmt: skip


@dataclass(slots=True)
class Staying:
    """Letters that stay for one cause: how many, and the first few with their sentences."""

    letters: int = 0
    examples: list[tuple[LetterId, str]] = field(default_factory=list)

    def add(self, at: LetterId, sentence: str) -> None:
        """One more."""
        self.letters += 1
        if len(self.examples) < SHOWN_EXAMPLES:
            self.examples.append((at, masked(sentence)[:MAX_SENTENCE]))


@dataclass(frozen=True, slots=True)
class Line:
    """Letters of one reason that re-enter one stage. `credits` of a job that several need stand with the first."""

    reason: str
    stage: str
    letters: int
    credits: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done. `seconds`: at the contract's rate, if nothing else used it."""

    id: str
    returning: tuple[Returning, ...]
    """In the order of their letters."""
    staying: Mapping[Cause, Staying]
    lines: tuple[Line, ...]
    forecast: Forecast
    polls: int
    seconds: float
    at_most: int
    """Letters whose price is an upper figure: their photo's version is not known."""
    superseded: int
    bought_again: int

    @property
    def credits(self) -> Decimal:
        """In all."""
        return self.forecast.credits

    @property
    def requests(self) -> int:
        """Submits and polls."""
        return self.forecast.submits + self.polls

    @property
    def held(self) -> int:
        """Letters that stay although nobody decided about them yet."""
        return sum(each.letters for cause, each in self.staying.items() if cause not in DECIDED)


class Planner:
    """Collects, then reckons."""

    def __init__(self) -> None:
        """Nothing is planned."""
        self._returning: dict[LetterId, Returning] = {}
        self._staying: dict[Cause, Staying] = {}
        self._events: set[tuple[str, int, int, int, int, int]] = set()

    def put_back(self, returning: Returning) -> bool:
        """One that goes back; False for a repeat of another one: the same event of the same replay number."""
        origin = returning.origin
        event = (
            origin.topic, origin.partition, origin.offset, origin.index, returning.timestamp_ms, returning.replay,
        )  # fmt: skip
        if event in self._events and returning.at not in self._returning:
            self.hold(returning.at, Held(Cause.REPEAT))
            return False
        self._events.add(event)
        self._returning[returning.at] = returning
        return True

    def hold(self, at: LetterId, held: Held) -> None:
        """One that stays."""
        self._staying.setdefault(held.cause, Staying()).add(at, held.sentence)

    def take_out(self, repeats: set[LetterId]) -> None:
        """Letters that were put back through another one, as the marks tell."""
        for at in sorted(repeats & self._returning.keys()):
            del self._returning[at]
            self.hold(at, Held(Cause.REPEAT))

    @property
    def entering(self) -> list[Returning]:
        """What goes back so far."""
        return list(self._returning.values())

    def plan(self, book: PriceBook, *, mends: str, requests_per_second: float) -> Plan:
        """The whole. `mends`: what was asked for, in words; `requests_per_second`: the contract's."""
        returning = tuple(sorted(self._returning.values(), key=lambda each: each.at))
        needs, lines = _lines(returning, book.credits)
        told = forecast(Jobs(len(returning), Counter(each.operation for each in needs)), book, [], POLLS_PER_JOB)
        polls = told.polls + math.ceil(sum(each.running for each in returning) * POLLS_PER_JOB)
        return Plan(
            id=_plan_id(returning, told.credits, mends), returning=returning,
            staying={cause: self._staying[cause] for cause in Cause if cause in self._staying}, lines=lines,
            forecast=told, polls=polls, seconds=(told.submits + polls) / requests_per_second,
            at_most=sum(any(need.key is None for need in each.needs) for each in returning),
            superseded=sum(each.is_superseded for each in returning),
            bought_again=sum(each.buy_again is not None for each in returning),
        )  # fmt: skip


def _lines(returning: tuple[Returning, ...], prices: Mapping[str, Decimal]) -> tuple[list[Need], tuple[Line, ...]]:
    """The jobs to buy, each once however many letters need it, and who needs them."""
    seen: set[str] = set()
    needs: list[Need] = []
    letters: Counter[tuple[str, str]] = Counter()
    costs: dict[tuple[str, str], Decimal] = {}
    for each in returning:
        line = (each.reason, each.stage)
        letters[line] += 1
        for need in each.needs:
            if need.key is not None and need.key in seen:
                continue
            if need.key is not None:
                seen.add(need.key)
            needs.append(need)
            costs[line] = costs.get(line, Decimal(0)) + prices.get(need.operation, Decimal(0))
    return needs, tuple(Line(*line, letters[line], costs.get(line, Decimal(0))) for line in sorted(letters))


def _plan_id(returning: tuple[Returning, ...], price: Decimal, mends: str) -> str:
    """`<letters>-<credits>-<hash of the letters>-<hash of everything else>`."""
    letters, rest = hashlib.sha256(), hashlib.sha256(f"{price.normalize():f}\n{mends}\n".encode())
    for each in returning:
        letters.update(f"{each.at}\n".encode())
        needs = [[need.operation, need.key] for need in each.needs]
        rest.update(orjson.dumps([each.stage, each.replay, each.digest.hex(), needs, each.buy_again]))
    hashes = (each.hexdigest()[:HASH_CHARACTERS] for each in (letters, rest))
    return "-".join((str(len(returning)), f"{price.normalize():f}", *hashes))


def changes(approved: str, plan: Plan) -> list[str]:
    """What is different from the plan that was approved: sentences; none where it is the same."""
    if approved == plan.id:
        return []
    found = ID_PATTERN.fullmatch(approved)
    mine = ID_PATTERN.fullmatch(plan.id)
    if found is None or mine is None:
        return [f"{approved[:80]!r} is no PLAN_ID; the plan is {plan.id} now"]
    told = []
    if found[1] != mine[1]:
        told.append(f"{int(mine[1]):,} letters go back now, {int(found[1]):,} were approved")
    elif found[3] != mine[3]:
        told.append("as many letters, but others")
    if Decimal(found[2]) != Decimal(mine[2]):
        told.append(f"{mine[2]} credits now, {found[2]} were approved")
    elif found[4] != mine[4] and not told:
        told.append("the same letters, but where they re-enter, a mend, or the jobs to buy are others")
    return told
