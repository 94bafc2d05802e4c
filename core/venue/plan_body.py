"""A seat plan as browsers get it: the body of `GET /api/events/{slug}/plan`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from core.venue.seat_plan import Area, Seat, SeatPlan


def plan_body(plan: SeatPlan, prices: Mapping[str, int]) -> bytes:
    """JSON: `{name, width, height, categories, zones, seats, areas, row_labels}`, seats in ordinal order.

    A seat is `{ordinal, guid, zone, row, number, category, x, y, r, accessible?}`; `accessible` is there when true.
    Lengths and positions are plan units rounded to 1/100. A category without a price is not for sale; one
    that no seat has either is left out.
    """
    return orjson.dumps(
        {
            "name": plan.name,
            "width": round(plan.width, 2),
            "height": round(plan.height, 2),
            "categories": shown_categories(plan, prices),
            "zones": plan.zones,
            "seats": [_seat(ordinal, seat) for ordinal, seat in enumerate(plan.seats)],
            "areas": shown_areas(plan),
            "row_labels": [
                {"text": label.text, "x": round(label.x, 2), "y": round(label.y, 2)} for label in plan.row_labels
            ],
        }
    )


def shown_categories(plan: SeatPlan, prices: Mapping[str, int]) -> list[dict[str, Any]]:
    """`{name, color, price}`, price null for what is not for sale; without those that have neither price nor seat."""
    used = {seat.category for seat in plan.seats}
    return [
        {"name": category.name, "color": category.color, "price": prices.get(category.name)}
        for category in plan.categories
        if category.name in prices or category.name in used
    ]


def shown_areas(plan: SeatPlan) -> list[dict[str, Any]]:
    """What is drawn and is no seat."""
    return [_area(area) for area in plan.areas]


def digest(body: bytes) -> str:
    """Names a plan body: the same digest, the same bytes."""
    return hashlib.sha256(body).hexdigest()[:32]


def _seat(ordinal: int, seat: Seat) -> dict[str, Any]:
    body: dict[str, Any] = {
        "ordinal": ordinal,
        "guid": seat.guid,
        "zone": seat.zone,
        "row": seat.row,
        "number": seat.number,
        "category": seat.category,
        "x": round(seat.x, 2),
        "y": round(seat.y, 2),
        "r": seat.radius,
    }
    if seat.accessible:
        body["accessible"] = True
    return body


def _area(area: Area) -> dict[str, Any]:
    return {
        "shape": area.shape,
        "x": round(area.x, 2),
        "y": round(area.y, 2),
        "geometry": area.geometry,
        "rotation": area.rotation,
        "color": area.color,
        "border_color": area.border_color,
        "text": area.text,
        "text_x": round(area.text_x, 2),
        "text_y": round(area.text_y, 2),
        "text_size": area.text_size,
        "text_color": area.text_color,
    }
