"""A payment provider whose books are kept whatever happens to its answers: for tests of checkout."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from core.payments.gateway import (
    Authorisation,
    Buyer,
    CallHealth,
    ChargeOutcome,
    ChargeResult,
    ContentSources,
    ListedCharge,
    Order,
    Receipt,
    ReturnRefused,
    Window,
    WindowFailed,
    WindowUrls,
)
from tests.waits import until as until


@dataclass
class Entry:
    """What the provider's books say of one order. `refunded` in minor units."""

    amount: int
    charged: int = 0
    refunded: int = 0
    voided: int = 0

    @property
    def left(self) -> int:
        return self.charged * self.amount - self.refunded


@dataclass
class Bank:
    """A payment provider (`PaymentGateway`) that keeps its books whatever happens to its answers.

    A key is made by `authorise`, good for its order alone. `says` of a confirm: approve, decline, hang (charges, the
    answer is lost), lost (does not charge, the answer is lost), unavailable (proven), shop (our secret is wrong),
    deposit. `reachable=False`: nothing that it is asked afterwards is answered. `refunds=False`: asked to give money
    back, it says no. `gate`: confirms wait for it. `idempotent=False`: a second confirm of an order is a second charge.
    """

    name: str = "toss"
    environment: str = "test:bank"
    currencies: frozenset[str] | None = None
    idempotent: bool = True
    needs_phone_number: bool = False
    sources: ContentSources = field(default_factory=ContentSources)
    says: str = "approve"
    reachable: bool = True
    refunds: bool = True
    windows: bool = True
    ledger: dict[str, Entry] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    after_charge: Callable[[], None] | None = None
    before_charge: Callable[[], None] | None = None
    after_refund: Callable[[], None] | None = None
    calls: int = 0
    asked: list[str] = field(default_factory=list)
    voids: list[tuple[str, str | None]] = field(default_factory=list)
    cancels: list[tuple[str, int | None, str]] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _remembered: dict[str, ChargeResult] = field(default_factory=dict)
    _refunded: dict[str, int] = field(default_factory=dict)

    def authorise(self, order: str) -> str:
        """The buyer has gone through the window: the key that the return carries."""
        key = f"key-{secrets.token_hex(6)}"
        self.keys[key] = order
        return key

    async def open_window(self, order: Order, buyer: Buyer, urls: WindowUrls) -> Window:
        if not self.windows:
            raise WindowFailed("UNAUTHORIZED_KEY", health=CallHealth.FAILURE, shops_fault=True)
        return Window("sdk", {"orderId": order.number, "amount": order.amount}, script="/script.js", client_key="ck")

    def is_decline(self, code: str) -> bool:
        return code == "REJECT"

    def is_shops_fault(self, code: str) -> bool:
        return code == "UNAUTHORIZED_KEY"

    def read_return(self, order: Order, query: Mapping[str, str], form: Mapping[str, str]) -> Authorisation:
        if "code" in query:
            declined = query["code"] == "REJECT"
            ours = self.is_shops_fault(query["code"])
            raise ReturnRefused(query["code"], closed=not declined, declined=declined, shops_fault=ours)
        if query.get("orderId", order.number) != order.number:
            raise ReturnRefused("order_differs")
        if int(query.get("amount", order.amount)) != order.amount:
            raise ReturnRefused("amount_differs")
        if not query.get("paymentKey"):
            raise ReturnRefused("key_missing")
        return Authorisation(query["paymentKey"])

    async def confirm(self, order: Order, authorisation: Authorisation, idempotency_key: str) -> ChargeResult:
        says, key = self.says, authorisation.key
        if says == "unavailable":
            return ChargeResult(
                ChargeOutcome.NOT_CHARGED, self.name, code="connect_failed", temporary=True, health=CallHealth.FAILURE
            )
        if says == "shop":
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, code="UNAUTHORIZED_KEY", shops_fault=True)
        if says == "temporary":
            result = ChargeResult(
                ChargeOutcome.NOT_CHARGED, self.name, code="PROVIDER_ERROR", temporary=True, health=CallHealth.FAILURE
            )
            return self._remembered.setdefault(idempotency_key, result)
        self.calls += 1
        known = self._remembered.get(idempotency_key) if self.idempotent else None
        if self.keys.get(key) != order.number or (known is not None and known.outcome is ChargeOutcome.WRONG_KEY):
            # Errors are remembered as well, and the body is no part of what they are remembered by.
            wrong = ChargeResult(ChargeOutcome.WRONG_KEY, self.name, key, "NOT_FOUND_PAYMENT_SESSION")
            self._remembered.setdefault(idempotency_key, wrong)
            return wrong
        if self.before_charge is not None:
            self.before_charge()
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            result = self._charged(order, key, idempotency_key, says)
            if self.after_charge is not None:
                self.after_charge()
        finally:
            self._at_once -= 1
        return result

    def _charged(self, order: Order, key: str, idempotency_key: str, says: str) -> ChargeResult:
        if self.idempotent and idempotency_key in self._remembered:
            return self._remembered[idempotency_key]
        entry = self.ledger.setdefault(order.number, Entry(order.amount))
        receipt = Receipt("card", "00012345", "https://receipt.example/1", None)
        match says:
            case "approve" | "hang":
                entry.charged += 1
                approved = ChargeResult(ChargeOutcome.APPROVED, self.name, key, receipt=receipt)
                self._remembered[idempotency_key] = approved
                if says == "approve":
                    return approved
            case "decline":
                result = ChargeResult(ChargeOutcome.DECLINED, self.name, code="REJECT_CARD_PAYMENT")
                self._remembered[idempotency_key] = result
                return result
            case "deposit":
                return ChargeResult(ChargeOutcome.AWAITING_DEPOSIT, self.name, key, "WAITING_FOR_DEPOSIT")
        return ChargeResult(ChargeOutcome.UNKNOWN, self.name, code="read_timeout", health=CallHealth.TIMEOUT)

    async def look_up(self, order: Order, provider_key: str | None = None) -> ChargeResult:
        self.asked.append(order.number)
        if not self.reachable:
            return ChargeResult(ChargeOutcome.UNKNOWN, self.name, code="read_timeout")
        entry = self.ledger.get(order.number)
        if entry is None or not entry.charged:
            mine = [key for key, of in self.keys.items() if of == order.number]
            if self.idempotent and mine:
                return ChargeResult(ChargeOutcome.AUTHORISED, self.name, mine[-1])
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, code="NOT_FOUND_PAYMENT")
        outcome = ChargeOutcome.APPROVED if entry.left else ChargeOutcome.CANCELLED
        return ChargeResult(outcome, self.name, provider_key, balance=entry.left)

    async def cancel(
        self,
        order: Order,
        provider_key: str | None,
        *,
        amount: int | None,
        refunded_before: int,
        reason: str,
        idempotency_key: str,
    ) -> ChargeResult:
        self.cancels.append((order.number, amount, idempotency_key))
        if not self.reachable:
            return ChargeResult(ChargeOutcome.UNKNOWN, self.name, code="read_timeout")
        if not self.refunds:
            return ChargeResult(ChargeOutcome.UNKNOWN, self.name, code="NOT_CANCELABLE_PAYMENT", refused=True)
        entry = self.ledger.get(order.number)
        if entry is None or not entry.charged:
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name)
        if amount is None:
            entry.refunded = entry.charged * entry.amount
        elif idempotency_key not in self._refunded:
            if amount > entry.left:
                return ChargeResult(ChargeOutcome.UNKNOWN, self.name, code="EXCEED_CANCEL_AMOUNT", refused=True)
            entry.refunded += amount
            self._refunded[idempotency_key] = amount
        if self.after_refund is not None:
            self.after_refund()
        return ChargeResult(ChargeOutcome.CANCELLED, self.name, provider_key, balance=entry.left, refund_key="r-1")

    async def void(self, order: Order, provider_key: str | None, *, reason: str, idempotency_key: str) -> ChargeResult:
        if not self.reachable:
            return ChargeResult(ChargeOutcome.UNKNOWN, self.name, code="read_timeout")
        entry = self.ledger.get(order.number)
        if entry is not None and entry.charged:
            return ChargeResult(ChargeOutcome.APPROVED if entry.left else ChargeOutcome.CANCELLED, self.name)
        self.voids.append((order.number, provider_key))
        for key in [key for key, of in self.keys.items() if of == order.number]:
            del self.keys[key]
        return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name)

    async def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ListedCharge]:
        raise NotImplementedError
        yield  # pragma: no cover

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> str | None:
        return body.decode() or None

    async def aclose(self) -> None: ...
