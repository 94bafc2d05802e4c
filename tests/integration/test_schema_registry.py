"""The schema registry's HTTP API as Confluent documents it: ids kept, refusals and absences told apart (S21)."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from core.messaging.codec import Decoder, Encoder, versions
from core.messaging.reservation_message import EventInvalid, ReservationMessage, parse
from core.messaging.schema_registry_http import RegistryAway, RegistryRefused, SchemaRegistry
from tests.outbox_rows import payload
from tests.payment_servers import serve


class RegistryServer:
    """The two calls that are used, with ids, counts, and a mood."""

    def __init__(self) -> None:
        self.schemas: list[str] = []
        self.subjects: list[str] = []
        self.calls = 0
        self.mood = 200

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/base/subjects/{subject}/versions", self._register, methods=["POST"]),
                Route("/base/schemas/ids/{id:int}", self._schema),
            ]
        )

    async def _register(self, request: Request) -> JSONResponse:
        self.calls += 1
        if self.mood != 200:
            return JSONResponse({"error_code": self.mood, "message": "mood"}, self.mood)
        assert request.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
        self.subjects.append(request.path_params["subject"])
        text = json.loads(await request.body())["schema"]
        if text not in self.schemas:
            self.schemas.append(text)
        return JSONResponse({"id": self.schemas.index(text) + 7})

    async def _schema(self, request: Request) -> JSONResponse:
        self.calls += 1
        position = request.path_params["id"] - 7
        if not 0 <= position < len(self.schemas):
            return JSONResponse({"error_code": 40403, "message": "Schema not found"}, 404)
        return JSONResponse({"schema": self.schemas[position]})


@pytest.fixture
async def server() -> AsyncIterator[tuple[RegistryServer, str]]:
    registry = RegistryServer()
    async with serve(registry.app()) as url:
        yield registry, f"{url}/base"


def event() -> ReservationMessage:
    return parse(uuid.uuid4(), "reservation.confirmed", payload(uuid.uuid4()))


async def test_a_message_goes_there_and_back_and_ids_are_asked_for_once(server: tuple[RegistryServer, str]) -> None:
    registry, url = server
    writing, reading = SchemaRegistry(url, subject="t-value"), SchemaRegistry(url, subject="t-value")
    encoder, decoder = Encoder(writing), Decoder(reading)
    await encoder.start()
    await encoder.start()
    assert registry.schemas == [version.text for version in versions()]
    assert set(registry.subjects) == {"t-value"}
    sent = event()
    before = registry.calls
    for _ in range(5):
        assert await decoder.decode(encoder.encode(sent)) == sent
    assert registry.calls == before + 1
    with pytest.raises(EventInvalid, match="no schema 99"):
        await decoder.decode(b"\x00\x00\x00\x00\x63" + b"x")
    await writing.aclose()
    await reading.aclose()


@pytest.mark.parametrize(
    ("mood", "error"), [(409, RegistryRefused), (422, RegistryRefused), (500, RegistryAway), (401, RegistryAway)]
)
async def test_a_refusal_is_not_an_absence(
    server: tuple[RegistryServer, str], mood: int, error: type[Exception]
) -> None:
    registry, url = server
    registry.mood = mood
    client = SchemaRegistry(url, subject="t-value")
    with pytest.raises(error):
        await Encoder(client).start()
    registry.mood = 200
    await Encoder(client).start()
    await client.aclose()


async def test_nobody_there() -> None:
    client = SchemaRegistry("http://127.0.0.1:1", subject="t-value")
    with pytest.raises(RegistryAway):
        await Encoder(client).start()
    with pytest.raises(RegistryAway):
        await Decoder(client).decode(b"\x00\x00\x00\x00\x07" + b"x")
    await client.aclose()
