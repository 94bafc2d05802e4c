"""Every step of docs/runbook.md is run, in order, against a live demonstration server (S33)."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.debian_tools import ROOT
from tests.integration.onsale_process import Serving, environment, onsale_here, serving
from tests.payment_servers import through_window
from tests.sale_server import answered
from tests.waits import PATIENCE

TEXT = (ROOT / "docs" / "runbook.md").read_text()
BLOCKS = re.findall(r"^```sh( run)?\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
STEPS = [command for marked, command in BLOCKS if marked]
EMAIL = "buyer@example.com"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rb")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Serving]:
    # Nobody's browser is there to beat while the steps are run.
    with serving(folder, "--demo", ONSALE_DATA=str(folder / "data"), ONSALE_ACTIVE_GRACE_SECONDS="900") as running:
        yield running


@pytest.fixture(scope="module")
def case(server: Serving, folder: Path) -> dict[str, str]:
    """The environment of the one who was woken: a buyer with a ticket, and another who holds a seat."""
    at = "/api/events/demo"
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        enter(client)
        answered("POST", f"{at}/holds", client=client, json={"seats": [10]})
        ordered = answered(
            "POST", f"{at}/reservations", client=client, json={"email": EMAIL}, headers={"Idempotency-Key": "one"}
        )
        asyncio.run(pay(server, ordered.json()["payment"]))
        ended = reservation(client, ordered.headers["location"])
        assert ended["status"] == "CONFIRMED"
        holder = enter(client)
        answered("POST", f"{at}/holds", client=client, json={"seats": [12]})
    return environment(
        ONSALE_DATA=str(folder / "data"),
        URL=server.url,
        # As the server's own environment has it where the provider is a real one.
        ONSALE_SIMULATOR_URL=f"{server.url}/paysim",
        EVENT="demo",
        TOKEN=server.token,
        VISITOR=holder,
        SEAT="12",
        RESERVATION=ended["id"],
        EMAIL=EMAIL,
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    )


def enter(client: httpx.Client) -> str:
    """A new visitor, let in; the client speaks for it from now on."""
    made = answered("POST", "/api/visitors", client=client).json()
    client.headers["Authorization"] = f"Bearer {made['token']}"
    assert answered("POST", "/api/events/demo/queue", client=client, json={}).json()["state"] == "active"
    return str(made["visitor"])


async def pay(server: Serving, payment: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as browser:
        await through_window(browser, payment)


def reservation(client: httpx.Client, location: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while True:
        body: dict[str, Any] = answered("GET", location, client=client).json()
        if body["status"] != "PAYING":
            return body
        assert time.monotonic() < deadline
        time.sleep(0.1)


def run(step: str, case: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As it is written. A plain `onsale ...` runs in this process: one of its own loads for seconds, a dozen times."""
    words = shlex.split(step)
    if step.startswith("onsale ") and step.count("\n") == 1 and not {"|", ">", "&&"} & set(words):
        return onsale_here(*(re.sub(r"\$(\w+)", lambda name: case[name[1]], word) for word in words[1:]), **case)
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", step], env=case, capture_output=True, text=True, timeout=PATIENCE
    )


def test_every_step_of_the_runbook_works(case: dict[str, str]) -> None:
    assert len(STEPS) > 20
    for step in STEPS:
        done = run(step, case)
        assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"
        assert done.stdout or step.startswith("export "), f"says nothing: {step}"
        assert "Traceback" not in done.stderr, step


def test_each_section_has_a_step_that_is_run() -> None:
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
    assert len(sections) > 9
    for section in sections:
        assert "```sh run\n" in section, section.splitlines()[0]


def test_what_is_not_run_names_services_that_there_are() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    unmarked = [line for marked, block in BLOCKS if not marked for line in block.splitlines()]
    assert unmarked
    for line in unmarked:
        words = [word for word in line.partition("|")[0].split()[3:] if re.fullmatch(r"[a-z]+[12]?", word)]
        named = words[:1] if line.startswith("docker compose exec ") else words
        assert line.startswith("docker compose "), line
        assert set(named) <= set(services), line
