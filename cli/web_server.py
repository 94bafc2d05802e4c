"""One web server process, from its loaded modules to its end. `cli/web_worker.py` starts it.

Settings come from the environment that `onsale serve` prepares (URLs of the engines, secrets, the real port).
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import cast

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.importer import import_from_string

from cli.web_forks import forked
from cli.web_processes import READY, STACKS_SIGNAL
from cli.web_ticks import Ticker
from core.logs import configure_logs
from core.process.cycle_collector import freeze_startup_objects
from core.settings import Settings
from core.waiting_room.composition import visit_times
from realtime.composition import channel_limits
from web.acceptor import Acceptor
from web.connection_limits import Peers, connections_of_one_peer, trusts, use_all_files
from web.http_protocol import PEERS
from web.ws_protocol import socket_options

#: The ASGI application factory, without arguments; it opens the runtime in its lifespan.
APP = "web.server:create"

# How long requests under way may take after the signal to stop; then the runtime drains (payments) on its own time.
_GRACE_SECONDS = 10

# A quiet connection is kept longer than proxies and clients keep theirs (60 s is common): whoever closes first must be
# the one who sends, or a request meets a connection that is just going away.
_KEPT_SECONDS = 75


class _Server(uvicorn.Server):
    """Takes its connections by `Acceptor`, and tells `onsale serve` when the application has started."""

    def __init__(self, config: uvicorn.Config, ready_fd: int, ticker: Ticker, peers: Peers) -> None:
        super().__init__(config)
        self._peers = peers
        self._ready_fd = ready_fd
        self._ticker = ticker

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # Without sockets uvicorn starts the application and listens nowhere; at the end it closes `servers`.
        await super().startup([])
        self._peers.start()
        for listening in sockets or ():
            acceptor = Acceptor(listening, self._protocol)
            acceptor.start()
            self.servers.append(cast(asyncio.Server, acceptor))
        freeze_startup_objects()
        if not self.should_exit:
            self._ticker.start()
            _tell_serve(self._ready_fd, READY)
            os.close(self._ready_fd)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A drain takes its time: nobody is to take it for a process that hangs.
        self._ticker.stop()
        await super().shutdown(sockets)
        self._peers.stop()

    def _protocol(self) -> asyncio.Protocol:
        protocol = cast(Callable[..., asyncio.Protocol], self.config.http_protocol_class)
        state = {**self.lifespan.state, PEERS: self._peers}
        return protocol(config=self.config, server_state=self.server_state, app_state=state)


def _tell_serve(ready_fd: int, text: str) -> None:
    # It has stopped reading when another web process could not start: that reason is told, this one is not needed.
    with contextlib.suppress(BrokenPipeError):
        os.write(ready_fd, text.encode())


class _ReasonForServe:
    """An ASGI wrapper: the one line that says why the application cannot start goes to `onsale serve`, which prints it.

    A trace stays a trace on stderr: that is a defect, not something an operator can mend.
    """

    def __init__(self, app: ASGIApp, ready_fd: int) -> None:
        self._app = app
        self._ready_fd = ready_fd

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._app(scope, receive, self._passed_on(send) if scope["type"] == "lifespan" else send)

    def _passed_on(self, send: Send) -> Send:
        async def passed_on(message: Message) -> None:
            reason = message.get("message", "")
            if message["type"] == "lifespan.startup.failed" and reason and "\n" not in reason:
                _tell_serve(self._ready_fd, reason)
                logging.getLogger("uvicorn.error").disabled = True  # it would say the same again
            await send(message)

        return passed_on


def _config(settings: Settings, ready_fd: int) -> uvicorn.Config:
    limits = channel_limits(settings)
    return uvicorn.Config(
        lambda: _ReasonForServe(import_from_string(APP)(), ready_fd),
        factory=True,
        loop="uvloop" if find_spec("uvloop") else "asyncio",
        **socket_options(visit_times(settings), limits.messages_per_minute, limits.goodbye_seconds),
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        timeout_keep_alive=_KEPT_SECONDS,
        # Requests have as long as goodbyes at least, and then their own time.
        timeout_graceful_shutdown=round(_GRACE_SECONDS + limits.goodbye_seconds),
    )


def _stop_with_parent(server: uvicorn.Server, alive_fd: int) -> None:
    """The pipe's other end is open in `onsale serve` only: end of file means that it was killed."""
    while os.read(alive_fd, 1):
        pass
    server.should_exit = True


def _wait_for(go_fd: int) -> None:
    """What has to be done once before anybody serves is done by `onsale serve` while this process loads its modules."""
    with os.fdopen(go_fd, "rb", buffering=0) as go:
        if not go.read(1):
            sys.exit(1)  # it is gone, or will not serve


def run(listen_fd: int, ready_fd: int, alive_fd: int, ticks_fd: int, go_fd: int) -> None:
    """Serves until it is asked to end. The arguments are descriptors."""
    _serve(_loaded(), listen_fd, ready_fd, alive_fd, ticks_fd, go_fd)


def run_and_fork(listen_fd: int, alive_fd: int, orders_fd: int) -> None:
    """Waits with all that is loaded, and serves in each process that is forked for an order."""
    settings = _loaded()
    ready_fd, ticks_fd, go_fd = forked(socket.socket(fileno=orders_fd))
    _serve(settings, listen_fd, ready_fd, alive_fd, ticks_fd, go_fd)


def _loaded() -> Settings:
    """Makes no thread, loop or connection: none of them would outlive a fork (tests/unit/test_web_forks.py)."""
    # Written by the interpreter's own handler, so also by a process whose loop stands still.
    faulthandler.register(STACKS_SIGNAL, all_threads=True)
    settings = Settings.load()
    configure_logs(level=settings.log_level, form=settings.log_format)
    import_module(APP.partition(":")[0])
    return settings


def _serve(settings: Settings, listen_fd: int, ready_fd: int, alive_fd: int, ticks_fd: int, go_fd: int) -> None:
    peers = Peers(
        is_trusted=trusts(settings.forwarded_allow_ips),
        most=connections_of_one_peer(use_all_files()) if settings.rate_limits == "on" else None,
    )
    _wait_for(go_fd)
    server = _Server(_config(settings, ready_fd), ready_fd, Ticker(ticks_fd), peers)
    threading.Thread(target=_stop_with_parent, args=(server, alive_fd), daemon=True).start()
    # uvicorn raises the signal again after its orderly end.
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[socket.socket(fileno=listen_fd)])
