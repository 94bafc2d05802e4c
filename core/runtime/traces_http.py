"""Traces of purchases for OpenTelemetry, by OTLP over HTTP; only where ONSALE_TRACES_URL is set (`onsale[otel]`).

Nothing of it is loaded, and no call of ours goes another way, while it is off: the methods that become spans are
wrapped when it is opened, and put back when it is closed.

    a purchase    `submit` (the trace's name is the reservation's id from here on), the window's return
    stores        every statement of reservations, every script
    provider      each call
    settlement    one claim, to its end; in whatever process
    e-mail        of what the relay brought, in whatever process; the time is that of the batch it was sent in
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from core.booking.checkout import Checkout
from core.booking.reservations_postgres import Reservations
from core.booking.settlement import Settlement
from core.clock import SystemClock
from core.errors import StartupError
from core.messaging.reservation_message import ReservationMessage
from core.notifications.email_consumer import EmailConsumer
from core.payments.payments import Payments
from core.process.lua_redis import ScriptRunner
from core.process.spans import Kind, Span, Spans
from core.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

_SERVICE: Final = "onsale"
#: What `Payments` asks a provider.
_CALLS: Final = ("open_window", "confirm", "look_up", "cancel", "void")
#: The spans of this process; None while they go nowhere.
_open: Spans | None = None


def opened() -> Spans | None:
    return _open


@contextmanager
def traces(settings: Settings) -> Iterator[Spans | None]:
    """As long as the block runs. Raises StartupError when the packages are not there."""
    if not settings.traces_url:
        yield None
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        missing = "ONSALE_TRACES_URL is set, but OpenTelemetry is not installed: pip install onsale[otel]"
        raise StartupError(missing) from None
    processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.traces_url))
    try:
        with traced_by(processor) as spans:
            yield spans
    finally:
        processor.shutdown()  # type: ignore[no-untyped-call]


@contextmanager
def traced_by(processor: SpanProcessor) -> Iterator[Spans]:
    """Everything of this process, to an OpenTelemetry processor."""
    global _open
    clock = SystemClock()
    spans = Spans(write=_writer(processor), now_ns=lambda: int(clock.now().timestamp() * 1e9))
    with ExitStack() as stack:
        for wrapped in _wrapped(spans):
            stack.enter_context(wrapped)
        _open = spans
        try:
            yield spans
        finally:
            _open = None


def _wrapped(spans: Spans) -> Iterator[Any]:
    yield _around(spans, Checkout, "submit", "checkout.submit", after=_of_result)
    yield _around(spans, Checkout, "returned", "checkout.returned", before=_of_order)
    yield _around(spans, Settlement, "finish", "settle", before=_of_claim)
    yield _replaced(EmailConsumer, "handle", _mailing(spans))
    for name in _CALLS:
        yield _around(spans, Payments, name, f"provider {name}", kind="client")
    yield _around(spans, ScriptRunner, "__call__", "redis", kind="client", named=lambda given: f"redis {given[0].name}")
    for name, method in vars(Reservations).items():
        if inspect.iscoroutinefunction(method) and not name.startswith("_"):
            yield _around(spans, Reservations, name, f"postgresql {name}", kind="client")


def _around(
    spans: Spans,
    owner: type,
    method: str,
    name: str,
    *,
    kind: Kind = "internal",
    named: Callable[[Sequence[Any]], str] | None = None,
    before: Callable[[Span, Sequence[Any]], None] = lambda span, given: None,
    after: Callable[[Span, Any], None] = lambda span, result: None,
) -> AbstractContextManager[None]:
    """`owner.method` becomes a span: `before` and `after` say what it is about."""

    def wrapped(original: Any) -> Any:
        async def traced(self: Any, *given: Any, **more: Any) -> Any:
            with spans.span(named(given) if named else name, kind) as span:
                before(span, given)
                result = await original(self, *given, **more)
                after(span, result)
                return result

        return traced

    return _replaced(owner, method, wrapped)


def _mailing(spans: Spans) -> Callable[[Any], Any]:
    """A batch is of many buyers: a span in the trace of each."""

    def wrapped(original: Any) -> Any:
        async def traced(self: Any, connection: Any, events: Sequence[ReservationMessage]) -> Any:
            with spans.for_each("e-mail", "consumer", [event.reservation_id for event in events]):
                return await original(self, connection, events)

        return traced

    return wrapped


@contextmanager
def _replaced(owner: type, method: str, wrapped: Callable[[Any], Any]) -> Iterator[None]:
    inherited = method not in vars(owner)
    original = getattr(owner, method)
    setattr(owner, method, functools.wraps(original)(wrapped(original)))
    try:
        yield
    finally:
        if inherited:
            delattr(owner, method)
        else:
            setattr(owner, method, original)


def _of_result(span: Span, result: Any) -> None:
    span.about(result.id)


def _of_order(span: Span, given: Sequence[Any]) -> None:
    # An order number begins with its reservation's id.
    span.about(UUID(given[0][:32]))


def _of_claim(span: Span, given: Sequence[Any]) -> None:
    span.about(given[0].reservation.id)


def _writer(processor: SpanProcessor) -> Callable[[Span, Sequence[Span]], None]:
    """Ours as OpenTelemetry's: they are made when they are over, so its own tracer, which wants the trace's id at the
    beginning, has no part in it.
    """
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

    kinds = {
        "server": SpanKind.SERVER,
        "client": SpanKind.CLIENT,
        "internal": SpanKind.INTERNAL,
        "consumer": SpanKind.CONSUMER,
    }
    resource = Resource.create({"service.name": _SERVICE})

    def context(trace: int, span: int) -> SpanContext:
        return SpanContext(trace, span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    def write(root: Span, spans: Sequence[Span]) -> None:
        trace = root.trace
        assert trace is not None  # noqa: S101
        for span in spans:
            # A root that has a parent went on after it, and may have turned out to be about another purchase.
            began = span.parent if span is not root or (span.parent and span.parent.trace == trace) else None
            caller, parent, links = span.caller, began.id if began is not None else None, []
            if caller is not None:
                if caller.trace == trace:
                    parent = caller.span
                else:
                    links.append(Link(context(caller.trace, caller.span)))
            processor.on_end(
                ReadableSpan(
                    name=span.name,
                    context=context(trace, span.id),
                    parent=context(trace, parent) if parent is not None else None,
                    resource=resource,
                    attributes=span.attributes,
                    links=links,
                    kind=kinds[span.kind],
                    status=Status(StatusCode.ERROR, span.failed) if span.failed else Status(StatusCode.UNSET),
                    start_time=span.began,
                    end_time=span.ended,
                )
            )

    return write
