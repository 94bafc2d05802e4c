"""One HTTP call to a payment provider, and what is proven about the charge when it fails.

| what happens | the request | outcome |
|---|---|---|
| no connection (refused, DNS, TLS, connect timeout), no free connection in our pool | never left | proven not sent |
| read timeout, write timeout, connection broken after sending | may have arrived | unknown |
| an answer that is no JSON object | arrived | unknown |
| a JSON object, whatever its HTTP status | arrived | the adapter judges by the provider's code |
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson
import structlog

from core.payments import metrics
from core.payments.gateway import CallHealth, ChargeOutcome, ChargeResult
from core.payments.provider_package import Limits
from core.process.tls_http import trusted

log = structlog.get_logger(__name__)

#: Connections beyond the charges: look-ups and refunds get through when every charge hangs.
_SPARE_CONNECTIONS: Final = 50

#: A quiet connection is closed by us, before the provider does: a charge that leaves on one that is just being closed
#: at the other end is lost, and its outcome unknown. Many servers keep theirs for 5 s.
_KEPT_SECONDS: Final = 3.0
#: An answer of a payment provider is a few KiB; more than this is not one.
_LONGEST_ANSWER: Final = 1 << 20

_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


@dataclass(frozen=True, slots=True)
class ProviderResponse:
    """A JSON object that the provider sent (of `ProviderHttp.list`: an array)."""

    status: int
    body: Any

    def text(self, name: str) -> str | None:
        """A member as text; None when it is missing or is something else."""
        value = self.body.get(name) if isinstance(self.body, dict) else None
        return value if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """There is no answer to judge. `sent` False is proof that the provider never got the request."""

    sent: bool
    code: str
    health: CallHealth

    def result(self, provider: str, provider_key: str | None = None) -> ChargeResult:
        outcome = ChargeOutcome.UNKNOWN if self.sent else ChargeOutcome.NOT_CHARGED
        return ChargeResult(outcome, provider, provider_key, self.code, self.health, temporary=not self.sent)

    def unknown(self, provider: str, provider_key: str | None = None) -> ChargeResult:
        """Of a look-up or a refund: not having been able to ask is no proof of anything."""
        return replace(self.result(provider, provider_key), outcome=ChargeOutcome.UNKNOWN)

    def count(self, provider: str) -> None:
        metrics.ERRORS.labels(provider, self.code).inc()
        if self.health is CallHealth.TIMEOUT:
            metrics.TIMEOUTS.labels(provider).inc()


#: `ListFailed.code` of a list that is longer than is read at once.
LIST_TOO_LONG: Final = "list_too_long"


class ListFailed(Exception):
    """The provider's list could not be read to its end; `code` as in ChargeResult."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def failed_call(provider: str, path: str, error: Exception) -> NoAnswer:
    """What an exception of httpx proves about the request; `TimeoutError` is that of the whole call."""
    if isinstance(error, httpx.PoolTimeout):
        return NoAnswer(sent=False, code="pool_full", health=CallHealth.IGNORED)
    if isinstance(error, _NOT_SENT):
        log.warning("payment not sent", provider=provider, path=path, error=repr(error))
        code = "connect_timeout" if isinstance(error, httpx.ConnectTimeout) else "connect_failed"
        return NoAnswer(sent=False, code=code, health=CallHealth.FAILURE)
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        log.warning("payment timeout", provider=provider, path=path, error=repr(error))
        return NoAnswer(sent=True, code="read_timeout", health=CallHealth.TIMEOUT)
    log.warning("payment connection lost", provider=provider, path=path, error=repr(error))
    return NoAnswer(sent=True, code="connection_lost", health=CallHealth.FAILURE)


class ProviderHttp:
    """A provider's HTTP client: one for a process, with a bounded pool."""

    def __init__(self, *, provider: str, url: str, limits: Limits, auth: httpx.Auth | None = None) -> None:
        connect, read = limits.connect, limits.read
        self._provider = provider
        # httpx' read timeout starts anew with each piece of an answer; the whole call has an end too.
        self._longest = 2 * (connect + read)
        size = limits.charges + _SPARE_CONNECTIONS
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            auth=auth,
            follow_redirects=False,
            verify=trusted(),
            timeout=httpx.Timeout(connect=connect, read=read, write=read, pool=connect),
            limits=httpx.Limits(max_connections=size, max_keepalive_connections=size, keepalive_expiry=_KEPT_SECONDS),
            # A proxy of the environment is for the world outside, not for the simulator on this machine.
            trust_env=urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"),
        )

    async def call(
        self, operation: str, method: str, path: str, *, json: Any = None, headers: Mapping[str, str] | None = None
    ) -> ProviderResponse | NoAnswer:
        """`operation` names the call in metrics: confirm, look_up, cancel, register."""
        answer = await self._measured(operation, method, path, json, headers)
        if not isinstance(answer, NoAnswer) and not isinstance(answer.body, dict):
            return NoAnswer(sent=True, code="bad_answer", health=CallHealth.FAILURE)
        return answer

    async def list(self, operation: str, path: str) -> list[Mapping[str, Any]]:
        """A call that is answered with a JSON array of objects. Raises ListFailed."""
        answer = await self._measured(operation, "GET", path, None, None)
        if isinstance(answer, NoAnswer):
            raise ListFailed(answer.code)
        lines = answer.body
        if answer.status >= 300 or not isinstance(lines, list) or not all(isinstance(one, dict) for one in lines):
            raise ListFailed("bad_answer" if answer.status < 300 else answer.text("code") or f"http_{answer.status}")
        return lines

    async def _measured(
        self, operation: str, method: str, path: str, json: Any, headers: Mapping[str, str] | None
    ) -> ProviderResponse | NoAnswer:
        started = time.perf_counter()
        answer = await self._call(method, path, json, headers)
        metrics.SECONDS.labels(self._provider, operation).observe(time.perf_counter() - started)
        if isinstance(answer, NoAnswer):
            answer.count(self._provider)
        return answer

    async def _call(
        self, method: str, path: str, json: Any, headers: Mapping[str, str] | None
    ) -> ProviderResponse | NoAnswer:
        content = None if json is None else orjson.dumps(json)
        sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
        try:
            async with asyncio.timeout(self._longest):
                response = await self._client.request(method, path, content=content, headers=sent)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            return failed_call(self._provider, path, error)
        return self._parsed(response, path)

    def _parsed(self, response: httpx.Response, path: str) -> ProviderResponse | NoAnswer:
        try:
            body = orjson.loads(response.content) if len(response.content) <= _LONGEST_ANSWER else None
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict | list):
            log.warning("payment bad answer", provider=self._provider, path=path, status=response.status_code)
            return NoAnswer(sent=True, code="bad_answer", health=CallHealth.FAILURE)
        return ProviderResponse(response.status_code, body)

    async def aclose(self) -> None:
        await self._client.aclose()
