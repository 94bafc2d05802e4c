"""One installation signs with one key (R10): PostgreSQL keeps its fingerprint, and a process with another key does not
start. Two keys would refuse each other's visitors, places in the queue and tickets, each at every second call.
"""

from __future__ import annotations

import hashlib
import hmac

import databases

from core.database import close_database, open_database, raw
from core.errors import StartupError, StoreUnavailable

_CLAIM = "INSERT INTO signing_key (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING"
_KNOWN = "SELECT fingerprint FROM signing_key"
_ADOPT = """
INSERT INTO signing_key (fingerprint) VALUES ($1)
ON CONFLICT (one) DO UPDATE SET fingerprint = excluded.fingerprint, since = now()
"""


def fingerprint(key: str) -> str:
    """32 hex digits that are the same for the same key, and from which it cannot be found."""
    return hmac.new(key.encode(), b"onsale signing key", hashlib.sha256).hexdigest()[:32]


async def require_signing_key(database_url: str, key: str) -> None:
    """The first key that is started with is the installation's. Raises StartupError for another one, and when
    PostgreSQL cannot be reached.
    """
    database = await open_database(database_url, 2)
    try:
        async with raw(database) as connection:
            await connection.execute(_CLAIM, fingerprint(key))
            known = await connection.fetchval(_KNOWN)
    except StoreUnavailable:
        raise StartupError("PostgreSQL went away during the start: start again") from None
    finally:
        await close_database(database)
    if known != fingerprint(key):
        raise StartupError(
            "this database belongs to an installation with another signing key: set ONSALE_SECRET_KEY to that one, or "
            "use its data folder. `onsale keys adopt` takes this one instead: what the other one has signed (visitors, "
            "places in the queue, tickets) is worth nothing from then on"
        )


async def adopt_signing_key(database: databases.Database, key: str) -> bool:
    """From now on this key is the installation's; False when it was. Raises StoreUnavailable."""
    async with raw(database) as connection, connection.transaction():
        known = await connection.fetchval(f"{_KNOWN} FOR UPDATE")
        if known == fingerprint(key):
            return False
        await connection.execute(_ADOPT, fingerprint(key))
    return True


async def known_fingerprint(database: databases.Database) -> str | None:
    """Of the installation's key; None where nothing was started yet. Raises StoreUnavailable."""
    async with raw(database) as connection:
        found: str | None = await connection.fetchval(_KNOWN)
    return found
