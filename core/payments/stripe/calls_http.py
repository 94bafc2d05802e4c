"""One call through Stripe's SDK, and what is proven when it fails: as for every provider (`transport_http.py`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import Any

import httpx
import stripe

from core.payments import metrics
from core.payments.gateway import CallHealth
from core.payments.provider_package import Limits
from core.payments.sdk_errors_http import failed_call
from core.payments.stripe.objects import PROVIDER
from core.payments.transport_http import NoAnswer

#: An object of theirs, their error, or that there is nothing to judge.
Answer = Mapping[str, Any] | stripe.StripeError | NoAnswer


class StripeCalls:
    """The SDK's client with our times, and without its own way of trying again. `v1` is its API."""

    def __init__(self, *, url: str, secret: str, limits: Limits) -> None:
        self._longest = limits.connect + limits.read
        self._http = stripe.HTTPXClient(timeout=httpx.Timeout(limits.read, connect=limits.connect))
        client = stripe.StripeClient(
            secret,
            base_addresses={"api": url.rstrip("/")},
            http_client=self._http,
            # What may have charged is never sent again by itself.
            max_network_retries=0,
        )
        self.v1 = client.v1

    async def call(self, operation: str, asked: Awaitable[Any]) -> Answer:
        """`operation` names the call in metrics: confirm, look_up, cancel, register, list."""
        started = time.perf_counter()
        answer: Answer
        try:
            async with asyncio.timeout(self._longest):
                said = await asked
            bad = NoAnswer(sent=True, code="bad_answer", health=CallHealth.FAILURE)
            answer = said.to_dict() if isinstance(said, stripe.StripeObject) else bad
        except stripe.APIConnectionError as error:
            cause = error.__cause__
            answer = failed_call(PROVIDER, operation, cause if isinstance(cause, Exception) else error)
        except stripe.StripeError as error:
            bad = NoAnswer(sent=True, code="bad_answer", health=CallHealth.FAILURE)
            answer = error if error.http_status else bad
        except TimeoutError as error:
            answer = failed_call(PROVIDER, operation, error)
        metrics.SECONDS.labels(PROVIDER, operation).observe(time.perf_counter() - started)
        if isinstance(answer, NoAnswer):
            answer.count(PROVIDER)
        return answer

    async def aclose(self) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]


def code_of(error: stripe.StripeError) -> str:
    """Stripe's code, else its type; the SDK gives its errors of a kind no code of their own."""
    told = error.error
    named = error.code or (told.code or told.type if told is not None else None)
    return str(named or f"http_{error.http_status}")


def is_ours(error: stripe.StripeError) -> bool:
    """For the shop to mend: the key, or what it may do."""
    return isinstance(error, stripe.AuthenticationError | stripe.PermissionError)
