"""Toss Payments' adapter for tests: before the simulator, or at any address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.payments.gateway import Authorisation, Order
from core.payments.provider_package import Limits
from core.payments.toss.adapter_http import TossPayments
from tests.payment_servers import (
    Simulator,
    gateway_at,
)

KEY = Authorisation("tviva_key")


@pytest.fixture(name="gateway")
async def gateway_of_simulator(paysim: Simulator) -> AsyncIterator[TossPayments]:
    opened = gateway_at(paysim.url)
    yield opened
    await opened.aclose()


def toss(
    url: str, *, secret: str = "test_sk_x", connect: float = 20, read: float = 60, charges: int = 20
) -> TossPayments:
    return TossPayments(
        url=url,
        script="https://js.tosspayments.com/v2/standard",
        client_key="test_ck_x",
        secret=secret,
        environment="test:x",
        played=False,
        limits=Limits(connect, read, charges),
    )


async def refund(
    gateway: TossPayments, order: Order, key: str | None, amount: int | None = None, before: int = 0, name: str = "r1"
) -> Any:
    return await gateway.cancel(
        order, key, amount=amount, refunded_before=before, reason="buyer cancelled", idempotency_key=name
    )
