"""What may become of an asset, and the books of one run. Pure data and pure decisions: no door is opened here.

Comes in: what the store, the manifest and the ledger say of a job's assets. Goes out: a `Fate`, and totals to print.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from stream.ledger.port import Entry, LedgerState
from stream.objects.keys import AssetName
from stream.objects.port import Listed

MOST_NAMED = 20
"""Images and damaged documents named in an answer; the rest is counted."""


class Fate(StrEnum):
    """Where an asset stands. Only `due` and `leftover` are ever deleted."""

    SHOWN = "shown"
    """The image's manifest names it, or another one of the same job."""
    SUPERSEDED = "superseded"
    """Settled, and the image's newest event shows others: condemned by this run."""
    CONDEMNED = "condemned"
    """Condemned by an earlier run, not long enough ago. Free for whoever needs it again."""
    DUE = "due"
    """Condemned long enough: deleted by this run."""
    LEFTOVER = "leftover"
    """Of a job that was collected: its run ended before it could delete this, or it came late."""
    UNFINISHED = "unfinished"
    """Of an image whose newest event shows nothing yet: under way, or a letter that may be replayed."""
    UNDER_WAY = "under-way"
    """Of a job that is not settled, in whatever state."""
    UNKNOWN = "unknown"
    """No job of ours made it, as far as the ledger knows."""
    DAMAGED = "damaged"
    """Of an image one of whose documents cannot be read: a person has to look."""


NEEDLESS = frozenset({Fate.SUPERSEDED, Fate.CONDEMNED, Fate.DUE, Fate.LEFTOVER})
"""What an image would be lighter by."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object that an asset's key names."""

    listed: Listed
    name: AssetName


@dataclass(frozen=True, slots=True)
class Verdict:
    """Assets of one job with one fate; `entry` is the job's, where the ledger was asked."""

    fate: Fate
    found: tuple[Found, ...]
    entry: Entry | None = None

    @property
    def bytes(self) -> int:
        """Of all of them."""
        return sum(each.listed.bytes for each in self.found)

    @property
    def credits(self) -> Decimal:
        """What buying the job again would cost, as it cost before; nothing for what is made here."""
        return self.entry.record.credits if self.entry is not None and self.fate is not Fate.LEFTOVER else Decimal(0)


def judge(found: Iterable[Found], entry: Entry | None, *, older_than_seconds: float) -> list[Verdict]:
    """The fates of one job's assets that the manifest does not show, the image's newest event being the shown one."""
    by_fate: dict[Fate, list[Found]] = {}
    for each in found:
        by_fate.setdefault(_fate(each.name, entry, older_than_seconds), []).append(each)
    return [Verdict(fate, tuple(each), entry) for fate, each in by_fate.items()]


def _fate(name: AssetName, entry: Entry | None, older_than_seconds: float) -> Fate:
    if entry is None or name.generation > entry.record.generation:
        return Fate.UNKNOWN
    if name.generation < entry.record.generation:
        return Fate.LEFTOVER
    if entry.state is LedgerState.SETTLED:
        return Fate.SUPERSEDED
    if entry.state is LedgerState.CONDEMNED:
        return Fate.DUE if entry.age_seconds >= older_than_seconds else Fate.CONDEMNED
    return Fate.UNDER_WAY


@dataclass(slots=True)
class Tally:
    """Jobs, their assets, bytes, and what buying them again would cost."""

    jobs: int = 0
    assets: int = 0
    bytes: int = 0
    credits: Decimal = Decimal(0)

    def add(self, verdict: Verdict) -> None:
        """Count one more."""
        self.jobs += len({(each.name.short, each.name.generation) for each in verdict.found})
        self.assets += len(verdict.found)
        self.bytes += verdict.bytes
        self.credits += verdict.credits


@dataclass(slots=True)
class Books:
    """What one run saw and did."""

    images: int = 0
    objects: int = 0
    foreign: int = 0
    """Objects whose keys are not ours: left alone, whatever they are."""
    by_fate: dict[Fate, Tally] = field(default_factory=lambda: {fate: Tally() for fate in Fate})
    condemned_jobs: int = 0
    collected_jobs: int = 0
    deleted_assets: int = 0
    deleted_bytes: int = 0
    spared_jobs: int = 0
    """Somebody needed them, or wrote the manifest, while this run looked: left for the next one."""
    largest: Counter[str] = field(default_factory=Counter)
    """Needless bytes by image: at least the largest `MOST_NAMED`."""
    damage: list[str] = field(default_factory=list)
    damaged_images: int = 0

    def judged(self, unit: str, verdicts: Iterable[Verdict]) -> None:
        """One image's verdicts."""
        needless_bytes = 0
        for verdict in verdicts:
            self.by_fate[verdict.fate].add(verdict)
            needless_bytes += verdict.bytes if verdict.fate in NEEDLESS else 0
        if needless_bytes:
            self.largest[unit] += needless_bytes
            if len(self.largest) > 2 * MOST_NAMED:
                self.largest = Counter(dict(self.largest.most_common(MOST_NAMED)))

    def damaged(self, sentence: str) -> None:
        """An image was left alone for a document that cannot be read."""
        self.damaged_images += 1
        if len(self.damage) < MOST_NAMED:
            self.damage.append(sentence)

    def as_json(self) -> dict[str, Any]:
        """For machines; units in the names."""
        return {
            "images": self.images,
            "objects": self.objects,
            "foreign": self.foreign,
            "fates": {
                fate.value: {
                    "jobs": tally.jobs, "assets": tally.assets, "bytes": tally.bytes, "credits": str(tally.credits),
                }
                for fate, tally in self.by_fate.items()
            },
            "condemned_jobs": self.condemned_jobs,
            "collected_jobs": self.collected_jobs,
            "deleted_assets": self.deleted_assets,
            "deleted_bytes": self.deleted_bytes,
            "spared_jobs": self.spared_jobs,
            "largest_bytes": dict(self.largest.most_common(MOST_NAMED)),
            "damaged_images": self.damaged_images,
            "damage": self.damage,
        }  # fmt: skip
