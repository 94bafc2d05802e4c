"""`onsale serve`: start, several processes, restart, orderly end; each thing that can be wrong is one line."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.http_client import HTTP
from tests.integration.onsale_process import (
    Serving,
    alive,
    environment,
    is_idle,
    onsale,
    onsale_here,
    processes_with,
    serving,
)
from tests.waits import PATIENCE, wait_until

HALL = Path(__file__).parents[1] / "data" / "riethsporthalle.json"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short: the path of PostgreSQL's socket may have 107 bytes."""
    return tmp_path_factory.mktemp("serve")


def events_of(server: Serving) -> list[str]:
    body = HTTP.get(f"{server.url}/api/events").raise_for_status().json()
    return [event["slug"] for event in body["events"]]


def answers(server: Serving) -> bool:
    try:
        return HTTP.get(f"{server.url}/api/events", timeout=5).is_success
    except httpx.HTTPError:
        return False


def has_settings(process: psutil.Process) -> bool:
    """Whether it has loaded pydantic's compiled part, by which settings are read."""
    return any("pydantic_core" in one.path for one in process.memory_maps())


def test_the_whole_life_of_an_embedded_installation(home: Path) -> None:
    """As `make run`: demonstration sale, two web processes, one killed and replaced, Ctrl-C; then again on its data.

    R10: not with another signing key until it is adopted, since two keys refuse each other's visitors and tickets.
    """
    data = home / "data"
    settings = {"ONSALE_DATA": str(data), "WORKERS": "2", "ONSALE_SECRET_KEY": ""}
    with serving(home, "--demo", **settings) as server:
        assert events_of(server) == ["demo"]
        assert f"{server.url}/events/demo" in server.output
        assert "payment         SIMULATED: no money moves" in server.output, "P5: said at the start"
        page = HTTP.get(f"{server.url}/events/demo")
        assert page.status_code == 200
        assert "server" not in page.headers
        for name in ("secret_key", "operator_token"):
            assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
        # PostgreSQL's own user has to pass through it where we are root; nobody else reads it.
        assert stat.S_IMODE(data.stat().st_mode) & 0o066 == 0
        assert "warning" not in server.errors
        assert server.token == (data / "operator_token").read_text().strip()

        # A command beside the running server works on the same engines.
        prices = ("--price", "Kategorie I=1", "--price", "Kategorie II=2", "--price", "VIP=3")
        made = onsale("event", "create", "hall", "--plan", HALL, *prices, **settings)
        assert made.returncode == 0, made.stderr
        assert sorted(events_of(server)) == ["demo", "hall"]

        first, second = server.web_processes()
        # E1: who watches them has become a program without settings, long before they serve (cli/handover.py).
        assert {has_settings(first), has_settings(second)} == {True}
        assert not has_settings(psutil.Process(server.process.pid))
        first.kill()
        wait_until(
            lambda: first.pid not in [one.pid for one in server.web_processes()], "the end of the killed process"
        )
        wait_until(lambda: len(server.web_processes()) == 2, "a new web process")
        assert second.is_running()
        wait_until(lambda: answers(server), "an answer after the restart")
        assert "SIGKILL" in server.errors

        # What is refused loads its web processes beside what refuses it: one will do.
        settings["WORKERS"] = "1"
        other_key = settings | {"ONSALE_SECRET_KEY": "another key of the hall"}
        refused = onsale_here("worker", **other_key)
        assert refused.returncode == 1
        assert "onsale keys adopt" in refused.stderr.splitlines()[-1]

        children = psutil.Process(server.process.pid).children(recursive=True)
        engines = processes_with(str(data))
        assert len(engines) >= 2
        token = server.token
        assert server.end(signal.SIGINT) == 0
        assert "Traceback" not in server.errors
    assert alive([*children, *engines, *processes_with(str(data))]) == []

    assert "another signing key" in one_line(other_key | {"PORT": "0"}, run=onsale)
    for said in ("from now on", "already"):
        adopted = onsale_here("keys", "adopt", **other_key)
        assert adopted.returncode == 0, adopted.stderr
        assert said in adopted.stdout

    data.chmod(0o755)
    with serving(home, "--demo", **other_key, SMTP_URL="smtp://mail:1025") as again:
        assert sorted(events_of(again)) == ["demo", "hall"]
        assert "operator token" not in again.output, "it was shown when it was made, once"
        assert (data / "operator_token").read_text().strip() == token
        assert f"chmod 700 {data}" in again.errors
        assert "ONSALE_BASE_URL" in again.errors, "a mail catcher next door: only a warning"
        assert again.end(signal.SIGTERM) == 0
    assert alive(processes_with(str(data))) == []
    assert "another signing key" in onsale("serve", PORT="0", **settings).stderr


def new_ones(server: Serving, known: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in server.web_processes() if one not in known]


@pytest.mark.parametrize("moment", ["loading", "idle"])
def test_web_processes_end_with_a_serve_that_was_killed(home: Path, addresses: dict[str, str], moment: str) -> None:
    """`kill -9` of the parent leaves no orphan that holds the port, also not the one that waits (R2, R4)."""
    with serving(home, **addresses, ONSALE_DATA=str(home / "other"), ONSALE_STANDBY="on") as server:
        wait_until(lambda: len(server.web_processes()) == 2 and server.waiting_processes(), "one more than serves")
        web = server.web_processes()
        (waits,) = server.waiting_processes()
        if moment == "loading":
            # Another one, since this one has loaded already; it loads no further before `serve` is gone.
            waits.kill()
            wait_until(lambda: new_ones(server, web), "another one")
            (waits,) = new_ones(server, web)
            waits.suspend()
            web = server.web_processes()
        else:
            wait_until(lambda: is_idle(waits), "the end of its loading")
        port = urlsplit(server.url).port
        server.process.kill()
        server.process.wait()
        if moment == "loading":
            assert waits.is_running()
            waits.resume()
        wait_until(lambda: alive(web) == [], "the end of both")
        socket.create_server(("127.0.0.1", port or 0)).close()


def one_line(settings: dict[str, str], run: Callable[..., subprocess.CompletedProcess[str]] = onsale_here) -> str:
    done = run("serve", **settings)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("onsale: ")
    return line


def test_a_port_in_use_is_named(home: Path, addresses: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = one_line({"PORT": port, "ONSALE_DATA": str(home / "unused"), **addresses})
    assert f"port {port} is in use" in line
    assert "PORT" in line
    assert not (home / "unused").exists()


def test_a_sale_without_a_payment_provider_is_refused(home: Path, addresses: dict[str, str]) -> None:
    """Nobody sells tickets for played money because a setting was forgotten."""
    line = one_line({"PORT": "0", "ONSALE_DATA": str(home / "unused"), **addresses, "ONSALE_PAYMENT": ""})
    assert "ONSALE_PAYMENT is not set" in line
    assert "simulator" in line
    assert not (home / "unused").exists()


def test_a_broken_data_folder_is_named(home: Path) -> None:
    file = home / "file"
    file.write_text("")
    line = one_line({"PORT": "0", "ONSALE_DATA": str(file)})
    assert f"data folder {file}" in line
    assert "ONSALE_DATA" in line


def test_a_broken_secret_is_named(home: Path, addresses: dict[str, str]) -> None:
    data = home / "broken-secret"
    data.mkdir()
    (data / "secret_key").write_text("\n")
    assert "secret_key" in one_line({"PORT": "0", "ONSALE_DATA": str(data), "ONSALE_SECRET_KEY": "", **addresses})


@pytest.mark.parametrize("name", ["ONSALE_SECRET_KEY", "ONSALE_OPERATOR_TOKEN"])
def test_a_secret_that_can_be_guessed_is_refused(home: Path, addresses: dict[str, str], name: str) -> None:
    line = one_line({"PORT": "0", "ONSALE_DATA": str(home / "unused"), **addresses, name: "fifteen letters"})
    assert f"{name} has 15 characters" in line
    assert "fifteen letters" not in line


def test_mail_that_leaves_needs_links_and_a_sender_that_exist(home: Path, addresses: dict[str, str]) -> None:
    """R10: twenty thousand tickets with links to the reader's own machine cannot be called back."""
    mail = {"PORT": "0", "ONSALE_DATA": str(home / "unused"), **addresses, "SMTP_URL": "smtp://u:pw@mail.hall.test:587"}
    line = one_line(mail)
    assert "mail.hall.test" in line
    assert "ONSALE_BASE_URL" in line
    assert "ONSALE_MAIL_FROM" in line
    assert "pw" not in line
    assert not (home / "unused").exists()


def test_unreachable_stores_are_named(home: Path, addresses: dict[str, str]) -> None:
    settings = {"PORT": "0", "ONSALE_DATA": str(home / "unused-too"), **addresses}
    line = one_line(settings | {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}, run=onsale)
    assert "check DATABASE_URL" in line
    assert "secret" not in line
    line = one_line(settings | {"REDIS_URL": "redis://:secret@127.0.0.1:1/0"}, run=onsale)
    assert "check REDIS_URL" in line
    assert "secret" not in line


def test_an_address_of_another_machine_is_named(home: Path, addresses: dict[str, str]) -> None:
    line = one_line({"PORT": "0", "ONSALE_HOST": "203.0.113.9", "ONSALE_DATA": str(home / "unused"), **addresses})
    assert "ONSALE_HOST" in line


def test_what_the_application_refuses_at_start_is_one_line(home: Path, addresses: dict[str, str]) -> None:
    """A reason that only a web process finds comes out of `onsale serve`."""
    settings = {"PORT": "0", "WORKERS": "2", "ONSALE_DATA": str(home / "other"), **addresses}
    line = one_line(settings | {"ONSALE_PAYMENT": "piggybank"}, run=onsale)
    assert "piggybank" in line


@pytest.mark.parametrize("moment", ["postgres", "postgres/postmaster.pid", "valkey"])
def test_a_start_that_is_interrupted_leaves_nothing_behind(home: Path, moment: str) -> None:
    """Ctrl-C in the terminal reaches initdb and pg_ctl too: no stray server, no half-made data folder."""
    data = home / f"interrupted-{moment.replace('/', '-')}"
    with (home / "interrupted.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve"],
            env=environment(PORT="0", ONSALE_DATA=str(data)),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    wait_until(lambda: (data / moment).exists(), f"{moment} in the data folder")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) in (0, 130)
    assert "Traceback" not in (home / "interrupted.log").read_text()
    assert alive(processes_with(str(data))) == []
    made = onsale_here("migrate", ONSALE_DATA=str(data))
    assert made.returncode == 0, made.stderr
    listed = onsale_here("event", "list", ONSALE_DATA=str(data))
    assert (listed.returncode, listed.stdout[:13]) == (0, "no events yet"), listed.stderr
