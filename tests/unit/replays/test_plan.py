"""The plan is pure: the same letters, re-entries and prices give the same PLAN_ID, and what differs is said."""

import random
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.letters.letter import LetterId
from stream.prices import PriceBook, load_prices
from stream.replays.asking import Need, Prospect
from stream.replays.held import Cause, Held
from stream.replays.plan import ID_PATTERN, Plan, Planner, Returning, changes
from stream.replays.reentry import Wish, reenter
from stream.replays.spool import Spool
from tests.unit.replays.made import DOORS, LETTERS, event, letter, origin

BOOK = load_prices("article")
CHEAPER = PriceBook(credits={**BOOK.credits, "upscale": Decimal("0.5")})
UPSCALE, SCENE = Need("upscale", "k1"), Need("replace-bg", "k2")


def returning(offset: int, *needs: Need, sku: str = "MUG", entered: int | None = None, **fields: Any) -> Returning:
    given_ = letter(event(sku_id=sku), offset=offset, origin=origin(offset if entered is None else entered), **fields)
    entering = reenter(given_, Wish(), DOORS)
    with Spool() as spool:
        return Returning.of(entering, Prospect(needs), spool.keep(entering.value))


def plan(*those: Returning, book: PriceBook = BOOK, mends: str = "", planner: Planner | None = None) -> Plan:
    planner = planner or Planner()
    for each in those:
        planner.put_back(each)
    return planner.plan(book, mends=mends, requests_per_second=1.0)


def test_lines_count_by_reason_and_stage_and_a_job_that_several_letters_need_is_bought_once() -> None:
    told = plan(
        returning(1, UPSCALE, SCENE), returning(2, UPSCALE), returning(3, Need("remove-bg", None), reason="bug"),
        returning(4, Need("remove-bg", None), reason="bug"),
    )  # fmt: skip
    price = BOOK.credits
    assert [(line.reason, line.stage, line.letters, line.credits) for line in told.lines] == [
        ("bug", "remove-bg", 2, 2 * price["remove-bg"]),
        ("retries-exhausted", "remove-bg", 2, price["upscale"] + price["replace-bg"]),
    ]
    assert told.credits == sum(line.credits for line in told.lines)
    assert (told.forecast.submits, told.polls, told.requests, told.seconds) == (4, 8, 12, 12.0)
    assert told.at_most == 2


def test_what_runs_already_costs_polls_and_no_credits() -> None:
    entering = reenter(letter(), Wish(), DOORS)
    with Spool() as spool:
        told = plan(Returning.of(entering, Prospect(running=1), spool.keep(b"")))
    assert (told.credits, told.forecast.submits, told.requests) == (Decimal(0), 0, 2)


def test_a_repeat_is_planned_once() -> None:
    planner = Planner()
    told = plan(returning(1, entered=7), returning(2, entered=7), returning(3, entered=8), planner=planner)
    assert [each.at.offset for each in told.returning] == [1, 3]
    assert told.staying[Cause.REPEAT].letters == 1
    planner.take_out({LetterId(LETTERS, 0, 3), LetterId(LETTERS, 0, 99)})
    assert [each.at.offset for each in plan(planner=planner).returning] == [1]


def test_who_stays_is_counted_by_cause_with_a_few_examples() -> None:
    planner = Planner()
    for offset in range(10):
        planner.hold(LetterId(LETTERS, 0, offset), Held(Cause.BLOCKED, "x" * 1_000))
    planner.hold(LetterId(LETTERS, 0, 10), Held(Cause.REPLAYED))
    told = plan(planner=planner)
    assert (told.staying[Cause.BLOCKED].letters, len(told.staying[Cause.BLOCKED].examples), told.held) == (10, 3, 10)
    assert list(told.staying) == [Cause.REPLAYED, Cause.BLOCKED]


@given(st.lists(st.integers(0, 50), unique=True, min_size=1, max_size=12), st.integers(0, 2**16))
def test_the_plan_id_knows_no_order(offsets: list[int], seed: int) -> None:
    shuffled = random.Random(seed).sample(offsets, len(offsets))
    told = [
        plan(*(returning(offset, Need("upscale", f"k{offset % 3}")) for offset in order))
        for order in (offsets, shuffled)
    ]
    assert told[0].id == told[1].id
    assert ID_PATTERN.fullmatch(told[0].id)
    assert changes(told[0].id, told[1]) == []


def test_a_changed_plan_says_what_changed() -> None:
    approved = plan(returning(1, UPSCALE), returning(2))
    assert changes(approved.id, plan(returning(1, UPSCALE))) == ["1 letters go back now, 2 were approved"]
    assert changes(approved.id, plan(returning(1, UPSCALE), returning(3))) == ["as many letters, but others"]
    price = BOOK.credits["upscale"].normalize()
    assert changes(approved.id, plan(returning(1), returning(2))) == [f"0 credits now, {price:f} were approved"]
    assert changes(approved.id, plan(returning(1, UPSCALE), returning(2), book=CHEAPER)) == [
        f"0.5 credits now, {price:f} were approved"
    ]
    others = (
        plan(returning(1, UPSCALE), returning(2), mends="set batch_id"),
        plan(returning(1, UPSCALE), returning(2, sku="CUP")),
        plan(returning(1, Need("upscale", "k9")), returning(2)),
        plan(returning(1, UPSCALE), returning(2, replay=1)),
    )
    for other in others:
        assert changes(approved.id, other) == [
            "the same letters, but where they re-enter, a mend, or the jobs to buy are others"
        ]
    assert changes("nonsense\x1b", approved)[0].startswith(r"'nonsense\x1b' is no PLAN_ID")


def test_an_empty_plan_has_an_id_too() -> None:
    told = plan()
    assert (told.id.startswith("0-0-"), told.requests, told.lines) == (True, 0, ())


def test_the_spool_gives_back_what_was_kept() -> None:
    with Spool() as spool:
        kept = [spool.keep(content) for content in (b"one", b"", b"three")]
        assert [spool.get(each) for each in reversed(kept)] == [b"three", b"", b"one"]
