"""`onsale` as a user runs it: a process of its own, with an environment of its own."""

from __future__ import annotations

import gc
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from cli.main import run
from cli.web_forks import WAITS
from core.settings import Settings, variable_name
from tests.own_logs import logs_as_before
from tests.waits import PATIENCE, wait_until

#: Several installations of the tests share a database, and a database knows one key (R10).
SECRET_KEY = "the-key-of-what-tests-start"


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without any setting of Onsale, and the given ones besides a signing key and a played
    payment provider. No process waits to take another's place: tests count those that serve.
    """
    ours = {variable_name(name) for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    ours_here = {
        "ONSALE_SECRET_KEY": SECRET_KEY,
        "ONSALE_PAYMENT": "simulator",
        "ONSALE_RETURN_SECONDS": "0",
        "ONSALE_STANDBY": "off",
    }
    return {**kept, "COLUMNS": "200", "NO_COLOR": "1", **ours_here, **settings}


def onsale(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def onsale_here(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """The same within this process: a process of its own spends seconds on loading when the machine is busy."""
    output, errors = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with (
        logs_as_before(),
        mock.patch.dict(os.environ, environment(**settings), clear=True),
        mock.patch.object(sys, "argv", ["onsale", *map(str, arguments)]),
        # `onsale serve` that is refused nothing becomes another program: it would take the tests with it.
        mock.patch.object(os, "execv", side_effect=AssertionError("run it as a process of its own")),
        redirect_stdout(output),
        redirect_stderr(errors),
    ):
        code: str | int | None = 0
        # What earlier tests left behind ends at some collection, and may have something to say: not among these lines.
        gc.freeze()
        try:
            run()
        except SystemExit as ended:
            code = ended.code
        finally:
            gc.unfreeze()
            for number, handler in handlers.items():
                signal.signal(number, handler)
    assert code is None or isinstance(code, int)
    return subprocess.CompletedProcess(arguments, code or 0, output.getvalue(), errors.getvalue())


class Serving:
    """A running `onsale serve`, its output in files."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, errors: Path) -> None:
        self.process = process
        self._output = output
        self._errors = errors

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    @property
    def url(self) -> str:
        found = re.search(r"runs at (http://\S+)", self.output)
        assert found, self.output
        return found[1]

    @property
    def token(self) -> str:
        found = re.search(r"operator token\s+(\S+)", self.output)
        assert found, self.output
        return found[1]

    def web_processes(self) -> list[psutil.Process]:
        found = []
        for pid in _children(self.process.pid):
            with suppress(psutil.NoSuchProcess):  # ended just now
                child = psutil.Process(pid)
                if "cli.web_worker" in child.cmdline():
                    found.append(child)
        return found

    def waiting_processes(self) -> list[psutil.Process]:
        """Those of the web processes that have loaded the program and wait to take another's place."""
        found = []
        for process in self.web_processes():
            with suppress(psutil.NoSuchProcess):
                if process.name() == WAITS:
                    found.append(process)
        return found

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Sends the signal and waits; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(folder: Path, *arguments: str, **settings: str) -> Iterator[Serving]:
    """Starts `onsale serve` on a free port and waits until it has said where; it ends with the block."""
    # A demonstration needs no provider to be named.
    settings = {"ONSALE_PAYMENT": "", **settings} if "--demo" in arguments else settings
    output, errors = folder / f"out-{time.monotonic_ns()}", folder / f"err-{time.monotonic_ns()}"
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", *arguments],
            env=environment(**{"PORT": "0", **settings}),
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    running = Serving(process, output, errors)
    try:
        wait_until(lambda: "Ctrl-C" in running.output or process.poll() is not None, "the address of the server")
        assert process.poll() is None, running.errors
        yield running
    finally:
        see_off(process)


def _children(pid: int) -> list[int]:
    """Tests look at them ten times a second, and psutil would read each process of the machine each time."""
    try:
        threads = Path(f"/proc/{pid}/task").iterdir()
        return sorted(int(child) for thread in threads for child in (thread / "children").read_text().split())
    except OSError:  # a kernel without that list, or a thread that has just ended
        return [child.pid for child in psutil.Process(pid).children()]


def processes_with(text: str) -> list[psutil.Process]:
    """Processes whose command line contains the text, such as a data folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(text in part for part in process.info["cmdline"] or ()):
            found.append(process)
    return found


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended. Each may end while it is looked at."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def is_idle(process: psutil.Process) -> bool:
    """It has loaded something, and now waits without computing; not one that the machine lets wait."""
    before = process.cpu_times().user
    time.sleep(0.5)
    return before > 0.3 and process.status() == psutil.STATUS_SLEEPING and process.cpu_times().user == before


def see_off(process: subprocess.Popen[Any]) -> None:
    """Ends it in order, or not; gone when this returns."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
