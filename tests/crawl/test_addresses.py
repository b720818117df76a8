from __future__ import annotations

import pytest
from sealedbeam.pipeline.crawl.addresses import is_allowed, parse_networks
from sealedbeam.pipeline.errors import UsageError


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::6810:84e5", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    """Addresses of the public internet may be connected to."""
    assert is_allowed(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.1", "198.18.0.1"),
        *("240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"),
        *("64:ff9b::a00:1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:db8::1"),
        *("", "localhost", "0x7f.1", "1.2.3", "127.1", "999.1.1.1"),
    ],
)
def test_everything_else_is_refused(address: str) -> None:
    """Private, loopback, link-local and reserved addresses are refused, in any disguise."""
    assert not is_allowed(address)


def test_what_the_user_allows_is_allowed() -> None:
    """A network that was allowed is, also where an IPv6 address stands for it; nothing beside."""
    networks = parse_networks(["127.0.0.0/8", "fd00::/16"])
    assert is_allowed("127.0.0.1", networks)
    assert is_allowed("::ffff:127.0.0.1", networks)
    assert is_allowed("fd00::5", networks)
    assert not is_allowed("fd01::5", networks)
    assert not is_allowed("10.0.0.1", networks)


@pytest.mark.parametrize("text", ["localhost", "10.0.0.1/8", "", "1.2.3.4/33"])
def test_what_is_no_network_is_told(text: str) -> None:
    """A network that cannot be read ends in one line."""
    with pytest.raises(UsageError, match="is no network"):
        parse_networks([text])
