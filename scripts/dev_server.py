"""`make dev`: serves the demonstration sale, and serves it anew when a file of the product changes.

The stores run on meanwhile, so that a change is seen after a second or two and the sale goes on where it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

from watchfiles import run_process

from core.embedded import engines
from core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
WATCHED = ("core", "realtime", "web", "cli", "templates", "static")
#: For an orderly end of the server; it is killed after it.
END_SECONDS = 20


def main() -> None:
    with engines(Settings.load()):
        run_process(
            *(ROOT / folder for folder in WATCHED),
            target=f"{sys.executable} -m cli serve --demo",
            target_type="command",
            sigint_timeout=END_SECONDS,
        )


if __name__ == "__main__":
    main()
