"""What a replay would meet: every state of the ledger, on the route from the failed stage on."""

from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stream.core.clock import SystemClock
from stream.images.inspect import ImageLimits
from stream.ledger.jobs import Ledger
from stream.ledger.newest import Newest
from stream.ledger.port import Entry, Payer
from stream.ledger.versions import Versions
from stream.letters.letter import Letter
from stream.objects.keys import job_key_path
from stream.objects.memory import MemoryStore
from stream.operations import ReplaceBgParams, UpscaleParams
from stream.pipeline import Stage
from stream.records import Asset, StageRecord
from stream.replays.asking import Asker, Need, Prospect
from stream.replays.held import Cause, Held
from stream.replays.mending import parse_mends
from stream.replays.reentry import Wish, reenter
from stream.stages.recipes import RAW_RECIPE, Recipe, job_name, recipe_with
from tests.unit.replays.made import DOORS, PIPELINE, asset, between, event, letter, origin, stage_record

STAGES = {stage.name: stage for stage in PIPELINE.stages}
ROUTE = PIPELINE.stages


class Shop:
    """A store with a ledger in it."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.ledger = Ledger(self.store, clock=SystemClock(), lease_seconds=60)
        self.asker = Asker(self.store, PIPELINE, ImageLimits(max_pixels=1_000_000), SystemClock())
        self._folder = folder

    async def ask(self, given: Letter, wish: Wish | None = None) -> Prospect:
        wish = wish or Wish()
        return await self.asker.ask(reenter(given, wish, DOORS), wish)

    async def held(self, given: Letter, wish: Wish | None = None) -> Held:
        with pytest.raises(Held) as found:
            await self.ask(given, wish)
        return found.value

    async def have(self, *assets: Asset) -> None:
        import hashlib  # noqa: PLC0415

        for each in assets:
            path = self._folder / "picture"
            path.write_bytes(b"picture")
            digest = hashlib.sha256(b"picture").hexdigest()
            await self.store.put_file(each.key, path, content_type="image/png", sha256=digest)

    async def claimed(self, key: str, operation: str = "upscale", *, lease_seconds: float = 60) -> Entry:
        ledger = Ledger(self.store, clock=SystemClock(), lease_seconds=lease_seconds)
        entry = await ledger.claim(key, operation, Payer(origin=origin()), await ledger.look(key))
        assert entry is not None
        return entry

    async def accepted(self, key: str, operation: str = "upscale") -> Entry:
        entry = await self.claimed(key, operation)
        return await self.ledger.accept(entry, job_id="j1", output_url=None, credits_charged=Decimal(5))

    async def settled(self, key: str, made: Asset, operation: str = "upscale") -> None:
        await self.ledger.settle(await self.accepted(key, operation), {made.key: made}, Decimal(5))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def key_of(stage: Stage, params: Any = None, record: StageRecord | None = None) -> str:
    known = record or stage_record()
    recipe: Recipe = recipe_with(stage, params or stage.params_for(known.event), known, ROUTE)
    return job_name(known, recipe).key


UPSCALE, LIFESTYLE = key_of(STAGES["upscale"]), key_of(STAGES["lifestyle"])
BUY_BOTH = (Need("upscale", UPSCALE), Need("replace-bg", LIFESTYLE))


async def test_what_nobody_bought_yet_is_needed_from_the_failed_stage_on(shop: Shop) -> None:
    await shop.have(asset("transparent"))
    assert await shop.ask(between()) == Prospect(BUY_BOTH)


async def test_what_is_settled_or_condemned_costs_nothing(shop: Shop) -> None:
    await shop.settled(UPSCALE, asset("upscaled"))
    await shop.have(asset("upscaled"))
    assert await shop.ask(between()) == Prospect((Need("replace-bg", LIFESTYLE),))
    entry = await shop.ledger.look(UPSCALE)
    assert entry is not None
    assert await shop.ledger.condemn(entry)
    assert await shop.ask(between()) == Prospect((Need("replace-bg", LIFESTYLE),))


async def test_what_runs_or_is_overdue_is_only_polled(shop: Shop) -> None:
    entry = await shop.accepted(UPSCALE)
    assert await shop.ask(between()) == Prospect((Need("replace-bg", LIFESTYLE),), running=1)
    await shop.ledger.overdue(entry, "late")
    assert await shop.ask(between()) == Prospect((Need("replace-bg", LIFESTYLE),), running=1)


async def test_a_job_that_somebody_claims_just_now_is_not_ours_to_buy(shop: Shop) -> None:
    await shop.claimed(UPSCALE)
    assert (await shop.ask(between())).running == 1


Make = Callable[[Shop], Coroutine[Any, Any, object]]


async def ambiguous(shop: Shop) -> object:
    return await shop.ledger.doubt(await shop.claimed(UPSCALE), "the line was cut")


async def orphaned(shop: Shop) -> object:
    return await shop.claimed(UPSCALE, lease_seconds=0.0)


async def blocked(shop: Shop) -> object:
    return await shop.ledger.block(await shop.accepted(UPSCALE), "unsafe")


async def failed(shop: Shop) -> object:
    await shop.ledger.fail(await shop.accepted(UPSCALE), "once")
    return await shop.ledger.fail(await shop.accepted(UPSCALE), "out of memory")


async def collected(_: Shop) -> object:
    return None


@pytest.mark.parametrize(
    ("make", "cause", "says"),
    [
        (ambiguous, Cause.AMBIGUOUS, "the line was cut"),
        (orphaned, Cause.AMBIGUOUS, "answer to its submit was lost"),
        (blocked, Cause.BLOCKED, "unsafe"),
        (failed, Cause.FAILED, "out of memory"),
        (collected, Cause.ASSET_MISSING, "MUG/main/transparent-"),
    ],
)
async def test_what_would_only_fail_again_is_told_with_its_cause(
    shop: Shop, make: Make, cause: Cause, says: str
) -> None:
    await make(shop)
    found = await shop.held(between())
    assert (found.cause, says in found.sentence, found.may_insist) == (cause, True, True)


async def test_who_insists_is_told_the_whole_price_at_most(shop: Shop) -> None:
    await blocked(shop)
    wish = Wish(include_failing=True)
    (found,) = await shop.asker.ask_all([reenter(between(), wish, DOORS)], wish)
    assert found == Prospect((Need("upscale", None), Need("replace-bg", None)))


async def test_after_one_failed_attempt_of_two_the_next_is_bought(shop: Shop) -> None:
    await shop.have(asset("transparent"))
    await shop.ledger.fail(await shop.accepted(UPSCALE), "once")
    assert await shop.ask(between()) == Prospect(BUY_BOTH)


async def test_a_job_in_doubt_is_bought_again_by_decision_and_only_at_its_own_stage(shop: Shop) -> None:
    await shop.have(asset("transparent"))
    entry: Any = await ambiguous(shop)
    found = await shop.ask(between(), Wish(buy_again=True))
    assert found == Prospect(BUY_BOTH, buy_again=entry.record.claim)
    raw = Wish(buy_again=True, from_raw=True)
    given = between(stage_record(event(version="1")))
    await Newest(shop.store).record(reenter(given, raw, DOORS).record)
    assert (await shop.held(given, raw)).cause is Cause.AMBIGUOUS


async def test_with_other_parameters_it_is_another_job(shop: Shop) -> None:
    await shop.have(asset("transparent"))
    await blocked(shop)
    found = await shop.ask(between(), Wish(mends=parse_mends(["params.upscale.scale=2"], None)))
    assert [need.operation for need in found.needs] == ["upscale", "replace-bg"]
    assert {need.key for need in found.needs}.isdisjoint({UPSCALE, LIFESTYLE})


async def test_the_scale_that_the_pixel_cap_allows_names_the_job_and_a_larger_picture_is_refused(shop: Shop) -> None:
    for side, scale in ((400, 2), (600, 0)):
        record = stage_record().with_assets({"transparent": asset("transparent", width=side, height=side)})
        await shop.have(asset("transparent"))
        if scale:
            found = await shop.ask(between(record))
            assert found.needs[0] == Need("upscale", key_of(STAGES["upscale"], UpscaleParams(scale=2)))
        else:
            assert (await shop.held(between(record))).cause is Cause.TOO_MANY_PIXELS


async def test_a_picture_that_is_large_already_is_not_bought(shop: Shop) -> None:
    await shop.have(asset("transparent"))
    given = between(stage_record(event(params={"upscale": {"skip_if_longest_side": 100}})))
    assert [need.operation for need in (await shop.ask(given)).needs] == ["replace-bg"]


async def test_a_superseded_event_buys_nothing(shop: Shop) -> None:
    newer = stage_record(at=origin(99))
    await Newest(shop.store).record(newer)
    assert await shop.ask(between()) == Prospect(is_superseded=True)


async def test_an_image_that_is_ordered_otherwise_is_told(shop: Shop) -> None:
    await Newest(shop.store).record(stage_record(event(sequence=5), at=origin(99)))
    assert (await shop.held(between())).cause is Cause.ORDER_KIND


async def test_a_photo_whose_version_nobody_knows_is_priced_at_most(shop: Shop) -> None:
    assert await shop.ask(letter()) == Prospect(
        tuple(Need(name, None) for name in ("remove-bg", "upscale", "replace-bg"))
    )


async def test_a_photo_whose_version_was_found_out_is_priced_exactly(shop: Shop) -> None:
    record = reenter(letter(), Wish(), DOORS).record
    await Versions(shop.store).remember(record, "head:abc")
    known = record.with_assets({}, source_version="head:abc")
    cutout = key_of(STAGES["remove-bg"], record=known)
    await shop.settled(cutout, asset("transparent"), "remove-bg")
    await shop.have(asset("transparent"))
    found = await shop.ask(letter())
    assert [need.operation for need in found.needs] == ["upscale", "replace-bg"]
    assert found.needs[1].key == key_of(
        STAGES["lifestyle"], ReplaceBgParams.model_validate(STAGES["lifestyle"].params), known
    )


@pytest.mark.parametrize("raw", [event(), event(version="7")])
async def test_another_photo_under_a_known_version_would_never_be_looked_at(shop: Shop, raw: bytes) -> None:
    """The version stands for the photo: the old cut-out would be shown, and the new address never fetched."""
    wish = Wish(mends=parse_mends(["raw_url=https://b.example/new.jpg"], None))
    record = reenter(letter(raw), wish, DOORS).record
    assert (await shop.ask(letter(raw), wish)).needs
    version = "head:abc" if record.event.version is None else "given:7"
    if record.event.version is None:
        await Versions(shop.store).remember(record, version)
    known = record.with_assets({}, source_version=version)
    await shop.ledger.settle_local(job_name(known, RAW_RECIPE).key, "raw", {"raw": asset("raw")})
    assert (await shop.held(letter(raw), wish)).cause is Cause.OLD_PHOTO
    both = Wish(mends=parse_mends(["raw_url=https://b.example/new.jpg", "version=8"], None))
    assert (await shop.ask(letter(raw), both)).needs


async def test_thumbnails_that_can_be_made_no_more_are_told(shop: Shop) -> None:
    record = stage_record(None, "raw", "transparent", "upscaled", "lifestyle")
    await shop.have(asset("upscaled"))
    found = await shop.held(between(record, stage="thumbnails"))
    assert (found.cause, "lifestyle" in found.sentence) == (Cause.ASSET_MISSING, True)
    await shop.have(asset("lifestyle"))
    assert await shop.ask(between(record, stage="thumbnails")) == Prospect()


async def test_a_ledger_that_cannot_be_read_holds_its_letter_alone(shop: Shop) -> None:
    await shop.store.create(job_key_path(UPSCALE), b"scribble")
    found = await shop.asker.ask_all([reenter(between(), Wish(), DOORS), reenter(letter(), Wish(), DOORS)], Wish())
    assert isinstance(found[0], Held)
    assert found[0].cause is Cause.CORRUPT
    assert isinstance(found[1], Prospect)
