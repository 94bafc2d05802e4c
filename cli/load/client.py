"""The HTTP API as a load generator uses it: one bounded pool of connections, every call measured.

aiohttp and not httpx: at 100 connections it makes ten times the calls a second with a fifteenth of the processor time
a call (measured on 2 shared cores: 0.19 against 2.7 to 4.3 ms), and the server under load shares the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import orjson
from yarl import URL

from cli.load.measures import Calls, Durations
from core.errors import StartupError

#: A server that has not answered after this long has failed: its own limit on a store is 3 s (S16).
_ANSWER_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 10.0


class Refused(Exception):
    """The server said no, with a `code`; `seats` are those that it named."""

    def __init__(self, status: int, code: str, body: Mapping[str, Any], retry_after: float) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.body = body
        self.retry_after = retry_after


class Failed(Exception):
    """A fault (5xx), no answer, or an answer that is not of the API. `kind` is short and stable."""

    def __init__(self, call: str, kind: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{call}: {kind}")
        self.call = call
        self.kind = kind
        self.retry_after = retry_after


class RateLimited(Exception):
    """The server limits how often one address or visitor calls: a load run from here means nothing."""


class Client:
    """`async with Client(url, ...)`. `url` is the server's address; `connections` bounds the calls under way.

    Calls wait for their turn in `Client.waits`, so that a call's latency is the server's, not the driver's own queue.
    """

    def __init__(self, url: str, *, connections: int, calls: Calls) -> None:
        self.base = _base(url)
        self.calls = calls
        self.waits = Durations()
        self._turns = asyncio.Semaphore(connections)
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            base_url=self.base,
            # Shorter than any server keeps a quiet connection: else a call meets one that is just being closed.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=3),
            timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "onsale-load", "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use `async with Client(...)`")
        return self._session

    async def call(
        self,
        method: str,
        pattern: str,
        path: str,
        *,
        token: str = "",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON, None when it has none. Raises Refused, Failed, RateLimited.

        `pattern` is the path without names, under which the call is measured.
        """
        name = f"{method} {pattern}"
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data = orjson.dumps(body)
            sent["Content-Type"] = "application/json"
        response, content = await self._ask(name, method, path, data, sent)
        return self._result(name, response, content)

    async def load(self, method: str, pattern: str, url: str) -> None:
        """An address that a browser is sent to, whatever it shows; where it leads on to is not followed.

        Raises Refused, Failed, RateLimited.
        """
        name = f"{method} {pattern}"
        response, content = await self._ask(name, method, url, None, {"Accept": "application/json"})
        if response.status >= 400:
            self._result(name, response, content)

    async def _ask(
        self, name: str, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """`path` of the server, or an absolute address. Raises Failed."""
        asked = time.perf_counter()
        async with self._turns:
            began = time.perf_counter()
            self.waits.note("turn", began - asked)
            try:
                url = URL(path, encoded=True) if "://" in path.partition("?")[0] else path.lstrip("/")
                async with self.session.request(
                    method, url, data=data, headers=headers, allow_redirects=False
                ) as response:
                    content = await response.read()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                kind = _kind(error)
                self.calls.failed(name, kind)
                raise Failed(name, kind) from error
            self.calls.answered(name, time.perf_counter() - began)
        return response, content

    def _result(self, name: str, response: aiohttp.ClientResponse, content: bytes) -> Any:
        if response.status < 300:
            if not content:
                return None
            try:
                return orjson.loads(content)
            except ValueError:
                self.calls.failed(name, "not JSON")
                raise Failed(name, "not JSON") from None
        try:
            body = orjson.loads(content)
            code = str(body["code"])
        except (ValueError, KeyError, TypeError):
            kind = f"{response.status} without a code"
            self.calls.failed(name, kind)
            raise Failed(name, kind) from None
        after = _seconds(response.headers.get("Retry-After"))
        if response.status == 429:
            raise RateLimited()
        if response.status >= 500 and code != "payment_unavailable":
            self.calls.failed(name, f"{response.status} {code}")
            raise Failed(name, f"{response.status} {code}", after)
        self.calls.refused(name, code)
        raise Refused(response.status, code, body, after)


@contextlib.asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first failure is raised as itself, not wrapped: what ends one visitor's run ends all."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failed:
        first: BaseException = failed
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


async def require_server(client: Client) -> list[dict[str, Any]]:
    """The events that the server tells of. Raises StartupError when it is no Onsale server, or none at all."""
    try:
        answer = await client.call("GET", "/api/events", "/api/events")
        events = answer["events"]
    except Failed as error:
        if error.kind.startswith(("5", "timeout")):
            raise StartupError(f"the server at {client.base} does not work: {error.kind}") from None
        if error.kind in ("not JSON",) or error.kind.endswith("without a code"):
            raise StartupError(f"{client.base} is no Onsale server: check --url") from None
        raise StartupError(
            f"no server answers at {client.base} ({error.kind}): start it with `onsale serve`, or check --url"
        ) from None
    except (Refused, KeyError, TypeError):
        raise StartupError(f"{client.base} is no Onsale server: check --url") from None
    return list(events)


def _base(text: str) -> URL:
    """Raises StartupError."""
    try:
        url = URL(text.strip())
        port = url.port
    except ValueError:
        raise StartupError(f"{text!r} is not an address such as http://127.0.0.1:8080: check --url") from None
    if url.scheme not in ("http", "https") or not url.host or port is None:
        raise StartupError(f"{text!r} is not an address such as http://127.0.0.1:8080: check --url")
    path = url.path if url.path.endswith("/") else f"{url.path}/"
    return url.with_query(None).with_fragment(None).with_path(path)


def _kind(error: BaseException) -> str:
    """What went wrong, in words that are the same for the same fault."""
    if isinstance(error, TimeoutError):
        return "timeout"
    number = getattr(error, "errno", None)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "unknown host"
    if number == errno.ECONNREFUSED:
        return "connection refused"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError) or number in (
        errno.ECONNRESET,
        errno.EPIPE,
    ):
        return "connection closed"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or type(error).__name__}"
    return type(error).__name__


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0
