"""The one entry to payment: which provider a new attempt goes to, and every call about an attempt that there is.

A new attempt goes to the provider that the buyer names, else to the first that takes the currency. `payment_when_open`
says what follows while that one is *proven* not to charge (its circuit is open, it refuses to connect, or it answered
with a temporary error and says that there is no such charge):

    fail_fast  nothing else; the buyer is told at once, with an alternative (`choose`)
    fallback   a new attempt is offered at the next provider
    park       the result is `NOT_CHARGED` with the code `parked`: the authorisation waits, its seats stay, and the
               caller tries again until the provider is back, or the authorisation is too old

Look-ups, refunds and voids go to the account that the attempt was made in (`Account`), also when it is one that new
attempts do not go to any more (`ONSALE_TOSS_OLD_SECRET`): P1.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

import structlog

from core.errors import CurrencyNotTaken, NoSuchProvider, PaymentUnavailable
from core.payments import metrics
from core.payments.account import NO_PROVIDER, Account, Accounts
from core.payments.breaker import Mode
from core.payments.breaker_redis import CircuitView, SharedBreaker
from core.payments.confirming import BeforeCall, Confirming
from core.payments.gateway import (
    Authorisation,
    Buyer,
    CallHealth,
    ChargeOutcome,
    ChargeResult,
    ListedCharge,
    Order,
    PaymentGateway,
    Window,
    WindowUrls,
)

log = structlog.get_logger(__name__)

WhenOpen = Literal["fail_fast", "fallback", "park"]

#: Our own code, in `ChargeResult.code`.
NOT_CONFIGURED: Final = "provider_not_configured"


@dataclass(frozen=True, slots=True)
class Provider:
    """A gateway with its circuit."""

    gateway: PaymentGateway
    circuit: SharedBreaker


class Payments:
    """Never raises for what a provider does to a charge: the outcome says it."""

    def __init__(
        self,
        *,
        providers: Sequence[Provider],
        when_open: WhenOpen,
        concurrency: int,
        retries: int,
        alternative: str,
        patience: float,
        former: Sequence[PaymentGateway] = (),
    ) -> None:
        """`providers` in order of preference; `former`: accounts whose attempts are only finished.

        `patience`: seconds that a confirm waits for a half-open circuit's probes (`fail_fast` only).
        """
        self._providers = tuple(providers)
        self._former = tuple(former)
        self._by_name = {provider.gateway.name: provider for provider in providers}
        self._accounts = Accounts(asked=[one.gateway for one in providers], former=former)
        self._when_open = when_open
        self._alternative = alternative
        self._confirming = Confirming(
            concurrency=concurrency,
            retries=retries,
            patience=patience if when_open == "fail_fast" else 0,
            park=when_open == "park",
        )

    # New attempts

    def require_available(self) -> None:
        """Raises PaymentUnavailable when an attempt begun now would be kept back, and is not to be parked."""
        self._require(self._candidates(self._providers))

    def can_begin_anywhere(self) -> bool:
        """Whether an attempt can begin at any provider, at least by its name (`choose`). False without providers."""
        return bool(self._providers) and (
            self._when_open == "park" or any(one.circuit.available() for one in self._providers)
        )

    def choose(self, currency: str, provider: str | None = None, *, failed: str | None = None) -> PaymentGateway:
        """Where a new attempt goes: the provider that the buyer names, else by order of preference.

        `failed`: where the last attempt met no answer; with `fallback` another one is preferred. Raises NoSuchProvider,
        CurrencyNotTaken, PaymentUnavailable.
        """
        takes = [one for one in self._providers if _takes(one.gateway, currency)]
        if provider is not None:
            if provider not in self._by_name:
                raise NoSuchProvider(
                    f"There is no payment provider of this name: choose one of {', '.join(self.names)}"
                )
            takes = [one for one in takes if one.gateway.name == provider]
        if self._providers and not takes:
            raise CurrencyNotTaken(f"Nothing can be paid in {currency} {'at ' + provider if provider else 'here'}")
        asked = takes if provider is not None else self._candidates(takes)
        self._require(asked)
        able = [one for one in asked if one.circuit.available()] or asked
        others = [one for one in able if one.gateway.name != failed]
        return (others or able)[0].gateway

    @property
    def names(self) -> tuple[str, ...]:
        """The providers that new attempts go to, in order of preference."""
        return tuple(self._by_name)

    def knows(self, provider: str) -> bool:
        """Whether payments are made there, or finished."""
        return self._accounts.of_provider(provider) is not None

    def gateway(self, provider: str) -> PaymentGateway:
        """The provider's adapter, for what does not depend on the account. Raises PaymentUnavailable."""
        gateway = self._accounts.of_provider(provider)
        if gateway is None:
            raise PaymentUnavailable()
        return gateway

    def takes(self, currency: str) -> bool:
        """Whether any provider takes it. True where none is configured: then nothing is sold for money at all."""
        return not self._providers or any(_takes(one.gateway, currency) for one in self._providers)

    def accounts(self) -> frozenset[Account]:
        """All that attempts can be finished in."""
        return self._accounts.all()

    def account_names(self) -> list[str]:
        """`provider/environment` of all of them, and of the rows from before accounts were written down."""
        return self._accounts.names()

    def can_finish(self, account: Account) -> bool:
        return account.provider == NO_PROVIDER or self._accounts.gateway(account) is not None

    async def reach(self) -> list[ChargeResult]:
        """What each provider answers about an order that there is not: whether it is reached, and takes our key.

        One that cannot be asked by order number (NHN KCP, the one that is not idempotent) is left out: it would settle
        the order instead.
        """
        order = Order(f"diagnose-{secrets.token_hex(8)}", 1000, "KRW", "diagnose")
        asked = [one.gateway for one in self._providers if one.gateway.idempotent]
        answers = await asyncio.gather(*(gateway.look_up(order) for gateway in asked))
        return [replace(found, provider=gateway.name) for gateway, found in zip(asked, answers, strict=True)]

    # An attempt

    def idempotent(self, account: Account) -> bool:
        gateway = self._accounts.gateway(account)
        return gateway is not None and gateway.idempotent

    async def open_window(self, account: Account, order: Order, buyer: Buyer, urls: WindowUrls) -> Window:
        """Raises WindowFailed, and PaymentUnavailable without keys for that account."""
        gateway = self._accounts.gateway(account)
        if gateway is None:
            raise PaymentUnavailable()
        return await gateway.open_window(order, buyer, urls)

    def read_return(
        self, account: Account, order: Order, query: Mapping[str, str], form: Mapping[str, str]
    ) -> Authorisation:
        """Raises ReturnRefused, and PaymentUnavailable without keys for that account."""
        gateway = self._accounts.gateway(account)
        if gateway is None:
            raise PaymentUnavailable()
        return gateway.read_return(order, query, form)

    def is_decline(self, account: Account, code: str) -> bool:
        """Of a window that was left with this code."""
        gateway = self._accounts.gateway(account)
        return gateway is not None and gateway.is_decline(code)

    def is_shops_fault(self, account: Account, code: str) -> bool:
        """The same, for what is the shop's to mend."""
        gateway = self._accounts.gateway(account)
        return gateway is not None and gateway.is_shops_fault(code)

    async def confirm(
        self,
        account: Account,
        order: Order,
        authorisation: Authorisation,
        idempotency_key: str,
        *,
        before_call: BeforeCall,
        sent_before: bool = False,
    ) -> ChargeResult:
        """Takes the money that the buyer has authorised.

        `sent_before`: the identical request was sent once, and nobody knows what became of it. Then what is proven of
        this one - not sent, refused at the door - proves nothing of that one: the outcome is never NOT_CHARGED, and it
        is not tried under another idempotency key.

        `before_call()` is awaited right before each request that may charge leaves. An error of `before_call` goes to
        the caller and nothing is sent; after a `CancelledError` the outcome is unknown.
        """
        gateway = self._accounts.gateway(account)
        if gateway is None:
            return _not_configured(account, ChargeOutcome.UNKNOWN if sent_before else ChargeOutcome.NOT_CHARGED)
        result = await self._confirming.confirm(
            gateway,
            self._circuit(gateway),
            order,
            authorisation,
            idempotency_key,
            before_call=before_call,
            sent_before=sent_before,
        )
        # An approved one is told by the reservation that ends with it.
        level = log.debug if result.outcome is ChargeOutcome.APPROVED else log.info
        level("payment", order=order.number, outcome=result.outcome, provider=gateway.name, code=result.code)
        return result

    def recent_seconds(self) -> float | None:
        """How long this process's charges of the last minute took: their median; None when there were none."""
        return self._confirming.recent_seconds()

    async def look_up(self, account: Account, order: Order, provider_key: str | None = None) -> ChargeResult:
        """What the provider says of an order whose outcome is not known.

        Meant for outcomes that nobody was told of: NHN KCP cannot be asked by order number and cancels instead.
        """
        return await self._ask("look_up", account, lambda gateway: gateway.look_up(order, provider_key))

    async def cancel(
        self,
        account: Account,
        order: Order,
        provider_key: str | None,
        *,
        amount: int | None,
        refunded_before: int,
        reason: str,
        idempotency_key: str,
    ) -> ChargeResult:
        """Gives the money back, or a part: CANCELLED (also the second time), NOT_CHARGED (nothing to give back),
        UNKNOWN.
        """
        return await self._ask(
            "cancel",
            account,
            lambda gateway: gateway.cancel(
                order,
                provider_key,
                amount=amount,
                refunded_before=refunded_before,
                reason=reason,
                idempotency_key=idempotency_key,
            ),
        )

    async def void(
        self, account: Account, order: Order, provider_key: str | None, *, reason: str, idempotency_key: str
    ) -> ChargeResult:
        """Lets go of an authorisation that will not be captured."""
        return await self._ask(
            "void",
            account,
            lambda gateway: gateway.void(order, provider_key, reason=reason, idempotency_key=idempotency_key),
        )

    def list_charges(self, account: Account, since: datetime, until: datetime) -> AsyncIterator[ListedCharge]:
        """The provider's own list. Raises ListFailed, NotImplementedError (it has none, or there are no keys)."""
        gateway = self._accounts.gateway(account)
        if gateway is None:
            raise NotImplementedError(NOT_CONFIGURED)
        return gateway.list_charges(since, until)

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
            raise ValueError(f"there is no payment provider {provider!r}: {', '.join(self.names)}")
        await self._by_name[provider].circuit.force(mode)

    async def aclose(self) -> None:
        for provider in self._providers:
            await provider.circuit.aclose()
            await provider.gateway.aclose()
        for gateway in self._former:
            await gateway.aclose()

    # How

    def _candidates(self, providers: Sequence[Provider]) -> Sequence[Provider]:
        return providers if self._when_open == "fallback" else providers[:1]

    def _require(self, asked: Sequence[Provider]) -> None:
        """Raises PaymentUnavailable."""
        if asked and (self._when_open == "park" or any(one.circuit.available() for one in asked)):
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

    def _circuit(self, gateway: PaymentGateway) -> SharedBreaker | None:
        """None for a former account: what is finished there is finished whatever the new one's circuit says."""
        provider = self._by_name.get(gateway.name)
        return provider.circuit if provider is not None and provider.gateway is gateway else None

    async def _ask(
        self, operation: str, account: Account, ask: Callable[[PaymentGateway], Awaitable[ChargeResult]]
    ) -> ChargeResult:
        """Look-ups and refunds pass by the circuit: they are how unknown outcomes end, and the caller paces them."""
        gateway = self._accounts.gateway(account)
        if gateway is None:
            return _not_configured(account, ChargeOutcome.UNKNOWN)
        result = await ask(gateway)
        metrics.CALLS.labels(gateway.name, operation, result.outcome).inc()
        return result


def _takes(gateway: PaymentGateway, currency: str) -> bool:
    return gateway.currencies is None or currency in gateway.currencies


def _not_configured(account: Account, outcome: ChargeOutcome) -> ChargeResult:
    """An attempt of an account that there are no keys for: nothing can have been sent, and nothing can be asked."""
    log.error("payment account missing", provider=account.provider, environment=account.environment)
    return ChargeResult(
        outcome,
        account.provider,
        code=NOT_CONFIGURED,
        health=CallHealth.IGNORED,
        refused=True,
        shops_fault=outcome is ChargeOutcome.NOT_CHARGED,
    )
