"""Which payment accounts the books speak of, and whether this installation may go on with them (P1, P5, R10).

A process that has no keys for an account can neither ask about its payments nor give their money back; and played
payments on the books of a real account would give tickets away. So neither starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.database import raw
from core.errors import StartupError
from core.payments.account import NO_PROVIDER, Account
from core.payments.composition import old_settings
from core.payments.payments import Payments
from core.settings import variable_name

if TYPE_CHECKING:
    import databases

# An open order whose time is over is nothing that an old account has to be asked about.
_UNDER_WAY = """
SELECT provider, environment, count(*) AS attempts FROM payment_attempts
WHERE next_attempt_at < 'infinity' AND (state IN ('AUTHORISED', 'CALLED') OR state = 'OPEN' AND next_attempt_at > now())
GROUP BY 1, 2 ORDER BY 1, 2
"""
_REAL = """
SELECT provider, count(*) AS approved FROM payment_attempts
WHERE state = 'APPROVED' AND provider <> $1 AND environment NOT LIKE 'played:%'
GROUP BY 1 ORDER BY 2 DESC LIMIT 1
"""


async def check_environments(database: databases.Database, payments: Payments) -> None:
    """Raises StartupError, and StoreUnavailable when PostgreSQL is away."""
    async with raw(database) as connection:
        under_way = await connection.fetch(_UNDER_WAY)
        real = await connection.fetchrow(_REAL, NO_PROVIDER)
    if real is not None and any(account.environment.startswith("played:") for account in payments.accounts()):
        raise StartupError(
            f"ONSALE_PAYMENT names the simulator, but the database has {real['approved']} payments that "
            f"{real['provider']} approved: a played payment there would give tickets away. Name the real provider, or "
            "use another database"
        )
    for row in under_way:
        if payments.can_finish(Account(row["provider"], row["environment"])):
            continue
        kind, provider = row["environment"].partition(":")[0], row["provider"]
        old = [variable_name(name) for name in old_settings(provider)]
        if kind == "played":
            how = "set ONSALE_PAYMENT=simulator until they are over"
        elif old:
            how = f"give the keys that they were made with ({', '.join(old)}), to finish them with"
        else:
            how = "this release does not know that provider: finish them with one that does"
        raise StartupError(
            f"{row['attempts']} payments under way were made at {provider} in another environment ({kind}): {how}"
        )
