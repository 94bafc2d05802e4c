"""The tasks of one process that bring attempts and refunds to their end: how many at once, and what waits for room."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from core.booking.refund import RefundClaim
from core.booking.refunding import Refunding
from core.booking.refunds_postgres import RefundRows
from core.booking.reservations_postgres import Reservations
from core.booking.settlement import Settlement
from core.booking.stored import Claim
from core.errors import StoreUnavailable
from core.process.supervisor import Supervisor

#: Refunds of one process under way at once: a cancelled event's are thousands, and buyers pay meanwhile.
REFUNDS_AT_ONCE = 8


class PaymentTasks:
    """`concurrency`: payments under way at once. All calls raise StoreUnavailable."""

    def __init__(
        self,
        *,
        reservations: Reservations,
        refunds: RefundRows,
        supervisor: Supervisor,
        concurrency: int,
        process: str,
    ) -> None:
        self._reservations = reservations
        self._refunds = refunds
        self._supervisor = supervisor
        self._concurrency = concurrency
        self._process = process
        self._busy = 0
        self._refunding_now = 0
        self._backlog = False
        self._refund_backlog = False
        self._settle: Settlement | None = None
        self._refunder: Refunding | None = None

    def use(self, settlement: Settlement, refunding: Refunding) -> None:
        """They call back (`owed`), so they are made after this."""
        self._settle, self._refunder = settlement, refunding

    def token(self) -> str:
        """A new claim's: unique among all processes."""
        return f"{self._process}/{secrets.token_hex(8)}"

    def place(self) -> str | None:
        """A token when there is room for one more payment; None: whoever has room takes it from the row."""
        if self._busy < self._concurrency:
            return self.token()
        self._backlog = True
        return None

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._supervisor.spawn(name, work)

    def work_on(self, claim: Claim) -> asyncio.Task[None]:
        assert self._settle is not None  # noqa: S101 - `use` is the constructor's second half
        self._busy += 1
        task: asyncio.Task[None] = self._supervisor.spawn(f"payment {claim.attempt.order}", self._settle.finish(claim))
        _after(task, self._worked)
        return task

    async def finish_due(self, *, wait: bool = True) -> int:
        """Takes over the attempts and refunds whose time has come and that nobody works on; returns how many.

        Any number of processes may do so at once. With `wait=False` it does not wait for them to end, so that a slow
        provider does not delay the next round.
        """
        if self._supervisor.closing:
            return 0
        tasks: list[asyncio.Task[None]] = []
        free = self._concurrency - self._busy
        self._backlog = free <= 0
        if free > 0:
            claims = await self._reservations.claim_due(free, self.token())
            self._backlog = len(claims) == free
            tasks = [self.work_on(claim) for claim in claims]
        tasks += await self._refund_due(None)
        if tasks and wait:
            await asyncio.wait(tasks)
        return len(tasks)

    def owed(self, order: str) -> None:
        """Something is to be given back for this order: tried at once, when there is room."""
        if not self._supervisor.closing:
            self._supervisor.spawn(f"refunds of {order}", self._quietly(lambda: self._refund_due(order)))

    async def refund_now(self, order: str) -> list[asyncio.Task[None]]:
        """An attempt's refunds, whenever their next try would have been."""
        return self._refund([*await self._refunds.claim(1, self.token(), order=order, early=True)])

    async def _refund_due(self, order: str | None) -> list[asyncio.Task[None]]:
        free = REFUNDS_AT_ONCE - self._refunding_now
        self._refund_backlog = self._refund_backlog or free <= 0
        if free <= 0:
            return []
        claims = await self._refunds.claim(free, self.token(), order=order)
        self._refund_backlog = self._refund_backlog or len(claims) == free
        return self._refund(claims)

    def _refund(self, claims: list[RefundClaim]) -> list[asyncio.Task[None]]:
        assert self._refunder is not None  # noqa: S101 - `use` is the constructor's second half
        tasks = []
        for claim in claims:
            self._refunding_now += 1
            task: asyncio.Task[None] = self._supervisor.spawn(f"refund {claim.id}", self._refunder.finish(claim))
            _after(task, self._refunded)
            tasks.append(task)
        return tasks

    def _worked(self, _: asyncio.Task[None]) -> None:
        self._busy -= 1
        if self._backlog and not self._supervisor.closing:
            # Payments wait for room in this process: the next begins at once, not at the job's next round.
            self._backlog = False
            self._supervisor.spawn("payment-backlog", self._next_due())

    def _refunded(self, _: asyncio.Task[None]) -> None:
        self._refunding_now -= 1
        if self._refund_backlog and not self._supervisor.closing:
            self._refund_backlog = False
            self._supervisor.spawn("refund-backlog", self._quietly(lambda: self._refund_due(None)))

    async def _next_due(self) -> None:
        try:
            await self.finish_due(wait=False)
        except StoreUnavailable:
            self._backlog = True

    async def _quietly(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            await work()
        except StoreUnavailable:
            self._refund_backlog = True


def _after(task: asyncio.Task[None], ended: Callable[[asyncio.Task[None]], None]) -> None:
    """What begins as this one ends is about somebody else: it takes over nothing of this one's context (its trace)."""
    task.add_done_callback(ended, context=Context())
