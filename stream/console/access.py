"""Who may look: rules made from the settings, before anything listens.

Comes in: settings. Goes out: `Access`, or `Misconfigured` where strangers could come in.
"""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from stream.core.errors import Misconfigured
from stream.settings import Settings

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
MAX_PERSON_CHARACTERS = 200


class Mode(StrEnum):
    """How a person is let in."""

    OPEN = "open"
    """Everybody on this machine."""
    TOKEN = "token"  # noqa: S105 - a word for a way in
    PROXY = "proxy"
    """A reverse proxy has let them in, and names them."""


@dataclass(frozen=True, slots=True)
class Access:
    """`hosts`: further names it is called by; any name where `is_any_host`. `networks`: where the proxy calls from."""

    mode: Mode
    hosts: frozenset[str] = frozenset()
    is_any_host: bool = False
    token: str = ""
    header: str = ""
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    def knows_host(self, host: str) -> bool:
        """Whether a browser that calls us by this `Host` means us: another name may be a rebound one."""
        name = _without_port(host.lower())
        return self.is_any_host or name in LOOPBACK_NAMES or host.lower() in self.hosts or name in self.hosts

    def is_own_origin(self, origin: str, host: str) -> bool:
        """Whether a page of ours sent this request; `null` and nothing are no origin of ours."""
        try:
            parts = urlsplit(origin.lower())
            _ = parts.port
        except ValueError:
            return False
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
            return False
        return parts.netloc == host.lower() or parts.netloc in self.hosts

    def is_the_proxy(self, address: str | None) -> bool:
        """Whether the connection comes from the proxy itself."""
        try:
            peer = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        mapped = getattr(peer, "ipv4_mapped", None)
        return any((mapped or peer) in network for network in self.networks)


def access_of(settings: Settings) -> Access:
    """The rules. Raises `Misconfigured` for an address that strangers reach, without a way to tell who they are."""
    hosts = frozenset(settings.console_hosts)
    if settings.console_proxy_header is not None:
        networks = tuple(ipaddress.ip_network(each) for each in settings.console_proxy_addresses)
        return Access(Mode.PROXY, hosts=hosts, header=settings.console_proxy_header, networks=networks)
    is_loopback = is_loopback_address(settings.console_host)
    if settings.console_token is not None:
        token = settings.console_token.get_secret_value()
        # A name that was rebound brings no cookie: each name has its own.
        return Access(Mode.TOKEN, hosts=hosts, is_any_host=not is_loopback and not hosts, token=token)
    if not is_loopback:
        raise Misconfigured(
            f"SKUSTREAM_CONSOLE_HOST={settings.console_host} can be reached from elsewhere: set "
            "SKUSTREAM_CONSOLE_TOKEN (or _FILE), or SKUSTREAM_CONSOLE_PROXY_HEADER with "
            "SKUSTREAM_CONSOLE_PROXY_ADDRESSES; or listen on 127.0.0.1"
        )
    return Access(Mode.OPEN, hosts=hosts)


def is_loopback_address(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def person_named(text: str) -> str:
    """A person's name as somebody wrote it: one short printable line; empty when there is nothing of that."""
    shown = "".join(character for character in text if character.isprintable()).strip()
    return shown[:MAX_PERSON_CHARACTERS]


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
