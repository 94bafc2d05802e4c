"""How much of a process one peer may take before the application has seen a request of it (R8).

A peer is an IPv4 address, or an IPv6 /64. The connections of a proxy that we believe (ONSALE_FORWARDED_ALLOW_IPS) are
not counted: it speaks for everybody. A request has `HEAD_SECONDS` to say what it wants. Of a peer's connections that
have not said it, the oldest give way to the newest: two hundred browsers behind one address, which say it at once, are
served beside a neighbour who opens connections and keeps still.
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from web.rate_limits import network

log = structlog.get_logger(__name__)

#: From a connection's first moment, or a further request's first byte, to the end of the request's head, in seconds.
HEAD_SECONDS: Final = 10.0
#: A request's head, in bytes: request line and headers.
MOST_HEAD: Final = 64 * 1024
#: Connections of one peer whose request is not complete.
MOST_INCOMPLETE: Final = 200
#: All connections of one peer.
MOST_CONNECTIONS: Final = 2_000
# Young ones do not count: a browser that has just connected, to a process that has not read yet, is not slow.
_YOUNG_SECONDS: Final = 1.0
# Refused connections are told in one line for so many seconds.
_TOLD_SECONDS: Final = 60.0


class Limited(Protocol):
    """A connection, as far as its limits go."""

    def give_up(self) -> None:
        """Its time is over, or a newer one of its peer needs its place: closed now."""
        ...


class Peer:
    """The connections of one peer."""

    __slots__ = ("connections", "incomplete")

    def __init__(self) -> None:
        self.connections = 0
        #: Connection -> when its request began; the oldest first.
        self.incomplete: dict[Limited, float] = {}


class Peers:
    """All peers of one process that are not trusted. `most` connections of each; None: nobody is counted.

    `is_trusted` says whether an address is a proxy's. `start` begins looking for those whose time is over, `stop` ends
    it.
    """

    def __init__(
        self, *, is_trusted: Callable[[str], bool] = lambda address: False, most: int | None = MOST_CONNECTIONS
    ) -> None:
        self._is_trusted = is_trusted
        self._most = most
        self._peers: dict[str, Peer] = {}
        #: Connections of all peers, trusted ones too, whose request's head is not there -> when it began.
        self._heads: dict[Limited, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._refused = 0
        self._told_at = float("-inf")

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(1.0, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def come(self, address: str) -> Peer | None:
        """Counts a new connection; its peer, or None where it is not counted. Raises TooMany."""
        if self._most is None or not address or self._is_trusted(address):
            return None
        name = network(address)
        peer = self._peers.get(name)
        if peer is None:
            peer = self._peers[name] = Peer()
        if peer.connections >= self._most:
            self._tell(name)
            raise TooMany()
        peer.connections += 1
        return peer

    def gone(self, address: str, peer: Peer | None) -> None:
        if peer is not None:
            peer.connections -= 1
            if not peer.connections:
                self._peers.pop(network(address), None)

    def begin(self, connection: Limited, peer: Peer | None, now: float) -> None:
        """A request begins, or a connection from which one is expected."""
        self._heads[connection] = now
        if peer is None:
            return
        peer.incomplete[connection] = now
        if len(peer.incomplete) > MOST_INCOMPLETE:
            self._make_room(peer, now)

    def head_is_there(self, connection: Limited) -> None:
        self._heads.pop(connection, None)

    def complete(self, connection: Limited, peer: Peer | None) -> None:
        """The request is there, or nothing is expected any more."""
        self._heads.pop(connection, None)
        if peer is not None:
            peer.incomplete.pop(connection, None)

    def _make_room(self, peer: Peer, now: float) -> None:
        while len(peer.incomplete) > MOST_INCOMPLETE:
            oldest, since = next(iter(peer.incomplete.items()))
            if now - since < _YOUNG_SECONDS:
                return  # looked at again within a second
            self.complete(oldest, peer)
            oldest.give_up()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = loop.call_later(1.0, self._look)
        while self._heads:
            oldest, since = next(iter(self._heads.items()))
            if now - since < HEAD_SECONDS:
                break
            del self._heads[oldest]
            oldest.give_up()
        for peer in list(self._peers.values()):
            if len(peer.incomplete) > MOST_INCOMPLETE:
                self._make_room(peer, now)

    def _tell(self, name: str) -> None:
        """One line a minute, whoever knocks how often."""
        self._refused += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= _TOLD_SECONDS:
            log.warning("connections refused: one peer has too many", peer=name, refused=self._refused)
            self._told_at, self._refused = now, 0


class TooMany(Exception):
    """One peer has as many connections as it may have."""


def use_all_files() -> int:
    """Lets this process have as many open files as the system allows it; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, 65_536)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return hard


def connections_of_one_peer(files: int) -> int:
    """Half of the files at most: what is left is for everybody else, and for the stores."""
    return min(MOST_CONNECTIONS, files // 2)


def trusts(forwarded_allow_ips: str) -> Callable[[str], bool]:
    """Whether an address is one of these proxies: addresses, networks or `*`, separated by commas."""
    if forwarded_allow_ips.strip() == "*":
        return lambda address: True
    networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for text in forwarded_allow_ips.split(","):
        try:
            networks.append(ipaddress.ip_network(text.strip()))
        except ValueError:
            continue  # a name, or nothing: no peer has it for an address

    def is_trusted(address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in one for one in networks)

    return is_trusted
