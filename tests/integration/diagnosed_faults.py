"""What can be wrong in the stores: each seeded, with the cause that it has and whether `--fix` mends it (R7)."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from core import keys
from core.booking.reservation import Reason, ReservationStatus
from core.diagnosis.finding import Cause
from core.process.successes_redis import Successes
from core.signing_key_postgres import fingerprint
from core.venue.event import SaleStatus
from core.venue.phase import Phase
from tests.booking import Bank, pass_time, payments_of, unfinished
from tests.integration.diagnosed_sale import Scene, close_by_hand
from tests.waits import until

#: Of this machine, with a number that no process has: it is gone.
DEAD = "nobody-here:1:dead"
YEAR_MS = 365 * 24 * 3600 * 1000


async def _no_process(scene: Scene) -> None:
    await scene.redis.delete(keys.VITALS)
    await Successes(scene.redis).note("sweep", -1)


async def _lease_of_the_dead(scene: Scene) -> None:
    await Successes(scene.redis).note("sweep", -1)
    await scene.redis.set(keys.job_lease("sweep"), DEAD, px=3_600_000)


async def _lease_of_a_reused_number(scene: Scene) -> None:
    """The dead process's number is another program's by now."""
    await Successes(scene.redis).note("sweep", -1)
    await scene.redis.set(keys.job_lease("sweep"), f"{socket.gethostname()}:1:dead", px=900_000)


async def _lease_without_end(scene: Scene) -> None:
    await scene.redis.set(keys.job_lease("draw"), scene.runtime.process)


async def _job_late(scene: Scene) -> None:
    await Successes(scene.redis).note("janitor", -1)


async def _payments_stopped(scene: Scene) -> None:
    await Successes(scene.redis).note("payments", -1)


async def _queue_of_another_kind(scene: Scene) -> None:
    await scene.redis.set(keys.waiting_queue(scene.event.slug), "not a queue")


async def _number_that_is_none(scene: Scene) -> None:
    await scene.redis.set(keys.active_cap(scene.event.slug), "many")


async def _short_board(scene: Scene) -> None:
    await scene.redis.set(keys.board(scene.event.slug), b"\0" * 7)


async def _old_board(scene: Scene) -> None:
    """A Redis that was put back from an old copy."""
    await scene.sql("UPDATE events SET epoch = epoch + 1 WHERE id = :id", id=scene.event.id)


async def _seats_differ(scene: Scene) -> None:
    await scene.sql("UPDATE seats SET status = 'BLOCKED' WHERE event_id = :id AND ordinal > 15", id=scene.event.id)


async def _cap_without_end(scene: Scene) -> None:
    await scene.redis.set(keys.active_cap(scene.event.slug), 0)
    await scene.waits("a")


async def _cap_that_nobody_renews(scene: Scene) -> None:
    """The limit is `fixed` here, and followed the load before."""
    await scene.redis.set(keys.active_cap(scene.event.slug), 1, px=20_000)
    await scene.waits("a")


async def ghosts(scene: Scene) -> None:
    await scene.waits("a")
    await scene.redis.zadd(keys.waiting_queue(scene.event.slug), {"ghost-1": 1, "ghost-2": 2})


async def _ghost_of_the_future(scene: Scene) -> None:
    await scene.waits("a")
    later = await scene.now_ms() + YEAR_MS
    await scene.redis.zadd(keys.waiting_beats(scene.event.slug), {"a": later})


async def _amnesty(scene: Scene) -> None:
    await scene.waits("a")
    await scene.redis.hset(keys.pace(scene.event.slug), "amnesty", await scene.now_ms() + YEAR_MS)


async def _kept_place(scene: Scene) -> None:
    await scene.waits("a")
    await scene.redis.zadd(keys.active_paying(scene.event.slug), {"in-1": await scene.now_ms() + YEAR_MS})


async def _basket_stuck(scene: Scene) -> None:
    """Its process died between Redis and PostgreSQL, two minutes ago."""
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.runtime.seats.hold(scene.event, "a", [1])
    await scene.runtime.seats.begin_payment(scene.event, "a")
    await scene.redis.pexpire(keys.seat_state(scene.event.slug, 1), 24 * 3600 * 1000 - 120_000)


async def _without_an_order(scene: Scene) -> None:
    paying = await scene.paying()
    await scene.sql("DELETE FROM payment_attempts WHERE reservation_id = :id", id=paying.id)
    await scene.sql(
        "UPDATE reservations SET created_at = now() - interval '1 hour', until = now() - interval '50 min' "
        "WHERE id = :id",
        id=paying.id,
    )


async def _claim_of_the_dead(scene: Scene) -> None:
    """It said "a minute at most", for an hour."""
    paying = await scene.paying()
    await scene.sql(
        "UPDATE payment_attempts SET state = 'CALLED', called_at = now(), deadline = now() - interval '1 hour', "
        "next_attempt_at = now(), claimed_by = :dead, claimed_until = now() + interval '1 hour' "
        "WHERE reservation_id = :id",
        id=paying.id,
        dead=f"{DEAD}/token",
    )


async def _past_its_time(scene: Scene) -> None:
    """Nothing is due, although the time to pay was over an hour ago."""
    paying = await scene.paying()
    await scene.sql("UPDATE reservations SET until = now() - interval '1 hour' WHERE id = :id", id=paying.id)
    await scene.sql(
        "UPDATE payment_attempts SET next_attempt_at = 'infinity' WHERE reservation_id = :id",
        id=paying.id,
    )


async def _key_refused(scene: Scene) -> None:
    """Each look-up is refused: waiting for the deadline mends nothing."""
    paying = await scene.paying()
    await scene.sql(
        "UPDATE payment_attempts SET state = 'CALLED', called_at = now(), deadline = now() + interval '5 min', "
        "next_attempt_at = now() + interval '1 min', code = 'UNAUTHORIZED_KEY' WHERE reservation_id = :id",
        id=paying.id,
    )


async def _outcome_unknown(scene: Scene) -> None:
    paying = await scene.paying()
    await scene.sql(
        "UPDATE payment_attempts SET state = 'CALLED', called_at = now(), deadline = now() + interval '5 min', "
        "next_attempt_at = now() + interval '1 min', claimed_by = NULL, claimed_until = NULL "
        "WHERE reservation_id = :id",
        id=paying.id,
    )
    await scene.sql("UPDATE reservations SET reason = :why WHERE id = :id", id=paying.id, why=Reason.CHECKING.value)


async def _parked(scene: Scene) -> None:
    paying = await scene.paying()
    await scene.sql(
        "UPDATE payment_attempts SET state = 'AUTHORISED', next_attempt_at = now() + interval '1 min', "
        "claimed_by = NULL, claimed_until = NULL WHERE reservation_id = :id",
        id=paying.id,
    )
    await scene.sql("UPDATE reservations SET reason = :why WHERE id = :id", id=paying.id, why=Reason.PARKED.value)


async def _cancelled(scene: Scene) -> None:
    paid = await scene.shop.ended(await scene.shop.buy(scene.event, "a", 1))
    await scene.shop.checkout.cancel(paid.id, "a")

    async def is_given_back() -> bool:
        await scene.shop.checkout.finish_due()
        return not await unfinished(scene.runtime, scene.event)

    await until(is_given_back, "what was paid is given back")
    await scene.sql("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")


async def _relay_of_the_dead(scene: Scene) -> None:
    await scene.sql(
        "INSERT INTO outbox (reservation_id, type, payload, claimed_by, claimed_until) VALUES "
        "(gen_random_uuid(), 'reservation.confirmed', '{}', :dead, now() + interval '1 day')",
        dead=f"{DEAD}:lease",
    )


async def _mail_refused(scene: Scene) -> None:
    await scene.sql(
        "INSERT INTO outbox (reservation_id, type, payload, created_at, error) VALUES (gen_random_uuid(), "
        "'reservation.confirmed', '{}', now() - interval '1 hour', "
        "'email: the mail server is not available: 421 try later')"
    )


async def _closed_by_the_clock(scene: Scene) -> None:
    await scene.sql("UPDATE events SET closes_at = now() - interval '1 min' WHERE id = :id", id=scene.event.id)


async def _not_open(scene: Scene) -> None:
    await scene.runtime.events.set_status(scene.event.slug, SaleStatus.SCHEDULED)


async def _currency(scene: Scene) -> None:
    """The provider takes won, and the event is sold in another currency."""
    scene.runtime.diagnose._payments = payments_of(scene.runtime, Bank(currencies=frozenset({"KRW"})))
    await scene.sql("UPDATE events SET currency = 'ISK' WHERE id = :id", id=scene.event.id)


async def _keys_differ(scene: Scene) -> None:
    await scene.sql("DELETE FROM signing_key")
    await scene.sql("INSERT INTO signing_key (fingerprint) VALUES (:key)", key=fingerprint(scene.runtime.secret))
    await scene.tell_of(key=fingerprint("another key"))


async def _rate_limit(scene: Scene) -> None:
    await scene.tell_of(limited={"a": 40})


async def _rate_limit_of_many(scene: Scene) -> None:
    await scene.tell_of(limited={f"v_{n}": 3 for n in range(9)})


async def _crowded(scene: Scene) -> None:
    await scene.tell_of(crowded={"redis": 40})


async def _removed(scene: Scene) -> None:
    await scene.sql(
        "INSERT INTO removals (event_id, visitor, until, actor) VALUES (:id, 'a', now() + interval '1 day', 'token')",
        id=scene.event.id,
    )


async def _has_them_all(scene: Scene) -> None:
    """Four of four are being paid for; the question is about another seat."""
    await scene.shop.ended(await scene.shop.buy(scene.event, "a", 1, 2, 3, 4))
    await scene.sql("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")
    await scene.sql(
        "INSERT INTO processed_events (consumer, event_uid) SELECT 'email', event_uid FROM outbox "
        "ON CONFLICT DO NOTHING"
    )


async def _cooling(scene: Scene) -> None:
    """Full baskets that ended unpaid, as `share.lua` counts them."""
    now = scene.runtime.clock.now()
    await scene.redis.hset(keys.shares(scene.event.slug), "u|a", f"{10**9}|{int(now.timestamp() * 1000)}")


async def _cards_failed(scene: Scene) -> None:
    scene.bank.says = "decline"
    for seat in range(1, 6):
        ended = await scene.shop.ended(await scene.shop.buy(scene.event, "a", seat, key=f"key-{seat}"))
        assert ended.status is ReservationStatus.FAILED


async def _presale(scene: Scene, *, quota: int = 100, uses: int = 1) -> bytes:
    """A phase for codes is open, and `a` came in by one; returns its digest."""
    now = scene.runtime.clock.now()
    early = Phase("fans", now - timedelta(hours=1), now + timedelta(hours=1), 0, "club", quota)
    await scene.runtime.events.update(scene.event.slug, phases=(early,))
    event = await scene.runtime.events.get(scene.event.slug)
    (code,) = await scene.runtime.codes.make(event, "club", 1, uses)
    digest = scene.runtime.codes.digest(event, code)
    await scene.redis.hset(keys.visitor_codes(event.slug), "a", f"{digest.hex()}|club")
    return digest


async def _code_spent(scene: Scene) -> None:
    digest = await _presale(scene)
    await scene.shop.ended(await scene.shop.buy(scene.event, "b", 1))
    await scene.sql("UPDATE reservations SET phase = 'fans', code = :code WHERE visitor = 'b'", code=digest)


async def _code_revoked(scene: Scene) -> None:
    await _presale(scene)
    await scene.sql("UPDATE codes SET revoked_at = now() WHERE event_id = :id", id=scene.event.id)


async def _no_code(scene: Scene) -> None:
    await _presale(scene)
    await scene.redis.delete(keys.visitor_codes(scene.event.slug))


async def _code_claimed_since(scene: Scene) -> None:
    """Another visitor claimed its use meanwhile (claim.lua)."""
    digest = await _presale(scene)
    await scene.redis.hset(keys.visitor_codes(scene.event.slug), "a", f"{digest.hex()}|")


async def _quota(scene: Scene) -> None:
    await _presale(scene, quota=1)
    await scene.shop.ended(await scene.shop.buy(scene.event, "b", 1))
    await scene.sql("UPDATE reservations SET phase = 'fans' WHERE visitor = 'b'")
    await scene.sql("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")


async def _given_back(scene: Scene) -> None:
    await scene.sql("UPDATE seats SET status = 'SOLD' WHERE event_id = :id AND ordinal = 9", id=scene.event.id)
    await scene.runtime.reconcile.run(scene.event)
    await scene.sql("UPDATE seats SET status = 'RETURNED' WHERE event_id = :id AND ordinal = 9", id=scene.event.id)


async def _channels_full(scene: Scene) -> None:
    await scene.tell_of(channels=20_000)


async def _order_waits(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.runtime.seats.hold(scene.event, "a", [1])
    await scene.shop.submit(scene.event, "a")


async def _window_over(scene: Scene) -> None:
    await _order_waits(scene)
    id = UUID(
        str(
            await scene.runtime.database.fetch_val(
                "SELECT id FROM reservations WHERE event_id = :id", {"id": scene.event.id}
            )
        )
    )
    await pass_time(scene.runtime, id, 3_600)
    await scene.shop.checkout.finish_due()
    assert (await scene.shop.checkout.get(id, "a")).status is ReservationStatus.FAILED


async def _refund_under_way(scene: Scene) -> None:
    paid = await scene.shop.ended(await scene.shop.buy(scene.event, "a", 1))
    await scene.sql("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")
    scene.bank.reachable = False
    await scene.shop.checkout.cancel(paid.id, "a")
    await scene.sql("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")


async def _mail_given_up(scene: Scene) -> None:
    paid = await scene.shop.ended(await scene.shop.buy(scene.event, "a", 1))
    await scene.sql("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")
    await scene.sql(
        "INSERT INTO dead_letters (consumer, source, event_uid, error, attempts) "
        "SELECT 'email', 'outbox/' || id, event_uid, '550 no such mailbox', 5 FROM outbox "
        "WHERE reservation_id = :id AND type = 'reservation.confirmed'",
        id=paid.id,
    )


class Fault(NamedTuple):
    """`about`: the question, besides the event; `mended`: what `--fix` does away with."""

    seed: Callable[[Scene], Awaitable[None]]
    cause: Cause
    mended: bool = False
    about: str = ""


FAULTS = {
    "no process runs": Fault(_no_process, Cause.NO_PROCESS),
    "the sweep's lease belongs to a dead process": Fault(_lease_of_the_dead, Cause.LEASE_LEFT_BEHIND, mended=True),
    "the same, and its number is another program's": Fault(
        _lease_of_a_reused_number, Cause.LEASE_LEFT_BEHIND, mended=True
    ),
    "a lease without an end": Fault(_lease_without_end, Cause.LEASE_LEFT_BEHIND, mended=True),
    "a job does not succeed": Fault(_job_late, Cause.JOB_STOPPED),
    "nobody finishes payments": Fault(_payments_stopped, Cause.PAYMENTS_STOPPED),
    "the queue is a string": Fault(_queue_of_another_kind, Cause.KEY_DAMAGED, mended=True),
    "a cap that is no number": Fault(_number_that_is_none, Cause.KEY_DAMAGED, mended=True),
    "a board of another hall": Fault(_short_board, Cause.BOARD_DAMAGED, mended=True),
    "a board of an old copy": Fault(_old_board, Cause.BOARD_DAMAGED, mended=True),
    "seats shown wrongly": Fault(_seats_differ, Cause.MISMATCH, mended=True),
    "a cap without an end": Fault(_cap_without_end, Cause.CAP_LEFT_BEHIND, mended=True),
    "a cap that nobody renews": Fault(_cap_that_nobody_renews, Cause.CAP_LEFT_BEHIND, mended=True),
    "ghosts at the queue's head": Fault(ghosts, Cause.QUEUE_GHOSTS, mended=True),
    "a heartbeat from the future": Fault(_ghost_of_the_future, Cause.QUEUE_GHOSTS, mended=True),
    "silence is forgiven for a year": Fault(_amnesty, Cause.SILENCE_FORGIVEN, mended=True),
    "a place kept by no payment": Fault(_kept_place, Cause.PLACES_KEPT, mended=True),
    "a basket that pays for nothing": Fault(_basket_stuck, Cause.BASKET_STUCK, mended=True, about="visitor"),
    "a reservation without an order": Fault(_without_an_order, Cause.PAYMENT_WITHOUT_ORDER, mended=True),
    "the same, by its number": Fault(_without_an_order, Cause.PAYMENT_WITHOUT_ORDER, mended=True, about="reservation"),
    "a payment claimed by a dead process": Fault(
        _claim_of_the_dead, Cause.PAYMENT_CLAIM_LEFT_BEHIND, mended=True, about="reservation"
    ),
    "a payment past its time": Fault(_past_its_time, Cause.PAYMENT_STUCK, mended=True, about="reservation"),
    "the provider refuses our key": Fault(_key_refused, Cause.SHOPS_FAULT, about="reservation"),
    "the provider has not told the outcome": Fault(_outcome_unknown, Cause.PAYMENT_UNKNOWN, about="reservation"),
    "a payment that waits for the provider": Fault(_parked, Cause.PAYMENT_PARKED, about="reservation"),
    "a purchase that was given back": Fault(_cancelled, Cause.RESERVATION_CANCELLED, about="reservation"),
    "messages claimed by a dead relay": Fault(_relay_of_the_dead, Cause.RELAY_STUCK, mended=True),
    "the mail server says 421": Fault(_mail_refused, Cause.MAIL_AWAY),
    "closed by the clock": Fault(_closed_by_the_clock, Cause.SALE_CLOSED_BY_CLOCK),
    "closed by hand": Fault(close_by_hand, Cause.SALE_CLOSED),
    "not open": Fault(_not_open, Cause.SALE_NOT_OPEN),
    "a currency that nobody takes": Fault(_currency, Cause.CURRENCY_NOT_TAKEN),
    "two signing keys": Fault(_keys_differ, Cause.SIGNING_KEYS_DIFFER),
    "a visitor who calls too often": Fault(_rate_limit, Cause.RATE_LIMITED, about="visitor"),
    "many who call too often": Fault(_rate_limit_of_many, Cause.RATE_LIMITED),
    "a store that does not keep up": Fault(_crowded, Cause.OVERLOADED),
    "a visitor who was put out": Fault(_removed, Cause.VISITOR_REMOVED, about="visitor"),
    "a buyer with all seats that one may have": Fault(_has_them_all, Cause.SEAT_LIMIT, about="another seat"),
    "a visitor who held for long and bought nothing": Fault(_cooling, Cause.COOL_DOWN, about="visitor"),
    "five cards that failed": Fault(_cards_failed, Cause.PAYMENT_PAUSED, about="visitor"),
    "a code that somebody else has used": Fault(_code_spent, Cause.CODE_USED, about="visitor"),
    "a code that was revoked": Fault(_code_revoked, Cause.CODE_USED, about="visitor"),
    "a code whose use another visitor has claimed": Fault(_code_claimed_since, Cause.CODE_WANTED, about="visitor"),
    "no code in a presale": Fault(_no_code, Cause.CODE_WANTED, about="visitor"),
    "a phase that has sold its quota": Fault(_quota, Cause.QUOTA_REACHED),
    "a seat that was given back": Fault(_given_back, Cause.SEAT_RETURNED, about="another seat"),
    "an order that waits for its buyer": Fault(_order_waits, Cause.PAYMENT_AWAITED, about="reservation"),
    "an order that was not paid in time": Fault(_window_over, Cause.PAYMENT_FAILED, about="reservation"),
    "a refund that the provider has not confirmed": Fault(_refund_under_way, Cause.REFUND_PENDING, about="reservation"),
    "an e-mail that was given up": Fault(_mail_given_up, Cause.EMAIL_DEAD, about="reservation"),
    "a process that takes no more browsers": Fault(_channels_full, Cause.CHANNELS_FULL),
}
