"""How a process ends itself so that whoever started it starts another one."""

from __future__ import annotations

import os
import signal
import threading
from typing import Final

#: An orderly end that has not come after this long never will: browsers' goodbyes and payments take 30 s at most.
_ORDERLY_SECONDS: Final = 60.0
#: The exit code: EX_SOFTWARE of https://man.openbsd.org/sysexits.
FAILED: Final = 70


def end_process() -> None:
    """Asks for the orderly end (SIGTERM), and ends at once a minute later whatever hangs."""
    timer = threading.Timer(_ORDERLY_SECONDS, os._exit, (FAILED,))
    timer.daemon = True
    timer.start()
    os.kill(os.getpid(), signal.SIGTERM)
