"""One hop of a download: reading a URL, showing it without its secrets, judging it, and where a redirect leads.

Comes in: URLs from events, results and redirects. Goes out: URLs fit for a request, or `Refused`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from yarl import URL

from stream.downloads.answers import REDIRECTS
from stream.downloads.guard import Allowance, Guard, HostRule, Refused, literal
from stream.downloads.port import Whose

MAX_REDIRECTS = 5
_LONGEST_URL = 8_000
_LONGEST_SHOWN = 200
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_CANONICAL = re.compile(r"[!-~]+")
_UNREADABLE = (ValueError, IndexError)
"""What yarl raises; an IndexError for brackets before an empty host (`https://[::1]@/`)."""


def read(text: str) -> URL:
    """`text` as a URL whose quoting is left alone, because signatures cover it. Raises `Refused`."""
    text = text.strip()
    if len(text) > _LONGEST_URL or _FORBIDDEN.search(text):
        raise Refused("the URL is too long, or holds control characters or backslashes")
    try:
        url = URL(text, encoded=_CANONICAL.fullmatch(text) is not None)
        _ = (url.host, url.port)  # read lazily, and only then refused
    except _UNREADABLE:
        raise Refused("the URL cannot be read") from None
    return url


def show(url: URL | str) -> str:
    """Scheme, host, port and path: never the query (it signs), the user part or the fragment."""
    try:
        url = read(url) if isinstance(url, str) else url
    except Refused:
        return "the URL"
    port = "" if url.explicit_port is None else f":{url.explicit_port}"
    text = f"{url.scheme}://{url.raw_host or ''}{port}{url.raw_path}"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


@dataclass(frozen=True, slots=True)
class HopRules:
    """Where a hop may lead. RESULT hops only to `result_hosts`; plain http only to `http_hosts`."""

    guard: Guard
    http_hosts: Allowance
    result_hosts: tuple[HostRule, ...]

    def check(self, url: URL, whose: Whose) -> None:
        """Raises `Refused` when `url` may not be asked."""
        host, port = (url.raw_host or "").lower().removesuffix("."), url.port
        if url.scheme not in {"http", "https"}:
            raise Refused(f"scheme {url.scheme or 'missing'!r} is not fetched; https is")
        if not host or not port:
            raise Refused("the URL names no host")
        if url.raw_user is not None or url.raw_password is not None:
            raise Refused("the URL carries a user name or password")
        self.guard.check_host(host, port)
        address = literal(host)
        if url.raw_host != host and address is not None:
            raise Refused("the URL's address is spelled oddly")
        if url.scheme == "http" and not self.http_hosts.lists(host, port, address):
            raise Refused(f"plain http is not fetched from {host}; https is")
        if whose is Whose.RESULT and not any(rule.matches(host, port) for rule in self.result_hosts):
            raise Refused(f"{host}:{port} is not among the result hosts")


def next_hop(here: URL, status: int, headers: Mapping[str, str]) -> URL | None:
    """Where an answer sends us, or None when it is the answer itself. Raises `Refused`."""
    target = headers.get("Location", "")
    if status not in REDIRECTS or not target:
        return None
    try:
        return here.join(read(target))
    except _UNREADABLE:
        raise Refused("the redirect cannot be read") from None
