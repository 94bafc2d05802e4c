"""What counts as one network: the unit in which places are dear, and in which a caller can be put out (F4, R9)."""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from core.waiting_room.price import Bidder
from web.security import address_of
from web.visitors import Visitor


@dataclass(frozen=True, slots=True)
class Networks:
    """The settings' `network_ipv4_bits` and `network_ipv6_bits`."""

    ipv4_bits: int
    ipv6_bits: int

    def of(self, connection: HTTPConnection) -> str:
        return network_of(address_of(connection), self.ipv4_bits, self.ipv6_bits)

    def bidder(self, connection: HTTPConnection, visitor: Visitor, proof: str | None = None) -> Bidder:
        return Bidder(self.of(connection), proof, address_of(connection), visitor.fresh)


@functools.lru_cache(4096)
def network_of(address: str, ipv4_bits: int, ipv6_bits: int) -> str:
    """The network of a caller's address, such as `203.0.113.0/24` or `2001:db8:7::/48`.

    An IPv4 address written as IPv6 counts as IPv4. What is no address (a socket file, a test client) is its own
    network.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = ipv4_bits if isinstance(parsed, ipaddress.IPv4Address) else ipv6_bits
    return str(ipaddress.ip_network((parsed, bits), strict=False))
