"""From an address to an open store. Comes in: the assembly, with the settings. Goes out: a `port.ObjectStore`."""

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from stream.core.clock import Clock
from stream.core.errors import Misconfigured, shown
from stream.metrics.port import Recorder
from stream.objects.folder import FolderStore
from stream.objects.options import InputMode, StoreOptions
from stream.objects.port import ObjectStore
from stream.objects.s3 import S3Store

_WAY_OUT = "write s3://bucket/prefix, or file:///absolute/folder for one machine"


async def open_store(url: str, options: StoreOptions | None = None, *, recorder: Recorder, clock: Clock) -> ObjectStore:
    """Open `s3://bucket[/prefix]` or `file:///folder`. Nothing is written before `probe`. Raises Misconfigured."""
    options = options or StoreOptions()
    if options.input_mode is InputMode.PUBLIC and options.public_base_url is None:
        raise Misconfigured("input mode 'public' needs a public base URL, the address of your CDN")
    parts = _parsed(url)
    match parts.scheme:
        case "s3":
            prefix = unquote(parts.path).strip("/")
            if any(segment in {"", ".", ".."} for segment in prefix.split("/")) and prefix:
                raise _mistake(url, "the prefix has an empty or a dotted segment")
            return await S3Store.open(parts.netloc, prefix, options, recorder=recorder, clock=clock)
        case "file":
            return FolderStore(_folder(url, parts), options, recorder=recorder, clock=clock)
        case _:
            raise _mistake(url, f"the scheme {shown(parts.scheme)} names no store")


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _mistake(url, str(error)) from error
    if "@" in parts.netloc:  # not shown: it may be a key
        raise Misconfigured(f"the store's address carries credentials: they belong in AWS_* variables; {_WAY_OUT}")
    if parts.query or parts.fragment:
        raise _mistake(url, "an address has no '?' or '#'")
    return parts


def _folder(url: str, parts: SplitResult) -> Path:
    folder = Path(unquote(parts.path))
    if parts.netloc not in {"", "localhost"}:
        raise _mistake(url, f"{shown(parts.netloc)} would be another machine; three slashes begin a folder")
    if not folder.is_absolute() or folder == Path("/"):
        raise _mistake(url, "it names no folder")
    return folder


def _mistake(url: str, why: str) -> Misconfigured:
    return Misconfigured(f"the store's address {shown(url)} cannot be used: {why}; {_WAY_OUT}")
