"""Real engines for every test: one embedded PostgreSQL and Valkey a test run, an event of its own a test."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import json
import os
import secrets
import signal
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import hypothesis
import pytest
import structlog
from xdist.scheduler import LoadFileScheduling

from core.embedded import Engines, engines
from core.errors import StartupError
from core.payments import breaker_redis
from core.process.cycle_collector import freeze_startup_objects
from core.runtime import Runtime, open_runtime
from core.schema_postgres import migrate
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from tests.kafka_broker import RunningKafka, kafka
from tests.kept_pools import kept_pools
from tests.memory_folder import use_memory
from tests.own_database import emptied
from tests.own_logs import logs_as_before
from tests.waits import PATIENCE, until

# Tests start hundreds of processes: without kept bytecode each of them compiles all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Where it is installed, structlog draws an exception by `rich`: half a second of a core for each that a test provokes.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

# An example that took long says that the machine is busy, not that the rule is wrong.
hypothesis.settings.register_profile(
    "onsale", hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("onsale")
hypothesis.settings.register_profile(
    "quick",
    deadline=None,
    max_examples=15,
    stateful_step_count=15,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    with logs_as_before():
        yield


def pytest_configure() -> None:
    # A shell's run in the background ignores Ctrl-C, and so would the servers that tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    use_memory()
    # Each client of httpx reads the machine's certificates, and PortOne's SDK is twelve clients: a third of a second.
    mock.patch("httpx._transports.default.create_ssl_context", functools.cache(httpx.create_ssl_context)).start()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Each process of a run loads its share of the test files first, and leaves their bytecode to the others.

    Else all of them compile all files of a fresh clone at the same time, nine seconds of a core each.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None and session.config.option.numprocesses:
        return  # it collects nothing itself
    # Of what is made while the tests are collected nothing is garbage: looking for it took a sixth of the time.
    gc.disable()
    if worker is None:
        return
    given = [session.config.rootpath / argument.partition("::")[0] for argument in session.config.args]
    files = sorted({file for path in given for file in (path.glob("**/test_*.py") if path.is_dir() else [path])})
    for file in files[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        # What is wrong with it is told when it is collected.
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(file.relative_to(session.config.rootpath).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """From here on as in a process of the product: thousands of modules and tests are looked at no more."""
    freeze_startup_objects()


#: How long each whole test file took the last time it ran here, for `scripts/touched_tests.py`.
SECONDS = Path(__file__).parent.parent / ".cache" / "test_seconds.json"
_seconds: dict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid.split("::")[0]] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    parts_of_files = config.option.keyword or config.option.collectonly or any("::" in name for name in config.args)
    if hasattr(config, "workerinput") or parts_of_files or not _seconds:
        return
    known = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}
    SECONDS.parent.mkdir(exist_ok=True)
    SECONDS.write_text(json.dumps(known | {path: round(took, 1) for path, took in _seconds.items()}, indent=1))


#: Each process that runs one of these starts a Kafka: they go to one.
WITH_KAFKA = ("test_kafka.py", "test_kafka_replay.py", "test_deployment.py", "test_diagnose.py")
_KAFKA = "with Kafka"
#: Of all that take more than a hundredth of a run, what takes longest first: one that begins late ends alone.
LONGEST = (
    "tests/integration/test_bench.py",
    _KAFKA,
    "tests/e2e/test_nothing_moves.py",
    "tests/integration/test_serve.py",
    "tests/e2e/test_accessibility.py",
    "tests/e2e/test_console.py",
    "tests/integration/test_serve_hangs.py",
    "tests/e2e/test_purchase.py",
    "tests/integration/test_seat_machine.py",
    "tests/integration/test_wheel.py",
    "tests/e2e/test_outages.py",
    "tests/e2e/test_payment_window.py",
    "tests/integration/test_cli.py",
    "tests/contract/test_documented.py",
    "tests/e2e/test_modules.py",
    "tests/integration/test_rush.py",
    "tests/integration/test_code_import.py",
    "tests/integration/test_waiting_list.py",
)


class Files(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A process takes a whole file at a time, the longest first, so that the processes of a run end together.

    Every other process takes those with a browser first: they want all of a core, while the others mostly wait for what
    must happen. Each process that has one of them starts a browser and a server.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return _KAFKA if file.endswith(WITH_KAFKA) else file

    def _assign_work_unit(self, node: Any) -> None:
        browsers = self.nodes.index(node) % 2 == 1
        liked = [file for file in self.workqueue if file.startswith("tests/e2e/") == browsers]
        long = [file for file in LONGEST if file in (liked or self.workqueue)]
        if first := [*long, *liked][:1]:
            self.workqueue.move_to_end(first[0], last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return Files(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Twice as many as there are cores: they keep the cores busy, and more of them only wait for each other."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def data_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="onsale-test-") as folder:
        yield Path(folder)


_ENGINES = pytest.StashKey[Engines]()
_USED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def started_engines(data_folder: Path, pytestconfig: pytest.Config) -> Iterator[Engines]:
    """PostgreSQL and Valkey, real but not waiting for the disk."""
    with engines(Settings.load(data=data_folder), durable=False) as started:
        pytestconfig.stash[_ENGINES] = started
        yield started


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    if "started_engines" in getattr(item, "fixturenames", ()):
        item.config.stash[_USED] = True


@pytest.fixture(scope="module", autouse=True)
def books_of_this_file(pytestconfig: pytest.Config) -> None:
    """A test file finds none of the sales, payments and keys of the file before it, whichever that was."""
    if pytestconfig.stash.get(_USED, False):
        with ThreadPoolExecutor(1) as beside:  # this thread may have a loop
            beside.submit(asyncio.run, emptied(pytestconfig.stash[_ENGINES])).result()
        pytestconfig.stash[_USED] = False


@pytest.fixture(scope="session")
async def stores(started_engines: Engines) -> AsyncIterator[Engines]:
    """The engines with the schema up to date."""
    await migrate(started_engines.database_url)
    async with kept_pools(started_engines.database_url):
        yield started_engines


@pytest.fixture(scope="session")
def settings(stores: Engines, data_folder: Path) -> Settings:
    """Settings that point at the test engines; `settings.model_copy(update={...})` for a test of its own."""
    return Settings.load(
        data=data_folder,
        database_url=stores.database_url,
        redis_url=stores.redis_url,
        secret_key="test-secret",
        operator_token="operator",
        payment="simulator:toss,kcp",
        return_seconds=0,
    )


@pytest.fixture
async def runtime(settings: Settings, stores: Engines) -> AsyncIterator[Runtime]:
    """A process's parts on the test engines; jobs do not run by themselves."""
    async with AsyncExitStack() as stack:

        async def opened() -> Runtime | None:
            # A process that starts gives PostgreSQL seconds to answer; a machine that is busy may want more of them.
            with suppress(StartupError):
                return await stack.enter_async_context(open_runtime(settings, stores))
            return None

        yield await until(opened, "the stores to be opened")


@pytest.fixture
def patient_circuits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What becomes of a circuit is told to all, however late a busy machine's Redis is. One that is late is taken for
    away otherwise, and each process goes on by itself.
    """
    monkeypatch.setattr(breaker_redis, "_PATIENCE_SECONDS", PATIENCE)


@pytest.fixture(scope="session")
def running_kafka() -> Iterator[RunningKafka]:
    """A real Kafka, started once a run."""
    with kafka() as running:
        yield running


def small_plan(seats: int = 20, row: int = 10) -> bytes:
    """A seat plan document of one zone and one category `Standard`."""
    rows = [
        {
            "row_number": str(first // row + 1),
            "position": {"x": 0, "y": 30 * (first // row)},
            "seats": [
                {
                    "seat_guid": f"S-{i}",
                    "seat_number": str(i - first + 1),
                    "category": "Standard",
                    "position": {"x": 30 * (i - first), "y": 0},
                }
                for i in range(first, min(first + row, seats))
            ],
        }
        for first in range(0, seats, row)
    ]
    return json.dumps(
        {
            "name": "Small",
            "categories": [{"name": "Standard", "color": "#336699"}],
            "zones": [{"name": "Stalls", "position": {"x": 0, "y": 0}, "rows": rows}],
        }
    ).encode()


MakeEvent = Callable[..., Awaitable[Event]]


@pytest.fixture
async def alone(runtime: Runtime) -> AsyncIterator[None]:
    """Nobody else's payments are under way when a test begins, and its desks are closed after it."""
    from tests.booking import close_desks, retire  # with all of checkout, which most tests need not

    await retire(runtime)
    yield
    await close_desks()


@pytest.fixture
async def make_event(runtime: Runtime) -> MakeEvent:
    """`await make_event(seats=20, active_limit=100, ...)`: an open event with a slug of its own."""

    async def make(*, seats: int = 20, plan: bytes | None = None, **changes: Any) -> Event:
        fields: dict[str, Any] = {
            "slug": f"t-{secrets.token_hex(5)}",
            "name": "Test night",
            "currency": "KRW",
            "prices": {"Standard": 15000},
            "active_limit": 100,
            "hold_seconds": 300,
            "max_seats": 4,
            "status": SaleStatus.OPEN,
            "starts_at": datetime.now(UTC) + timedelta(days=30),
        }
        return await runtime.events.create(NewEvent(**(fields | changes)), plan or small_plan(seats))

    return make
