"""Reservations and their attempts in PostgreSQL: each step of checkout is one guarded statement of `sql/` (rules 1, 2).

A statement either does all that belongs to its step or nothing, whatever runs beside it and wherever the process
dies: there is no transaction to leave open. The statements say in their headers what they lock and in which order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import databases

from core.booking.addresses import Addresses
from core.booking.attempt import (
    GRACE_SECONDS,
    LAST_SECONDS,
    LONGEST_WINDOW_SECONDS,
    MOST_ATTEMPTS,
    MOST_ATTEMPTS_IN_ALL,
    MOST_REFUSED_KEYS,
    Attempt,
    AttemptState,
    Owed,
    order_number,
)
from core.booking.reservation import (
    TRANSITIONS,
    Change,
    Reason,
    Reservation,
    check_arguments,
)
from core.booking.statements_postgres import STATEMENTS, LookedUp, Together, fetch_row
from core.booking.stored import (
    AttemptChange,
    Claim,
    ClaimLost,
    NewReservation,
    Stored,
    attempt_of,
    claim_of,
    reservation_of,
    stored_of,
)
from core.database import line_of, raw
from core.payments.account import Account
from core.payments.gateway import Authorisation, Receipt
from core.process.line import Begins

_BEGIN = STATEMENTS["begin"]
_GIVE_TIME = STATEMENTS["give_time"]
_STOP_GIVEN = STATEMENTS["stop_given"]
# In each turn somebody's next attempt may take the place of the last; nobody pays anew so often in so short a time.
_GIVE_TURNS = 3
_TRANSITION = STATEMENTS["transition"]
_CLAIM_DUE = STATEMENTS["claim_due"]
_CLAIMED = STATEMENTS["claimed"]
_BIND = STATEMENTS["bind"]
_CALLED = STATEMENTS["called"]
_REOPEN = STATEMENTS["reopen"]
_END_ATTEMPT = STATEMENTS["end_attempt"]
_NEXT_ATTEMPT = STATEMENTS["next_attempt"]
_RENEW = STATEMENTS["renew"]
_WAIT = STATEMENTS["wait"]
_LEAVE = STATEMENTS["leave"]
_HINT = STATEMENTS["hint"]
_FAULT = STATEMENTS["fault"]
_RESERVATION = STATEMENTS["reservation"]
_OF_KEY = _RESERVATION + "WHERE r.visitor = $1 AND r.event_id = $2 AND r.idempotency_key = $3"
_OF_ID = _RESERVATION + "WHERE r.id = $1"
_OF_VISITOR = _RESERVATION + "WHERE r.visitor = $1 ORDER BY r.created_at DESC LIMIT $2"
_OF_FENCE = _RESERVATION + "WHERE r.visitor = $1 AND r.event_id = $2 AND r.fence = $3"
_PAID_IN = """
SELECT id FROM events WHERE id = ANY ($1) AND EXISTS (
    SELECT FROM reservations WHERE event_id = events.id AND status = 'PAYING'
)
"""
_OF_ORDERS = STATEMENTS["of_orders"]
_USED_KEYS = STATEMENTS["used_keys"]
_KEY_REFUSED = """
SELECT FROM payment_attempts WHERE order_no = $1 AND ($2 = ANY (refused_keys) OR cardinality(refused_keys) >= $3)
"""
_ATTEMPT = STATEMENTS["attempt"]


class Reservations:
    """All calls raise StoreUnavailable when PostgreSQL is away; a write may then have happened or not."""

    def __init__(
        self,
        database: databases.Database,
        *,
        lease_seconds: float,
        deadline_seconds: float,
        window_seconds: float = 420.0,
        accounts: Sequence[str] | None = None,
        wake: Callable[[], None] = lambda: None,
        addresses: Addresses | None = None,
        stood: Callable[[float], float] = lambda unknown: 0.0,
    ) -> None:
        """`deadline_seconds`: for unknown outcomes, from CALLED. `window_seconds`: the time to pay. `wake` is called
        after an event was written that somebody waits for. `accounts`: those that `claim_due` takes
        (`Payments.account_names`). `addresses`: which of them are one buyer's. `stood`: seconds for which
        buyers could not pay and which `give_time` has not given them yet; called with what counts where nobody knows
        (`StoreWatch.stood`).
        """
        self._stood = stood
        self._addresses = addresses or Addresses()
        self._accounts = list(accounts) if accounts is not None else None
        self._database = database
        self._wake = wake
        self._lease = lease_seconds
        self._deadline = deadline_seconds
        self._window = window_seconds
        # What each purchase writes: of many that are under way at once, several share a commit.
        self._begin = Together(database, _BEGIN, column="id")
        self._bind = Together(database, _BIND)
        self._called = Together(database, _CALLED)
        self._transition = Together(database, _TRANSITION)
        self._leave = Together(database, _LEAVE)
        self._of_order = LookedUp(database, _OF_ORDERS)
        self._used_key = LookedUp(database, _USED_KEYS)

    def require_room(self) -> None:
        """For who is about to begin one. Raises StoreUnavailable where its turn would come too late (R8)."""
        line_of(self._database).require(Begins.PAYMENT)

    async def begin(self, new: NewReservation, token: str) -> Reservation | None:
        """PAYING with all that belongs to it; what costs nothing is claimed by `token`.

        None: refused; a seat is not available, its fence is younger, the idempotency key was used, or what `Refusals`
        tells of the event, the buyer, the phase and the code.
        """
        address = self._addresses.key(new.email)
        try:
            # Where all purchases of a phase wait for one another's count, none waits for that with another's locks.
            begin = self._begin if new.phase is None else self._begin.alone
            row = await begin(
                new.id,
                new.event_id,
                new.visitor,
                new.idempotency_key,
                new.request_digest,
                new.email,
                new.language,
                sorted(new.seats),
                new.fence,
                order_number(new.id, 1),
                new.account.provider,
                new.account.environment,
                self._window,
                GRACE_SECONDS,
                token,
                self._lease,
                address,
                new.phase,
                new.code,
                new.offer,
                place=self._place(new.event_id, address),
            )
        except asyncpg.UniqueViolationError:
            return None
        return reservation_of(row) if row is not None else None

    async def change(
        self,
        order: str,
        change: Change,
        attempt: AttemptChange,
        *,
        expected_token: str | None,
        token: str,
        reason: Reason | None = None,
        ticket_code: str | None = None,
    ) -> Claim | None:
        """Carries out a row of `TRANSITIONS`; returns the current attempt as it is afterwards, untold, claimed by
        `token`.

        `expected_token`: the claim that the caller has; None for an attempt that nobody works on.
        None: not in that state (any more), or claimed by somebody else; nothing happened.
        """
        check_arguments(change, reason, ticket_code)
        rule = TRANSITIONS[change]
        receipt = attempt.receipt or Receipt()
        row = await self._transition(
            order,
            rule.before,
            rule.after,
            reason,
            ticket_code,
            rule.seats_before,
            rule.seats_after,
            rule.whole,
            list(attempt.before),
            attempt.after,
            expected_token,
            token,
            self._lease,
            attempt.provider_key,
            attempt.code,
            attempt.owed,
            attempt.pause,
            receipt.method,
            receipt.approval_number,
            receipt.url,
            receipt.approved_at,
            attempt.shops_fault,
            attempt.asked_by,
        )
        if row is None:
            return None
        # Only for ends, of which people and figures are told; "paying" goes along with the next look.
        self._wake()
        return claim_of(row)

    async def find(self, visitor: str, event_id: int, idempotency_key: str) -> Stored | None:
        """The reservation that this visitor's key made."""
        if await self._used_key(visitor, event_id, idempotency_key) is None:
            return None
        return stored_of(await self._row(_OF_KEY, visitor, event_id, idempotency_key))

    async def get(self, id: UUID) -> Stored | None:
        return stored_of(await self._row(_OF_ID, id))

    async def of_visitor(self, visitor: str, most: int) -> list[Reservation]:
        """The visitor's reservations of all events, newest first."""
        line_of(self._database).require(Begins.ANYTHING)
        async with raw(self._database) as connection:
            rows = await connection.fetch(_OF_VISITOR, visitor, most)
        return [stored.reservation for row in rows if (stored := stored_of(row)) is not None]

    async def attempt(self, order: str) -> Attempt | None:
        """The attempt with this order number, whether it is the current one or not."""
        row = await self._row(_ATTEMPT, order)
        return None if row is None else attempt_of(row)

    async def of_basket(self, visitor: str, event_id: int, fence: int) -> Stored | None:
        """The visitor's reservation of the basket with this fence, under way or over."""
        return stored_of(await self._row(_OF_FENCE, visitor, event_id, fence))

    async def of_order(self, order: str) -> Stored | None:
        """The reservation whose attempt, current or not, has this order number."""
        return stored_of(await self._of_order(order))

    async def key_refused(self, order: str, key: str) -> bool:
        """Whether the order takes this key no more, or none at all."""
        return await self._row(_KEY_REFUSED, order, key, MOST_REFUSED_KEYS) is not None

    async def claim_due(self, limit: int, token: str) -> list[Claim]:
        """Up to `limit` attempts whose time has come and that nobody works on; each is claimed by `token`."""
        async with raw(self._database) as connection:
            rows = await connection.fetch(_CLAIM_DUE, limit, token, self._lease, self._accounts, self._stood(math.inf))
        return [claim_of(row) for row in rows]

    async def give_time(self, event_id: int, ended: datetime, seconds: float) -> int:
        """Whoever was paying while the sale's clock stood, for `seconds` until `ended`, has so much more time to pay,
        once; returns how many have. Never more than a provider's window lives.
        """
        longest = LONGEST_WINDOW_SECONDS - GRACE_SECONDS
        given: list[UUID] = []
        async with raw(self._database, writes=True) as connection, connection.transaction():
            if await connection.fetchrow(_STOP_GIVEN, event_id, ended) is None:
                return 0
            for _ in range(_GIVE_TURNS):
                rows = await connection.fetch(_GIVE_TIME, event_id, ended, seconds, GRACE_SECONDS, longest, given)
                given += [row["reservation_id"] for row in rows]
        return len(given)

    async def paid_in(self, event_ids: Sequence[int]) -> frozenset[int]:
        """Those of the events that have a reservation that is PAYING."""
        async with raw(self._database) as connection:
            rows = await connection.fetch(_PAID_IN, list(event_ids))
        return frozenset(row["id"] for row in rows)

    async def claimed(self, order: str, token: str) -> Claim | None:
        """The claim as it is now; None when it is not `token`'s any more."""
        row = await self._row(_CLAIMED, order, token)
        return claim_of(row) if row is not None else None

    async def bind(self, order: str, authorisation: Authorisation, token: str | None) -> Claim | None:
        """AUTHORISED with this key, claimed by `token` (or for any process, when None). None: see `sql/bind.sql`."""
        row = await self._bind(
            order,
            authorisation.key,
            dict(authorisation.data),
            token,
            self._lease,
            # Only an outage that is known of: a process that was just started takes nothing later than others do.
            GRACE_SECONDS + self._stood(0.0),
            MOST_REFUSED_KEYS,
        )
        return claim_of(row) if row is not None else None

    async def called(self, order: str, token: str, idempotency_key: str, *, of: Reservation | None = None) -> None:
        """Writes down that the money is about to be asked for, and renews the lease. Raises ClaimLost.

        `of`: the reservation, whose buyer's seats are counted then.
        """
        place = "" if of is None else self._place(of.event_id, self._addresses.key(of.email))
        row = await self._called(order, token, idempotency_key, self._deadline, self._lease, place=place)
        if row is None:
            raise ClaimLost

    async def reopen(self, order: str, token: str, code: str | None, *, shops_fault: bool) -> None:
        """The key was not this order's. Raises ClaimLost."""
        if await self._row(_REOPEN, order, token, code, shops_fault, GRACE_SECONDS) is None:
            raise ClaimLost

    async def end_attempt(
        self,
        order: str,
        before: Sequence[AttemptState],
        after: AttemptState,
        *,
        expected_token: str | None,
        reason: Reason,
        code: str | None,
        retry_until: datetime,
        owed: Owed | None = None,
        shops_fault: bool = False,
        provider_key: str | None = None,
    ) -> bool:
        """Another one may follow until `retry_until`. False: not in that state (any more), or claimed by somebody
        else.
        """
        row = await self._row(
            _END_ATTEMPT,
            order,
            list(before),
            after,
            expected_token,
            reason,
            code,
            shops_fault,
            retry_until,
            owed,
            provider_key,
        )
        return row is not None

    async def next_attempt(self, last: Attempt, account: Account) -> bool:
        """OPEN, in the place of `last`. False: see `sql/next_attempt.sql`; another process may have been first."""
        try:
            row = await self._row(
                _NEXT_ATTEMPT,
                last.order,
                order_number(last.reservation_id, last.number + 1),
                account.provider,
                account.environment,
                LAST_SECONDS,
                MOST_ATTEMPTS,
                MOST_ATTEMPTS_IN_ALL,
                GRACE_SECONDS,
            )
        except asyncpg.UniqueViolationError:
            return False
        return row is not None

    async def renew(self, order: str, token: str) -> None:
        """Raises ClaimLost."""
        if await self._row(_RENEW, order, token, self._lease) is None:
            raise ClaimLost

    async def wait(
        self,
        order: str,
        token: str,
        state: AttemptState,
        reason: Reason,
        pause: float,
        code: str | None,
        *,
        shops_fault: bool = False,
    ) -> None:
        """Still PAYING; the next try is in `pause` seconds. Raises ClaimLost."""
        if await self._row(_WAIT, order, token, state, reason, pause, code, shops_fault) is None:
            raise ClaimLost

    async def leave(self, order: str, token: str, *, told: bool, pause: float = 0.0) -> None:
        """Gives the claim of an ended attempt back, if it is still `token`'s; it is told in `pause` seconds, if it was
        not.
        """
        await self._leave(order, token, told, pause)

    async def hint(self, provider: str, order: str) -> bool:
        """The next try of a CALLED attempt is now; False for every other."""
        return await self._row(_HINT, order, provider) is not None

    async def fault(self, order: str, code: str) -> None:
        """Remembers that the window could not be prepared, for a reason that is the shop's to mend."""
        async with raw(self._database) as connection:
            await connection.execute(_FAULT, order, code)

    @staticmethod
    def _place(event_id: int, address: str) -> str:
        """In which order buyers are counted (`seats_of_address`), whoever counts several of them in one transaction."""
        return f"{event_id:020} {address}"

    async def _row(self, query: str, *arguments: Any) -> Any:
        return await fetch_row(self._database, query, *arguments)
