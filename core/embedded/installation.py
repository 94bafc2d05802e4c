"""The stores of one installation: those that its settings name, or the embedded engines of its data folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from core.data_folder import data_folder
from core.embedded.engine import Engine
from core.embedded.postgres import EmbeddedPostgres
from core.embedded.valkey import EmbeddedValkey
from core.errors import StartupError

# For another command that is starting or stopping the engines.
_GATE_SECONDS = 150.0


class NamesStores(Protocol):
    """What an installation says of its stores, such as `Settings`; an empty URL means an embedded one."""

    @property
    def database_url(self) -> str: ...

    @property
    def redis_url(self) -> str: ...

    @property
    def data(self) -> Path: ...


@dataclass(frozen=True)
class Engines:
    """Where the stores are: URLs given, or those of the embedded engines."""

    database_url: str
    redis_url: str
    #: Starts again what has died of the embedded engines, and returns the names; blocks. Raises StartupError.
    revive: Callable[[], list[str]] = field(default=list, compare=False, repr=False)
    #: What is wrong with an embedded one, in one line, by "postgresql" and "redis"; None: nothing is. Each call
    #: blocks for a few seconds. Only from `find_engines`.
    troubles: Mapping[str, Callable[[], str | None]] = field(default_factory=dict, compare=False, repr=False)


class _Users:
    """Counts the processes that use the engines: each holds a shared lock on one file while it does."""

    def __init__(self, folder: Path) -> None:
        self._gate = os.open(folder / "engines.gate", os.O_RDWR | os.O_CREAT, 0o600)
        self._users = os.open(folder / "engines.users", os.O_RDWR | os.O_CREAT, 0o600)

    @contextlib.contextmanager
    def gate(self) -> Iterator[None]:
        """Starting and stopping is done by one process at a time. Raises StartupError."""
        deadline = time.monotonic() + _GATE_SECONDS
        while True:
            try:
                fcntl.flock(self._gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StartupError(
                        f"another command has been starting or ending the embedded engines for {_GATE_SECONDS:.0f} s: "
                        "end it (`ps` shows it), and try again"
                    ) from None
                time.sleep(0.02)
        try:
            yield
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    def enter(self) -> None:
        fcntl.flock(self._users, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """True when this process was the last user. To be called within the gate."""
        alone = self.alone()
        fcntl.flock(self._users, fcntl.LOCK_UN)
        return alone

    def alone(self) -> bool:
        """Whether this process is the only user. To be called within the gate, which others enter by."""
        try:
            # The kernel gives the shared lock up first: who fails to get the other one has none.
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            fcntl.flock(self._users, fcntl.LOCK_SH)
        return True

    def close(self) -> None:
        os.close(self._gate)
        os.close(self._users)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the block is done: half a start leaves a broken data folder or a stray server."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's business
        yield
        return
    came: list[int] = []
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    earlier = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in ending}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextlib.contextmanager
def engines(settings: NamesStores, *, durable: bool = True) -> Iterator[Engines]:
    """The stores that `settings` names, with embedded ones started where none is named.

    `durable=False` is for tests: the servers are real, but do not wait for the disk.
    Raises StartupError with one line that says what to do.
    """
    if settings.database_url and settings.redis_url:
        yield Engines(settings.database_url, settings.redis_url)
        return
    folder = data_folder(settings.data)
    users = _Users(folder)
    postgres = EmbeddedPostgres(folder, durable=durable) if not settings.database_url else None
    valkey = EmbeddedValkey(folder, durable=durable) if not settings.redis_url else None
    entered = False
    try:
        with users.gate(), _undisturbed():
            users.enter()
            entered = True
            database_url = _started(postgres, users) if postgres else settings.database_url
            redis_url = _started(valkey, users) if valkey else settings.redis_url
        yield Engines(database_url, redis_url, lambda: _revive(users, postgres, valkey))
    finally:
        # Also when the start failed half way: nothing is left running without a user.
        with contextlib.closing(users):
            if entered:
                with _undisturbed(), users.gate():
                    if users.leave():
                        for engine in (valkey, postgres):
                            if engine:
                                engine.stop()


def find_engines(settings: NamesStores) -> Engines:
    """The same stores without starting, making or counting anything: whether they run is for the caller to see."""
    folder = settings.data.expanduser().absolute()
    postgres = EmbeddedPostgres(folder) if not settings.database_url else None
    valkey = EmbeddedValkey(folder) if not settings.redis_url else None
    return Engines(
        postgres.url() if postgres else settings.database_url,
        valkey.url() if valkey else settings.redis_url,
        troubles={
            store: engine.trouble
            for store, engine in (("postgresql", postgres), ("redis", valkey))
            if engine is not None
        },
    )


def _started(engine: Engine, users: _Users) -> str:
    """The engine's URL. One that hangs and that nobody else uses is a leftover of who was killed: it is begun anew."""
    try:
        return engine.start()
    except StartupError:
        if not engine.alive() or not users.alone():
            raise
        engine.stop()
        return engine.start()


def _revive(users: _Users, postgres: EmbeddedPostgres | None, valkey: EmbeddedValkey | None) -> list[str]:
    """The gate keeps it from meeting another command's start or stop."""
    servers = {"PostgreSQL": postgres, "Valkey": valkey}
    dead = {name: server for name, server in servers.items() if server is not None and not server.running()}
    if dead:
        with users.gate():
            for server in dead.values():
                server.start()
    return list(dead)
