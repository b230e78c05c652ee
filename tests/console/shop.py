"""A shop for the console to look at: librdkafka's own broker, a folder store, and records as workers write them."""

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pyvips
from pydantic import SecretStr

from stream.broker.port import InRecord, OutRecord
from stream.broker.publishing import publish
from stream.broker.scan import Scanner
from stream.console.guard import FORM_TOKEN
from stream.console.opening import Opened, open_console
from stream.core.clock import SystemClock
from stream.core.errors import Reason
from stream.events import Origin, Priority
from stream.metrics.silent import SilentRecorder
from stream.objects.folder import FolderStore
from stream.objects.keys import asset_key
from stream.objects.options import StoreOptions
from stream.records import Asset, StageRecord, Status, first_record, terminal_of
from stream.runtime.dead_letters import write_letter
from stream.runtime.past import Past
from stream.runtime.verdict import DeadLetter
from stream.settings import Settings
from stream.topics import Topics
from tests.services.waiting import until

CDN = "https://cdn.example.com/shop"
SIDE = 64


def event(sku_id: str, **fields: Any) -> bytes:
    """A raw-image event; its URL is presigned, so its query is a secret."""
    url = "https://photos.example.com/a.jpg?X-Amz-Signature=5ec4e7"
    return json.dumps({"sku_id": sku_id, "raw_url": url, **fields}).encode()


@dataclass
class Shop:
    """`sent`, `finished` and `failed` write what a PIM and workers write; `open` is the console on it."""

    servers: str
    folder: Path

    def __post_init__(self) -> None:
        self.topics = Topics(f"t{secrets.token_hex(5)}")
        self.store = FolderStore(
            self.folder / "store", StoreOptions(public_base_url=CDN), recorder=SilentRecorder(), clock=SystemClock()
        )
        self._reader: Scanner | None = None

    def close(self) -> None:
        """Let go of the topics."""
        if self._reader is not None:
            self._reader.close()

    def settings(self, **more: Any) -> Settings:
        return Settings(
            kafka_bootstrap_servers=self.servers, topic_prefix=self.topics.prefix,
            store=(self.folder / "store").as_uri(), cdn_base_url=CDN, console_port=0, **more,
        )  # fmt: skip

    @asynccontextmanager
    async def open(self, **more: Any) -> AsyncIterator[Opened]:
        async with open_console(self.settings(**more), refresh_seconds=0.05) as opened:
            yield opened

    def publish(self, *records: OutRecord) -> None:
        done = publish({"bootstrap.servers": self.servers}, records)
        assert not done.failed

    def sent(self, sku_id: str, **fields: Any) -> InRecord:
        """A raw event in the entry topic."""
        (record,) = self.all_sent([OutRecord(self.topics.raw, sku_id.encode(), event(sku_id, **fields))])
        return record

    def all_sent(self, records: Sequence[OutRecord]) -> list[InRecord]:
        """Raw records as they lie in their topic, in the order of their keys."""
        if self._reader is None:
            self._reader = Scanner({"bootstrap.servers": self.servers})
            self._reader.begin({each: span.high for each, span in self._reader.spans([self.topics.raw]).items()})
        self.publish(*records)
        found: list[InRecord] = []
        while len(found) < len(records):
            found += [record for batch in self._reader.read() for record in batch]
        return sorted(found, key=lambda record: record.key or b"")

    async def asset(self, sku_id: str, name: str, extension: str = "png", *, paid: str = "10") -> Asset:
        """A picture in the store, and what records say of it."""
        hashed = hashlib.sha256(f"{sku_id}{name}".encode()).hexdigest()[:20]
        key = asset_key(sku_id, "main", name, hashed, extension)
        path = self.folder / f"picture.{extension}"
        (pyvips.Image.gaussnoise(SIDE, SIDE, mean=128).cast("uchar")).write_to_file(str(path))
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        stored = await self.store.put_file(key, path, content_type=f"image/{extension}", sha256=digest)
        return Asset(
            key=key, url=f"{CDN}/{key}", content_type=stored.content_type, width=SIDE, height=SIDE,
            bytes=stored.bytes, sha256=stored.sha256, credits=Decimal(paid), seconds=1.5,
        )  # fmt: skip

    def read(self, record: InRecord, **assets: Asset) -> StageRecord:
        origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
        read = first_record(record.value, origin, timestamp_ms=0, priority=Priority.LIVE, started_at=1_795_350_820.0)
        return read.with_assets(assets, source_version="v")

    def finished(self, record: InRecord, status: Status = Status.COMPLETED, /, **assets: Asset) -> OutRecord:
        """The terminal record."""
        end = terminal_of(self.read(record, **assets), status=status, finished_at=1_795_350_850.0)
        return OutRecord(self.topics.completed, record.key, end.encode())

    def failed(
        self, record: InRecord, reason: Reason = Reason.JOB_FAILED, *, error: str = "it went wrong", **assets: Asset
    ) -> OutRecord:
        """The letter: of the first stage, or of the second where there are assets."""
        read = self.read(record, **assets)
        failed = InRecord(self.topics.asset("x"), 0, 0, record.key, read.encode(), 0) if assets else record
        verdict = DeadLetter(reason, error, facts={"credits": "20"})
        stage = "upscale" if assets else "remove-bg"
        return write_letter(self.topics.dead_letter, stage, failed, verdict, past=Past(attempts=2), read=read)


@dataclass
class Browser:
    """A browser without scripts, that keeps cookies."""

    session: aiohttp.ClientSession
    root: str

    async def get(self, path: str, *, status: int = 200, **headers: str) -> str:
        """A page's HTML."""
        sent = {"Accept": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.session.get(f"{self.root}{path}", headers=sent, allow_redirects=False) as answer:
            text = await answer.text(errors="replace")
            assert answer.status == status, text
            return text

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> tuple[int, str]:
        """A form, sent: the status, and where it leads or what it says."""
        sent = {"Origin": self.root, "Accept": "text/html", **headers}
        url = f"{self.root}{path}"
        async with self.session.post(url, data=fields, headers=sent, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "") or await answer.text()


def form_token(page: str) -> str:
    """What the page's forms carry."""
    found = re.search(rf'name="{FORM_TOKEN}" value="([0-9a-f]+)"', page)
    assert found, page
    return found[1]


@asynccontextmanager
async def browsing(opened: Opened) -> AsyncIterator[Browser]:
    """One browser's session."""
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address, as browsers take them
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Browser(session, opened.url.rstrip("/"))


async def seen(condition: Callable[[], bool], what: str) -> None:
    """Return once the console has read it."""
    await asyncio.to_thread(until, condition, timeout_seconds=150, what=what)


SECRET = SecretStr("correct horse battery staple")
