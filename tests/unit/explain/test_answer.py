"""The ledger and the manifests join in: how jobs are found, what is told when documents are damaged or records gone."""

import uuid
from decimal import Decimal

import pytest

from stream.broker.port import InRecord
from stream.core.clock import SystemClock
from stream.events import Place
from stream.explain.answer import Answer, UnknownSku
from stream.explain.moments import What
from stream.explain.search import Search
from stream.explain.story import EventStory, State, Story
from stream.ledger.jobs import Ledger
from stream.ledger.port import Payer
from stream.ledger.versions import Versions
from stream.objects.keys import job_key_path, manifest_key
from stream.objects.memory import MemoryStore
from stream.pipeline import default_pipeline
from stream.records import Asset, StageRecord, dump
from stream.stages.manifest import Manifest
from stream.stages.recipes import RAW_RECIPE, job_name, recipe_of
from tests.unit.explain.told import asset, ended, handed_on, letter, origin, raw, read, search

PIPELINE = default_pipeline()
EVENT = raw(version="1", event_id="e1")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def ledger_of(store: MemoryStore) -> Ledger:
    return Ledger(store, clock=SystemClock(), lease_seconds=90)


async def told(store: MemoryStore, looking: Search, image_id: str | None = None) -> Story:
    answer = Answer(store, PIPELINE, SystemClock(), max_pixels=50_000_000)
    return await answer.story("SHOE-1", looking, image_id=image_id, warnings=())


async def the_event(store: MemoryStore, looking: Search) -> EventStory:
    ((event,),) = [image.events for image in (await told(store, looking)).images]
    return event


def looked(*records: InRecord) -> Search:
    looking = search()
    for record in records:
        looking.look(record)
    return looking


async def settle(store: MemoryStore, key: str, made: dict[str, Asset], *, waited_seconds: float = 0.0) -> None:
    """As a worker buys it for EVENT."""
    ledger = ledger_of(store)
    payer = Payer(origin=origin(EVENT), timestamp_ms=EVENT.timestamp_ms)
    entry = await ledger.claim(key, "remove-bg", payer, None, waited_seconds=waited_seconds)
    assert entry is not None
    entry = await ledger.accept(entry, job_id="job-1", output_url=None, credits_charged=Decimal(10))
    await ledger.settle(entry, made, Decimal(10))


def versioned(record: StageRecord, version: str = "given:1") -> StageRecord:
    return record.with_assets({}, source_version=version)


async def test_jobs_are_found_by_their_recipes_while_the_event_is_still_raw(store: MemoryStore) -> None:
    record = versioned(read(EVENT))
    photo = job_name(record, RAW_RECIPE).key
    await ledger_of(store).settle_local(photo, "raw", {"raw": asset("raw", photo)})
    cut_out = job_name(record, recipe_of("transparent", record, PIPELINE.stages)).key
    await settle(store, cut_out, {"transparent": asset("transparent", cut_out)}, waited_seconds=0.2)
    event = await the_event(store, looked(EVENT))
    assert {moment.what for moment in event.moments} == {
        What.RECEIVED, What.MADE, What.WAITED, What.CLAIMED, What.ACCEPTED, What.JOB,
    }  # fmt: skip
    assert (event.credits, event.state) == (Decimal(10), State.IN_PROGRESS)


async def test_the_version_that_an_earlier_walk_resolved_leads_to_the_jobs(store: MemoryStore) -> None:
    unversioned = raw()
    record = read(unversioned)
    await Versions(store).remember(record, "head:abc")
    key = job_name(versioned(record, "head:abc"), RAW_RECIPE).key
    await ledger_of(store).settle_local(key, "raw", {"raw": asset("raw", key)})
    event = await the_event(store, looked(unversioned))
    assert [moment.what for moment in event.moments if moment.what is What.MADE] == [What.MADE]
    assert event.event.source_version == "head:abc"


async def test_jobs_of_another_pipeline_are_found_by_what_they_made_and_by_what_letters_name(
    store: MemoryStore,
) -> None:
    made, named = "cd" * 32, "ef" * 32
    await settle(store, made, {"transparent": asset("transparent", made)})
    await settle(store, named, {"upscaled": asset("upscaled", named)})
    further = read(EVENT).with_assets({"transparent": asset("transparent", made)}, source_version="given:1")
    record = handed_on(EVENT, after_ms=5)
    between = InRecord(record.topic, 0, 4, record.key, further.encode(), record.timestamp_ms)
    event = await the_event(store, looked(EVENT, between, letter(EVENT, after_ms=9, job_key=named)))
    assert {moment.facts["job_key"] for moment in event.moments if moment.what is What.CLAIMED} == {made, named}


async def test_a_damaged_document_is_a_warning_and_the_rest_is_told(store: MemoryStore) -> None:
    named = "ef" * 32
    await store.create(job_key_path(named), b'{"v": 1, "stranger": true}')
    await store.create(manifest_key("SHOE-1", "main"), b"[]")
    story = await told(store, looked(EVENT, letter(EVENT, after_ms=9, job_key=named)))
    assert story.images[0].events[0].state is State.FAILED
    assert [warning.split(" ")[2] for warning in story.warnings] == [
        manifest_key("SHOE-1", "main"), job_key_path(named),
    ]  # fmt: skip


async def test_a_letter_that_names_no_job_key_at_all_is_told_all_the_same(store: MemoryStore) -> None:
    story = await told(store, looked(EVENT, letter(EVENT, after_ms=9, job_key="../../etc")))
    assert story.images[0].events[0].state is State.FAILED
    assert story.warnings


def manifest(image_id: str = "main") -> Manifest:
    place = Place(kind=read(EVENT).place.kind, value=0, origin=origin(EVENT))
    shown = asset("transparent").model_dump(exclude={"credits", "seconds"})
    return Manifest.model_validate({
        "sku_id": "SHOE-1", "image_id": image_id, "event_id": "e1", "source_version": "given:1",
        "place": place.model_dump(), "assets": {"transparent": shown}, "updated_at": 1.0, "nonce": uuid.uuid4().hex,
    }, strict=False)  # fmt: skip


async def test_what_the_shop_sees_is_the_manifest(store: MemoryStore) -> None:
    await store.create(manifest_key("SHOE-1", "main"), dump(manifest()))
    (image,) = (await told(store, looked(EVENT, ended(EVENT, after_ms=1)))).images
    assert image.shown is not None
    assert dict(image.shown.urls) == {"transparent": "https://cdn.example.com/transparent.png"}
    assert (image.shown.origin, image.shown.since_ms) == ("product-images.raw/0/0", 1000)


async def test_a_sku_whose_records_aged_out_is_known_by_its_manifests(store: MemoryStore) -> None:
    for image_id in ("back", "main"):
        await store.create(manifest_key("SHOE-1", image_id), dump(manifest(image_id)))
    story = await told(store, search())
    assert [image.summary for image in story.images] == [
        f"SHOE-1 {name}: no topic holds a record of it any more; its manifest stands" for name in ("back", "main")
    ]
    assert [image.image_id for image in (await told(store, search(), "back")).images] == ["back"]


async def test_nobody_knows_it(store: MemoryStore) -> None:
    looking = looked(raw("shoe-1"), raw("SHOE-11"), raw("BAG"))
    with pytest.raises(UnknownSku) as unknown:
        await told(store, looking)
    assert str(unknown.value) == (
        "no topic holds a record of 'SHOE-1', and the store no picture of it; did you mean 'shoe-1' or 'SHOE-11'?"
    )
    looking = search(image_id="top")
    looking.look(EVENT)
    with pytest.raises(UnknownSku, match="no image 'top' of 'SHOE-1'; there is 'main'"):
        await told(store, looking, "top")
