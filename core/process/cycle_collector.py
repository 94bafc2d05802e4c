"""Python's cycle collector, set for a process that serves for weeks."""

from __future__ import annotations

import gc

#: New containers before a look at the young ones. The interpreter's own 700 is a look at each handful of requests: of
#: the relay's processor time it was a third (`bench/events.py`).
_YOUNG = 20_000


def freeze_startup_objects() -> None:
    """To be called when a process has started: what it has by now stays, and is not looked at again; what comes is.

    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)
    gc.enable()
