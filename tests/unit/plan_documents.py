"""A small seat plan as an editor writes it, and what is wrong with a document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.errors import PlanInvalid
from core.venue.plan_import import load_plan


def seat(guid: str, **changes: Any) -> dict[str, Any]:
    return {"seat_guid": guid, "seat_number": guid[-1], "position": {"x": 0, "y": 0}, "category": "A", **changes}


def plan(**changes: Any) -> dict[str, Any]:
    """Two zones, three rows, five seats."""
    return {
        "name": "Hall",
        "size": {"width": 500, "height": 400},
        "categories": [{"name": "A", "color": "#ff0000"}, {"name": "B", "color": "#00ff00"}],
        "zones": [
            {
                "name": "Stalls",
                "position": {"x": 100, "y": 50},
                "rows": [
                    {
                        "row_number": "1",
                        "row_number_position": "both",
                        "position": {"x": 10, "y": 5},
                        "seats": [seat("s1"), seat("s2", position={"x": 25, "y": 0.5})],
                    },
                    {"row_number": "2", "position": {"x": 10, "y": 35}, "seats": [seat("s3", category="B", radius=8)]},
                ],
                "areas": [],
            },
            {
                "name": "Balcony",
                "position": {"x": 100, "y": 200},
                "rows": [{"row_number": "1", "position": {"x": 0, "y": 0}, "seats": [seat("b1"), seat("b2")]}],
                "areas": [],
            },
        ],
        **changes,
    }


def data(document: Any) -> bytes:
    return json.dumps(document).encode()


def errors_of(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(PlanInvalid) as caught:
        load_plan(document if isinstance(document, bytes) else data(document))
    return [(found["at"], found["message"]) for found in caught.value.data["errors"]]
