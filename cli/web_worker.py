"""The beginning of a web server process, started by `onsale serve` only:
`python -m cli.web_worker LISTEN READY ALIVE TICKS GO`, or, for one that waits and forks those that serve,
`python -m cli.web_worker LISTEN ALIVE ORDERS`. The arguments are descriptors.
"""

from __future__ import annotations

import gc
import sys


def main() -> None:
    # Of what is made while modules are loaded nothing is garbage, and looking for it takes a sixth of the time. It is
    # looked for again once the process has started (core/process/cycle_collector.py).
    gc.disable()
    from cli.web_server import run, run_and_fork

    descriptors = [int(argument) for argument in sys.argv[1:]]
    (run if len(descriptors) == 5 else run_and_fork)(*descriptors)


if __name__ == "__main__":
    main()
