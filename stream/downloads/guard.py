"""The doorman: which hosts, ports and addresses a download may reach.

Comes in: a URL's host before each hop, and the very addresses DNS gave at the moment of connecting, so that a name
cannot change its answer between check and use. Goes out: the permitted addresses, or `Refused`.
Addresses inside our own network are refused unless `allow_private` names them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import AddressFamily

from aiohttp.abc import AbstractResolver, ResolveResult

from stream.core.errors import Misconfigured, shown

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*")
_NUMERIC = re.compile(r"\d+|0x[0-9a-f]*")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# What `is_global` of one Python or another lets through though nobody keeps product photos there.
_NEVER_V4 = tuple(
    IPv4Network(block)
    for block in (
        "192.0.0.0/24",  # protocol assignments; 192.0.0.192 is a cloud's metadata service
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "168.63.129.16/32",  # a cloud's host agent on a public number
    )
)
# 2001::/23 includes Teredo; Teredo and 6to4 carry an IPv4 address that a relay would reach for us.
_NEVER_V6 = tuple(IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


class Refused(Exception):
    """A URL, host or address we do not fetch from; the message says why and holds no secret."""


def is_public(address: Address) -> bool:
    """Whether `address` is on the public internet. IPv4 inside IPv6 (mapped, NAT64) is judged as the IPv4 it is."""
    address = _unwrapped(address)
    if isinstance(address, IPv6Address):
        special = any(address in block for block in _NEVER_V6) or address not in _GLOBAL_UNICAST
        return address.is_global and not special
    special = address.is_multicast or address.is_reserved or any(address in block for block in _NEVER_V4)
    return address.is_global and not special


def _unwrapped(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def literal(host: str) -> Address | None:
    """The address that `host` spells, or None for a name.

    Raises `Refused` for spellings that programs read differently: 2130706433, 0x7f.1, 0177.0.0.1, 127.1, zone ids.
    """
    if ":" not in host and not _NUMERIC.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return None
    try:
        address = ip_address(host)
    except ValueError:
        raise Refused(f"{shown(host)} is an odd spelling of an address") from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise Refused(f"{shown(host)} names a network interface")
    return address


@dataclass(frozen=True, slots=True)
class HostRule:
    """`host`, `host:port`, `[v6]:port` or `*.domain`; without a port, any port."""

    host: str
    port: int | None
    below: bool
    """Whether the rule is for the names below `host`, not for `host` itself."""

    @classmethod
    def parse(cls, text: str, setting: str) -> "HostRule":
        """The rule that `text` spells. Raises `Misconfigured` naming `setting`."""
        rest = text.strip().lower()
        below = rest.startswith("*.")
        found = re.fullmatch(r"(\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^:\[\]/*]+))(:(?P<port>\d{1,5}))?", rest[2 * below :])
        if found is None:
            raise Misconfigured(
                f"{setting}: {shown(text)} is no host; write shop.example, shop.example:8443 or *.cdn.example"
            )
        port = int(found["port"]) if found["port"] else None
        return cls(str(ip_address(found["v6"])) if found["v6"] else found["name"].rstrip("."), port, below)

    def matches(self, host: str, port: int) -> bool:
        """Whether `host` (lower case, no final dot) at `port` is meant."""
        if self.port is not None and self.port != port:
            return False
        return host.endswith("." + self.host) if self.below else host == self.host


def rules(texts: Iterable[str], setting: str) -> tuple[HostRule, ...]:
    """The host rules that `texts` spell. Raises `Misconfigured` naming `setting`."""
    return tuple(HostRule.parse(text, setting) for text in texts)


class Allowance:
    """A list of CIDR blocks (`10.1.0.0/16`), addresses and host rules."""

    def __init__(self, entries: Iterable[str], setting: str) -> None:
        """Raises `Misconfigured` naming `setting` for an entry that is neither."""
        self._networks: list[Network] = []
        self._hosts: list[HostRule] = []
        for entry in entries:
            try:
                self._networks.append(ip_network(entry.strip(), strict=False))
            except ValueError:
                self._hosts.append(HostRule.parse(entry, setting))

    def lists(self, host: str, port: int, address: Address | None) -> bool:
        """Whether the host at this port, or the address where there is one, is on the list."""
        if any(rule.matches(host, port) for rule in self._hosts):
            return True
        if address is None:
            return False
        inner = _unwrapped(address)
        return any(inner in network or address in network for network in self._networks)


class Guard:
    """Decides about hosts and addresses. A host on the list may lead to any address."""

    def __init__(self, allow_private: Iterable[str] = ()) -> None:
        """`allow_private`: as in `Allowance`. Raises `Misconfigured`."""
        self._allowed = Allowance(allow_private, "allow_private")

    def check_host(self, host: str, port: int) -> None:
        """Judge a host as a URL spells it. Raises `Refused`; names are judged again by `permits` when resolved."""
        address = literal(host)
        if address is None:
            if not _NAME.fullmatch(host):
                raise Refused(f"{shown(host)} is no host name")
        elif not self.permits(host, port, address):
            raise Refused(f"{host} is not a public address, nor one we may fetch from")

    def permits(self, host: str, port: int, address: Address) -> bool:
        """Whether a connection for `host` may go to `address` at `port`."""
        return is_public(address) or self._allowed.lists(host, port, address)


class GuardedResolver(AbstractResolver):
    """DNS behind the guard: what it returns is connected to at once, never resolved again."""

    def __init__(self, inner: AbstractResolver, guard: Guard) -> None:
        """`inner` asks DNS."""
        self._inner = inner
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The permitted addresses of `host`. Raises `Refused` when none is, and OSError when DNS fails."""
        found = await self._inner.resolve(host, port, family)
        name = host.lower().removesuffix(".")
        permitted = [each for each in found if self._guard.permits(name, port, ip_address(each["host"]))]
        if found and not permitted:
            raise Refused(f"{host} leads to {found[0]['host']}, not a public address, nor one we may fetch from")
        return permitted

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()
