"""The doorman: every way to spell or hide an address of our own network is refused."""

from ipaddress import ip_address
from socket import AF_INET

import pytest

from stream.core.errors import Misconfigured
from stream.downloads.guard import Guard, GuardedResolver, HostRule, Refused, is_public, literal
from tests.unit.downloads.hostile import ToldDns

INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = [
    "1.1.1.1",
    "93.184.216.34",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
]


@pytest.mark.parametrize("text", INSIDE)
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", OUTSIDE)
def test_addresses_that_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "127.0.0.01",
        "1.1.1.1.",
        "0x",
        "1.2.3.4.5",
        "256.1.1.1",
        "fe80::1%eth0",
        "::1%1",
        "a:b",
        "shop.example.0x7f",
    ],
)
def test_odd_spellings_are_refused_even_where_all_is_allowed(host: str) -> None:
    with pytest.raises(Refused):
        Guard(["0.0.0.0/0", "::/0"]).check_host(host, 443)


@pytest.mark.parametrize("host", ["", "a..b", "-a.example", "a b.example", "a%2e.example", "exämple", "a/b", "x" * 64])
def test_names_that_are_none_are_refused(host: str) -> None:
    with pytest.raises(Refused):
        Guard().check_host(host, 443)


@pytest.mark.parametrize("host", ["shop.example", "a_b.example", "localhost", "x1", "1x.example"])
def test_names_are_judged_when_they_are_resolved(host: str) -> None:
    assert literal(host) is None
    Guard().check_host(host, 443)


@pytest.mark.parametrize(
    ("allowed", "host", "port", "address", "expected"),
    [
        ("10.0.0.0/8", "shop.example", 443, "10.1.2.3", True),
        ("10.0.0.0/8", "shop.example", 443, "11.1.2.3", True),
        ("10.0.0.0/8", "shop.example", 443, "192.168.0.1", False),
        ("10.0.0.0/8", "shop.example", 443, "::ffff:10.1.2.3", True),
        ("10.0.0.5", "10.0.0.5", 80, "10.0.0.5", True),
        ("10.0.0.5", "10.0.0.6", 80, "10.0.0.6", False),
        ("10.0.0.5:9000", "10.0.0.5", 9000, "10.0.0.5", True),
        ("10.0.0.5:9000", "10.0.0.5", 9001, "10.0.0.5", False),
        ("minio", "minio", 9000, "172.18.0.2", True),
        ("minio:9000", "minio", 9001, "172.18.0.2", False),
        ("minio", "evil.example", 9000, "172.18.0.2", False),
        ("*.svc.local", "s3.svc.local", 443, "10.0.0.1", True),
        ("*.svc.local", "svc.local", 443, "10.0.0.1", False),
        ("*.svc.local", "evilsvc.local", 443, "10.0.0.1", False),
        ("[fd00::5]:9000", "fd00::5", 9000, "fd00::5", True),
        ("fd00::/8", "shop.example", 443, "fd12::1", True),
    ],
)
def test_the_allow_list(allowed: str, host: str, port: int, address: str, expected: bool) -> None:  # noqa: FBT001
    assert Guard([allowed]).permits(host, port, ip_address(address)) is expected


@pytest.mark.parametrize("text", ["", "https://shop.example", "shop.example:port", "a b:c:d", "*", "[zz]:1"])
def test_a_rule_that_is_none_names_its_setting(text: str) -> None:
    with pytest.raises(Misconfigured, match="result_hosts"):
        HostRule.parse(text, "result_hosts")


async def test_only_permitted_addresses_of_a_name_are_connected_to() -> None:
    dns = ToldDns({"mixed.example": [["127.0.0.1", "1.1.1.1", "::1"]], "inside.example": [["::ffff:127.0.0.1"]]})
    resolver = GuardedResolver(dns, Guard())
    assert [each["host"] for each in await resolver.resolve("mixed.example", 443, AF_INET)] == ["1.1.1.1"]
    with pytest.raises(Refused, match=r"inside\.example"):
        await resolver.resolve("inside.example", 443, AF_INET)
    await resolver.close()
