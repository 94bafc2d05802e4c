"""The web server processes of `onsale serve`: started on one listening socket, watched, restarted, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cli.web_forks import Adopted, Waiting, can_adopt
from cli.web_ticks import LOOK_SECONDS, Listener, Silence
from core.errors import StartupError
from core.process.backoff import Backoff
from core.process.tasks import cancelled, first_of

# A process that has not answered after this long will not: migrations are done before it starts.
_START_SECONDS = 120.0

# The goodbyes of its channels, uvicorn's grace for requests, then the runtime's drain; a process still there after the
# first and this is killed.
STOP_SECONDS = 40.0

# A process that lived shorter than this is started again only after a pause that doubles each time.
_SHORT_LIFE_SECONDS = 10.0
_PAUSES = Backoff(first=1.0, longest=15.0)

# One that waits and is killed again and again (memory is short) serves nobody: it is loaded anew ever more seldom. It
# lives a while before that: it loads, and computes nothing until something else needs the memory.
_STANDBY_SHORT_LIFE_SECONDS = 60.0
_STANDBY_PAUSES = Backoff(first=10.0, longest=300.0)

# What a process that hangs is asked with for its stacks (cli/web_worker.py), and how long it has to write them.
STACKS_SIGNAL = signal.SIGUSR1
_STACKS_SECONDS = 1.0
# A process that was killed is gone at once, unless its machine's disk hangs.
_KILLED_SECONDS = 5.0


#: What was started from here, and what the one that waits has forked.
Child = asyncio.subprocess.Process | Adopted

#: What a web process writes to its `ready` pipe when it answers requests; anything else is why it cannot.
READY = "ready"


class _Loading:
    """A process that loads its modules, or has: it serves once it is told to."""

    def __init__(self, process: Child, listener: Listener, ready_read: int, go_write: int) -> None:
        self.process = process
        self.listener = listener
        self._ready_read = ready_read
        self._go_write = go_write

    async def serve(self) -> str:
        """Lets it serve; what it says then: `READY`, or why it cannot. Raises TimeoutError."""
        with contextlib.suppress(BrokenPipeError):  # it has ended: the other pipe says why
            os.write(self._go_write, b".")
        ready, self._ready_read = self._ready_read, -1
        async with asyncio.timeout(_START_SECONDS):
            return await _read_all(ready)

    def close(self) -> None:
        """Its pipes, but for the listener's: one that has not been told to serve ends by that."""
        for descriptor in (self._ready_read, self._go_write):
            if descriptor >= 0:
                os.close(descriptor)
        self._ready_read = self._go_write = -1

    def let_go(self) -> None:
        """All of its pipes."""
        self.close()
        self.listener.close()


class _Watched:
    """A process that has answered, and how long its loop has said nothing."""

    def __init__(self, process: Child, listener: Listener) -> None:
        self.process = process
        self.listener = listener
        self.silence = Silence()


class WebProcesses:
    """`start` waits until all answer, which they do once `go` was called: until then they load their modules. Then
    `watch` runs until cancelled; `stop` ends them all, whatever happened.

    `environment` is what the processes get; `say` prints one line for the operator. One whose loop stands still for
    `hang_seconds` is killed, and started again as any that ends (R2). A process that stops takes `goodbye_seconds` for
    its channels. With `standby` one more has loaded its modules and waits (R4): those that serve are forked from it
    where this machine lets us have them, elsewhere it takes the place of one that ends.
    """

    def __init__(
        self,
        count: int,
        listening: socket.socket,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        hang_seconds: float,
        goodbye_seconds: float = 0.0,
        *,
        standby: bool = False,
    ) -> None:
        self._count = count
        self._hang_seconds = hang_seconds
        self._goodbye_seconds = goodbye_seconds
        self._listening = listening
        self._environment = dict(environment)
        self._say = say
        self._processes: dict[int, Child] = {}
        # Those that have answered; `_starting` are those that have not yet.
        self._watched: dict[int, _Watched] = {}
        self._starting = 0
        self._wants_standby = standby
        self._forks = standby and can_adopt()
        self._standby: _Loading | Waiting | None = None
        self._go = asyncio.Event()
        # Never written to: a process reads end of file from it when this one is gone, however it went.
        self._alive_read, self._alive_write = os.pipe()

    def go(self) -> None:
        """What they need is there: the stores, and in them a schema of this release."""
        self._go.set()

    async def start(self) -> None:
        """Raises StartupError when one of them ends, or does not answer in time."""
        if self._forks:
            with contextlib.suppress(OSError):  # each is loaded by itself then, and tells what is wrong
                self._standby = await self._load_one_that_forks()
        try:
            async with asyncio.TaskGroup() as group:
                for index in range(self._count):
                    group.create_task(self._start_one(index))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def watch(self) -> None:
        """Starts again what ends, and ends what hangs."""
        watching = [self._end_what_hangs(), *(self._keep_running(index) for index in range(self._count))]
        await asyncio.gather(*watching, *([self._keep_standby()] if self._wants_standby else []))

    async def stop(self, hurry: asyncio.Event) -> None:
        """Asks all to end, waits for what is under way unless told to hurry, kills what is left."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        try:
            await self._end_standby()
            await first_of(self._all_ended(), hurry.wait(), timeout=STOP_SECONDS + self._goodbye_seconds)
        finally:
            for process in self._processes.values():
                if process.returncode is None:
                    await _kill(process)
            for index in list(self._watched):
                self._forget(index)
            os.close(self._alive_read)
            os.close(self._alive_write)

    async def _all_ended(self) -> None:
        for process in list(self._processes.values()):
            await process.wait()

    async def _start_one(self, index: int) -> None:
        self._starting += 1
        try:
            if (standby := await self._ready_made()) is not None:
                try:
                    await self._start_and_listen(index, standby)
                    return
                except StartupError:
                    # Killed together with the one whose place it takes, which nobody has noticed yet: that is no fault
                    # of this place, whose next process would begin after a pause.
                    self._forget_metrics(standby.process.pid)
                    if (standby.process.returncode or 0) >= 0:
                        raise
            await self._start_and_listen(index, await self._load())
        finally:
            self._starting -= 1

    async def _ready_made(self) -> _Loading | None:
        """One that has loaded its modules, forked or the one that waits itself; None where each has to load them."""
        standby = self._standby
        return await self._fork(standby) if isinstance(standby, Waiting) else self._take_standby()

    async def _fork(self, standby: Waiting) -> _Loading | None:
        """Also while it still loads: it forks as soon as it can, which is no later than another one could serve."""
        with contextlib.ExitStack() as kept, contextlib.ExitStack() as given:
            try:
                ticks_read, ticks_write = _pipe(kept, given)
                ready_read, ready_write = _pipe(kept, given)
                go_read, go_write = _pipe(given, kept)
                async with asyncio.timeout(_START_SECONDS):
                    process = await standby.fork(ready_write, ticks_write, go_read)
            except TimeoutError:
                await _kill(standby.process)  # it hangs: another one takes its place
                return None
            except OSError:
                return None
            except asyncio.CancelledError:
                # What it answers now would be taken for the answer to the next order.
                with contextlib.suppress(ProcessLookupError):
                    standby.process.kill()
                raise
            kept.pop_all()
        return _Loading(process, Listener(ticks_read), ready_read, go_write)

    async def _start_and_listen(self, index: int, loading: _Loading) -> None:
        try:
            await self._until_it_answers(index, loading)
            self._watched[index] = _Watched(loading.process, loading.listener)
        except BaseException:
            loading.listener.close()
            raise
        finally:
            loading.close()

    async def _load(self) -> _Loading:
        """A process that loads its modules from now on. Raises OSError when there is none to be had."""
        # Each pipe has an end that is kept and one that is given away; of one that cannot be made neither is left open.
        with contextlib.ExitStack() as kept, contextlib.ExitStack() as given:
            ticks_read, ticks_write = _pipe(kept, given)
            ready_read, ready_write = _pipe(kept, given)
            go_read, go_write = _pipe(given, kept)
            process = await self._begin(self._listening.fileno(), ready_write, self._alive_read, ticks_write, go_read)
            kept.pop_all()
        return _Loading(process, Listener(ticks_read), ready_read, go_write)

    async def _load_one_that_forks(self) -> Waiting:
        """Raises OSError when there is none to be had."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as kept, its:
            kept.enter_context(ours)
            process = await self._begin(self._listening.fileno(), self._alive_read, its.fileno())
            kept.pop_all()
        return Waiting(process, ours)

    async def _begin(self, *inherited: int) -> asyncio.subprocess.Process:
        # A session of its own: Ctrl-C in the terminal reaches `onsale serve` only, which ends them in order.
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cli.web_worker",
            *map(str, inherited),
            env=self._environment,
            pass_fds=inherited,
            start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL,
        )

    async def _until_it_answers(self, index: int, loading: _Loading) -> None:
        """Raises StartupError."""
        process = self._processes[index] = loading.process
        # One that has ended meanwhile is told of at once, not after everything that the others wait for.
        await first_of(self._go.wait(), process.wait())
        try:
            said = await loading.serve()
        except TimeoutError:
            process.kill()
            raise StartupError(f"web process {index + 1} did not start within {_START_SECONDS:.0f} s") from None
        if said != READY:
            code = await process.wait()
            raise StartupError(said or f"web process {index + 1} could not start ({_ending(code)})")

    async def _keep_standby(self) -> None:
        """Loaded only while all serve: those that buyers wait for have the machine to themselves."""
        short_lives = refused = 0
        began = time.monotonic()
        while not cancelled():
            await asyncio.sleep(LOOK_SECONDS)
            standby = self._standby
            if standby is not None and (code := standby.process.returncode) is not None:
                short_lives = short_lives + 1 if time.monotonic() - began < _STANDBY_SHORT_LIFE_SECONDS else 0
                pause = _STANDBY_PAUSES.seconds(short_lives)
                self._say(
                    f"the web process that waits (pid {standby.process.pid}) ended ({_ending(code)}): "
                    f"another one in {pause:.0f} s"
                )
                await self._end_standby()
                await asyncio.sleep(pause)
            elif standby is None and not self._starting and len(self._watched) == self._count:
                began = time.monotonic()
                try:
                    self._standby = await (self._load_one_that_forks() if self._forks else self._load())
                    refused = 0
                except OSError as error:
                    refused += 1
                    if refused == 1:
                        self._say(f"no web process waits ({error.strerror or error}): tried again until there is one")
                    await asyncio.sleep(_STANDBY_PAUSES.seconds(refused))

    def _take_standby(self) -> _Loading | None:
        standby = self._standby
        if not isinstance(standby, _Loading) or standby.process.returncode is not None:
            return None
        self._standby = None
        return standby

    async def _end_standby(self) -> None:
        standby, self._standby = self._standby, None
        if standby is None:
            return
        standby.let_go()
        await _kill(standby.process)
        self._forget_metrics(standby.process.pid)

    async def _keep_running(self, index: int) -> None:
        short_lives = 0
        while not cancelled():
            process, began = self._processes[index], time.monotonic()
            code = await process.wait()
            self._forget(index)
            self._forget_metrics(process.pid)
            short_lives = short_lives + 1 if time.monotonic() - began < _SHORT_LIFE_SECONDS else 0
            pause = _PAUSES.seconds(short_lives) if short_lives else 0.0
            again = f"again in {pause:.0f} s" if pause else "started again"
            self._say(f"web process {index + 1} (pid {process.pid}) ended ({_ending(code)}): {again}")
            await asyncio.sleep(pause)
            # Its end is noticed by the next turn of the loop; so is that there was no process to be had.
            with contextlib.suppress(StartupError, OSError):
                await self._start_one(index)

    async def _end_what_hangs(self) -> None:
        """Kills a process whose loop has stood still: one at a time, and none while another one is being started."""
        while not cancelled():
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            for one in self._watched.values():
                one.silence.look(now, heard=one.listener.heard())
            hanging = [
                (one.silence.seconds, index)
                for index, one in self._watched.items()
                # Its end of the pipe is closed while it drains: then silence is meant.
                if one.silence.seconds >= self._hang_seconds and not one.listener.over
            ]
            if hanging and not self._starting:
                await self._end_hanging(max(hanging)[1])

    async def _end_hanging(self, index: int) -> None:
        one = self._watched[index]
        self._say(
            f"web process {index + 1} (pid {one.process.pid}) hangs: its loop has stood still for "
            f"{one.silence.seconds:.0f} s. Its stacks follow, unless it was stopped; then it is killed"
        )
        with contextlib.suppress(ProcessLookupError):
            one.process.send_signal(STACKS_SIGNAL)
            await asyncio.sleep(_STACKS_SECONDS)
        # Not watched any more: `_keep_running` has it from here.
        if self._watched.get(index) is one:
            self._forget(index)
        await _kill(one.process)

    def _forget(self, index: int) -> None:
        watched = self._watched.pop(index, None)
        if watched is not None:
            watched.listener.close()

    def _forget_metrics(self, pid: int) -> None:
        folder = self._environment.get("PROMETHEUS_MULTIPROC_DIR")
        if folder and Path(folder).is_dir():
            from prometheus_client import multiprocess  # here: with one process there is nothing to forget

            multiprocess.mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    """Its two ends, each closed with whose it is."""
    read, write = os.pipe()
    reader.callback(os.close, read)
    writer.callback(os.close, write)
    return read, write


async def _kill(process: Child) -> None:
    """Also one that was killed before; gone when this returns, or its machine's disk hangs."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_KILLED_SECONDS):
            await process.wait()


async def _read_all(descriptor: int) -> str:
    """What is written to a pipe before its last writer closes it; closes it as well."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
        try:
            return (await reader.read()).decode(errors="replace")
        finally:
            transport.close()


def _ending(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
