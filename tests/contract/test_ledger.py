"""The ledger over every store: each arrow of a job's state, each race, and the newest known event of an image."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream.core.clock import SystemClock
from stream.core.errors import CorruptDocument, Reason, Rejected, Resource, Unavailable
from stream.events import Origin, Priority
from stream.ledger.jobs import Ledger
from stream.ledger.makers import maker_of
from stream.ledger.newest import Newest
from stream.ledger.port import Entry, LedgerState, Payer
from stream.objects.keys import job_key_path, newest_path
from stream.objects.memory import MemoryStore
from stream.objects.port import Document, Documents, ObjectStore
from stream.records import Asset, StageRecord, first_record
from tests.contract.stores import HastyClock, folder_store, s3_store
from tests.services.s3 import S3Server

KEY = "0123456789abcdef"
TOPIC = "product-images.raw"
PAYER = Payer(origin=Origin(topic=TOPIC, partition=1, offset=7))
FREE = Decimal(0)
PRICE = Decimal("0.02")
HOUR = 3600.0


def asset(name: str = "a") -> Asset:
    return Asset(
        key=f"A/main/{name}.png",
        url=f"https://cdn.example/A/main/{name}.png",
        content_type="image/png",
        width=10,
        height=10,
        bytes=100,
        sha256="0" * 64,
        credits=PRICE,
    )


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> tuple[S3Server, str]:
    return s3, s3.create_bucket(f"t{secrets.token_hex(5)}")


@pytest.fixture(params=["memory", "folder", pytest.param("s3", marks=pytest.mark.s3)])
async def store(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> AsyncIterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "folder":
        async with folder_store(tmp_path / "store") as folder:
            yield folder
    else:
        server, bucket = request.getfixturevalue("bucket")
        async with s3_store(server, bucket, prefix) as opened:
            yield opened


def ledger_of(store: Documents, *, lease_seconds: float = 60.0, ahead_seconds: float = 0.0) -> Ledger:
    return Ledger(store, clock=HastyClock(ahead_seconds), lease_seconds=lease_seconds)


@pytest.fixture
def ledger(store: ObjectStore) -> Ledger:
    return ledger_of(store)


async def claimed(ledger: Ledger, seen: Entry | None = None) -> Entry:
    entry = await ledger.claim(KEY, "remove-bg", PAYER, seen)
    assert entry is not None
    return entry


async def accepted(ledger: Ledger, seen: Entry | None = None, job_id: str = "job-1") -> Entry:
    entry = await claimed(ledger, seen)
    return await ledger.accept(entry, job_id=job_id, output_url=None, credits_charged=PRICE)


async def looked(ledger: Ledger) -> Entry:
    entry = await ledger.look(KEY)
    assert entry is not None
    return entry


async def test_a_job_walks_from_claim_to_settlement_and_each_step_is_durable(ledger: Ledger) -> None:
    assert await ledger.look(KEY) is None
    entry = await claimed(ledger)
    assert (await looked(ledger)).record == entry.record
    assert (entry.state, entry.record.attempt, entry.record.payer) == (LedgerState.CLAIMED, 1, PAYER)
    entry = await ledger.accept(entry, job_id="job-1", output_url="https://api.example/tmp", credits_charged=PRICE)
    assert (await looked(ledger)).record == entry.record
    assert (entry.state, entry.record.job_id) == (LedgerState.ACCEPTED, "job-1")
    entry = await ledger.settle(entry, {"cutout": asset()}, PRICE)
    assert (await looked(ledger)).record == entry.record
    assert (entry.state, entry.record.assets, entry.record.credits) == (LedgerState.SETTLED, {"cutout": asset()}, PRICE)
    assert entry.record.output_url is None, "a temporary URL is not kept"
    assert entry.record.payer == PAYER


async def test_a_claim_tells_how_long_its_submit_waited_and_what_was_written_before_is_still_read(
    store: ObjectStore,
) -> None:
    ledger = ledger_of(store)
    entry = await ledger.claim(KEY, "remove-bg", PAYER, None, waited_seconds=4.2)
    assert entry is not None
    assert (await looked(ledger)).record.waited_seconds == 4.2
    assert (await ledger.release(entry, "429")).record.waited_seconds == 4.2
    document = await store.read(job_key_path(KEY))
    assert document is not None
    older = {name: value for name, value in orjson.loads(document.body).items() if name != "waited_seconds"}
    await store.replace(job_key_path(KEY), orjson.dumps(older), document.tag)
    assert (await looked(ledger)).record.waited_seconds == 0
    assert await ledger.claim(KEY, "remove-bg", PAYER, await looked(ledger), waited_seconds=1.5) is not None
    assert (await looked(ledger)).record.waited_seconds == 1.5


async def test_twenty_racing_claims_have_one_winner(store: ObjectStore) -> None:
    """L2: only the winner may post. Twenty workers, each with its own ledger."""
    ledgers = [ledger_of(store) for _ in range(20)]
    entries = await asyncio.gather(*(ledger.claim(KEY, "remove-bg", PAYER, None) for ledger in ledgers))
    (winner,) = [entry for entry in entries if entry is not None]
    assert (await looked(ledgers[0])).record == winner.record


@pytest.mark.parametrize("freed", ["release", "fail"])
async def test_racing_claims_of_a_freed_job_have_one_winner(store: ObjectStore, freed: str) -> None:
    ledger = ledger_of(store)
    if freed == "release":
        await ledger.release(await claimed(ledger), "422")
    else:
        await ledger.fail(await accepted(ledger), "the model crashed")
    seen = await looked(ledger)
    entries = await asyncio.gather(*(ledger_of(store).claim(KEY, "remove-bg", PAYER, seen) for _ in range(20)))
    (winner,) = [entry for entry in entries if entry is not None]
    assert winner.record.attempt == (1 if freed == "release" else 2)
    assert (await looked(ledger)).record == winner.record


@pytest.mark.parametrize(
    "state", [LedgerState.CLAIMED, LedgerState.ACCEPTED, LedgerState.SETTLED, LedgerState.AMBIGUOUS,
              LedgerState.BLOCKED, LedgerState.OVERDUE, LedgerState.CONDEMNED],
)  # fmt: skip
async def test_what_may_be_bought_already_is_never_claimed_again(ledger: Ledger, state: LedgerState) -> None:
    entry = await brought_to(ledger, state)
    assert entry.state is state
    with pytest.raises(ValueError, match="cannot be claimed"):
        await ledger.claim(KEY, "remove-bg", PAYER, entry)
    assert await ledger.claim(KEY, "remove-bg", PAYER, None) is None
    assert (await looked(ledger)).record == entry.record


async def brought_to(ledger: Ledger, state: LedgerState) -> Entry:
    entry = await claimed(ledger)
    if state in {LedgerState.RELEASED, LedgerState.AMBIGUOUS}:
        return await (ledger.release if state is LedgerState.RELEASED else ledger.doubt)(entry, "why")
    if state is LedgerState.CLAIMED:
        return entry
    entry = await ledger.accept(entry, job_id="job-1", output_url=None, credits_charged=PRICE)
    endings = {LedgerState.FAILED: ledger.fail, LedgerState.BLOCKED: ledger.block, LedgerState.OVERDUE: ledger.overdue}
    if state in endings:
        return await endings[state](entry, "why")
    if state is LedgerState.ACCEPTED:
        return entry
    entry = await ledger.settle(entry, {"cutout": asset()}, PRICE)
    for step, move in ((LedgerState.CONDEMNED, ledger.condemn), (LedgerState.COLLECTED, ledger.collect)):
        if state in {step, LedgerState.COLLECTED}:
            assert await move(entry)
            entry = await looked(ledger)
    return entry


MOVES = ["accept", "release", "let-go", "doubt", "settle", "fail", "block", "overdue"]
ARROWS = {
    LedgerState.CLAIMED: {"accept": "accepted", "release": "released", "doubt": "ambiguous"},
    LedgerState.AMBIGUOUS: {"accept": "accepted", "release": "released", "let-go": "released"},
    LedgerState.RELEASED: {"accept": "accepted"},
    LedgerState.ACCEPTED: {"settle": "settled", "fail": "failed", "block": "blocked", "overdue": "overdue"},
    LedgerState.OVERDUE: {"settle": "settled", "fail": "failed", "block": "blocked", "overdue": "overdue"},
}


async def move(ledger: Ledger, entry: Entry, name: str) -> Entry:
    match name:
        case "accept":
            return await ledger.accept(entry, job_id="late", output_url=None, credits_charged=PRICE)
        case "settle":
            return await ledger.settle(entry, {"cutout": asset("late")}, PRICE)
        case "let-go":
            return await ledger.let_go(entry, entry.record.claim, "decided")
        case _:
            change = {
                "release": ledger.release, "doubt": ledger.doubt, "fail": ledger.fail,
                "block": ledger.block, "overdue": ledger.overdue,
            }[name]  # fmt: skip
            return await change(entry, "late")


@pytest.mark.parametrize("state", LedgerState)
async def test_every_arrow_and_no_other(store: ObjectStore, state: LedgerState) -> None:
    """Each move from each state: it is taken, or what stands is returned and stays as it was."""
    for number, name in enumerate(MOVES):
        ledger = ledger_of(Elsewhere(store, f"case-{number}"))
        entry = await brought_to(ledger, state)
        after = await move(ledger, entry, name)
        expected = ARROWS.get(state, {}).get(name)
        assert after.state == (expected or state), name
        assert (await looked(ledger)).record == after.record
        if expected is None:
            assert after.record == entry.record


class Elsewhere:
    """The same store below a folder of its own."""

    def __init__(self, store: Documents, folder: str) -> None:
        self._store = store
        self._folder = folder

    async def read(self, key: str) -> Document | None:
        return await self._store.read(f"{self._folder}/{key}")

    async def create(self, key: str, body: bytes) -> str | None:
        return await self._store.create(f"{self._folder}/{key}", body)

    async def replace(self, key: str, body: bytes, tag: str) -> str | None:
        return await self._store.replace(f"{self._folder}/{key}", body, tag)


async def test_a_late_acceptance_wins_over_doubt(store: ObjectStore) -> None:
    """The owner was slow and not gone: its job id is better than anybody's doubt."""
    owner, other = ledger_of(store), ledger_of(store)
    mine = await claimed(owner)
    assert (await other.doubt(await looked(other), "lease expired")).state is LedgerState.AMBIGUOUS
    entry = await owner.accept(mine, job_id="job-1", output_url=None, credits_charged=PRICE)
    assert (entry.state, entry.record.job_id, entry.record.detail) == (LedgerState.ACCEPTED, "job-1", None)
    assert (await looked(other)).record == entry.record


async def test_a_decision_to_buy_again_lets_go_of_its_claim_alone_and_only_once(store: ObjectStore) -> None:
    """Two workers that meet the same decision, and a repeat of it: the claim made since is never touched."""
    one, other = ledger_of(store), ledger_of(store)
    doubted = await one.doubt(await claimed(one), "answer lost")
    decided = doubted.record.claim
    with pytest.raises(ValueError, match="about claim another"):
        await one.let_go(doubted, "another", "decided")
    released = await one.let_go(doubted, decided, "a person decided")
    assert (released.state, released.record.detail) == (LedgerState.RELEASED, "a person decided")
    second = await one.claim(KEY, "remove-bg", PAYER, released)
    assert second is not None
    late = await other.let_go(doubted, decided, "a person decided")
    assert late.record == second.record, "what stands, untouched"
    assert await other.claim(KEY, "remove-bg", PAYER, released) is None
    again = await one.doubt(second, "answer lost, too")
    with pytest.raises(ValueError, match=f"about claim {decided}"):
        await other.let_go(again, decided, "a repeat of the decision")
    assert (await looked(one)).state is LedgerState.AMBIGUOUS


async def test_a_late_acceptance_wins_over_a_decision_until_somebody_buys(store: ObjectStore) -> None:
    owner, other = ledger_of(store), ledger_of(store)
    mine = await claimed(owner)
    doubted = await other.doubt(await looked(other), "lease expired")
    await other.let_go(doubted, doubted.record.claim, "decided")
    entry = await owner.accept(mine, job_id="job-1", output_url=None, credits_charged=PRICE)
    assert (entry.state, entry.record.job_id) == (LedgerState.ACCEPTED, "job-1")
    assert (await other.let_go(doubted, doubted.record.claim, "decided")).record == entry.record


async def test_doubt_never_wins_over_an_acceptance(store: ObjectStore) -> None:
    owner, other = ledger_of(store), ledger_of(store)
    mine = await claimed(owner)
    seen = await looked(other)
    entry = await owner.accept(mine, job_id="job-1", output_url=None, credits_charged=PRICE)
    assert (await other.doubt(seen, "lease expired")).record == entry.record


async def test_a_claim_expires_by_the_stores_clock(store: ObjectStore) -> None:
    """A worker whose own clock is an hour ahead doubts nobody; one second of the store's time is enough."""
    patient = ledger_of(store, lease_seconds=HOUR / 2, ahead_seconds=HOUR)
    await claimed(patient)
    assert not (await looked(patient)).lease_expired
    hasty = ledger_of(Elsewhere(store, "hasty"), lease_seconds=0.5, ahead_seconds=-HOUR)
    entry = await claimed(hasty)
    assert not entry.lease_expired
    async with asyncio.timeout(20):
        while not (entry := await looked(hasty)).lease_expired:
            await SystemClock().sleep(0.05)
    assert (await hasty.doubt(entry, "lease expired")).state is LedgerState.AMBIGUOUS


async def test_an_acceptance_has_no_lease(ledger: Ledger) -> None:
    entry = await accepted(ledger)
    assert not Entry(entry.record, entry.tag, age_seconds=HOUR * 24).lease_expired


async def test_a_released_claim_is_free_and_the_old_owner_cannot_touch_the_new_one(store: ObjectStore) -> None:
    ledger, other = ledger_of(store), ledger_of(store)
    first = await claimed(ledger)
    released = await ledger.release(first, "429")
    second = await other.claim(KEY, "remove-bg", PAYER, released)
    assert second is not None
    assert second.record.claim != first.record.claim
    for name in MOVES:
        assert (await move(ledger, first, name)).record == second.record, name


async def test_failed_attempts_are_numbered(ledger: Ledger) -> None:
    entry: Entry | None = None
    for attempt in (1, 2, 3):
        entry = await accepted(ledger, entry, job_id=f"job-{attempt}")
        assert entry.record.attempt == attempt
        entry = await ledger.fail(entry, "crashed")
    assert (await looked(ledger)).record.failed_jobs == ("job-1", "job-2", "job-3")


async def test_two_racing_pollers_report_one_failure(store: ObjectStore) -> None:
    entry = await accepted(ledger_of(store))
    after = await asyncio.gather(*(ledger_of(store).fail(entry, "crashed") for _ in range(5)))
    assert {each.record.failed_jobs for each in after} == {("job-1",)}


async def test_the_first_of_racing_settlements_stands_and_is_returned_to_all(store: ObjectStore) -> None:
    entry = await accepted(ledger_of(store))
    after = await asyncio.gather(
        *(ledger_of(store).settle(entry, {"cutout": asset(f"poller-{n}")}, PRICE) for n in range(5))
    )
    assert len({each.record.nonce for each in after}) == 1
    assert (await looked(ledger_of(store))).record == after[0].record


async def test_work_done_here_is_noted_once(ledger: Ledger) -> None:
    assert (await ledger.settle_local(KEY, "thumbnails", {"small": asset()})) is not None
    assert (await ledger.settle_local(KEY, "thumbnails", {"small": asset("again")})) is None
    assert (await looked(ledger)).record.assets == {"small": asset()}


async def test_a_condemned_job_is_settled_again_by_whoever_would_use_it(ledger: Ledger) -> None:
    condemned = await brought_to(ledger, LedgerState.CONDEMNED)
    assert condemned.record.assets == {"cutout": asset()}
    entry = await ledger.usable(KEY)
    assert entry is not None
    assert (entry.state, entry.record.assets) == (LedgerState.SETTLED, {"cutout": asset()})
    assert (await looked(ledger)).record == entry.record
    assert not await ledger.collect(condemned), "the one who needs it was first"


async def test_a_job_is_taken_back_or_collected_but_never_both(store: ObjectStore) -> None:
    """Twenty who need it against twenty runs of gc: the conditional write decides."""
    condemned = await brought_to(ledger_of(store), LedgerState.CONDEMNED)
    collecting = [ledger_of(store).collect(condemned) for _ in range(20)]
    using = [ledger_of(store).usable(KEY) for _ in range(20)]
    won, told = await asyncio.gather(asyncio.gather(*collecting), asyncio.gather(*using))
    (after,) = {entry.state for entry in told if entry is not None}
    assert after is (LedgerState.COLLECTED if any(won) else LedgerState.SETTLED)
    assert sum(won) <= 1
    assert (await looked(ledger_of(store))).state is after


async def test_a_collected_job_is_bought_anew_as_the_next_attempt_and_forgets_no_id(ledger: Ledger) -> None:
    entry = await ledger.fail(await accepted(ledger, job_id="job-1"), "crashed", credits_charged=PRICE)
    entry = await ledger.settle(await accepted(ledger, entry, job_id="job-2"), {"cutout": asset()}, PRICE)
    assert await ledger.condemn(entry)
    assert await ledger.collect(await looked(ledger))
    collected = await looked(ledger)
    assert (collected.record.collected, collected.record.generation) == ((("job-1", "job-2"),), 1)
    assert (collected.record.assets, collected.record.total_credits) == ({}, FREE), "its buyer has reported them"
    again = await claimed(ledger, collected)
    assert (again.record.attempt, again.record.failed_jobs, again.record.failed_credits) == (3, (), FREE)
    released = await ledger.release(again, "429")
    assert (await claimed(ledger, released)).record.collected == (("job-1", "job-2"),)


async def test_racing_claims_of_a_collected_job_have_one_winner(store: ObjectStore) -> None:
    seen = await brought_to(ledger_of(store), LedgerState.COLLECTED)
    entries = await asyncio.gather(*(ledger_of(store).claim(KEY, "remove-bg", PAYER, seen) for _ in range(20)))
    assert len([entry for entry in entries if entry is not None]) == 1


async def test_work_done_here_is_done_anew_once_after_a_collection(ledger: Ledger) -> None:
    await ledger.settle_local(KEY, "thumbnails", {"small": asset()})
    assert await ledger.condemn(await looked(ledger))
    assert await ledger.collect(await looked(ledger))
    collected = await looked(ledger)
    assert collected.record.collected == ((),)
    assert await ledger.settle_local(KEY, "thumbnails", {"small": asset("anew")}, collected) is not None
    assert await ledger.settle_local(KEY, "thumbnails", {"small": asset("late")}, collected) is None
    entry = await looked(ledger)
    assert (entry.record.assets, entry.record.generation) == ({"small": asset("anew")}, 1)


@pytest.mark.parametrize("state", LedgerState)
async def test_only_settled_jobs_are_condemned_and_only_condemned_ones_collected(
    store: ObjectStore, state: LedgerState
) -> None:
    ledger = ledger_of(store)
    entry = await brought_to(ledger, state)
    for change, wanted in ((ledger.condemn, LedgerState.SETTLED), (ledger.collect, LedgerState.CONDEMNED)):
        if state is not wanted:
            with pytest.raises(ValueError, match=f"a {state} job"):
                await change(entry)
    assert (await looked(ledger)).record == entry.record


async def test_an_assets_key_leads_to_the_job_that_made_it(store: ObjectStore) -> None:
    job_key = secrets.token_hex(32)
    assert await maker_of(store, job_key[:20]) is None
    await Ledger(store, clock=HastyClock(), lease_seconds=60).settle_local(job_key, "thumbnails", {"small": asset()})
    assert await maker_of(store, job_key[:20]) == job_key
    await store.create(job_key_path(job_key[:20] + "0" * 44), b"{}")
    with pytest.raises(CorruptDocument, match=job_key[:20]):
        await maker_of(store, job_key[:20])


async def test_an_entry_deleted_by_hand_is_told(store: ObjectStore) -> None:
    entry = await claimed(ledger_of(store))
    with pytest.raises(LookupError, match="vanished"):
        await ledger_of(MemoryStore()).accept(entry, job_id="x", output_url=None, credits_charged=FREE)


class LostAnswer:
    """The next write reaches the store, and its answer does not reach us."""

    def __init__(self, store: Documents) -> None:
        self._store = store
        self.losing = True

    async def read(self, key: str) -> Document | None:
        return await self._store.read(key)

    async def create(self, key: str, body: bytes) -> str | None:
        tag = await self._store.create(key, body)
        if self.losing:
            raise asyncio.CancelledError
        return tag

    async def replace(self, key: str, body: bytes, tag: str) -> str | None:
        return await self._store.replace(key, body, tag)


async def test_a_claim_whose_answer_was_lost_was_surely_never_posted(store: ObjectStore) -> None:
    """Cancelled (or cut off) inside the claim: this process may release it; to anybody else it may be a purchase."""
    link = LostAnswer(store)
    ledger = ledger_of(link)
    with pytest.raises(asyncio.CancelledError):
        await claimed(ledger)
    link.losing = False
    entry = await looked(ledger)
    assert entry.state is LedgerState.CLAIMED
    assert ledger.never_posted(entry)
    assert not ledger_of(store).never_posted(entry)
    released = await ledger.release(entry, "never sent")
    again = await claimed(ledger, released)
    assert not ledger.never_posted(again)
    assert not ledger.never_posted(await ledger.accept(again, job_id="x", output_url=None, credits_charged=FREE))


async def test_a_store_that_is_away_is_not_the_events_fault() -> None:
    class Away(MemoryStore):
        async def create(self, key: str, body: bytes) -> str | None:
            raise Unavailable(Resource.STORE, "away")

    ledger = ledger_of(Away())
    with pytest.raises(Unavailable):
        await claimed(ledger)
    assert await ledger.look(KEY) is None


CORRUPT = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff",
    b'{"v": 1}',
    b'{"v":1,"key":"k","state":"sold","operation":"x","nonce":"n"}',
]


@pytest.mark.parametrize("body", CORRUPT)
async def test_a_corrupt_job_is_never_a_reason_to_buy(store: ObjectStore, body: bytes) -> None:
    path = job_key_path(KEY)
    await store.create(path, body)
    with pytest.raises(CorruptDocument, match=path):
        await ledger_of(store).look(KEY)
    assert await ledger_of(store).claim(KEY, "remove-bg", PAYER, None) is None


# The newest known event of an image (L5).


def event(
    offset: int = 0,
    *,
    partition: int = 0,
    index: int = 0,
    timestamp_ms: int = 0,
    replay: int = 0,
    url: str = "https://pim.example/a.jpg",
    **fields: object,
) -> StageRecord:
    value = orjson.dumps({"sku_id": "A", "raw_url": url, **fields})
    origin = Origin(topic=TOPIC, partition=partition, offset=offset, index=index)
    record = first_record(value, origin, timestamp_ms=timestamp_ms, priority=Priority.LIVE, started_at=0.0)
    return record.model_copy(update={"replay": replay})


async def test_the_newest_known_supersedes_older_ones_only(store: ObjectStore) -> None:
    newest = Newest(store)
    old, new, newer = event(5, sequence=1), event(3, sequence=2), event(4, sequence=3)
    assert await newest.superseding(new) is None
    await newest.record(new)
    await newest.record(old)
    assert await newest.superseding(old) == new.origin
    assert await newest.superseding(new) is None
    assert await newest.superseding(newer) is None
    await newest.record(newer)
    assert await newest.superseding(new) == newer.origin


async def test_racing_events_converge_to_the_newest(store: ObjectStore) -> None:
    records = [event(100 - number, sequence=number) for number in range(12)]
    await asyncio.gather(*(Newest(store).record(record) for record in records))
    superseding = [await Newest(store).superseding(record) for record in records]
    assert superseding == [records[-1].origin] * 11 + [None]


async def test_a_resent_event_is_not_stale(store: ObjectStore) -> None:
    """PIM events arrive twice: the same place and the same content, at another offset."""
    newest = Newest(store)
    first, again = event(1, sequence=7), event(9, sequence=7, event_id="another-id")
    await newest.record(first)
    await newest.record(again)
    assert await newest.superseding(first) is None
    assert await newest.superseding(again) is None


async def test_of_two_rivals_with_one_place_the_first_admitted_stands(store: ObjectStore) -> None:
    newest = Newest(store)
    first, rival = event(9, sequence=7), event(1, sequence=7, url="https://pim.example/b.jpg")
    await newest.record(first)
    await newest.record(rival)
    assert await newest.superseding(first) is None
    assert await newest.superseding(rival) == first.origin


async def test_a_replay_keeps_its_origins_place(store: ObjectStore) -> None:
    newest = Newest(store)
    record = event(5)
    await newest.record(record)
    assert await newest.superseding(event(5, replay=1)) is None
    await newest.record(event(6))
    assert await newest.superseding(event(5, replay=2)) == event(6).origin


async def test_without_a_sequence_the_origin_orders(store: ObjectStore) -> None:
    """Within a partition the offset, between partitions the broker's time, within a record the index."""
    newest = Newest(store)
    await newest.record(event(5, partition=0, timestamp_ms=1000))
    assert await newest.superseding(event(4, partition=0, timestamp_ms=2000)) is not None
    assert await newest.superseding(event(900, partition=1, timestamp_ms=999)) is not None
    assert await newest.superseding(event(1, partition=1, timestamp_ms=1001)) is None
    assert await newest.superseding(event(5, partition=0, index=1, timestamp_ms=1000)) is None


WHEN_KAFKA_TOOK_IT_MS = 1_796_000_000_000


@pytest.mark.parametrize("second", [{"occurred_at": "2026-11-22T10:00:00Z"}, {}])
async def test_kinds_of_order_are_never_mixed(store: ObjectStore, second: dict[str, Any]) -> None:
    newest = Newest(store)
    await newest.record(event(1, sequence=7))
    for ask in (newest.record, newest.superseding):
        other = event(2, timestamp_ms=WHEN_KAFKA_TOOK_IT_MS, **second)
        with pytest.raises(Rejected) as refused:
            await ask(other)
        assert refused.value.reason is Reason.ORDER_KIND
        assert "sequence" in str(refused.value)
    assert await newest.superseding(event(1, sequence=7)) is None


async def test_images_of_one_sku_have_their_own_order(store: ObjectStore) -> None:
    newest = Newest(store)
    await newest.record(event(9, sequence=9))
    assert await newest.superseding(event(1, sequence=1, image_id="back")) is None


@pytest.mark.parametrize("body", CORRUPT)
async def test_a_corrupt_newest_is_told(store: ObjectStore, body: bytes) -> None:
    path = newest_path("A", "main")
    await store.create(path, body)
    for ask in (Newest(store).record, Newest(store).superseding):
        with pytest.raises(CorruptDocument, match=path):
            await ask(event(1))
