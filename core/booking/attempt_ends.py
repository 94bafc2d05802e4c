"""The end of a claimed attempt: written in PostgreSQL first, then told to Redis and the buyer's browser.

Between the two `untold` stands in the row, so that whoever claims it next tells what this process could not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog

from core.booking import measures
from core.booking.attempt import AT_WORK, AttemptState, Owed
from core.booking.leases import persist
from core.booking.reservation import TRANSITIONS, Change, Reason
from core.booking.reservations_postgres import Reservations
from core.booking.results_redis import Results
from core.booking.stored import AttemptChange, Claim, ClaimLost
from core.errors import StoreUnavailable
from core.process.backoff import Backoff

log = structlog.get_logger(__name__)

#: Pauses between two tries to tell it grow up to this many seconds.
_LONGEST_PAUSE: Final = 60.0


class AttemptEnds:
    """Each write is filtered by the claim's token. Raises StoreUnavailable besides what each method says."""

    def __init__(
        self,
        *,
        reservations: Reservations,
        results: Results,
        lease_seconds: float,
        first_pause: float,
        owed: Callable[[str], None],
    ) -> None:
        """`owed` is told of an order whose money is to go back."""
        self._reservations = reservations
        self._results = results
        self._lease = lease_seconds
        self._pauses = Backoff(first_pause, _LONGEST_PAUSE)
        self._owed = owed

    async def end(
        self,
        claim: Claim,
        state: AttemptState,
        reason: Reason,
        *,
        change: Change = Change.FAIL,
        owed: Owed | None = None,
        code: str | None = None,
        provider_key: str | None = None,
        pause: float = 0.0,
        shops_fault: bool = False,
    ) -> None:
        """FAILED (or what `change` leads to), and the seats are free. Raises ClaimLost."""
        before = (
            (claim.attempt.state, AttemptState.CALLED) if claim.attempt.state in AT_WORK else (claim.attempt.state,)
        )
        attempt = AttemptChange(before, state, provider_key, code, owed, pause, shops_fault=shops_fault)
        ended = await self.change(claim, change, attempt, reason=reason)
        if ended is None:
            raise ClaimLost
        if owed is not None and not pause:
            self._owed(claim.attempt.order)
        await self.tell(ended)

    async def tell(self, claim: Claim) -> None:
        """The reservation is over or confirmed in PostgreSQL: tells it, and gives the claim back."""
        told = True
        if claim.untold:
            try:
                await self._results.tell(claim.reservation, sold=claim.sold, freed=claim.freed, returned=claim.returned)
            except StoreUnavailable as error:
                told = False
                measures.UNTOLD.inc()
                log.warning("the result stands, Redis is told later", cause=repr(error.__cause__))
        pause = self._pauses.seconds(claim.tries + 1)
        await self._reservations.leave(claim.attempt.order, claim.token, told=told, pause=pause)

    async def change(
        self,
        claim: Claim,
        change: Change,
        attempt: AttemptChange,
        *,
        reason: Reason | None = None,
        ticket_code: str | None = None,
    ) -> Claim | None:
        """The transition, repeated while PostgreSQL is away. None: the claim or the state is not what it was."""
        repeated = False

        async def write() -> Claim | None:
            nonlocal repeated
            try:
                return await self._reservations.change(
                    claim.attempt.order,
                    change,
                    attempt,
                    expected_token=claim.token,
                    token=claim.token,
                    reason=reason,
                    ticket_code=ticket_code,
                )
            except StoreUnavailable:
                repeated = True
                raise

        ended = await persist(write, self._lease)
        if ended is None and repeated:
            # The answer to an earlier try was lost: it may have been carried out after all.
            ended = await self._reservations.claimed(claim.attempt.order, claim.token)
            if ended is not None and ended.reservation.status is not TRANSITIONS[change].after:
                ended = None
        if ended is not None:
            count_end(ended)
        return ended


def count_end(ended: Claim) -> None:
    reservation = ended.reservation
    measures.RESERVATIONS.labels(reservation.status, reservation.reason or "").inc()
    seconds = (datetime.now(UTC) - reservation.created_at).total_seconds()
    measures.CHECKOUT_SECONDS.labels(reservation.status).observe(seconds)
    log.info(
        "reservation ended",
        status=reservation.status,
        reason=reservation.reason,
        seats=reservation.seats,
        provider=ended.attempt.provider,
        code=ended.attempt.code,
    )
