"""Our documents in the object store, each with every field set somewhere: ledger, versions, manifests, notes, words."""

from decimal import Decimal
from functools import partial
from typing import Any

from stream.catalog.notes import BatchNote, Start, Submission, SubmitState
from stream.events import Kept, OrderKind, Origin, Place, Priority
from stream.ledger.documents import read_document
from stream.ledger.newest import Known
from stream.ledger.port import JobRecord, LedgerState, Payer
from stream.ledger.resumes import Resume
from stream.ledger.versions import Resolved
from stream.records import Asset, dump
from stream.stages.manifest import Manifest, ManifestAsset
from tests.frozen.cases import Case

ORIGIN = Origin(topic="product-images.raw", partition=4, offset=1041, index=0)
NEWER = Origin(topic="product-images.raw.backfill", partition=0, offset=9_007_199_254_740_993, index=2)
RECORDED_MS = 1_795_341_600_000
KEY = "f96d5a6b334e92afbfc6855eaafd3ddfecada12970b27779491bb5b9d98b61e7"
NONCE = "00112233445566778899aabbccddeeff"
CLAIM = "ffeeddccbbaa99887766554433221100"
PLACE = Place(kind=OrderKind.SEQUENCE, value=12, origin=ORIGIN, timestamp_ms=RECORDED_MS)
CUTOUT = Asset(
    key="~C3~84-1/main/transparent-f96d5a6b334e92afbfc6x2.png",
    url="https://cdn.example.com/~C3~84-1/main/transparent-f96d5a6b334e92afbfc6x2.png",
    content_type="image/png", width=1200, height=900, bytes=184_320, sha256="0123456789abcdef" * 4,
    credits=Decimal("10.50"), seconds=6.125,
)  # fmt: skip
PHOTO = Asset(
    key="~C3~84-1/main/raw-27a1.jpg", url="https://cdn.example.com/~C3~84-1/main/raw-27a1.jpg",
    content_type="image/jpeg", width=1200, height=900, bytes=99_000, sha256="fedcba9876543210" * 4,
    credits=Decimal(0), seconds=0.25,
)  # fmt: skip
WAITED = 2.125
STARTED_AT, ENDED_AT = 1_795_341_601.5, 1_795_341_662.75


def job(state: LedgerState, **fields: Any) -> JobRecord:
    """One of a claim that waited for the limiter."""
    told: dict[str, Any] = {
        "v": 1, "key": KEY, "state": state, "operation": "remove-bg", "nonce": NONCE, "claim": CLAIM, "attempt": 1,
        "payer": Payer(origin=ORIGIN, timestamp_ms=RECORDED_MS, replay=1), "claimed_at": STARTED_AT,
        "lease_seconds": 60.0, "waited_seconds": WAITED,
    }  # fmt: skip
    return JobRecord(**told | fields)


RUNNING = {"job_id": "b4cd5e018dd8c674d3006d9f", "accepted_at": STARTED_AT + 1, "credits": Decimal(10)}
JOBS = {
    "claimed": job(LedgerState.CLAIMED),
    "accepted": job(LedgerState.ACCEPTED, **RUNNING),
    "accepted-at-once": job(
        LedgerState.ACCEPTED, accepted_at=STARTED_AT + 1, output_url="https://api.example.com/out/1.png?s=x",
        credits=Decimal("0.25"),
    ),
    "released": job(LedgerState.RELEASED, detail="402: no credits left"),
    "ambiguous": job(LedgerState.AMBIGUOUS, detail="the answer was lost"),
    "settled": job(LedgerState.SETTLED, **RUNNING, assets={"transparent": CUTOUT}),
    "failed": job(
        LedgerState.FAILED, attempt=2, job_id="second", accepted_at=STARTED_AT + 9, detail="no subject — found",
        failed_jobs=("first", "second"), failed_credits=Decimal("20.00"),
    ),
    "blocked": job(LedgerState.BLOCKED, **RUNNING, detail="the safety filter"),
    "overdue": job(LedgerState.OVERDUE, **RUNNING, detail="not ended in 900 s"),
    "condemned": job(LedgerState.CONDEMNED, **RUNNING, assets={"transparent": CUTOUT}),
    "collected": JobRecord(
        key=KEY, state=LedgerState.COLLECTED, operation="remove-bg", nonce=NONCE,
        collected=(("first", "second"), ("synchronous",)),
    ),
    "made-here": JobRecord(
        key=KEY, state=LedgerState.SETTLED, operation="thumbnails", nonce=NONCE, assets={"upscaled-200-webp": PHOTO},
    ),
}  # fmt: skip
"""In every state, as each kind of writer leaves it."""

MANIFEST = Manifest(
    v=1, sku_id="Ä-1", image_id="main", event_id="pim-184", source_version="given:7", place=PLACE,
    assets={
        "transparent": ManifestAsset.model_validate(CUTOUT.model_dump(include=set(ManifestAsset.model_fields))),
    },
    updated_at=ENDED_AT, nonce=NONCE,
)  # fmt: skip
NOTE = BatchNote(
    v=1, batch_id="spring 2026", images=2, starts=(Start(topic=ORIGIN.topic, partition=4, offset=1000),),
    submissions=(
        Submission(
            id=CLAIM, at=STARTED_AT, by="ann@pim", source="spring.csv", topic=NEWER.topic, priority=Priority.BACKFILL,
            rows=3, events=2, skipped=1, is_sample=True, state=SubmitState.INTERRUPTED, acknowledged=1,
        ),
    ),
    nonce=NONCE,
)  # fmt: skip


def document(name: str, value: Kept, **older: Kept) -> Case:
    """A case of a document; `older`: what generation `g1`, `g2` ... meant."""
    read = partial(read_document, type(value), name)
    return Case(name, value, dump, read, {int(number[1:]): meant for number, meant in older.items()})


def _job(name: str, value: JobRecord) -> Case:
    """Before generation 3 nobody noted how long a claim waited; a file stands only where bytes changed."""
    unknown = value.model_copy(update={"waited_seconds": 0.0})
    return document(f"job.{name}", value, g1=unknown, g2=unknown)


DOCUMENTS = [
    *(_job(name, value) for name, value in JOBS.items()),
    document(
        "newest.sequence", Known(place=PLACE, content="8ab41b26e7d0c31b6f4acb8065fa31b7", replay=1, nonce=NONCE)
    ),
    document(
        "newest.offset",
        Known(
            place=Place(kind=OrderKind.OFFSET, value=NEWER.offset, origin=NEWER, timestamp_ms=RECORDED_MS),
            content="387821e1a2fa1d8da0fdaf98227b1520", nonce=NONCE,
        ),
    ),
    document("version.etag", Resolved(v=1, source_version='etag:"a-1"', nonce=NONCE)),
    document("manifest.image", MANIFEST),
    document("batch.note", NOTE),
    document(
        "resume.reason", Resume(stage="upscale", reason="job-failed", by="ann", why="mended — ok", nonce=NONCE)
    ),
]  # fmt: skip
