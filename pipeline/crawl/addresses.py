"""Which network addresses a crawler may connect to: public ones, and those that the user allows.

A page can name any host, and any name can resolve to an address inside the network that the crawler
runs in. So addresses are judged, not names: after each resolution, for redirects as well. An
IPv6 address that stands for an IPv4 address is judged as that.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from sealedbeam.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network

_NAT64 = ip_network("64:ff9b::/96")
_IPV4_BITS = (1 << 32) - 1


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks such as `10.0.0.0/8` or `127.0.0.1`.

    Raises:
        UsageError: one of them is no network.
    """
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            raise UsageError(
                f"{text} is no network that can be allowed: {error}; write one such as 127.0.0.0/8"
            ) from None
    return tuple(networks)


def is_allowed(address: str, networks: Iterable[Network] = ()) -> bool:
    """Return whether the crawler may connect to `address`, public or in one of `networks`."""
    try:
        parsed = _unwrap(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if any(parsed.version == network.version and parsed in network for network in networks):
        return True
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def _unwrap(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & _IPV4_BITS)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour or address
