"""A process that opens many sockets and throws away what comes: browsers that are never slow.

`python -m bench.sink COUNTS PORT PATH TOKENS CONNECTIONS BEAT [join]` opens the connections, each with a WebSocket
handshake when PATH is not `-`, asks to be let in when told so, says `open` on stdout, and adds up the bytes it gets in
COUNTS, a shared file of one 64-bit number. Each gives a sign of life every BEAT seconds, one after the other; 0: none
does.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import selectors
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

_CHUNK = 1 << 18
_TICK_SECONDS = 0.1
_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {token}\r\n\r\n"
)


def main() -> None:
    counts, port, path, tokens, connections, beat = sys.argv[1:7]
    first = _frame(b'{"type":"join"}') if "join" in sys.argv[7:] else b""
    with open(counts, "r+b") as file, mmap.mmap(file.fileno(), 8) as shared:
        named = Path(tokens).read_text().split() if tokens != "-" else []
        opened = [_open(int(port), path, named[n] if named else "", first) for n in range(int(connections))]
        print("open", flush=True)
        _drain(opened, shared, float(beat))


def _open(port: int, path: str, token: str, first: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    if path != "-":
        connection.sendall(_HANDSHAKE.format(path=path, port=port, token=token).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        if not head.startswith(b"HTTP/1.1 101"):
            raise SystemExit(head.decode(errors="replace"))
        connection.sendall(first)
    connection.setblocking(False)
    return connection


def _frame(payload: bytes) -> bytes:
    """A browser's text frame of less than 126 bytes; its mask is all zeros, so that the payload stays as it is."""
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


_BEAT = _frame(b'{"type":"beat"}')


def _drain(connections: list[socket.socket], shared: mmap.mmap, beat: float) -> None:
    buffer = bytearray(_CHUNK)
    total = beaten = 0
    began = time.monotonic()
    with selectors.EpollSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        while connections:
            for key, _ in selector.select(_TICK_SECONDS if beat else None):
                connection = cast(socket.socket, key.fileobj)
                size = connection.recv_into(buffer)
                if not size:
                    selector.unregister(connection)
                    connections.remove(connection)
                total += size
            shared[:8] = struct.pack("=Q", total)
            due = int((time.monotonic() - began) / beat * len(connections)) if beat else 0
            for number in range(beaten, due):
                with contextlib.suppress(OSError):  # it is gone, which is met above
                    connections[number % len(connections)].send(_BEAT)
            beaten = max(beaten, due)


class Sink:
    """The process, seen from the one that measures."""

    def __init__(self, process: subprocess.Popen[bytes], shared: mmap.mmap) -> None:
        self._process = process
        self._shared = shared

    @property
    def bytes(self) -> int:
        count: int = struct.unpack("=Q", self._shared[:8])[0]
        return count

    def wait_until_open(self) -> None:
        """Blocks: call it in a thread."""
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"open\n":
            raise RuntimeError("the sink could not open its connections")


@contextlib.contextmanager
def sink(
    port: int,
    connections: int,
    *,
    path: str = "-",
    tokens: list[str] | None = None,
    join: bool = False,
    beat: float = 0.0,
) -> Iterator[Sink]:
    """Starts it; wait for `wait_until_open`. It ends with the block. `beat`: seconds between signs of life of each."""
    with tempfile.TemporaryDirectory(prefix="onsale-sink-") as folder:
        counts, names = Path(folder) / "counts", Path(folder) / "tokens"
        counts.write_bytes(bytes(8))
        names.write_text("\n".join(tokens or []))
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "bench.sink",
                counts,
                str(port),
                path,
                names if tokens else "-",
                str(connections),
                str(beat),
                *(["join"] if join else []),
            ],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            with counts.open("r+b") as file, mmap.mmap(file.fileno(), 8) as shared:
                yield Sink(process, shared)
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
