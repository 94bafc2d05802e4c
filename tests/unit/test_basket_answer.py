"""A basket's answer is put together without its model, and is what the model would have written (E1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from core.seats.basket import Basket
from web.api_holds import _answer
from web.schemas import HeldSeats

BASKET = Basket((4, 5), 7, datetime(2026, 11, 26, 12, 0, 0, 123_456, UTC), 1)


@pytest.mark.parametrize(
    ("basket", "more"), [(BASKET, {}), (Basket((), 8, BASKET.until, 0, paying=True), {"together": True}), (None, {})]
)
def test_it_is_the_declared_answer(basket: Basket | None, more: dict[str, Any]) -> None:
    response = _answer(basket, 201, **more)
    told = HeldSeats.model_validate_json(bytes(response.body))
    assert bytes(response.body) == told.model_dump_json(exclude_unset=True).encode()
    fields = set(HeldSeats.model_fields) - ({"together"} - set(more))
    assert told.model_fields_set == fields, "a field that is not told"
    if basket is not None:
        assert (tuple(told.seats), told.fence, told.paying) == (basket.seats, basket.fence, basket.paying)
        assert told.until == basket.until.replace(microsecond=123_000)
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) == len(response.body)
