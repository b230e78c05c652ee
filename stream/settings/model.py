"""The settings themselves: names, units, defaults, limits, and what must fit together.

Comes in: plain values by field name; `reading.load` collects them. Goes out: one frozen `Settings`.
A field is set in the environment as `SKUSTREAM_<FIELD>`, except where `validation_alias` names it otherwise.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    ByteSize,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from stream.core.errors import Misconfigured
from stream.notifications.pattern import DEFAULT_PATTERN, KeyPattern
from stream.prices import DEFAULT_BOOK
from stream.settings import kafka_options, values

GIB = 1024**3
MIB = 1024**2

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[ByteSize, Field(ge=1)]
Hosts = Annotated[tuple[str, ...], BeforeValidator(values.comma_list)]
Url = Annotated[str, BeforeValidator(values.base_url)]
Lower = BeforeValidator(values.lower)


class Delivery(StrEnum):
    """How outputs and offsets are committed (L1)."""

    EXACTLY_ONCE = "exactly-once"
    AT_LEAST_ONCE = "at-least-once"


@dataclass(frozen=True, slots=True)
class FileStore:
    """`file:///path`: a folder of this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class S3Store:
    """`s3://bucket/prefix`; `prefix` without slashes at its ends, may be empty."""

    bucket: str
    prefix: str


class Settings(BaseSettings):
    """Everything a worker is told. Constructing it reads nothing but its arguments; `load` reads the surroundings."""

    model_config = SettingsConfigDict(
        env_prefix="SKUSTREAM_", env_ignore_empty=True, enable_decoding=False, populate_by_name=True, extra="forbid",
        frozen=True, hide_input_in_errors=True,
    )  # fmt: skip

    # PixelAPI
    pixelapi_key: Annotated[SecretStr | None, Field(validation_alias="PIXELAPI_KEY")] = None
    pixelapi_key_file: Annotated[Path | None, Field(validation_alias="PIXELAPI_KEY_FILE")] = None
    pixelapi_base: Annotated[Url, Field(validation_alias="PIXELAPI_BASE")] = "https://api.pixelapi.dev/v1"
    dialect: Annotated[Literal["auto", "image", "edit"], Lower] = "auto"
    input: Annotated[Literal["auto", "url", "upload"], Lower] = "auto"
    submit_timeout_seconds: Seconds = 30.0
    poll_first_seconds: Seconds | None = None
    """None: learned from how long the operation's jobs take."""
    result_hosts: Hosts = ()
    """Empty: see `allowed_result_hosts`."""
    # Contract
    quota_requests: Count = 60
    quota_window_seconds: Seconds = 60.0
    quota_share: Annotated[Fraction, Field(gt=0, le=1)] = Fraction(1)
    quota_starts_closed: bool = True
    """A new process cannot know what its predecessor sent: it waits one window before its first request."""
    max_running_jobs: Count = 200
    balance_seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 900.0
    """How often the account's balance is asked for; 0: never."""
    prices: Annotated[str, Field(min_length=1)] = DEFAULT_BOOK
    """A shipped price book by name, or a file of one's own."""
    # Kafka
    kafka_bootstrap_servers: Annotated[
        str | None, Field(validation_alias="KAFKA_BOOTSTRAP_SERVERS", min_length=1)
    ] = None  # fmt: skip
    kafka: Annotated[dict[str, str], BeforeValidator(kafka_options.checked)] = Field(default_factory=dict, repr=False)
    topic_prefix: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$")] = "product-images"
    delivery: Annotated[Delivery, Lower] = Delivery.EXACTLY_ONCE
    session_seconds: Seconds = 45.0
    transaction_timeout_seconds: Seconds = 10.0
    commit_interval_seconds: Seconds = 0.1
    lane_tickets: Count = 500
    # Store
    store: str | None = None
    store_overrule_conditions: bool = False
    cdn_base_url: Url | None = None
    aws_access_key_id: Annotated[str | None, Field(validation_alias="AWS_ACCESS_KEY_ID")] = None
    aws_secret_access_key: Annotated[SecretStr | None, Field(validation_alias="AWS_SECRET_ACCESS_KEY")] = None
    aws_secret_access_key_file: Annotated[Path | None, Field(validation_alias="AWS_SECRET_ACCESS_KEY_FILE")] = None
    aws_session_token: Annotated[SecretStr | None, Field(validation_alias="AWS_SESSION_TOKEN")] = None
    aws_session_token_file: Annotated[Path | None, Field(validation_alias="AWS_SESSION_TOKEN_FILE")] = None
    aws_region: Annotated[str | None, Field(validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"))] = None
    aws_endpoint_url: Annotated[
        Url | None, Field(validation_alias=AliasChoices("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
    ] = None  # fmt: skip
    # Pictures
    pipeline: Path | None = None
    spool_dir: Path | None = None
    """None: a folder of its own below the system's temporary one."""
    spool_bytes: Bytes = ByteSize(2 * GIB)
    max_download_bytes: Bytes = ByteSize(64 * MIB)
    max_pixels: Count = 50_000_000
    image_threads: Annotated[int, Field(ge=1, le=64)] = 2
    fetch_allow: Hosts = ()
    file_root: Path | None = None
    source_buckets: Hosts = ()
    notification_pattern: str = DEFAULT_PATTERN
    # Walk
    claim_lease_seconds: Seconds = 90.0
    claim_poll_seconds: Seconds = 1.0
    retry_attempts: Count = 5
    retry_base_seconds: Seconds = 1.0
    retry_cap_seconds: Seconds = 60.0
    flood_letters: Count = 100
    start_wait_seconds: Seconds = 60.0
    drain_seconds: Seconds = 45.0
    # Observation
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 9464
    log_format: Annotated[Literal["auto", "json", "console"], Lower] = "auto"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Lower] = "info"
    # Tracing: on where an endpoint is set
    otlp_endpoint: Annotated[Url | None, Field(validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")] = None
    otlp_headers: Annotated[SecretStr | None, Field(validation_alias="OTEL_EXPORTER_OTLP_HEADERS")] = None
    otlp_headers_file: Annotated[Path | None, Field(validation_alias="OTEL_EXPORTER_OTLP_HEADERS_FILE")] = None
    trace_ratio: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    # Console
    console_host: str = "127.0.0.1"
    console_port: Annotated[int, Field(ge=0, le=65_535)] = 9474
    console_allow_replay: bool = False
    console_token: SecretStr | None = None
    console_token_file: Path | None = None
    console_hosts: Hosts = ()
    console_proxy_header: Annotated[str | None, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] = None
    console_proxy_addresses: Hosts = ()

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        *_args: PydanticBaseSettingsSource,
        **_: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """No hidden inputs: a test's or the demo's `Settings(...)` holds what it was given."""
        return (init_settings,)

    @field_validator("pixelapi_key")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("a key of printable ASCII characters without blanks")
        return SecretStr(text)

    @field_validator("console_token")
    @classmethod
    def _console_token(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(values.token(value.get_secret_value()))

    @field_validator("otlp_headers")
    @classmethod
    def _otlp_headers(cls, value: SecretStr | None) -> SecretStr | None:
        values.header_pairs("" if value is None else value.get_secret_value())
        return value

    @field_validator("console_hosts")
    @classmethod
    def _console_hosts(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(values.host(entry) for entry in entries)

    @field_validator("console_proxy_addresses")
    @classmethod
    def _console_proxy_addresses(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(values.network(entry) for entry in entries)

    @field_validator("store")
    @classmethod
    def _store(cls, value: str | None) -> str | None:
        if value is not None:
            _read_store(value)
        return value

    @field_validator("fetch_allow")
    @classmethod
    def _fetch_allow(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(values.host_or_network(entry) for entry in entries)

    @field_validator("result_hosts")
    @classmethod
    def _result_hosts(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(values.host_pattern(entry) for entry in entries)

    @field_validator("source_buckets")
    @classmethod
    def _source_buckets(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(values.bucket(entry) for entry in entries)

    @field_validator("notification_pattern")
    @classmethod
    def _notification_pattern(cls, value: str) -> str:
        return KeyPattern.parse(value).text

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.claim_lease_seconds < 2 * self.submit_timeout_seconds:
            raise ValueError(
                f"SKUSTREAM_CLAIM_LEASE_SECONDS={self.claim_lease_seconds:g} must be at least twice "
                f"SKUSTREAM_SUBMIT_TIMEOUT_SECONDS={self.submit_timeout_seconds:g}: a claim that expires while its "
                "submit is under way ends as ambiguous"
            )
        if self.retry_cap_seconds < self.retry_base_seconds:
            raise ValueError("SKUSTREAM_RETRY_CAP_SECONDS must be at least SKUSTREAM_RETRY_BASE_SECONDS")
        if self.commit_interval_seconds >= self.transaction_timeout_seconds:
            raise ValueError(
                "SKUSTREAM_COMMIT_INTERVAL_SECONDS must be below SKUSTREAM_TRANSACTION_TIMEOUT_SECONDS: "
                "every transaction would time out"
            )
        if self.spool_bytes < self.max_download_bytes:
            raise ValueError(
                "SKUSTREAM_SPOOL_BYTES must be at least SKUSTREAM_MAX_DOWNLOAD_BYTES: the largest photo would never fit"
            )
        if self.share_requests < 1:
            raise ValueError(
                f"SKUSTREAM_QUOTA_SHARE={self.quota_share} of SKUSTREAM_QUOTA_REQUESTS={self.quota_requests} "
                "is less than one request"
            )
        store = None if self.store is None else _read_store(self.store)
        if isinstance(store, S3Store) and store.bucket in self.source_buckets and not store.prefix:
            raise ValueError(
                "SKUSTREAM_SOURCE_BUCKETS names the bucket of SKUSTREAM_STORE: give the store a prefix "
                f"(s3://{store.bucket}/assets), or our own assets could be taken for photos"
            )
        if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
            raise ValueError(
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_SECRET_ACCESS_KEY_FILE) belong together: "
                "set both or neither"
            )
        if (self.console_proxy_header is None) != (not self.console_proxy_addresses):
            raise ValueError(
                "SKUSTREAM_CONSOLE_PROXY_HEADER and SKUSTREAM_CONSOLE_PROXY_ADDRESSES belong together: anybody can "
                "send a header, so it counts only from the addresses named"
            )
        if self.console_proxy_header is not None and not self.console_hosts:
            raise ValueError(
                "SKUSTREAM_CONSOLE_PROXY_HEADER needs SKUSTREAM_CONSOLE_HOSTS: the names under which browsers call the "
                "proxy, so that no foreign page calls it by a name of its own"
            )
        return self

    @property
    def share_requests(self) -> int:
        """Requests this process may send in one window: its share of the contract, rounded down."""
        return math.floor(self.quota_requests * self.quota_share)

    @property
    def allowed_result_hosts(self) -> tuple[str, ...]:
        """Hosts results may be downloaded from; by default the API's host and the hosts beside or below it.

        Only a leading `api.` is taken off: what else is a registrable domain cannot be told from a name.
        """
        if self.result_hosts:
            return self.result_hosts
        host = urlsplit(self.pixelapi_base).hostname or ""
        return (host,) if values.is_single(host) else (host, f"*.{host.removeprefix('api.')}")

    def kafka_client(self) -> dict[str, Any]:
        """What every Kafka client is built from: the servers and the free options. Raises `Misconfigured`."""
        if self.kafka_bootstrap_servers is None:
            raise Misconfigured("KAFKA_BOOTSTRAP_SERVERS is not set; expected host:port, or several with commas")
        return {"bootstrap.servers": self.kafka_bootstrap_servers, **self.kafka}

    def need_pixelapi_key(self) -> SecretStr:
        """The key. Raises `Misconfigured` when none is set."""
        if self.pixelapi_key is None:
            raise Misconfigured("PIXELAPI_KEY is not set; set it, or PIXELAPI_KEY_FILE to a file that holds it")
        return self.pixelapi_key

    def need_store(self) -> FileStore | S3Store:
        """The object store's address. Raises `Misconfigured` when none is set."""
        if self.store is None:
            raise Misconfigured("SKUSTREAM_STORE is not set; expected s3://bucket/prefix or file:///absolute/path")
        return _read_store(self.store)

    @property
    def otlp_header_pairs(self) -> dict[str, str]:
        """What each export of spans bears: names and secret values."""
        return values.header_pairs("" if self.otlp_headers is None else self.otlp_headers.get_secret_value())

    def need_all(self) -> None:
        """What a worker cannot do without. Raises `Misconfigured` with a line for each that is missing."""
        missing = []
        for need in (self.kafka_client, self.need_store, self.need_pixelapi_key):
            try:
                need()
            except Misconfigured as error:
                missing.append(str(error))
        if missing:
            raise Misconfigured("\n".join(missing))

    def secrets(self) -> list[str]:
        """Every secret value, for the scrubber of the logs."""
        own = [self.pixelapi_key, self.aws_secret_access_key, self.aws_session_token, self.console_token]
        texts = [secret.get_secret_value() for secret in own if secret is not None]
        texts += self.otlp_header_pairs.values()
        return texts + [value for option, value in self.kafka.items() if kafka_options.is_secret(option)]


def _read_store(text: str) -> FileStore | S3Store:
    parts = urlsplit(text)
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("s3://bucket/prefix or file:///absolute/path, and nothing else in it")
    if parts.scheme == "s3" and parts.netloc:
        return S3Store(parts.netloc, parts.path.strip("/"))
    if parts.scheme == "file" and not parts.netloc and parts.path.strip("/"):
        return FileStore(Path(parts.path))
    raise ValueError("s3://bucket/prefix or file:///absolute/path")
