"""What is done on the command line is written down as what is done in the console is: in `audit`, by `cli:USER`."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import databases


def operator() -> str:
    """Who is at the terminal, as the operating system knows it."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user need not have a name
        return f"cli:{os.getuid()}"


async def note(database: databases.Database, action: str, subject: str, **detail: Any) -> None:
    """Raises StoreUnavailable: what was done is done all the same."""
    # Here: the store's driver takes a while to load, and most commands say something before they need it.
    from core import audit_postgres as audit

    await audit.record(database, actor=operator(), action=action, subject=subject, **detail)
