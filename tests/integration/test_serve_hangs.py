"""R2: web processes share a port. One that hangs is noticed, and another one takes its place; one that is merely busy
is left alone.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from cli.web_processes import STOP_SECONDS
from core.settings import Settings
from tests.http_client import HTTP
from tests.integration.onsale_process import Serving, alive, is_idle, serving
from tests.waits import PATIENCE, wait_until

# The interpreter imports this before the product: the product has no way to be wedged from outside.
WEDGE = """
import signal, time

def wedged(number, frame):
    time.sleep(3600)

signal.signal(signal.SIGUSR2, wedged)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hangs")


def pids(server: Serving) -> set[int]:
    return {process.pid for process in server.web_processes()}


def answers(server: Serving) -> bool:
    return HTTP.get(f"{server.url}/api/events").is_success


def channel(server: Serving, until: contextlib.ExitStack) -> ClientConnection:
    """A new visitor's open channel."""
    made = HTTP.post(f"{server.url}/api/visitors").raise_for_status().json()
    until.enter_context(contextlib.suppress(ConnectionClosed))
    opened = until.enter_context(
        connect(
            f"{server.url.replace('http', 'ws')}/ws/events/demo",
            additional_headers={"Authorization": f"Bearer {made['token']}"},
            open_timeout=PATIENCE,
        )
    )
    assert "welcome" in str(opened.recv(timeout=PATIENCE))
    return opened


def is_cut(channel: ClientConnection) -> bool:
    """Reads what has come. One that is open answers a ping; one of a dead process never does."""
    try:
        pong = channel.ping()
        while not pong.is_set():
            with contextlib.suppress(TimeoutError):
                channel.recv(timeout=0.1)
    except ConnectionClosed:
        return True
    return False


def by_age(server: Serving) -> list[psutil.Process]:
    """The web processes, the oldest first: of two it is one that serves, whatever became of the other."""
    return sorted(server.web_processes(), key=lambda one: one.create_time())


def is_with(process: psutil.Process, one: socket.socket) -> bool:
    """The process has taken this connection."""
    return any(taken.raddr == one.getsockname() for taken in process.net_connections("tcp"))


@pytest.fixture(scope="module")
def shop(home: Path, settings: Settings) -> Iterator[Serving]:
    """For the tests of this file, which may have its two web processes replaced, and can wedge them."""
    (home / "sitecustomize.py").write_text(WEDGE)
    given = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "ONSALE_DATA": str(home / "other"),
        "ONSALE_HANG_SECONDS": "3",
        "ONSALE_RATE_LIMITS": "off",
        "PYTHONPATH": str(home),
        "WORKERS": "2",
    }
    with serving(home, "--demo", **given) as server:
        yield server


@pytest.fixture
def pair(shop: Serving) -> Serving:
    """With both of its web processes, whatever the test before did to them."""
    wait_until(lambda: len(shop.web_processes()) == 2, "two web processes")
    return shop


def burst(address: tuple[str, int], processes: Sequence[psutil.Process]) -> list[int]:
    """How many of 300 connections that come at once each of the processes takes."""
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(socket.socket()) for _ in range(300)]
        ended = select.poll()
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(address)
            ended.register(one, select.POLLIN)
        ours = {one.getsockname() for one in crowd}
        # By their addresses: a process opens and closes files of its own meanwhile.
        taken: list[set[tuple[object, ...]]] = [set() for _ in processes]

        def all_are_seen() -> bool:
            for process, its in zip(processes, taken, strict=True):
                its.update(tuple(one.raddr) for one in process.net_connections("tcp") if tuple(one.raddr) in ours)
            # One that has said nothing is closed after ten seconds: the rest of such a burst is not waited for.
            return sum(map(len, taken)) == len(ours) or bool(ended.poll(0))

        wait_until(all_are_seen, "the last connection to be taken")
        return [len(its) for its in taken]


def test_a_burst_of_connections_goes_to_all_web_processes(pair: Serving) -> None:
    """300 at once went 287 to 13, and channels stay where they are for the rest of the sale.

    One of several: a process that the machine lets wait meanwhile has few of a burst, whatever the other leaves to it.
    """
    shares: list[list[int]] = []
    while not shares or min(shares[-1]) < 100:
        assert len(shares) < 10, shares
        shares.append(burst(("127.0.0.1", urlsplit(pair.url).port or 0), pair.web_processes()))


def test_a_stopped_web_process_is_replaced_and_its_buyers_come_back(pair: Serving) -> None:
    with contextlib.ExitStack() as until:
        first, second = pair.web_processes()
        channels: list[ClientConnection] = []

        def both_have_some() -> bool:
            # Which process takes a connection is the system's to say: none of twelve goes to one that has to wait.
            channels.append(channel(pair, until))
            return all(any(is_with(one, mine.socket) for mine in channels) for one in (first, second))

        wait_until(both_have_some, "channels at both of them")
        first.suspend()
        wait_until(lambda: first.pid not in pids(pair), "the end of the stopped process")
        wait_until(lambda: len(pair.web_processes()) == 2, "another in its place")
        assert f"(pid {first.pid}) hangs" in pair.errors
        assert second.pid in pids(pair)

        # Its buyers hear of it, because their connections are cut, and are served when they come back.
        cut = [one for one in channels if is_cut(one)]
        assert 0 < len(cut) < len(channels)
        for _ in cut:
            channel(pair, until)


def test_a_wedged_loop_is_replaced_and_its_stacks_are_logged(pair: Serving) -> None:
    with contextlib.ExitStack() as until:
        web, beside = by_age(pair)
        web.send_signal(signal.SIGUSR2)
        wait_until(lambda: web.pid not in pids(pair), "the end of the wedged process")
        assert "in wedged" in pair.errors
        wait_until(lambda: pids(pair) - {beside.pid}, "another in its place")
        another = by_age(pair)[-1]
        assert another.pid not in (web.pid, beside.pid)
        address = ("127.0.0.1", urlsplit(pair.url).port)

        mine: list[socket.socket] = []

        def reached() -> bool:
            # Which process takes a connection is the system's to say.
            mine.append(until.enter_context(socket.create_connection(address)))
            return is_with(another, mine[-1])

        wait_until(reached, "it to take a connection")
        mine[-1].settimeout(PATIENCE)
        mine[-1].sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert mine[-1].recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_process_that_drains_is_no_hanging_one(pair: Serving) -> None:
    """One that is asked to end lets its requests end: its silence is meant, however long it takes."""
    slow = (
        b"POST /ops/login HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 9\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"
    )
    with contextlib.ExitStack() as until:
        first, _ = by_age(pair)
        address = ("127.0.0.1", urlsplit(pair.url).port)

        def reached() -> bool:
            # One more each time: which process takes it is the system's to say. And this very one: a process may not
            # have noticed yet that those of the test before are closed.
            mine = until.enter_context(socket.create_connection(address))
            mine.settimeout(PATIENCE)
            mine.sendall(slow)
            assert mine.recv(100).startswith(b"HTTP/1.1 100 "), "its body is waited for"
            return is_with(first, mine)

        wait_until(reached, "a request to reach the one that will end")
        began = time.monotonic()
        first.terminate()
        wait_until(lambda: first.pid not in pids(pair), "the end of the one that was asked to end")
        assert time.monotonic() - began > 6, "it waited for the bodies that were to come"
        wait_until(lambda: len(pair.web_processes()) == 2, "another in its place")
        assert f"(pid {first.pid}) hangs" not in pair.errors


# The last one: it ends the server of the others.
def test_a_second_signal_ends_at_once(pair: Serving) -> None:
    """A web process that does not end by itself (stopped here) does not keep the operator waiting."""
    webs = pair.web_processes()
    webs[0].suspend()
    pair.process.send_signal(signal.SIGINT)
    wait_until(lambda: "once more" in pair.errors, "the announcement of the end")
    told = time.monotonic()
    assert pair.end(signal.SIGINT) == 0
    assert time.monotonic() - told < STOP_SECONDS, "it was waited for"
    assert not alive(webs)


def test_one_that_has_loaded_the_program_takes_the_place_of_one_that_ends(
    home: Path, addresses: dict[str, str]
) -> None:
    """R4: nobody waits for a program to load. One more waits then, and all end with `serve`."""
    settings = {**addresses, "ONSALE_DATA": str(home / "other"), "ONSALE_STANDBY": "on"}
    with serving(home, WORKERS="2", **settings) as server:
        wait_until(lambda: len(server.web_processes()) == 3 and server.waiting_processes(), "one more than serve")
        (waits,) = server.waiting_processes()
        first, second = (one for one in by_age(server) if one.pid != waits.pid)
        # Once it has loaded, it waits without computing.
        wait_until(lambda: is_idle(waits), "the end of its loading")
        first.kill()
        second.kill()
        # One that was killed may have taken the connection before it died.
        wait_until(lambda: answers(server), "an answer", despite=(httpx.HTTPError,))
        assert waits.is_running()
        wait_until(lambda: "web process 2" in server.errors, "the other one's end to be told")
        # The same one waits on, and both serve.
        wait_until(lambda: len(server.web_processes()) == 3, "both")
        assert not pids(server) & {first.pid, second.pid}
        assert waits.pid in pids(server)
        # It is no part of the service: when it is killed, nobody notices, and another one waits.
        waits.kill()
        # No connection is refused or broken; a store that a busy machine makes late is asked again.
        wait_until(lambda: answers(server), "an answer of the stores")
        wait_until(lambda: alive(server.waiting_processes()), "another one that waits")
        all_of_them = server.web_processes()
        assert {one.ppid() for one in all_of_them} == {server.process.pid}, "each end is told to who watches"
        assert server.end() == 0
    assert not alive(all_of_them)


# It takes the whole machine for itself: beside other tests it makes them late, and they make it late.
@pytest.mark.chaos
def test_busy_loops_replace_nothing(home: Path, addresses: dict[str, str]) -> None:
    """Eight processes that want all of the machine: ticks come late, and nobody is taken for hanging."""
    with serving(home, **addresses, WORKERS="2", ONSALE_DATA=str(home / "other"), ONSALE_HANG_SECONDS="5") as server:
        before = pids(server)
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
        try:
            time.sleep(8)
        finally:
            for one in busy:
                one.kill()
                one.wait()
        assert pids(server) == before
        assert "hangs" not in server.errors
