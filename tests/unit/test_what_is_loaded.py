"""What a process loads before it does anything: loading is most of the time until the first answer (R7, E1)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.lazy_commands import LazyCommand
from cli.main import COMMANDS

ROOT = Path(__file__).parents[2]

#: Libraries and rooms that take a tenth of a second or more each, or lead to those that do.
HEAVY = (
    "alembic",
    "aiokafka",
    "asyncpg",
    "core.database",
    "core.notifications.composition",
    "core.payments.payments",
    "core.runtime",
    "databases",
    "httpx",
    "jinja2",
    "portone_server_sdk",
    "realtime",
    "redis",
    "sqlalchemy",
    "starlette",
    "stripe",
    "uvicorn",
    "web",
)


def loaded_by(statement: str) -> set[str]:
    """Names of the modules that a new interpreter has after it."""
    told = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        cwd=ROOT,
        # Its own modules, where coverage is measured.
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(told.stdout.split())


def test_the_command_line_loads_no_command() -> None:
    loaded = loaded_by("import cli.main")
    assert loaded.isdisjoint(HEAVY)
    assert loaded.isdisjoint(command.module for command in COMMANDS)
    assert "core.settings" not in loaded


#: All of the product that is there beside a sale's web processes, for as long as they are.
WATCHING = {
    "cli",
    "cli.ends",
    "cli.handover",
    "cli.preparation",
    "cli.say",
    "cli.serving",
    "cli.web_forks",
    "cli.web_processes",
    "cli.web_ticks",
    "core",
    "core.data_folder",
    "core.embedded",
    "core.embedded.engine",
    "core.embedded.installation",
    "core.embedded.postgres",
    "core.embedded.valkey",
    "core.errors",
    "core.process",
    "core.process.backoff",
    "core.process.tasks",
}


def test_who_watches_the_web_processes_has_imported_nothing_of_the_product() -> None:
    """But what starts processes and engines: it is there for as long as they are, and has a sixth of their memory."""
    loaded = loaded_by("import cli.serving")
    assert {name for name in loaded if name.split(".")[0] in ("cli", "core", "realtime", "web")} == WATCHING
    others = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"__main__", "cli", "core"}
    assert {name for name in others if not name.startswith("_")} == {"psutil"}


def test_who_decides_how_to_serve_loads_nothing_that_only_web_processes_need() -> None:
    assert loaded_by("import cli.main, cli.serve").isdisjoint(HEAVY)


def test_a_web_process_loads_no_provider_that_is_not_chosen() -> None:
    """PortOne's SDK alone was a third of a web process's start; the simulator plays PortOne without it."""
    loaded = loaded_by("import cli.web_server, web.server")
    assert {"web.app", "core.runtime.opening", "web.paysim.portone"} <= loaded
    assert loaded.isdisjoint({"portone_server_sdk", "stripe", "alembic", "PIL"})


def test_the_beginning_of_a_web_process_loads_nothing() -> None:
    """What comes before the collector is stopped is loaded with it."""
    assert loaded_by("import cli.web_worker").isdisjoint({*HEAVY, "pydantic", "cli.web_server"})


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.name)
def test_a_command_is_told_of_in_its_own_words(command: LazyCommand) -> None:
    loaded = command.load()
    assert loaded.name == command.name
    assert " ".join(loaded.help.split("\n\n")[0].split()) == command.help
