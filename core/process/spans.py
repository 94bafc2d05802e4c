"""What a purchase did, as spans: who called whom, how long it took. Pure: where they go is somebody else's affair.

A purchase is one trace, whose id is the reservation's. So each process that has a hand in it - the one that was clicked
at, the one that asks the provider, the worker that mails the ticket - writes into the same trace by what it knows
anyway, and nothing has to be carried with messages. Which purchase a request is about is known only on the way, so the
spans of a root are kept until it ends. Other requests are of interest only when who calls says so (W3C `traceparent`
with the sampled flag).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

Kind = Literal["server", "client", "internal", "consumer"]

#: Spans of one root that are kept: a loop that goes wild must not fill the memory.
_MOST: Final = 1_000
#: https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Caller:
    """The span of who calls, in whatever trace that is."""

    trace: int
    span: int


def caller_of(traceparent: str) -> Caller | None:
    """None for what is no traceparent, and for a call that is not to be traced."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or not int(found[3], 16) & 1:
        return None
    caller = Caller(int(found[1], 16), int(found[2], 16))
    return caller if caller.trace and caller.span else None


@dataclass(slots=True)
class Span:
    """`began`, `ended`: nanoseconds since 1970. `purchase`: the reservation's id as a number, once it is known."""

    name: str
    kind: Kind
    began: int
    parent: Span | None = None
    attributes: dict[str, str | int] = field(default_factory=dict)
    caller: Caller | None = None
    purchase: int | None = None
    failed: str = ""
    ended: int = 0
    id: int = field(default_factory=lambda: secrets.randbits(64) or 1)
    kept: list[Span] = field(default_factory=list)

    @property
    def root(self) -> Span:
        span = self
        while span.parent is not None and not span.parent.ended:
            span = span.parent
        return span

    def about(self, reservation: UUID) -> None:
        """All of what its root does is part of this purchase."""
        self.root.purchase = reservation.int

    @property
    def trace(self) -> int | None:
        """None: of no purchase, and nobody asked."""
        span: Span | None = self
        while span is not None:
            if span.purchase is not None:
                return span.purchase
            span = span.parent  # a task that goes on after the request which began it
        return self.caller.trace if self.caller is not None else None


_CURRENT: Final[ContextVar[Span | None]] = ContextVar("span", default=None)


class Spans:
    """`write(root, spans)` is called with the spans of a root that is of interest, when it ends."""

    def __init__(self, *, write: Callable[[Span, Sequence[Span]], None], now_ns: Callable[[], int]) -> None:
        self._write = write
        self._now_ns = now_ns

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind = "internal",
        *,
        caller: Caller | None = None,
        alone: bool = False,
        **attributes: str | int,
    ) -> Iterator[Span]:
        """A part of what is under way in this task, or a root; `alone`: always a root."""
        parent = None if alone else _CURRENT.get()
        span = Span(name, kind, self._now_ns(), parent, attributes, caller)
        token = _CURRENT.set(span)
        try:
            yield span
        except BaseException as error:
            span.failed = type(error).__name__
            raise
        finally:
            _CURRENT.reset(token)
            self._end(span)

    @contextmanager
    def for_each(self, name: str, kind: Kind, purchases: Iterable[UUID]) -> Iterator[None]:
        """What is done for all of these purchases at once: a root in the trace of each."""
        with ExitStack() as stack:
            for purchase in dict.fromkeys(purchases):
                stack.enter_context(self.span(name, kind, alone=True)).about(purchase)
            yield

    def _end(self, span: Span) -> None:
        root = span.root
        span.ended = self._now_ns()
        if len(root.kept) < _MOST:
            root.kept.append(span)
        if root is span:
            if span.trace is not None:
                self._write(span, span.kept)
            span.kept = []


def about(reservation: UUID) -> None:
    """What is under way in this task is part of this purchase."""
    span = _CURRENT.get()
    if span is not None:
        span.about(reservation)
