"""The statements that move an attempt refuse by themselves what is looked at before them: of two pages, two processes,
or a forged return and the genuine one, never both are right (rule 2, P1).
"""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import UUID

import pytest

from core.booking.attempt import (
    GRACE_SECONDS,
    LAST_SECONDS,
    MOST_ATTEMPTS,
    MOST_ATTEMPTS_IN_ALL,
    Attempt,
    AttemptState,
    order_number,
)
from core.booking.reservations_postgres import Reservations
from core.booking.stored import Claim, ClaimLost
from core.database import raw
from core.errors import StoreUnavailable
from core.payments.gateway import Authorisation
from core.runtime import Runtime
from tests.booking import rows, until
from tests.conftest import MakeEvent
from tests.orders import ACCOUNT, new_reservation

pytestmark = pytest.mark.usefixtures("patient")

_EARLIER = """
INSERT INTO payment_attempts (order_no, reservation_id, number, provider, environment, amount, currency, state,
                              shops_fault, superseded, next_attempt_at)
SELECT 'e' || serial || order_no, reservation_id, 100 + serial, provider, environment, amount, currency, 'CLOSED',
       {fault}, true, 'infinity'
FROM payment_attempts, generate_series(1, {count}) serial WHERE reservation_id = $1
"""
_ATTEMPT = "UPDATE payment_attempts SET {} WHERE reservation_id = $1"
#: After these there is no next attempt.
SPOILT = {
    **{
        f"it is {state}": _ATTEMPT.format(f"state = '{state}'")
        for state in AttemptState
        if state not in (AttemptState.CLOSED, AttemptState.DECLINED)
    },
    "another one has followed": _ATTEMPT.format("superseded = true"),
    "its seats are not kept": _ATTEMPT.format("retry_until = now()"),
    "somebody is at work on it": _ATTEMPT.format("claimed_by = 't', claimed_until = now() + interval '1 min'"),
    "its reservation is over": "UPDATE reservations SET status = 'FAILED', reason = 'declined' WHERE id = $1",
    "the last seconds": f"UPDATE reservations SET until = now() + interval '{LAST_SECONDS - 0.5} s' WHERE id = $1",
    "enough that count": _EARLIER.format(fault="false", count=MOST_ATTEMPTS - 1),
    "enough in all": _EARLIER.format(fault="true", count=MOST_ATTEMPTS_IN_ALL - 1),
}
#: And after these there is one.
FINE = {
    "as it is": None,
    "declined": _ATTEMPT.format("state = 'DECLINED'"),
    "a claim that is over": _ATTEMPT.format("claimed_by = 't', claimed_until = now()"),
    "one less that counts": _EARLIER.format(fault="false", count=MOST_ATTEMPTS - 2),
    "one less in all": _EARLIER.format(fault="true", count=MOST_ATTEMPTS_IN_ALL - 2),
}


#: A return binds its key to none of these.
NOT_BOUND = {
    **{
        f"it is {state}": _ATTEMPT.format(f"state = '{state}'")
        for state in AttemptState
        if state is not AttemptState.OPEN
    },
    "its reservation is over": "UPDATE reservations SET status = 'FAILED', reason = 'declined' WHERE id = $1",
    "the grace is over": f"UPDATE reservations SET until = now() - interval '{GRACE_SECONDS} s' WHERE id = $1",
    "this key was refused": _ATTEMPT.format("refused_keys = '{forged,genuine}'"),
    "too many keys were refused": _ATTEMPT.format("refused_keys = '{a,b,c,d,e}'"),
    "its timer is at it": _ATTEMPT.format("claimed_by = 't', claimed_until = now() + interval '1 min'"),
}
BOUND = {
    "as it is": None,
    "four keys were refused": _ATTEMPT.format("refused_keys = '{a,b,c,d}'"),
    "within the grace": "UPDATE reservations SET until = now() - interval '1 s' WHERE id = $1",
    "a claim that is over": _ATTEMPT.format("claimed_by = 't', claimed_until = now()"),
}
_CALLED = "state = 'CALLED', provider_key = 'forged', claimed_by = 'mine', claimed_until = now() + interval '1 min'"


async def opened(runtime: Runtime, make_event: MakeEvent, *changes: str | None) -> tuple[Reservations, UUID]:
    """A reservation with an attempt that is open; and then these changes."""
    event = await make_event()
    reservations = Reservations(runtime.database, lease_seconds=60, deadline_seconds=600)
    new = new_reservation(event, seats=[1], fence=7)
    assert await reservations.begin(new, "t") is not None
    await rows(runtime, _ATTEMPT.format("claimed_by = NULL, claimed_until = NULL"), new.id)
    for change in changes:
        if change is not None:
            await rows(runtime, change, new.id)
    return reservations, new.id


async def closed(runtime: Runtime, make_event: MakeEvent, change: str | None) -> tuple[Reservations, UUID, Attempt]:
    """Its window was closed, with time left; and then `change`."""
    left = _ATTEMPT.format("state = 'CLOSED', retry_until = now() + interval '5 min'")
    reservations, id = await opened(runtime, make_event, left)
    last = await reservations.attempt(order_number(id, 1))
    assert last is not None
    if change is not None:
        await rows(runtime, change, id)
    return reservations, id, last


async def _count(runtime: Runtime, id: UUID) -> int:
    return len(await rows(runtime, "SELECT 1 FROM payment_attempts WHERE reservation_id = $1", id))


@pytest.mark.parametrize("why", SPOILT)
async def test_no_next_attempt_when(why: str, runtime: Runtime, make_event: MakeEvent) -> None:
    reservations, id, last = await closed(runtime, make_event, SPOILT[why])
    before = await _count(runtime, id)
    assert not await reservations.next_attempt(last, ACCOUNT)
    assert await _count(runtime, id) == before


@pytest.mark.parametrize("how", FINE)
async def test_one_next_attempt_however_many_ask(how: str, runtime: Runtime, make_event: MakeEvent) -> None:
    """The other side: it is the guards that refuse."""
    reservations, id, last = await closed(runtime, make_event, FINE[how])
    before = await _count(runtime, id)
    made = await asyncio.gather(*(reservations.next_attempt(last, ACCOUNT) for _ in range(5)), return_exceptions=True)
    # On a machine that is busy enough one may wait for the others for too long, and not know what became of it.
    assert made.count(True) <= 1
    assert all(one in (True, False) or isinstance(one, StoreUnavailable) for one in made)
    assert await _count(runtime, id) == before + 1
    found = await rows(runtime, "SELECT state, superseded FROM payment_attempts WHERE order_no = $1", last.order)
    assert [row["superseded"] for row in found] == [True]
    assert (await reservations.attempt(order_number(id, 2))) is not None


async def _keys(runtime: Runtime, id: UUID) -> tuple[str, str | None, list[str]]:
    (row,) = await rows(
        runtime, "SELECT state, provider_key, refused_keys FROM payment_attempts WHERE reservation_id = $1", id
    )
    return row["state"], row["provider_key"], row["refused_keys"]


@pytest.mark.parametrize("why", NOT_BOUND)
async def test_no_key_is_bound_when(why: str, runtime: Runtime, make_event: MakeEvent) -> None:
    reservations, id = await opened(runtime, make_event, NOT_BOUND[why])
    before = await _keys(runtime, id)
    assert await reservations.bind(order_number(id, 1), Authorisation("genuine"), "mine") is None
    assert await _keys(runtime, id) == before


@pytest.mark.parametrize("how", BOUND)
async def test_one_key_is_bound_however_many_come(how: str, runtime: Runtime, make_event: MakeEvent) -> None:
    reservations, id = await opened(runtime, make_event, BOUND[how])
    returns = [Authorisation(f"key-{number}") for number in range(5)]
    order = order_number(id, 1)
    found = await asyncio.gather(*(reservations.bind(order, key, "t") for key in returns), return_exceptions=True)
    # On a machine that is busy enough one may wait for the others for too long, and not know what became of it.
    unknown = [one for one in found if isinstance(one, StoreUnavailable)]
    claims = [one for one in found if isinstance(one, Claim)]
    assert len(claims) == 1 or (unknown and not claims)
    assert len(claims) + len(unknown) + found.count(None) == len(returns)
    state, key, _ = await _keys(runtime, id)
    assert state == "AUTHORISED"
    assert key in {one.key for one in returns}
    assert all(claim.authorisation in returns and claim.attempt.provider_key == key for claim in claims)


@pytest.mark.parametrize("change", ["claimed_by = 'theirs'", "state = 'AUTHORISED'", "state = 'APPROVED'"])
async def test_an_attempt_that_is_anothers_by_now_is_not_opened_again(
    change: str, runtime: Runtime, make_event: MakeEvent
) -> None:
    """A key that was refused is taken off its order by whoever sent it, once, and is remembered."""
    order_of = partial(order_number, number=1)
    reservations, id = await opened(runtime, make_event, _ATTEMPT.format(_CALLED), _ATTEMPT.format(change))
    before = await _keys(runtime, id)
    with pytest.raises(ClaimLost):
        await reservations.reopen(order_of(id), "mine", "NOT_FOUND", shops_fault=False)
    assert await _keys(runtime, id) == before
    reservations, id = await opened(runtime, make_event, _ATTEMPT.format(_CALLED))
    await reservations.reopen(order_of(id), "mine", "NOT_FOUND", shops_fault=False)
    assert await _keys(runtime, id) == ("OPEN", None, ["forged"])
    with pytest.raises(ClaimLost):
        await reservations.reopen(order_of(id), "mine", "NOT_FOUND", shops_fault=False)


async def test_a_next_attempt_waits_for_who_claims_the_last_one(runtime: Runtime, make_event: MakeEvent) -> None:
    """Its timer would end the reservation, which has an open order by then."""
    reservations, id, last = await closed(runtime, make_event, None)

    async def waits() -> bool:
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%NOT superseded%'"
        return bool(await rows(runtime, waiting)) or asked.done()

    async with raw(runtime.database, writes=True) as connection, connection.transaction():
        await connection.execute(_ATTEMPT.format("claimed_by = 't', claimed_until = now() + interval '1 min'"), id)
        asked = asyncio.create_task(reservations.next_attempt(last, ACCOUNT))
        await until(waits)
    # On a machine that is busy enough it may have waited for too long.
    assert (await asyncio.gather(asked, return_exceptions=True))[0] is not True
    assert await _count(runtime, id) == 1
