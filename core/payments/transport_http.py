"""One HTTP call to a payment provider, and what is proven about the charge when it fails.

| what happens | the request | outcome |
|---|---|---|
| no connection (refused, DNS, TLS, connect timeout), no free connection in our pool | never left | not sent |
| a proxy refuses, or hangs up, before it has connected us | never left | not sent |
| read timeout, the whole call's timeout, connection broken after sending | may have arrived | unknown |
| an answer that is no JSON object, or longer than one of a provider | arrived | unknown |
| a JSON object, whatever its HTTP status | arrived | the adapter judges by the provider's code |

aiohttp sends a POST once: only a GET, which moves nothing, is sent again when a kept connection was just closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson
import structlog
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from core.payments import metrics
from core.payments.gateway import CONNECT_FAILED, CONNECT_TIMEOUT, CallHealth, ChargeOutcome, ChargeResult
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


class _NoConnection(aiohttp.ClientError):
    """There was none to send anything on; `__cause__` is why."""


_NOT_SENT: Final = (
    _NoConnection,
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    # A proxy that refuses to connect us: raised before anything goes through it.
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)


class _Connector(aiohttp.TCPConnector):
    """Tells what fails while it connects from what fails afterwards: in aiohttp, a proxy that hangs up on CONNECT looks
    like a provider that hangs up on a request.
    """

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        try:
            return await super().connect(req, traces, timeout)
        except (TimeoutError, *_NOT_SENT):
            raise  # the session makes the first a ConnectionTimeoutError
        except (aiohttp.ClientError, OSError) as error:
            raise _NoConnection(told(error)) from error


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


def not_sent(provider: str, path: str, error: Exception, *, late: bool) -> NoAnswer:
    """No connection: proven. `late`: none within the time for one."""
    log.warning("payment not sent", provider=provider, path=path, error=told(error))
    return NoAnswer(sent=False, code=CONNECT_TIMEOUT if late else CONNECT_FAILED, health=CallHealth.FAILURE)


def maybe_sent(provider: str, path: str, error: Exception, *, late: bool) -> NoAnswer:
    """Whatever else fails may have failed after the request had arrived. `late`: no answer in time."""
    if late:
        log.warning("payment timeout", provider=provider, path=path, error=told(error))
        return NoAnswer(sent=True, code="read_timeout", health=CallHealth.TIMEOUT)
    log.warning("payment connection lost", provider=provider, path=path, error=told(error))
    return NoAnswer(sent=True, code="connection_lost", health=CallHealth.FAILURE)


def told(error: Exception) -> str:
    """For logs. Never `repr`: aiohttp's has the request's headers in it, and so the secret."""
    return f"{type(error).__name__}: {error}"[:300]


class ProviderHttp:
    """A provider's HTTP client: one for a process, with a bounded pool. `authorization`: that header's value.

    Raises ValueError for an address, or a proxy of the environment, that it cannot use.
    """

    def __init__(self, *, provider: str, url: str, limits: Limits, authorization: str | None = None) -> None:
        self._provider = provider
        self._base = url.rstrip("/")
        self._proxy = _proxy_for(URL(self._base))
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if authorization is not None:
            self._headers["Authorization"] = authorization
        self._connect = limits.connect
        # The read timeout starts anew with each piece of an answer; the whole call has an end too.
        self._longest = 2 * (limits.connect + limits.read)
        self._timeout = aiohttp.ClientTimeout(total=None, connect=limits.connect, sock_read=limits.read)
        # The pool's bound is ours, so that waiting for a connection is told from waiting for the provider.
        self._free = asyncio.Semaphore(limits.charges + _SPARE_CONNECTIONS)
        self._session: aiohttp.ClientSession | None = None

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
        sent = {**self._headers, **headers} if headers else self._headers
        try:
            async with asyncio.timeout(self._connect):
                await self._free.acquire()
        except TimeoutError:
            return NoAnswer(sent=False, code="pool_full", health=CallHealth.IGNORED)
        try:
            async with (
                asyncio.timeout(self._longest),
                self._opened().request(
                    method,
                    URL(self._base + path, encoded=True),
                    data=content,
                    headers=sent,
                    allow_redirects=False,
                    proxy=self._proxy,
                ) as response,
            ):
                return self._parsed(response.status, await _content(response), path)
        except _NOT_SENT as error:
            return not_sent(self._provider, path, error, late=isinstance(error, TimeoutError))
        except (aiohttp.ClientError, OSError) as error:
            return maybe_sent(self._provider, path, error, late=isinstance(error, TimeoutError))
        finally:
            self._free.release()

    def _opened(self) -> aiohttp.ClientSession:
        """Made with the first call: a session belongs to the loop that runs."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(limit=0, keepalive_timeout=_KEPT_SECONDS, ssl=trusted()),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
            )
        return self._session

    def _parsed(self, status: int, content: bytes | None, path: str) -> ProviderResponse | NoAnswer:
        try:
            body = None if content is None else orjson.loads(content)
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict | list):
            log.warning("payment bad answer", provider=self._provider, path=path, status=status)
            return NoAnswer(sent=True, code="bad_answer", health=CallHealth.FAILURE)
        return ProviderResponse(status, body)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


async def _content(response: aiohttp.ClientResponse) -> bytes | None:
    """None for what is longer than an answer of a payment provider: the rest of it is not read."""
    pieces: list[bytes] = []
    length = 0
    async for piece in response.content.iter_any():
        length += len(piece)
        if length > _LONGEST_ANSWER:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _proxy_for(url: URL) -> str | None:
    """The environment's proxy, which is for the world outside and not for the simulator on this machine."""
    if url.host is None or url.host in ("127.0.0.1", "localhost", "::1") or proxy_bypass(url.authority):
        return None
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if proxy is None:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if URL(proxy).scheme not in ("http", "https"):
        raise ValueError(f"payment calls to {url.host} cannot use the proxy of the environment: it is none for HTTP")
    return proxy
