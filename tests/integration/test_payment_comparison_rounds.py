"""P6: which lists are read when: what is away, missing, long, old or half done is said and caught up with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.booking.comparing import Comparing
from core.booking.comparison import Kind
from core.booking.findings_postgres import FindingRows
from core.diagnosis import money_postgres
from core.diagnosis.finding import Cause
from core.embedded import Engines
from core.errors import NotMended
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from tests.booking import rows
from tests.integration.compared_shop import compared_shop as compared_shop
from tests.integration.compared_shop import (
    found_of,
    stray,
)
from tests.integration.compared_shop import simulator_of_file as simulator_of_file
from tests.payment_servers import Simulator

pytestmark = pytest.mark.usefixtures("patient")


async def test_a_provider_that_is_away_is_said_and_nothing_is_lost(
    shop: Runtime, paysim: Simulator, settings: Settings, stores: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await stray(paysim)
    away = shop.settings.model_copy(update={"simulator_url": "http://127.0.0.1:9"})
    async with open_runtime(away, stores) as alone:
        await alone.comparing.run()
        (said,) = await alone.findings.compared()
        assert (said.compared_until, said.code) == (None, "connect_failed")
        late = [one async for one in _lists(alone)]
        assert any(one.cause is Cause.COMPARISON_LATE and "connect_failed" in one.detail for one in late)
        # Not hammered on: the next try is minutes away.
        tried = said.tried_at
        await alone.comparing.run()
        assert (await alone.findings.compared())[0].tried_at == tried
    await rows(shop, "UPDATE provider_lists SET tried_at = tried_at - interval '6 minutes'")
    await shop.comparing.run()
    assert [one.kind for one in await found_of(shop, order)] == [Kind.NO_ATTEMPT]
    (said,) = await shop.findings.compared()
    assert (said.code, said.compared_until is not None, said.whole_at is not None) == (None, True, True)
    # And a mend while it is away changes nothing, and says so.
    async with open_runtime(away, stores) as alone:
        (found,) = await found_of(alone, order)
        with pytest.raises(NotMended, match="connect_failed"):
            await alone.mending.mend(found.id, "kim")
        assert (await found_of(alone, order))[0].state == "OPEN"


async def _lists(shop: Runtime) -> AsyncIterator[Any]:
    async for one in money_postgres.provider_lists(shop.database):
        yield one


async def test_a_provider_without_a_list_is_said(settings: Settings, stores: Engines, paysim: Simulator) -> None:
    own = settings.model_copy(update={"simulator_url": paysim.url, "payment": "simulator:kcp"})
    async with open_runtime(own, stores) as shop:
        await rows(shop, "DELETE FROM payment_findings")
        await rows(shop, "DELETE FROM provider_lists")
        await shop.comparing.run()
        (said,) = await shop.findings.compared()
        assert (said.provider, said.code) == ("kcp", "no_list")
        assert any("kcp has no list" in one.detail for one in [one async for one in _lists(shop)])


async def test_an_old_charge_is_compared_once_a_day_and_what_was_missed_is_caught_up_with(
    shop: Runtime, paysim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[datetime, datetime]] = []
    real = shop.payments.list_charges

    def listed(account: Any, since: datetime, until: datetime) -> Any:
        asked.append((since, until))
        return real(account, since, until)

    monkeypatch.setattr(shop.payments, "list_charges", listed)
    await shop.comparing.run()
    ((since, until_),) = asked
    assert until_ - since == timedelta(days=30), "the first time, and once a day"
    await shop.comparing.run()
    assert len(asked) == 1, "not due for an hour"
    await rows(shop, "UPDATE provider_lists SET tried_at = tried_at - interval '61 minutes'")
    await shop.comparing.run()
    assert timedelta(hours=2) <= asked[-1][1] - asked[-1][0] < timedelta(hours=3), "the last hours, with an overlap"
    # Nobody ran for a week: what lies between is compared.
    await rows(
        shop,
        "UPDATE provider_lists SET tried_at = tried_at - interval '7 days', "
        "compared_until = compared_until - interval '7 days'",
    )
    await shop.comparing.run()
    assert asked[-1][1] - asked[-1][0] > timedelta(days=7)


async def test_a_comparison_of_a_named_time_moves_nothing_on(shop: Runtime, paysim: Simulator) -> None:
    now = datetime.now(UTC)
    await shop.comparing.compare(now - timedelta(days=2), now - timedelta(days=1))
    (said,) = await shop.findings.compared()
    assert said.compared_until is None
    assert said.code is None


async def test_a_long_list_is_read_in_pages(shop: Runtime, paysim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of the provider and pages of ours; one that is too long is said, and not called whole."""
    orders = [await stray(paysim) for _ in range(5)]
    monkeypatch.setattr("core.payments.toss.adapter_http._PAGE", 2)
    monkeypatch.setattr("core.booking.comparing._PAGE", 2)
    (made,) = await shop.comparing.compare()
    assert made.code is None
    assert all([len(await found_of(shop, order)) == 1 for order in orders])
    monkeypatch.setattr("core.payments.toss.adapter_http._PAGES", 1)
    (made,) = await shop.comparing.compare()
    assert made.code == "list_too_long"
    assert all([(await found_of(shop, order))[0].state == "OPEN" for order in orders])


async def test_a_store_that_goes_away_half_way_leaves_the_rest_for_the_next_round(
    shop: Runtime, paysim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = [await stray(paysim) for _ in range(3)]
    monkeypatch.setattr("core.booking.comparing._PAGE", 1)
    real, calls = FindingRows.add, 0

    async def add(self: FindingRows, *args: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ConnectionError("lost")
        return await real(self, *args)

    monkeypatch.setattr(FindingRows, "add", add)
    own = Comparing(rows=shop.findings, payments=shop.payments, days=1)
    with pytest.raises(ConnectionError):
        await own.run()
    assert await shop.findings.compared() == [], "what was not read to its end is not compared"
    await own.run()
    assert all([len(await found_of(shop, order)) == 1 for order in orders])
