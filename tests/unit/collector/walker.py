"""A walk as the stages do it, on the real ledger, newest and manifest, without pictures: two jobs, then the manifest.

Every await of a store is a place where a test may stop, kill or overtake it.
"""

import hashlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import orjson

from stream.core.clock import Clock, SystemClock
from stream.core.errors import Reason, Rejected
from stream.events import Origin, Priority
from stream.ledger.jobs import Ledger
from stream.ledger.newest import Newest
from stream.ledger.port import RUNNING, Entry, LedgerState, Payer
from stream.objects.keys import asset_key, manifest_key
from stream.objects.memory import MemoryStore
from stream.objects.port import Document, Listed, StoredFile
from stream.records import Asset, StageRecord, first_record
from stream.stages.manifest import Manifest, publish
from stream.stages.recipes import JobName, job_name

if TYPE_CHECKING:
    from stream.stages.desk import Desk

JOBS = ("raw", "transparent")
PRICE = Decimal(10)
SKU = "SKU"
Turn = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """Nobody waits for his turn."""


class GatedStore(MemoryStore):
    """A store at whose door one waits for one's turn: before each call, and before its answer is known."""

    def __init__(self, turn: Turn = at_once, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.turn = turn

    async def read(self, key: str) -> Document | None:
        await self.turn()
        found = await super().read(key)
        await self.turn()
        return found

    async def create(self, key: str, body: bytes) -> str | None:
        await self.turn()
        tag = await super().create(key, body)
        await self.turn()
        return tag

    async def replace(self, key: str, body: bytes, tag: str) -> str | None:
        await self.turn()
        new = await super().replace(key, body, tag)
        await self.turn()
        return new

    async def put_file(self, key: str, path: Path, *, content_type: str, sha256: str) -> StoredFile:
        await self.turn()
        return await super().put_file(key, path, content_type=content_type, sha256=sha256)

    async def stat(self, key: str) -> StoredFile | None:
        await self.turn()
        return await super().stat(key)

    async def list_keys(self, prefix: str, *, after: str = "") -> AsyncGenerator[Listed, None]:
        await self.turn()
        async for found in super().list_keys(prefix, after=after):
            yield found

    async def delete_asset(self, key: str) -> None:
        await self.turn()
        await super().delete_asset(key)

    def stands(self, key: str) -> bool:
        return key in self._objects


class Plot:
    """One image's events over one store; `bought` counts purchases by job and generation."""

    def __init__(self, store: GatedStore, folder: Path) -> None:
        self.store = store
        self.ledger = Ledger(store, clock=SystemClock(), lease_seconds=60.0)
        self.newest = Newest(store)
        self.bought: Counter[tuple[str, int]] = Counter()
        self.living: set[str] = set()
        """Claims whose buyers live."""
        self._picture = folder / "picture"
        self._picture.write_bytes(b"picture")
        self._sha256 = hashlib.sha256(b"picture").hexdigest()
        self.desk = cast("Desk", SimpleNamespace(objects=store, ledger=self.ledger, clock=SystemClock()))

    def record(self, *, sequence: int, photo: str, offset: int | None = None) -> StageRecord:
        """An event; copies of it (one sequence) may have been found to mean different photos."""
        raw = orjson.dumps({"sku_id": SKU, "raw_url": "https://pim.example/a.jpg", "sequence": sequence})
        origin = Origin(topic="product-images.raw", partition=0, offset=sequence if offset is None else offset)
        record = first_record(raw, origin, timestamp_ms=1_000, priority=Priority.LIVE, started_at=0.0)
        return record.with_assets({}, source_version=photo)

    async def walk(self, record: StageRecord) -> StageRecord:
        """All of it: the record with its assets, or as far as it came when it was superseded."""
        await self.newest.record(record)
        for name in JOBS:
            if await self.newest.superseding(record) is not None:
                return record
            record = await self.stage(record, name)
        await self.show(record)
        return record

    async def stage(self, record: StageRecord, name: str) -> StageRecord:
        """One job's asset: reused, adopted or bought."""
        job = job_name(record, [name])
        while True:
            entry = await self.ledger.usable(job.key)
            if entry is not None and entry.state is LedgerState.SETTLED:
                return record.with_assets(entry.record.assets)
            if entry is not None and entry.state in RUNNING:
                await self._bring_home(record, job, name, entry)
            elif entry is not None and entry.state is LedgerState.CLAIMED:
                await self._wait(entry)
            else:
                await self._demand_inputs(record)
                if await self.newest.superseding(record) is not None:
                    return record
                await self._buy(record, job, entry)

    async def show(self, record: StageRecord) -> None:
        """Publish, unless stale."""
        if len(record.assets) == len(JOBS) and await self.newest.superseding(record) is None:
            await publish(self.desk, record)

    async def manifest(self) -> Manifest | None:
        found = await MemoryStore.read(self.store, manifest_key(SKU, "main"))
        return None if found is None else Manifest.model_validate_json(found.body)

    async def _demand_inputs(self, record: StageRecord) -> None:
        for asset in record.assets.values():
            if await self.store.stat(asset.key) is None:
                raise Rejected(Reason.ASSET_MISSING, asset.key)

    async def _wait(self, entry: Entry) -> None:
        if entry.record.claim in self.living:
            await self.store.turn()
        else:
            await self.ledger.release(entry, "its buyer died before it sent anything")

    async def _buy(self, record: StageRecord, job: JobName, seen: Entry | None) -> None:
        claim_id = f"claim-{len(self.bought)}-{id(record)}-{sum(self.bought.values())}"
        self.living.add(claim_id)
        try:
            payer = Payer(origin=record.origin)
            entry = await self.ledger.claim(job.key, "remove-bg", payer, seen, claim_id=claim_id)
            if entry is None:
                return
            self.bought[job.key, entry.record.generation] += 1
            job_id = f"job-{sum(self.bought.values())}"
            await self.ledger.accept(entry, job_id=job_id, output_url=None, credits_charged=PRICE)
        finally:
            self.living.discard(claim_id)

    async def _bring_home(self, record: StageRecord, job: JobName, name: str, entry: Entry) -> None:
        key = asset_key(*record.event.image, name, job.after(entry).short, "png")
        stored = await self.store.put_file(key, self._picture, content_type="image/png", sha256=self._sha256)
        asset = Asset(
            key=stored.key, url=self.store.public_url(key), content_type=stored.content_type, width=1, height=1,
            bytes=stored.bytes, sha256=stored.sha256,
        )  # fmt: skip
        await self.ledger.settle(entry, {name: asset}, PRICE)
