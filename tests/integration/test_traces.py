"""One purchase is one OpenTelemetry trace, whichever request, task or process had a hand in it (S34)."""

from __future__ import annotations

import asyncio
import gzip
import re
import threading
from collections.abc import Iterator
from contextvars import copy_context
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import StartupError
from core.messaging.reservation_message import EventType, ReservationMessage
from core.notifications.email_consumer import EmailConsumer
from core.notifications.email_files import FileMailer
from core.process.lua_redis import ScriptRunner
from core.process.spans import Spans, about, caller_of
from core.runtime import Runtime
from core.runtime.traces_http import opened, traced_by, traces
from core.settings import Settings
from tests.booking import Bank, desk
from tests.conftest import MakeEvent
from tests.waits import until
from web.traced import Traced

pytestmark = pytest.mark.usefixtures("patient")

RESERVATION = UUID("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[Spans]:
    with traced_by(SimpleSpanProcessor(exporter)) as opened_:
        yield opened_


def traces_of(exporter: InMemorySpanExporter) -> set[int]:
    return {span.context.trace_id for span in exporter.get_finished_spans() if span.context is not None}


async def test_a_purchase_is_one_trace_from_the_order_to_the_ticket(
    runtime: Runtime, make_event: MakeEvent, exporter: InMemorySpanExporter, spans: Spans
) -> None:
    """Its id is the reservation's; the settlement is a task of its own, which goes on after the call that began it."""
    event = await make_event()
    visitor = "v_0000000000000000000042"
    booking = desk(runtime, Bank())
    reservation = await booking.ended(await booking.buy(event, visitor, 1))

    def names() -> set[str]:
        return {span.name for span in of(exporter, reservation.id)}

    steps = {"checkout.submit", "checkout.returned", "settle", "postgresql begin", "postgresql called"}
    await until(lambda: steps | {"provider confirm"} <= names())
    assert any(name.startswith("redis ") for name in names())
    assert traces_of(exporter) == {reservation.id.int}
    (submit,) = [span for span in of(exporter, reservation.id) if span.name == "checkout.submit"]
    (begin,) = [span for span in of(exporter, reservation.id) if span.name == "postgresql begin"]
    assert begin.parent is not None
    assert submit.context is not None
    assert begin.parent.span_id == submit.context.span_id


def of(exporter: InMemorySpanExporter, reservation: UUID) -> list[ReadableSpan]:
    found = exporter.get_finished_spans()
    return [span for span in found if span.context is not None and span.context.trace_id == reservation.int]


async def test_a_batch_of_letters_is_in_the_trace_of_each_buyer(
    exporter: InMemorySpanExporter, spans: Spans, runtime: Runtime, tmp_path: Path
) -> None:
    """S34: whichever buyer's is the first of it, and once for a buyer who has two."""
    events = [
        ReservationMessage(
            uid=UUID(int=number),
            type=EventType.CANCELLED,  # while the page was open, which has told it: nothing is sent
            reservation_id=UUID(int=reservation),
            event="gala",
            event_id=1,
            event_name="Gala",
            visitor="v_0000000000000000000042",
            status="CANCELLED",
            email="a@t.example",
            amount=1,
            currency="KRW",
            at=datetime.now(UTC),
            seats=(),
            reason="cancelled_by_buyer",
        )
        for number, reservation in enumerate((7, 8, 7))
    ]
    consumer = EmailConsumer(mailer=FileMailer(tmp_path), base_url="https://t.example", sender="t@t.example")
    async with runtime.database.connection() as connection:
        with spans.span("relay"):
            await consumer.handle(connection.raw_connection, events)
    assert sorted(traces_of(exporter)) == [7, 8]
    assert [(span.name, span.parent) for span in exporter.get_finished_spans()] == [("e-mail", None)] * 2


async def test_what_begins_when_a_payment_ends_is_not_of_that_purchase(
    runtime: Runtime, make_event: MakeEvent, exporter: InMemorySpanExporter, spans: Spans
) -> None:
    """S34: this process takes one payment at a time; the next one, of another buyer, begins as the first ends."""
    event = await make_event()
    bank = Bank(gate=asyncio.Event())
    booking = desk(runtime, bank, payment_concurrency=1, claim_seconds=30.0)
    first = await booking.buy(event, "v_0000000000000000000042", 1)
    second = await booking.buy(event, "v_0000000000000000000043", 2)
    await until(lambda: bank.calls == 1)
    assert bank.gate is not None
    bank.gate.set()
    await booking.ended(first)
    await booking.ended(second)
    await until(lambda: "settle" in {span.name for span in of(exporter, second.id)})
    assert "postgresql claim_due" not in {span.name for span in of(exporter, first.id)}
    (settle,) = [span for span in of(exporter, second.id) if span.name == "settle"]
    assert settle.parent is None


def test_a_span_of_another_trace_is_nobodys_parent(exporter: InMemorySpanExporter, spans: Spans) -> None:
    """S34: a task that goes on after what began it may find out that it is about another purchase."""

    def later(purchase: int) -> None:
        with spans.span("later") as span:
            span.about(UUID(int=purchase))

    with spans.span("first") as first:
        first.about(UUID(int=7))
        context = copy_context()
    context.run(later, 7)
    context.run(later, 8)
    parents = {
        span.context.trace_id: span.parent and span.parent.span_id
        for span in exporter.get_finished_spans()
        if span.name == "later" and span.context is not None
    }
    assert parents == {7: first.id, 8: None}


async def _answer(request: Request) -> Response:
    request.state.route = "/api/events/{slug}/reservations"  # as our endpoints do
    about(RESERVATION)
    return Response("{}")


async def _nothing(request: Request) -> Response:
    return Response("")


async def _fails(request: Request) -> Response:
    raise HTTPException(503)


async def get(spans: Spans, path: str, **headers: str) -> int:
    routes = [
        Route("/api/events/gala/reservations", _answer),
        Route("/nothing", _nothing),
        Route("/pay/{order}", _fails),
    ]
    transport = httpx.ASGITransport(Traced(Starlette(routes=routes), spans))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        return (await client.get(path, headers=headers)).status_code


async def test_a_request_is_part_of_its_purchase_and_linked_to_who_called(
    exporter: InMemorySpanExporter, spans: Spans
) -> None:
    assert await get(spans, "/api/events/gala/reservations", traceparent=f"00-{TRACE}-{SPAN}-01") == 200
    (span,) = exporter.get_finished_spans()
    assert span.name == "GET /api/events/{slug}/reservations"
    assert span.context is not None
    assert span.context.trace_id == RESERVATION.int
    assert [link.context.trace_id for link in span.links] == [int(TRACE, 16)]
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 200
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= span.end_time


async def test_an_order_in_the_address_says_whose_request_it_is(exporter: InMemorySpanExporter, spans: Spans) -> None:
    await get(spans, f"/pay/{RESERVATION.hex}a1?s=secret")
    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert span.context.trace_id == RESERVATION.int
    assert span.status.status_code is StatusCode.ERROR
    assert "secret" not in span.to_json()


async def test_what_is_no_purchase_is_written_only_where_the_caller_asks(
    exporter: InMemorySpanExporter, spans: Spans
) -> None:
    await get(spans, "/nothing")
    await get(spans, "/nothing", traceparent=f"00-{TRACE}-{SPAN}-00")
    assert exporter.get_finished_spans() == ()
    await get(spans, "/nothing", traceparent=f"00-{TRACE}-{SPAN}-01")
    (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert (span.parent.span_id, span.parent.trace_id) == (int(SPAN, 16), int(TRACE, 16))


@pytest.mark.parametrize(
    "text", ["", "00", f"01-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE.upper()}-{SPAN}-01"]
)
def test_what_is_no_traceparent_is_nobody(text: str) -> None:
    assert caller_of(text) is None


def test_off_nothing_goes_another_way(settings: Settings) -> None:
    """And what was wrapped is as before when it is closed."""
    before = ScriptRunner.__call__
    with traces(settings) as spans:
        assert spans is None
        assert ScriptRunner.__call__ is before
        assert opened() is None
    exporter = InMemorySpanExporter()
    with traced_by(SimpleSpanProcessor(exporter)):
        assert ScriptRunner.__call__ is not before
    assert ScriptRunner.__call__ is before


async def test_they_arrive_at_a_collector(settings: Settings) -> None:
    """By the protocol's own address and form, at the latest when the process ends."""
    came: list[tuple[str, str]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            came.append((self.path, self.headers["Content-Type"]))
            assert RESERVATION.bytes in body
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        serving = threading.Thread(target=collector.serve_forever)
        serving.start()
        try:
            named = {"traces_url": f"http://127.0.0.1:{collector.server_port}/v1/traces"}
            with traces(settings.model_copy(update=named)) as spans:
                assert spans is not None
                assert await get(spans, "/api/events/gala/reservations") == 200
        finally:
            collector.shutdown()
            serving.join()
    assert came == [("/v1/traces", "application/x-protobuf")]


def test_an_address_without_the_packages_is_said_at_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    named = settings.model_copy(update={"traces_url": "http://127.0.0.1:1/v1/traces"})
    with pytest.raises(StartupError, match=re.escape("onsale[otel]")), traces(named):
        pass
