"""One server program over one folder: it is started where it does not run, and never a second time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import psutil

from core.errors import StartupError

#: How long a server that runs may take to answer before a command gives up, in seconds.
ANSWER_SECONDS = 4.0
#: The same while it says that it is still loading what is on its disk.
LOADING_SECONDS = 120.0


class Engine(ABC):
    """A server whose process holds a lock on `lock_file` for as long as it lives.

    The lock (flock) belongs to an open file that the server inherits at its start and never closes. So it says "it
    runs", whether or not the server answers: one that is stopped, whose disk is full, or that another container started
    still has it. It is gone with the last process of the server, whatever ended that.
    """

    #: As operators know it.
    name: ClassVar[str]
    #: What names an installation of one's own instead.
    setting: ClassVar[str]
    #: Signals that end it, each with the seconds that it has to obey.
    ends: ClassVar[tuple[tuple[signal.Signals, float], ...]]

    def __init__(self, folder: Path, lock_file: Path, log: Path) -> None:
        self.folder = folder
        self.lock_file = lock_file
        self.log = log

    @abstractmethod
    def url(self) -> str:
        """Where the running server is to be found."""

    @abstractmethod
    def pid(self) -> int | None:
        """The number that the server, or who started it, has noted. It may be out of date."""

    @abstractmethod
    def reply(self) -> str | None:
        """What the server says when it is asked for a sign of life, within two seconds; None for no answer at all."""

    @abstractmethod
    def launch(self, lock: int) -> None:
        """Starts the server, which inherits the file `lock`, and waits until it answers.

        Raises StartupError, also when this installation has no such server.
        """

    @abstractmethod
    def named_by(self, command_line: str) -> bool:
        """Whether that is the command line of this server."""

    @abstractmethod
    def answers(self, reply: str) -> bool:
        """Whether that reply is the one of a server that works."""

    @abstractmethod
    def loading(self, reply: str) -> bool:
        """Whether that reply is the one of a server that will work soon."""

    def start(self) -> str:
        """Starts the server unless it runs, and returns its URL; blocks.

        Raises StartupError when it cannot be started, and when it runs but does not answer: nothing is started then.
        """
        began = time.monotonic()
        while True:
            with self._taken() as lock:
                # A server without the lock was started by an earlier release.
                if lock is not None and not self.alive():
                    self.launch(lock)
                    return self.url()
            reply = self.reply()
            if reply is not None and self.answers(reply):
                return self.url()
            patience = LOADING_SECONDS if reply is not None and self.loading(reply) else ANSWER_SECONDS
            if time.monotonic() - began > patience:
                raise StartupError(self._out_of_order(reply))
            time.sleep(0.1)

    def trouble(self) -> str | None:
        """One line that says what is wrong with the server and what to do; None for one that works. Starts nothing;
        blocks for two seconds at most.
        """
        if not self.running():
            return f"the embedded {self.name} does not run: `onsale serve` starts it, or set {self.setting}"
        reply = self.reply()
        return None if reply is not None and self.answers(reply) else self._out_of_order(reply)

    def stop(self) -> None:
        """Ends the server, politely first; a stopped process is continued for that. Blocks; nothing when none runs."""
        pid = self.pid()
        if pid is None or not self.is_ours(pid):
            return
        for number, seconds in self.ends:
            for sent in (number, signal.SIGCONT):
                with contextlib.suppress(OSError):
                    os.kill(pid, sent)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if not self.is_ours(pid) and not self._held():
                    return
                time.sleep(0.02)

    def running(self) -> bool:
        """Also when it is too busy, or stopped, to answer."""
        return self.alive() or self.reply() is not None

    def alive(self) -> bool:
        """Whether the noted process is there, and is this server."""
        pid = self.pid()
        return pid is not None and bool(self.is_ours(pid))

    def is_ours(self, pid: int) -> bool | None:
        """Whether the process with this number is this server; None: there is none.

        A number in a file that outlived a power cut may be any program's by now: that one is neither waited for nor
        signalled.
        """
        if pid <= 0:
            return None
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # a child of ours that has died is gone, not a zombie
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return self.named_by(" ".join(process.cmdline()))
        except psutil.AccessDenied:
            return True
        except psutil.Error:
            return None

    @contextlib.contextmanager
    def _taken(self) -> Iterator[int | None]:
        """The lock's open file, held until the block ends and by whoever inherits it; None when a server has it."""
        lock = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield lock
        finally:
            os.close(lock)  # not unlocked: that would take it from the server too

    def _held(self) -> bool:
        with self._taken() as lock:
            return lock is None

    def _out_of_order(self, reply: str | None) -> str:
        pid = self.pid()
        status = None
        if pid is not None and self.is_ours(pid):
            with contextlib.suppress(psutil.Error):
                status = psutil.Process(pid).status()
        else:
            pid = None
        who = f"the embedded {self.name}" + (f" (process {pid})" if pid is not None else "")
        if reply is not None:
            return (
                f"{who} runs but cannot work: {reply[:160]}. See {self.log}, and the room on the disk of {self.folder}"
            )
        if status == psutil.STATUS_STOPPED:
            return f"{who} is stopped and does not answer: `kill -CONT {pid}` lets it go on"
        if pid is None:
            return (
                f"{who} has not ended yet: a process that it left behind has {self.lock_file} open. Try again in a "
                f"while, or set {self.setting}"
            )
        return (
            f"{who} runs but does not answer: see {self.log}, and whether the machine or the disk of {self.folder} is "
            f"overloaded. `kill {pid}` ends it; `onsale serve`, or the next command, starts it again"
        )
