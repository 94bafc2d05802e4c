"""R7: one table of what can be wrong in the stores: seeded, named, told what to do, mended where that is safe."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from core import keys
from core.booking.reservation import ReservationStatus
from core.diagnosis.finding import Cause, Level, advice
from core.process.successes_redis import Successes
from core.runtime import Runtime
from tests.booking import Bank, desk
from tests.conftest import MakeEvent
from tests.integration.diagnosed_faults import FAULTS, Fault, ghosts
from tests.integration.diagnosed_sale import Scene

pytestmark = pytest.mark.usefixtures("patient_diagnosis")


@pytest.fixture
async def scene(runtime: Runtime, make_event: MakeEvent) -> AsyncIterator[Scene]:
    event = await make_event(active_limit=2)
    await runtime.seats.ensure_board(event)
    await runtime.redis.delete(keys.VITALS, keys.JOBS, keys.job_lease("sweep"))
    await runtime.vitals.publish()
    for job in ("sweep", "payments"):
        await Successes(runtime.redis).note(job, 600)
    await runtime.database.execute("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")
    bank = Bank()
    shop = desk(runtime, bank)
    # What is mended goes on at this provider.
    runtime.diagnose.mending._checkout = shop.checkout
    yield Scene(runtime, event, bank, shop)
    await runtime.redis.delete(keys.VITALS, keys.JOBS, *[keys.job_lease(job) for job in ("sweep", "draw")])
    await runtime.database.execute("UPDATE outbox SET sent_at = now(), claimed_until = NULL WHERE sent_at IS NULL")


@pytest.mark.parametrize("name", FAULTS)
async def test_what_is_wrong_is_named_and_mended(name: str, scene: Scene) -> None:
    fault = FAULTS[name]
    await fault.seed(scene)
    question = await _question(scene, fault)
    try:
        found = await scene.ask(**question)
        assert found.cause is fault.cause, [one for one in found.findings if one.level is not Level.PASS]
        assert found.action == advice(fault.cause)
        assert found.reply["en"]
        assert found.reply["ko"]
        bad = [one for one in found.findings if one.cause is fault.cause and one.level is not Level.PASS]
        assert bad
        # Looking changed nothing: it is still there.
        assert (await scene.ask(**question)).cause is fault.cause
        assert {one.fix is not None for one in bad} == {fault.mended}
        if fault.mended:
            fixed = await scene.ask(fix=True, **question)
            assert [one.fixed for one in fixed.findings if one.cause is fault.cause and one.fix], fixed.findings
            assert all(one.fixed for one in fixed.findings if one.cause is fault.cause and one.fix), fixed.findings
            again = await scene.ask(**question)
            assert fault.cause not in {one.cause for one in again.findings}, again.findings
    finally:
        await scene.shop.supervisor.drain(10)


async def _question(scene: Scene, fault: Fault) -> dict[str, Any]:
    if fault.about == "visitor":
        return {"visitor": "a"}
    if fault.about == "another seat":
        return {"visitor": "a", "seat": 9}
    if fault.about == "reservation":
        # By its number alone: `--fix` mends what it mends with `--event`.
        id = await scene.runtime.database.fetch_val(
            "SELECT id FROM reservations WHERE event_id = :id", {"id": scene.event.id}
        )
        return {"event": None, "reservation": UUID(str(id))}
    return {}


def test_every_cause_is_in_the_page() -> None:
    """docs/diagnose.md: symptom, cause, what is said, what `--fix` does."""
    page = (Path(__file__).parents[2] / "docs/diagnose.md").read_text()
    for cause in Cause:
        assert f"| `{cause}` |" in page, cause
        assert advice(cause) in page, cause


async def test_who_has_paid_reads_that_the_seats_are_theirs(scene: Scene) -> None:
    paid = await scene.shop.ended(await scene.shop.buy(scene.event, "a", 1))
    assert paid.status is ReservationStatus.CONFIRMED
    await scene.sql("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")
    await scene.sql(
        "INSERT INTO processed_events (consumer, event_uid) SELECT 'email', event_uid FROM outbox "
        "WHERE reservation_id = :id ON CONFLICT DO NOTHING",
        id=paid.id,
    )
    await scene.runtime.events.update(scene.event.slug, paused=True)
    found = await scene.ask(event=None, reservation=paid.id)
    assert found.cause is Cause.PURCHASE_CONFIRMED, found.findings
    assert found.reply["en"].startswith("Your seats are confirmed.")
    # Whoever asks about another seat has not bought that one.
    assert (await scene.ask(visitor="a", seat=2)).cause is not Cause.PURCHASE_CONFIRMED
    assert (await scene.ask(visitor="a", seat=1)).cause is Cause.PURCHASE_CONFIRMED
    await scene.sql("DELETE FROM processed_events WHERE consumer = 'email'")
    late = await scene.ask(event=None, reservation=paid.id)
    assert late.cause is Cause.EMAIL_PENDING
    assert late.reply["en"].startswith("Your seats are confirmed. ")
    assert late.reply["ko"].startswith("좌석이 확정되었습니다. ")
    await scene.shop.supervisor.drain(10)


async def test_ghosts_that_were_given_a_beat_go_after_the_grace(scene: Scene) -> None:
    await ghosts(scene)
    await scene.ask(fix=True)
    beats = dict(await scene.redis.zrange(keys.waiting_beats(scene.event.slug), 0, -1, withscores=True))
    assert {b"ghost-1", b"ghost-2", b"a"} <= set(beats)
    assert await scene.redis.zscore(keys.waiting_queue(scene.event.slug), "ghost-1") == 1
    grace = scene.runtime.settings.waiting_grace_seconds * 1000
    await scene.redis.zadd(keys.waiting_beats(scene.event.slug), {"ghost-1": await scene.now_ms() - grace - 1})
    await scene.runtime.waiting_room.sweep(scene.event)
    assert await scene.redis.zscore(keys.waiting_queue(scene.event.slug), "ghost-1") is None


async def test_a_payment_that_is_under_way_is_not_taken_from_its_process(scene: Scene) -> None:
    """Nobody's claim but a dead one's is let go of; nobody's place who pays."""
    paying = await scene.paying("a", 1)
    await scene.sql(
        "UPDATE payment_attempts SET claimed_by = :me, claimed_until = now() + interval '30 s' "
        "WHERE reservation_id = :id",
        id=paying.id,
        me=f"{scene.runtime.process}/{secrets.token_hex(4)}",
    )
    found = await scene.ask(fix=True, event=None, reservation=paying.id)
    assert not [one for one in found.findings if one.fix], found.findings
    assert await scene.redis.zscore(keys.active_paying(scene.event.slug), "a") is not None
    await scene.sql(
        "UPDATE payment_attempts SET claimed_by = NULL, claimed_until = NULL WHERE reservation_id = :id", id=paying.id
    )
    await scene.shop.supervisor.drain(10)
