"""Which network a caller comes from, as the settings draw its bounds."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from core.network import network_of
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
