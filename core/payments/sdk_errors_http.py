"""What an exception of httpx proves, which the SDKs of providers use: as `transport_http.py` has it."""

from __future__ import annotations

from typing import Final

import httpx

from core.payments.gateway import CallHealth
from core.payments.transport_http import NoAnswer, maybe_sent, not_sent

_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


def failed_call(provider: str, operation: str, error: Exception) -> NoAnswer:
    """`TimeoutError` is that of the whole call."""
    if isinstance(error, httpx.PoolTimeout):
        return NoAnswer(sent=False, code="pool_full", health=CallHealth.IGNORED)
    if isinstance(error, _NOT_SENT):
        return not_sent(provider, operation, error, late=isinstance(error, httpx.ConnectTimeout))
    return maybe_sent(provider, operation, error, late=isinstance(error, httpx.TimeoutException | TimeoutError))
