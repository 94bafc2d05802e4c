"""Confirmations, the only calls that move money: under the provider's circuit, so many at once, and again only after a
temporary error that is proven not to have charged.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from core.payments import metrics
from core.payments.breaker import Mode
from core.payments.breaker_redis import SharedBreaker
from core.payments.gateway import (
    CONNECT_FAILED,
    CONNECT_TIMEOUT,
    Authorisation,
    CallHealth,
    ChargeOutcome,
    ChargeResult,
    Order,
    PaymentGateway,
)

BeforeCall = Callable[[], Awaitable[None]]

#: Our own codes, in `ChargeResult.code`.
PARKED: Final = "parked"
CIRCUIT_OPEN: Final = "circuit_open"

#: Toss Payments asks for "a moment" before the same is tried again; a buyer looks at the screen meanwhile.
_RETRY_SECONDS: Final = 1.0

# What the active limit is told of payment's latency (S10): enough charges to mean something, none that is old news.
_LATEST: Final = 200
_RECENT_SECONDS: Final = 60.0

#: How often a charge that waits for the probes looks for their verdict.
_LOOK_SECONDS: Final = 0.5


class Confirming:
    """`concurrency` confirmations at once, `retries` further tries of each. `patience`: seconds that one waits for a
    half-open circuit's probes. `park`: what cannot be asked for now is `PARKED`, and waits.
    """

    def __init__(self, *, concurrency: int, retries: int, patience: float, park: bool) -> None:
        self._places = asyncio.Semaphore(concurrency)
        self._retries = retries
        self._patience = patience
        self._park = park
        self._latest: deque[tuple[float, float]] = deque(maxlen=_LATEST)

    async def confirm(
        self,
        gateway: PaymentGateway,
        circuit: SharedBreaker | None,
        order: Order,
        authorisation: Authorisation,
        idempotency_key: str,
        *,
        before_call: BeforeCall,
        sent_before: bool,
    ) -> ChargeResult:
        """`Payments.confirm` at one account; without a `circuit` whatever the provider's state is."""
        async with self._places:
            began = time.monotonic()
            with metrics.UNDER_WAY.track_inprogress():
                result = await self._tried(
                    gateway, circuit, order, authorisation, idempotency_key, before_call, sent_before
                )
            self._latest.append((time.monotonic(), time.monotonic() - began))
        if sent_before and result.outcome is ChargeOutcome.NOT_CHARGED:
            result = replace(result, outcome=ChargeOutcome.UNKNOWN, temporary=False)
        return result

    def recent_seconds(self) -> float | None:
        """How long this process's charges of the last minute took: their median; None when there were none."""
        oldest = time.monotonic() - _RECENT_SECONDS
        recent = [seconds for at, seconds in self._latest if at >= oldest]
        return statistics.median(recent) if recent else None

    async def _tried(
        self,
        gateway: PaymentGateway,
        circuit: SharedBreaker | None,
        order: Order,
        authorisation: Authorisation,
        key: str,
        before_call: BeforeCall,
        sent_before: bool,
    ) -> ChargeResult:
        """Again, `retries` times at most, after a temporary error that is proven not to have charged."""
        for attempt in range(1 if sent_before else self._retries + 1):
            if attempt:
                await asyncio.sleep(_RETRY_SECONDS)
            permit = await self._permit(circuit) if circuit is not None else None
            if circuit is not None and permit is None:
                result = ChargeResult(ChargeOutcome.NOT_CHARGED, gateway.name, code=CIRCUIT_OPEN)
                break
            # A provider remembers the error that it gave under a key; that nothing was charged is proven.
            own = key if not attempt else f"{key}-{attempt}"
            result = await self._call(
                gateway, circuit, permit or 0, order, authorisation, own, before_call, sent_before
            )
            if result.outcome is not ChargeOutcome.NOT_CHARGED or not result.temporary:
                break
        away = result.outcome is ChargeOutcome.NOT_CHARGED and (result.temporary or result.code == CIRCUIT_OPEN)
        return replace(result, code=PARKED) if away and self._park else result

    async def _permit(self, circuit: SharedBreaker) -> int | None:
        """A permit, or None. A buyer who was let in just before the probes went out is not failed for their sake."""
        until = time.monotonic() + self._patience
        while True:
            permit = await circuit.admit()
            probing = permit is None and circuit.view().mode is Mode.HALF_OPEN
            if not probing or time.monotonic() >= until:
                return permit
            await asyncio.sleep(_LOOK_SECONDS)

    async def _call(
        self,
        gateway: PaymentGateway,
        circuit: SharedBreaker | None,
        permit: int,
        order: Order,
        authorisation: Authorisation,
        key: str,
        before_call: BeforeCall,
        sent_before: bool,
    ) -> ChargeResult:
        """One request under one permit, which is always given back or accounted for."""
        health, started = CallHealth.IGNORED, time.perf_counter()
        try:
            await before_call()
            started = time.perf_counter()
            result = await gateway.confirm(order, authorisation, key)
            health = CallHealth.IGNORED if sent_before and _may_be_remembered(result) else result.health
        finally:
            # Also when we are cancelled: a probe's permit must not be lost with its task.
            if circuit is not None:
                await asyncio.shield(circuit.record(permit, health, time.perf_counter() - started))
        metrics.CALLS.labels(gateway.name, "confirm", result.outcome).inc()
        return result


def _may_be_remembered(result: ChargeResult) -> bool:
    """Of a request under a key that was used before: whether the provider may only have repeated the error that it gave
    then. That says nothing of how it is now; after an outage it would open the circuit again for everybody.
    """
    return result.temporary and result.code not in (CONNECT_FAILED, CONNECT_TIMEOUT)
