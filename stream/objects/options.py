"""What a person may say about the store, as a value. Comes in: `choose.open_store`. Goes out: the store it opens."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr


class InputMode(StrEnum):
    """How PixelAPI gets a stage's input picture."""

    AUTO = "auto"
    """The public URL if it is https, else a presigned URL if the endpoint is https, else an upload."""
    PUBLIC = "public"
    """Always the public URL (needs `public_base_url`)."""
    PRESIGNED = "presigned"
    """Always a presigned URL, also over http: PixelAPI must be able to reach the endpoint."""
    UPLOAD = "upload"
    """Never a URL: the bytes go with the submit."""


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Everything about a store beside its address. Keys left out come from botocore's usual chain (AWS_* ...)."""

    public_base_url: str | None = None
    """Where the CDN serves the root of the store's keys."""
    input_mode: InputMode = InputMode.AUTO
    endpoint_url: str | None = None
    """An S3-compatible server; None means AWS."""
    presign_endpoint_url: str | None = None
    """The endpoint's name as PixelAPI sees it, where it differs from ours."""
    region: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None
    """Of temporary keys."""
    timeout_seconds: float = 10.0
    """For one attempt at a small call, and for silence within a large one; an upload is given more, by its size."""
    overrule_conditions: bool = False
    """Work on a store that ignores conditional writes. It can buy twice; only for a single worker."""


def joined_url(base_url: str, quoted_key: str) -> str:
    """`base_url`/`quoted_key` with exactly one slash between."""
    return f"{base_url.rstrip('/')}/{quoted_key}"


def marked_url(url: str, mark: str) -> str:
    """`url` with `mark` in its query, which a CDN ignores and a provider's books repeat; `url` itself without one."""
    return f"{url}?mark={mark}" if mark else url
