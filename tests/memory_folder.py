"""Files of tests are kept in memory, where the machine has a file system for that and enough of it.

A test run makes tens of thousands of files: PostgreSQL alone makes a hundred each time its tables are emptied, and 300
for each database. On a disk each of them costs the machine half a millisecond; nothing of them is wanted afterwards.
`TMPDIR=/tmp make test` keeps them there.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

import psutil

_MEMORY = Path("/dev/shm")
_BEGUN_SECONDS = 60
#: Kept open as long as this process lives.
_LOCKS: list[int | None] = []
_CONTAINER = Path("/sys/fs/cgroup")
#: Control groups of version 2, and of version 1.
_LIMITS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)
#: Three times what a whole run has at once, beside what its processes need.
_FREE_BYTES, _AVAILABLE_BYTES = 6 << 30, 10 << 30


def use_memory() -> None:
    """From here on `tempfile` and pytest's own folders are in memory, here and in what this process starts."""
    if "TMPDIR" in os.environ or not _is_large_enough():
        return
    for earlier in _MEMORY.glob("onsale-tests-*"):
        # Without a lock, and older than one that is about to get it: whose it was was killed.
        if time.time() - earlier.stat().st_mtime > _BEGUN_SECONDS and _lock(earlier) is not None:
            shutil.rmtree(earlier, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="onsale-tests-", dir=_MEMORY))
    folder.chmod(0o755)  # PostgreSQL's user finds its own folder in it
    _LOCKS.append(_lock(folder))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None


def _lock(folder: Path) -> int | None:
    """The lock of who works in the folder, which ends with its process; None: somebody has it. Process ids tell nothing
    where containers share the memory.
    """
    descriptor = None
    try:
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if descriptor is not None:
            os.close(descriptor)
        return None
    return descriptor


def _is_large_enough() -> bool:
    """Programs that tests write there have to run as well."""
    try:
        found = os.statvfs(_MEMORY)
    except OSError:
        return False
    roomy = found.f_bavail * found.f_frsize >= _FREE_BYTES and _available() >= _AVAILABLE_BYTES
    return roomy and not found.f_flag & os.ST_NOEXEC and os.access(_MEMORY, os.W_OK)


def _available() -> int:
    """Bytes. A container may have less than its machine: files in memory count against its limit too."""
    available = psutil.virtual_memory().available
    for names in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no limit is "max"
            limit, used = (int((_CONTAINER / name).read_text()) for name in names)
            available = min(available, limit - used)
    return available
