"""From settings to open doors. With `assembly` the only files that know which class stands behind a port.

Comes in: settings. Goes out: doors, to the assembly and to commands that need one of them alone.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote

import structlog
from pydantic import SecretStr

from stream.core.clock import Clock, SystemClock
from stream.core.errors import Misconfigured
from stream.downloads.web import HttpDownloads
from stream.images.inspect import ImageLimits
from stream.metrics.port import Recorder
from stream.metrics.silent import SilentRecorder
from stream.notifications.entry import Own
from stream.notifications.pattern import KeyPattern
from stream.notifications.reading import EntryReader
from stream.objects.choose import open_store
from stream.objects.options import InputMode, StoreOptions
from stream.objects.port import ObjectStore
from stream.objects.s3_sources import S3Sources
from stream.pipeline import Pipeline
from stream.pixelapi.client import HttpPixelApi, default_user_agent
from stream.pixelapi.dialects import Endpoint
from stream.prices import load_prices
from stream.quota.memory import MemoryQuota
from stream.quota.window import Contract
from stream.replays.bench import BenchParts
from stream.settings import Delivery, Settings
from stream.settings import S3Store as S3Address
from stream.topics import Topics
from stream.tracing.port import NoTracing, Tracing

if TYPE_CHECKING:
    from stream.tracing.otlp import OtlpTracing

log = structlog.get_logger(__name__)

DOWNLOAD_TIMEOUT_SECONDS = 300.0


@asynccontextmanager
async def open_objects(settings: Settings) -> AsyncIterator[ObjectStore]:
    """The store alone, for commands that note, look up and clear away. Nothing is asked of it before its first call."""
    objects = await store_of(settings, SystemClock(), SilentRecorder())
    try:
        yield objects
    finally:
        await objects.aclose()


async def store_of(settings: Settings, clock: Clock, recorder: Recorder) -> ObjectStore:
    """The object store. Raises `Misconfigured` where none is set; nothing is asked of it before its first call."""
    settings.need_store()
    return await open_store(settings.store or "", _store_options(settings), recorder=recorder, clock=clock)


def _store_options(settings: Settings) -> StoreOptions:
    modes = {"auto": InputMode.AUTO, "upload": InputMode.UPLOAD}
    by_url = InputMode.PUBLIC if settings.cdn_base_url else InputMode.PRESIGNED
    return StoreOptions(
        public_base_url=settings.cdn_base_url,
        input_mode=modes.get(settings.input, by_url),
        endpoint_url=settings.aws_endpoint_url,
        region=settings.aws_region,
        access_key=None if settings.aws_access_key_id is None else SecretStr(settings.aws_access_key_id),
        secret_key=settings.aws_secret_access_key,
        session_token=settings.aws_session_token,
        overrule_conditions=settings.store_overrule_conditions,
    )


def entry_reader_of(settings: Settings) -> EntryReader:
    """Who reads the entry topics: events, and notifications about the buckets that photos come from."""
    store = None if settings.store is None else settings.need_store()
    return EntryReader(
        KeyPattern.parse(settings.notification_pattern),
        frozenset(settings.source_buckets),
        Own(store.bucket, unquote(store.prefix)) if isinstance(store, S3Address) else None,
    )


def bench_of(settings: Settings, pipeline: Pipeline) -> BenchParts:
    """What puts letters back. Raises `Misconfigured` where Kafka, the store or the price book is not set rightly."""
    return BenchParts(
        client=settings.kafka_client(),
        topics=Topics(settings.topic_prefix),
        pipeline=pipeline,
        entries=entry_reader_of(settings),
        open_objects=partial(open_objects, settings),
        limits=limits_of(settings),
        prices=load_prices(settings.prices),
        requests_per_second=settings.quota_requests / settings.quota_window_seconds,
        is_transactional=settings.delivery is Delivery.EXACTLY_ONCE,
        clock=SystemClock(),
    )


def limits_of(settings: Settings) -> ImageLimits:
    """What pictures may be like."""
    return ImageLimits(max_pixels=settings.max_pixels, max_bytes=settings.max_download_bytes)


def prices_of(settings: Settings, pipeline: Pipeline) -> Mapping[str, Decimal]:
    """Credits by operation; an operation of the pipeline that has no price is told. Raises `Misconfigured`."""
    prices = load_prices(settings.prices).credits
    unknown = {stage.card.name for stage in pipeline.stages if not stage.local} - prices.keys()
    if unknown:
        log.warning("no-price", operations=sorted(unknown), prices=settings.prices, way_out="name them in a price book")
    return prices


def quota_of(settings: Settings, clock: Clock, recorder: Recorder) -> MemoryQuota:
    """This process's share of the contract."""
    return MemoryQuota(
        Contract(settings.quota_requests, settings.quota_window_seconds),
        clock=clock,
        recorder=recorder,
        share=settings.quota_share,
        max_running_jobs=settings.max_running_jobs,
        starts_closed=settings.quota_starts_closed,
    )


def tracing_of(settings: Settings, topics: Topics, clock: Clock, recorder: Recorder) -> Tracing:
    """Traces to the collector that is set, or none. Raises `Misconfigured` where what they need is not installed."""
    make = need_tracing(settings)
    if make is None or settings.otlp_endpoint is None:
        return NoTracing()
    return make(
        settings.otlp_endpoint, settings.otlp_header_pairs, settings.trace_ratio,
        topics=topics, clock=clock, recorder=recorder,
    )  # fmt: skip


def need_tracing(settings: Settings) -> "type[OtlpTracing] | None":
    """Who traces; None where no collector is set.

    Raises `Misconfigured` where what it needs is not installed, or cannot read the OTEL_* settings that are its own.
    """
    if settings.otlp_endpoint is None:
        return None
    try:
        from stream.tracing.otlp import OtlpTracing  # noqa: PLC0415 - off, nothing of it is even imported
    except ImportError as error:
        raise Misconfigured(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, and OpenTelemetry is not installed here ({error}): "
            "pip install 'skustream[tracing]', or leave it unset"
        ) from None
    except ValueError as error:
        raise Misconfigured(f"OpenTelemetry cannot read one of its own settings in the environment: {error}") from None
    return OtlpTracing


def open_api(
    settings: Settings,
    clock: Clock,
    recorder: Recorder,
    *,
    on_throttle: Callable[[float], None] = lambda _: None,
    own_endpoints: Mapping[str, Endpoint] = MappingProxyType({}),
) -> HttpPixelApi:
    """PixelAPI as the settings name it; nothing is sent yet. Raises `Misconfigured`."""
    return HttpPixelApi(
        base_url=settings.pixelapi_base,
        api_key=settings.need_pixelapi_key(),
        dialect=settings.dialect,
        submit_timeout_seconds=settings.submit_timeout_seconds,
        clock=clock,
        recorder=recorder,
        on_throttle=on_throttle,
        own_endpoints=own_endpoints,
    )


def endpoints_of(pipeline: Pipeline) -> dict[str, Endpoint]:
    """Where the pipeline's foreign operations are ordered."""
    cards = [stage.card for stage in pipeline.stages]
    return {card.name: Endpoint(card.path, frozenset(card.params.model_fields)) for card in cards if card.path}


def downloads_of(settings: Settings, clock: Clock, recorder: Recorder) -> HttpDownloads:
    """Photos from the web, from named buckets and from one folder; results from the API's hosts."""
    spool_dir = settings.spool_dir or Path(tempfile.gettempdir()) / f"skustream-spool-{os.getuid()}"
    return HttpDownloads(
        spool_dir=spool_dir,
        spool_bytes=settings.spool_bytes,
        max_bytes=settings.max_download_bytes,
        timeout_seconds=DOWNLOAD_TIMEOUT_SECONDS,
        user_agent=default_user_agent(),
        clock=clock,
        recorder=recorder,
        allow_private=settings.fetch_allow,
        allow_http_hosts=settings.fetch_allow,
        result_hosts=settings.allowed_result_hosts,
        file_root=settings.file_root,
        s3_reader=S3Sources(frozenset(settings.source_buckets), _store_options(settings), clock=clock),
    )
