"""`docs/asyncapi.yaml` is what `realtime/wire.py` does. (What a real server sends is checked in every channel test.)"""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft7Validator, ValidationError

from core.booking.reservation import ReservationStatus
from core.seats.board import SeatState
from realtime import wire
from tests import channel_schema

COMMANDS = {command.model_fields["type"].annotation: command for command in get_args(wire.Command)}
BY_NAME = {get_args(annotation)[0]: command for annotation, command in COMMANDS.items()}
SPECIFICATION = Path(__file__).parent.parent / "data" / "asyncapi-3.0.0.schema.json.gz"


def test_the_document_is_an_asyncapi_document() -> None:
    """Against the AsyncAPI Initiative's own schema of version 3.0.0."""
    Draft7Validator(json.loads(gzip.decompress(SPECIFICATION.read_bytes()))).validate(channel_schema.document())


def test_every_reference_leads_somewhere() -> None:
    document = channel_schema.document()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                at = document
                for step in part["$ref"].removeprefix("#/").split("/"):
                    at = at[step]
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(document)


def test_the_same_commands() -> None:
    assert channel_schema.names("takeCommands") == set(BY_NAME)


def test_the_same_news_as_the_docstring_names() -> None:
    assert wire.__doc__ is not None
    listed = wire.__doc__.partition("Server -> browser")[2].partition("The counter")[0]
    assert channel_schema.names("tellNews") == set(re.findall(r"^    (\w+) \{", listed, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_a_command_has_the_same_fields_and_bounds(name: str) -> None:
    described, model = channel_schema.payload(name, "takeCommands"), BY_NAME[name].model_json_schema()
    assert described["properties"].keys() == model["properties"].keys()
    assert set(described["required"]) == set(model["required"])
    for field, schema in model["properties"].items():
        other = described["properties"][field]
        if "$ref" in other:
            other = channel_schema.document()["components"]["schemas"][other["$ref"].rpartition("/")[2]]
        forms = schema.get("anyOf", [schema])
        bounds = {key: value for form in forms for key, value in form.items() if key not in ("type", "title")}
        bounds |= {"default": schema["default"]} if "default" in schema else {}
        for key, value in bounds.items():
            assert other[key] == value, (field, key)


COMMAND_EXAMPLES = [
    {"type": "join"},
    {"type": "join", "ticket": None},
    {"type": "join", "ticket": "t"},
    {"type": "join", "ticket": 1},
    {"type": "join", "ticket": "x" * 1025},
    {"type": "beat"},
    {"type": "hold", "seats": [1]},
    {"type": "hold"},
    {"type": "hold", "id": "c1", "seats": [1, 2]},
    {"type": "hold", "seats": []},
    {"type": "hold", "seats": ["1"]},
    {"type": "hold", "seats": list(range(101))},
    {"type": "hold", "id": 7, "seats": [1]},
    {"type": "hold", "id": 0, "seats": [1]},
    {"type": "hold", "id": 2**53 - 1, "seats": [1]},
    {"type": "hold", "id": 2**53, "seats": [1]},
    {"type": "hold", "id": True, "seats": [1]},
    {"type": "hold", "id": None, "seats": [1]},
    {"type": "hold", "id": "x" * 65, "seats": [1]},
    {"type": "release", "seats": [0]},
    {"type": "extend", "id": "e"},
    {"type": "sync", "epoch": 1, "version": 2},
    {"type": "sync"},
    {"type": "sync", "epoch": "1"},
    {"type": "leave"},
    {"type": "beat", "of": "a later version"},
    {"type": "hold", "seats": [1.5]},
    {"type": "best", "count": 2},
    {"type": "best", "id": "b", "count": 2, "category": "Standard", "zone": "Stalls", "accessible": True},
    {"type": "best", "count": 4, "groups": 2},
    {"type": "best", "count": 4, "groups": 0},
    {"type": "best", "count": 10, "groups": 9},
    {"type": "best", "count": 0},
    {"type": "best", "count": 101},
    {"type": "best"},
    {"type": "best", "count": 2, "category": 7},
    {"type": "hold", "seats": [True]},
]


@pytest.mark.parametrize("command", COMMAND_EXAMPLES, ids=lambda command: json.dumps(command)[:60])
def test_what_the_document_allows_is_what_the_server_understands(command: dict[str, Any]) -> None:
    try:
        wire.parse(json.dumps(command))
        understood = True
    except wire.BadMessage:
        understood = False
    assert channel_schema.validator(command["type"], "takeCommands").is_valid(command) == understood


def test_the_same_close_codes_and_the_same_advice() -> None:
    described = channel_schema.document()["channels"]["event"]["x-close-codes"]
    assert {int(code) for code in described} == {int(code) for code in wire.CloseCode} | {1007, 1009}
    for code, text in described.items():
        come_back = 4000 <= int(code) < 4100
        assert text.endswith("Do not come back." if not come_back else ". Come back."), code


def test_the_same_lists_of_values() -> None:
    def values(message: str, field: str) -> list[Any]:
        allowed: list[Any] = channel_schema.payload(message, "tellNews")["properties"][field]["enum"]
        return allowed

    assert set(values("expired", "reason")) == set(wire.ExpiredReason)
    assert set(values("reservation", "status")) == set(ReservationStatus)
    assert channel_schema.document()["components"]["schemas"]["state"]["enum"] == list(SeatState)


def test_the_same_longest_message() -> None:
    assert f"at most {wire.MAX_MESSAGE} bytes" in channel_schema.document()["info"]["description"]


def test_seats_as_they_are_encoded() -> None:
    message = json.loads(wire.seats(3, 17, [(5, 1), (6, 0)]))
    assert message == {"type": "seats", "epoch": 3, "version": 17, "changes": [[5, 1], [6, 0]]}
    channel_schema.check_news(message)


def test_times_are_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 5, 1, 12, 30, 15, 123456, UTC)
    assert json.loads(wire.encode("admitted", until=moment))["until"] == "2026-05-01T12:30:15.123Z"


def test_the_check_of_real_messages_can_fail() -> None:
    good = {"type": "expired", "reason": "hold"}
    channel_schema.check_news(good)
    for bad in ({**good, "reason": "boredom"}, {**good, "more": 1}, {"type": "expired"}):
        with pytest.raises((AssertionError, ValidationError)):
            channel_schema.check_news(bad)
    with pytest.raises(AssertionError):
        channel_schema.check_news({"type": "nothing of ours"})
