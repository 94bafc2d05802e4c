"""Figures that `GET /metrics` reads from the stores for the alerts: messages given up, open payments, Redis' memory."""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.exceptions import NoPermissionError

from core.booking.reservation import WAITING_REASONS, Reason
from core.database import raw
from core.languages import LANGUAGES
from core.runtime import Runtime
from tests.conftest import MakeEvent

STATIC = Path(__file__).parents[2] / "static"
_PAYING = """
WITH r AS (
    INSERT INTO reservations (id, event_id, visitor, status, amount, currency, email, fence, until,
                              idempotency_key, request_digest)
    VALUES ($1, $2, 'v', 'PAYING', 1, 'KRW', 'a@example.com', 1, now(), $3, '') RETURNING id)
INSERT INTO payment_attempts (order_no, reservation_id, number, provider, environment, amount, currency, state,
                              deadline, next_attempt_at, authorised_at)
SELECT id::text, id, 1, 'toss', 'played:x', 1, 'KRW', 'CALLED', now(), now(), now() - $4::interval FROM r
"""


async def figures_text(client: httpx.AsyncClient) -> str:
    """Made anew: those that were asked for before are kept for a second."""
    await asyncio.sleep(1.1)
    return (await client.get("/metrics")).text


async def figures(client: httpx.AsyncClient) -> dict[str, float]:
    text = await figures_text(client)
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not set(sample.labels) - {"node"}
    }


async def test_messages_given_up_count_until_they_are_sent_again(client: httpx.AsyncClient, runtime: Runtime) -> None:
    before = (await figures(client))["onsale_dead_letters_open"]
    source = f"outbox/{secrets.token_hex(8)}"
    await runtime.pipeline.dead_letters.bury(consumer="email", source=source, error="test", attempts=5)
    assert (await figures(client))["onsale_dead_letters_open"] == before + 1
    (letter,) = [each for each in await runtime.pipeline.dead_letters.list(limit=1000) if each.source == source]
    await runtime.pipeline.dead_letters.retry([letter.id])
    assert (await figures(client))["onsale_dead_letters_open"] == before


async def test_an_open_payment_is_seen_with_its_age(
    client: httpx.AsyncClient, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    before = (await figures(client))["onsale_payments_unfinished"]
    id = uuid.uuid4()
    async with raw(runtime.database) as connection:
        await connection.execute(_PAYING, id, event.id, secrets.token_hex(8), timedelta(days=30))
    try:
        found = await figures(client)
        assert found["onsale_payments_unfinished"] == before + 1
        assert found["onsale_payments_oldest_seconds"] >= 30 * 86400
    finally:
        async with raw(runtime.database) as connection:
            await connection.execute("DELETE FROM reservations WHERE id = $1", id)


async def test_a_redis_that_may_not_be_asked_about_itself_is_not_down(
    client: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await figures(client))["onsale_redis_memory_used_bytes"] > 0

    async def refused(*arguments: object) -> None:
        raise NoPermissionError("this user has no permissions to run the 'info' command")

    monkeypatch.setattr(runtime.redis, "info", refused)
    text = await figures_text(client)
    assert 'onsale_store_up{store="redis"} 1.0' in text
    assert "onsale_redis_memory_used_bytes{" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_why_checkouts_failed_is_said_in_words(language: str) -> None:
    texts = json.loads((STATIC / "i18n" / f"ops.{language}.json").read_text())
    assert {f"ops.reason.{reason}" for reason in Reason if reason not in WAITING_REASONS} <= texts.keys()
