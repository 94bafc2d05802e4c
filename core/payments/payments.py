"""The one entry to payment: which provider is asked, when, and what happens while it is away.

`payment_when_open` says what follows when the first provider is *proven* not to have charged (its circuit is open, it
refuses to connect, or it answered with a temporary error and says that there is no such charge):

    fail_fast  nothing else; the buyer is told at once, with an alternative (`require_available`)
    fallback   the next provider is tried
    park       the result is `NOT_CHARGED` with the code `parked`: the reservation waits, its seats stay, and the caller
               tries again until the provider is back

Whatever the setting, an outcome that is not proven (a read timeout above all) is `UNKNOWN` and no other provider is
asked: two providers that both charged is the one mistake that cannot be told from theft.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import structlog

from core.errors import PaymentUnavailable
from core.payments import metrics
from core.payments.breaker import Mode
from core.payments.breaker_redis import CircuitView, SharedBreaker
from core.payments.gateway import CallHealth, Charge, ChargeOutcome, ChargeResult, PaymentGateway, named_keys

log = structlog.get_logger(__name__)

WhenOpen = Literal["fail_fast", "fallback", "park"]
BeforeCall = Callable[[str], Awaitable[None]]

#: Our own codes, in `ChargeResult.code`.
PARKED: Final = "parked"
CIRCUIT_OPEN: Final = "circuit_open"
NO_KEY: Final = "no_key_for_provider"

#: Toss Payments asks for "a moment" before the same is tried again; a buyer looks at the screen meanwhile.
_RETRY_SECONDS: Final = 1.0

# What the active limit is told of payment's latency (S10): enough charges to mean something, none that is old news.
_LATEST: Final = 200
_RECENT_SECONDS: Final = 60.0

#: How often a charge that waits for the probes looks for their verdict.
_LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Provider:
    """A gateway with its circuit."""

    gateway: PaymentGateway
    circuit: SharedBreaker


class Payments:
    """Charges, asks and refunds. Never raises for what a provider does: the outcome says it."""

    def __init__(
        self,
        *,
        providers: Sequence[Provider],
        when_open: WhenOpen,
        concurrency: int,
        retries: int,
        alternative: str,
        patience: float,
    ) -> None:
        """`patience`: seconds that an accepted charge waits for a half-open circuit's probes (`fail_fast` only)."""
        self._providers = tuple(providers)
        self._by_name = {provider.gateway.name: provider for provider in providers}
        self._when_open = when_open
        self._places = asyncio.Semaphore(concurrency)
        self._retries = retries
        self._alternative = alternative
        self._patience = patience
        self._latest: deque[tuple[float, float]] = deque(maxlen=_LATEST)

    def require_available(self, payment_key: str | None = None) -> None:
        """Raises PaymentUnavailable when a charge made now would be kept back, and is not to be parked.

        With `payment_key` only providers that the buyer has authorised count.
        """
        asked = [one for one in self._candidates() if payment_key is None or self._has_key(one, payment_key)]
        # A key for nobody that is asked is the charge's to refuse: no waiting would help.
        if self._when_open == "park" or not asked or any(one.circuit.available() for one in asked):
            return
        waits = [one.circuit.view().seconds_until_probe for one in asked]
        seconds = min((wait for wait in waits if wait is not None), default=None)
        when = "Try again in a while" if seconds is None else f"Try again in {max(1, round(seconds))} seconds"
        raise PaymentUnavailable(
            f"Card payment does not work at the moment. Nothing was charged, and your seats are kept. {when}, or use "
            f"{self._alternative}.",
            retry_after=seconds or 30,
            alternative=self._alternative,
        )

    async def charge(self, charge: Charge, *, before_call: BeforeCall) -> ChargeResult:
        """Tries to take the money, with the providers and in the way that the settings say.

        `before_call(provider)` is awaited right before each request that may charge leaves. An error of `before_call`
        goes to the caller and nothing is sent; after a `CancelledError` the outcome is unknown.
        """
        async with self._places:
            began = time.monotonic()
            with metrics.UNDER_WAY.track_inprogress():
                result = await self._charge(charge, before_call)
            self._latest.append((time.monotonic(), time.monotonic() - began))
        log.info(
            "payment", reservation=charge.order_id, outcome=result.outcome, provider=result.provider, code=result.code
        )
        return result

    def recent_seconds(self) -> float | None:
        """How long this process's charges of the last minute took: their median; None when there were none."""
        oldest = time.monotonic() - _RECENT_SECONDS
        recent = [seconds for at, seconds in self._latest if at >= oldest]
        return statistics.median(recent) if recent else None

    async def look_up(self, provider: str, charge: Charge, provider_key: str | None = None) -> ChargeResult:
        """What `provider` says of a charge that it was asked for and whose outcome is not known.

        Meant for outcomes that nobody was told of: NHN KCP cannot be asked by order number and cancels instead.
        """
        return await self._ask_provider("look_up", provider, lambda gateway: gateway.look_up(charge, provider_key))

    async def cancel(self, provider: str, charge: Charge, provider_key: str | None, reason: str) -> ChargeResult:
        """Gives the money back: CANCELLED (also the second time), NOT_CHARGED (nothing to give back), or UNKNOWN."""
        return await self._ask_provider(
            "cancel", provider, lambda gateway: gateway.cancel(charge, provider_key, reason)
        )

    # For operators

    @property
    def when_open(self) -> WhenOpen:
        return self._when_open

    def circuits(self) -> list[CircuitView]:
        """Each provider's circuit as this process sees it, in order of preference."""
        return [provider.circuit.view() for provider in self._providers]

    async def refresh(self) -> None:
        """Reads what the other processes know of the circuits, so that `circuits` is true of this moment."""
        for provider in self._providers:
            await provider.circuit.refresh()

    async def force_circuit(self, provider: str, mode: Mode) -> None:
        """FORCED_OPEN keeps every charge back, DISABLED lets every one through, CLOSED ends either.

        Raises ValueError for another mode or an unknown provider, StoreUnavailable when the other processes could not
        be told.
        """
        if provider not in self._by_name:
            raise ValueError(f"there is no payment provider {provider!r}: {', '.join(self._by_name)}")
        await self._by_name[provider].circuit.force(mode)

    async def aclose(self) -> None:
        for provider in self._providers:
            await provider.circuit.aclose()
            await provider.gateway.aclose()

    # How

    def _candidates(self) -> tuple[Provider, ...]:
        return self._providers if self._when_open == "fallback" else self._providers[:1]

    def _has_key(self, provider: Provider, payment_key: str) -> bool:
        """What one provider's payment window returned means nothing to another: a plain key is the first one's."""
        named = named_keys(payment_key)
        return provider is self._providers[0] if named is None else bool(named.get(provider.gateway.name))

    async def _charge(self, charge: Charge, before_call: BeforeCall) -> ChargeResult:
        result = ChargeResult(ChargeOutcome.NOT_CHARGED, code=CIRCUIT_OPEN)
        for provider in self._candidates():
            tried = await self._charge_with(provider, charge, before_call)
            if tried.outcome is not ChargeOutcome.NOT_CHARGED:
                return tried
            # Why the provider that could have been paid with was not, says more than that another had no key.
            result = tried if tried.code != NO_KEY or provider is self._providers[0] else result
        away = result.temporary or result.code == CIRCUIT_OPEN
        return replace(result, code=PARKED) if away and self._when_open == "park" else result

    async def _charge_with(self, provider: Provider, charge: Charge, before_call: BeforeCall) -> ChargeResult:
        """One provider, again after a temporary error that is proven not to have charged."""
        name = provider.gateway.name
        if not self._has_key(provider, charge.payment_key):
            return ChargeResult(ChargeOutcome.NOT_CHARGED, name, code=NO_KEY)
        for attempt in range(self._retries + 1):
            if attempt:
                await asyncio.sleep(_RETRY_SECONDS)
            permit = await self._permit(provider)
            if permit is None:
                return ChargeResult(ChargeOutcome.NOT_CHARGED, name, code=CIRCUIT_OPEN)
            result = await self._call(provider, permit, charge, before_call)
            if result.outcome is not ChargeOutcome.NOT_CHARGED or not result.temporary:
                break
        return result

    async def _permit(self, provider: Provider) -> int | None:
        """A permit, or None. A buyer who was let in just before the probes went out is not failed for their sake."""
        until = time.monotonic() + self._patience
        while True:
            permit = await provider.circuit.admit()
            probing = permit is None and provider.circuit.view().mode is Mode.HALF_OPEN
            if not probing or self._when_open != "fail_fast" or time.monotonic() > until:
                return permit
            await asyncio.sleep(_LOOK_SECONDS)

    async def _call(self, provider: Provider, permit: int, charge: Charge, before_call: BeforeCall) -> ChargeResult:
        """One request under one permit, which is always given back or accounted for."""
        health, started = CallHealth.IGNORED, time.perf_counter()
        try:
            await before_call(provider.gateway.name)
            started = time.perf_counter()
            result = await provider.gateway.charge(charge)
            health = result.health
        finally:
            # Also when we are cancelled: a probe's permit must not be lost with its task.
            await asyncio.shield(provider.circuit.record(permit, health, time.perf_counter() - started))
        metrics.CALLS.labels(provider.gateway.name, "charge", result.outcome).inc()
        return result

    async def _ask_provider(
        self, operation: str, name: str, ask: Callable[[PaymentGateway], Awaitable[ChargeResult]]
    ) -> ChargeResult:
        """Look-ups and refunds pass by the circuit: they are how unknown outcomes end, and the caller paces them."""
        provider = self._by_name.get(name)
        if provider is None:
            log.error("payment provider missing", provider=name, configured=list(self._by_name))
            return ChargeResult(ChargeOutcome.UNKNOWN, name, code="provider_not_configured", refused=True)
        result = await ask(provider.gateway)
        metrics.CALLS.labels(name, operation, result.outcome).inc()
        return result
