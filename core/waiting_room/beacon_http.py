"""A public random value by HTTPS, in drand's JSON form: `/info` says when rounds are made, `/public/{round}` what.

A round's randomness is SHA-256 of its signature, which is checked here. That the signature is the network's is for
whoever verifies a draw to check against the source: it is named with the draw.
"""

from __future__ import annotations

import functools
import hashlib
import math
import re
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog

from core.errors import StartupError, StoreUnavailable
from core.process.tls_http import trusted
from core.waiting_room.draws_postgres import BeaconRound

log = structlog.get_logger(__name__)

_TIMEOUT: Final = httpx.Timeout(5.0, connect=3.0)
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def goes_encrypted(url: str) -> bool:
    """Whether nobody on the way can answer in the service's place: by https, or on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def beacon_source(url: str) -> str:
    """What draws that are announced from now on name, of `ONSALE_BEACON_URL`; empty where none is set.

    Raises StartupError: what comes without encryption could be anybody's.
    """
    if url and not goes_encrypted(url):
        raise StartupError("ONSALE_BEACON_URL must be an https address, such as https://api.drand.sh/CHAIN-HASH")
    return url.rstrip("/")


class HttpBeacon:
    """`core.waiting_room.drawing.Beacon`: reads whichever source a draw names."""

    def __init__(self) -> None:
        self._times: dict[str, tuple[float, float]] = {}

    async def aclose(self) -> None:
        if "_client" in self.__dict__:
            await self._client.aclose()

    @functools.cached_property
    def _client(self) -> httpx.AsyncClient:
        # Most installations name no beacon: none of them pays for reading certificates.
        return httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False, verify=trusted())

    async def round_after(self, moment: float, source: str) -> BeaconRound:
        """The first round that is made at `moment` (seconds since 1970) or after it. Raises StoreUnavailable."""
        genesis, period = await self._rounds(source)
        return BeaconRound(source, max(1, math.ceil((moment - genesis) / period) + 1))

    async def value(self, of: BeaconRound) -> str | None:
        """The round's randomness, 64 hexadecimal digits; None while it cannot be had, or is not what it says it is.

        Asked of the source that was named with the draw, whatever is set now.
        """
        try:
            response = await self._client.get(f"{of.source}/public/{of.round}")
            if response.status_code != httpx.codes.OK:
                log.info("beacon has not spoken", source=of.source, round=of.round, status=response.status_code)
                return None
            said: Any = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            log.warning("beacon not read", source=of.source, round=of.round, error=repr(error))
            return None
        wrong = _wrong(said, of.round)
        if wrong:
            log.error("beacon is not believed", source=of.source, round=of.round, why=wrong)
            return None
        return str(said["randomness"])

    async def _rounds(self, source: str) -> tuple[float, float]:
        """When the first round was made, and the seconds between two: they never change."""
        if source not in self._times:
            try:
                response = await self._client.get(f"{source}/info")
                response.raise_for_status()
                said = response.json()
                times = float(said["genesis_time"]), float(said["period"])
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
                log.warning("beacon not known", source=source, error=repr(error))
                raise StoreUnavailable(retry_after=5) from error
            if not (0 < times[1] <= 86_400 and times[0] > 0):
                raise StoreUnavailable(retry_after=5)
            self._times[source] = times
        return self._times[source]


def _wrong(said: Any, wanted: int) -> str:
    """Why it is not the round's value; empty when it is."""
    if not isinstance(said, dict) or said.get("round") != wanted:
        return "another round"
    randomness, signature = said.get("randomness"), said.get("signature")
    if not isinstance(randomness, str) or not isinstance(signature, str) or not _HEX.fullmatch(signature):
        return "no randomness with its signature"
    if hashlib.sha256(bytes.fromhex(signature)).hexdigest() != randomness:
        return "the randomness is not that of its signature"
    return ""
