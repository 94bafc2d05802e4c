"""Waiting for what must happen, on a machine that has other work as well: by a condition, never by a clock."""

from __future__ import annotations

import asyncio
import inspect
import random
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypeVar, overload

T = TypeVar("T")

#: Seconds until a test gives up. Generous: a test that fails because the machine is busy tells nothing.
PATIENCE = 300.0

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 0.1


def _pause(began: float) -> float:
    """A twentieth of what was waited, so that who looks at processes or rows for seconds leaves others the machine."""
    waited = (time.monotonic() - began) / 20
    return min(max(waited, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)


@overload
async def until(check: Callable[[], Awaitable[T | None]], what: str = "") -> T: ...
@overload
async def until(check: Callable[[], T | None], what: str = "") -> T: ...
async def until(check: Callable[[], object], what: str = "") -> object:
    """What `check` (or what it awaits) returns once it is true. Raises AssertionError."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = check()
                if inspect.isawaitable(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(_pause(began))
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE:.0f} s in vain: {what or check}") from None


def wait_until(check: Callable[[], object], what: str, *, despite: tuple[type[Exception], ...] = ()) -> None:
    """The same where no loop runs; an error `despite` which it goes on is a no."""
    began = time.monotonic()
    while True:
        try:
            if check():
                return
        except despite:
            pass
        assert time.monotonic() < began + PATIENCE, f"waited {PATIENCE:.0f} s in vain: {what}"
        time.sleep(_pause(began))


def soon(seconds: float) -> datetime:
    """So long from now: when a sale opens, say."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


#: Below the ports that the kernel gives to connections and to who asks for port 0: one of those may be gone before its
#: use. The one that is 10,000 above is free as well: a Cluster's bus has it.
_PORTS, _ABOVE = range(10_000, 20_000), 10_000
#: What keeps the ports that this process was given from the other processes that test on this machine.
_GIVEN: list[socket.socket] = []


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens, and which no other test is given while this process runs."""
    while True:
        port = random.choice(_PORTS)
        mark = socket.socket(socket.AF_UNIX)
        with suppress(OSError), socket.socket() as probe, socket.socket() as above:
            if sys.platform == "linux":  # such names are Linux's own
                mark.bind(f"\0onsale-tests-port-{port}")
            probe.bind(("127.0.0.1", port))
            above.bind(("127.0.0.1", port + _ABOVE))
            _GIVEN.append(mark)
            return port
        mark.close()
