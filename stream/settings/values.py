"""Small readers of single values. Each raises ValueError whose text is the expectation."""

import ipaddress
import re
from urllib.parse import unquote, urlsplit

_NAME = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
_BUCKET = re.compile(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
TOKEN_CHARACTERS = (16, 512)
_HEADER = re.compile(r"^[A-Za-z0-9!#$&'*+.^_`|~-]+$")
_HOST = re.compile(rf"^({_NAME}|\[[0-9a-fA-F:]+\])(:\d{{1,5}})?$")


def comma_list(value: object) -> object:
    """`a, b` as (a, b); a list of the settings file as it is."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list) else value


def lower(value: object) -> object:
    """Words of closed sets in any case."""
    return value.lower() if isinstance(value, str) else value


def base_url(value: object) -> object:
    """An http(s) URL without query, with no slash at its end."""
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("an http:// or https:// URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable() or " " in value:
        raise ValueError("an http:// or https:// URL")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("a URL without query, fragment, user name or password")
    return value.rstrip("/")


def host_or_network(entry: str) -> str:
    """`host`, `host:port` or a network such as 10.0.0.0/8."""
    expectation = f"host, host:port or a network such as 10.0.0.0/8, but {entry!r} is none"
    if "/" in entry:
        try:
            return str(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            raise ValueError(expectation) from None
    if not _HOST.match(entry):
        raise ValueError(expectation)
    return entry.lower()


def host(entry: str) -> str:
    """`host` or `host:port`, as a browser writes it."""
    if not _HOST.match(entry):
        raise ValueError(f"host or host:port, but {entry!r} is neither")
    return entry.lower()


def network(entry: str) -> str:
    """An address, or a network such as 10.0.0.0/8."""
    try:
        return str(ipaddress.ip_network(entry, strict=False))
    except ValueError:
        raise ValueError(f"addresses or networks such as 10.0.0.0/8, but {entry!r} is neither") from None


def token(text: str) -> str:
    """A secret of a person's own making, long enough that nobody guesses it."""
    stripped = text.strip()
    if not TOKEN_CHARACTERS[0] <= len(stripped) <= TOKEN_CHARACTERS[1] or not stripped.isprintable():
        raise ValueError(f"{TOKEN_CHARACTERS[0]} to {TOKEN_CHARACTERS[1]} printable characters")
    return stripped


def header_pairs(text: str) -> dict[str, str]:
    """`name=value,name=value`, values URL-encoded, as OpenTelemetry writes headers; names in lower case."""
    pairs = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, sign, value = (part.strip() for part in entry.partition("="))
        value = unquote(value)
        if not sign or not _HEADER.match(name) or not value.isascii() or not value.isprintable():
            raise ValueError("name=value, several with commas; blanks and commas inside a value as %20 and %2C")
        pairs[name.lower()] = value
    return pairs


def host_pattern(entry: str) -> str:
    """`host` or `*.domain`, with an optional port."""
    if not _HOST.match(entry.removeprefix("*.")):
        raise ValueError(f"host or *.domain, but {entry!r} is neither")
    return entry.lower()


def bucket(entry: str) -> str:
    """The name of an S3 bucket."""
    if not _BUCKET.match(entry):
        raise ValueError(f"bucket names (3 to 63 lower-case letters, digits, '-' or '.'), but {entry!r} is none")
    return entry


def is_single(host: str) -> bool:
    """Whether nothing can stand below `host`: an address, or a name without a dot."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return True
