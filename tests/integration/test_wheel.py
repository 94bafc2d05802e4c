"""What the image is made of works by itself: the wheel of just the files that the Dockerfile copies, in an environment
made by the Dockerfile's own `uv sync`, away from the repository.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.main import get_command

from cli.main import app
from core.settings import Settings
from tests.integration.onsale_process import environment, see_off
from tests.waits import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
HALL = ROOT / "tests" / "data" / "riethsporthalle.json"
PRICES = ("--price", "Kategorie I=4500", "--price", "Kategorie II=3000", "--price", "VIP=12000")

# Every module of the wheel, so that none leans on a file that stays in the repository; then every command's help page.
_IMPORTS_AND_HELP = """
import importlib, pkgutil, sys
from typer.testing import CliRunner
for root in ("core", "realtime", "web", "cli"):
    for module in pkgutil.walk_packages(importlib.import_module(root).__path__, f"{root}."):
        if not module.name.startswith("core.migrations") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
assert importlib.util.find_spec("bench") is None and importlib.util.find_spec("tests") is None
from cli.main import app
for command in sys.stdin.read().splitlines():
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0 and "Usage:" in done.output, (command, done.output, done.exception)
    print(command)
"""


def commands() -> Iterator[str]:
    """Every command that a user can give, such as "messages dead list"; the groups too."""

    def below(command: Any, path: tuple[str, ...]) -> Iterator[str]:
        for name in list(getattr(command, "commands", {})):
            one = command.get_command(None, name)  # loads it
            if not one.hidden:
                yield " ".join((*path, name))
                yield from below(one, (*path, name))

    yield from below(get_command(app), ())


def build_stage() -> list[list[str]]:
    """The Dockerfile's instructions before its last FROM, each as its words."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stage = text[: text.rindex("\nFROM ")]
    return [shlex.split(line) for line in stage.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of that environment."""
    folder = tmp_path_factory.mktemp("image")
    uv = subprocess.run(
        [ROOT / "scripts" / "uv.sh", sys.executable], capture_output=True, text=True, check=True
    ).stdout.strip()
    variables = {
        **{name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")},
        "UV_PROJECT_ENVIRONMENT": str(folder / "environment"),
        "UV_PYTHON": sys.executable,
    }
    synced = 0
    for keyword, *words in build_stage():
        if keyword == "COPY" and not words[0].startswith("--"):
            for name in words[:-1]:
                source, target = ROOT / name, folder / name
                if source.is_dir():
                    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source, target)
        if keyword == "RUN":
            sync = [uv, *words[words.index("uv") + 1 :]]
            # The development environment came out of uv's cache too: no registry is needed unless that was emptied.
            for extra in (["--offline"], []):
                done = subprocess.run([*sync, *extra], cwd=folder, env=variables, capture_output=True, text=True)
                if done.returncode == 0:
                    break
            assert done.returncode == 0, done.stderr
            synced += 1
    assert synced == 2
    return folder / "environment" / "bin"


def run(installed: Path, *arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [installed / "onsale", *arguments],
        cwd=installed,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_every_module_and_every_help_page(installed: Path) -> None:
    wanted = list(commands())
    assert {"serve", "worker", "event create", "messages dead retry"} <= set(wanted)
    assert len(wanted) > 15
    done = subprocess.run(
        [installed / "python", "-c", _IMPORTS_AND_HELP],
        input="\n".join(wanted),
        cwd=installed,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:-1] == wanted


def test_commands_on_stores(installed: Path, settings: Settings) -> None:
    stores = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    slug = f"wheel-{os.getpid()}"
    assert run(installed, "--version").stdout.startswith("onsale ")
    assert run(installed, "plan", "check", HALL).returncode == 0
    made = run(
        installed, "event", "create", slug, "--plan", HALL, "--name", "Wheel", *PRICES, "--currency", "EUR", **stores
    )
    assert made.returncode == 0, made.stderr
    assert slug in run(installed, "event", "list", **stores).stdout
    diagnosed = run(installed, "diagnose", "--event", slug, **stores)
    assert diagnosed.returncode in (0, 1), diagnosed.stderr
    assert slug in diagnosed.stdout
    assert run(installed, "messages", "dead", "list", **stores).returncode == 0


def test_it_has_no_engines_and_says_so(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "event", "list", ONSALE_DATA=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "there is no embedded PostgreSQL in this installation: set DATABASE_URL" in line


def test_an_earlier_name_says_the_new_one(installed: Path) -> None:
    done = run(installed, "events", "dead", "retry", "7")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "run `onsale messages dead retry 7`" in line


def test_it_serves_its_pages(installed: Path, settings: Settings, tmp_path: Path) -> None:
    """Templates, style sheets, scripts and translations came along."""
    output, errors = tmp_path / "out", tmp_path / "err"
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            [installed / "onsale", "serve"],
            cwd=installed,
            env=environment(
                PORT="0",
                WORKERS="1",
                ONSALE_DATA=str(tmp_path),
                DATABASE_URL=settings.database_url,
                REDIS_URL=settings.redis_url,
            ),
            stdout=out,
            stderr=err,
        )
    try:
        wait_until(lambda: "Ctrl-C" in output.read_text() or process.poll() is not None, "the address of the server")
        found = re.search(r"runs at (http://\S+)", output.read_text())
        assert found, errors.read_text()
        with httpx.Client(base_url=found[1], headers={"accept-language": "ko"}, timeout=PATIENCE) as client:
            page = client.get("/", headers={"accept": "text/html"})
            assert page.status_code == 200
            assert 'lang="ko"' in page.text
            assets = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
            assert len(assets) >= 2
            assert {client.get(asset).status_code for asset in assets} == {200}
            assert client.get("/openapi.json").status_code == 200
    finally:
        see_off(process)
