"""Where the money of an attempt is: the account that it was made in, whether new ones go there or not any more (P1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.payments.gateway import PaymentGateway

#: `payment_attempts.provider` of a purchase that costs nothing.
NO_PROVIDER: Final = "none"
#: In `environment` of attempts that were payments before accounts were written down (migration 0007).
BEFORE_ACCOUNTS: Final = "before-0007"
#: How `environment` begins where the simulator plays the provider.
_PLAYED: Final = "played:"


@dataclass(frozen=True, slots=True)
class Account:
    """Where an attempt was made: the provider's name, and the hash of merchant account and kind of key."""

    provider: str
    environment: str


class Accounts:
    """The gateways by the account that each of them asks."""

    def __init__(self, *, asked: Iterable[PaymentGateway], former: Iterable[PaymentGateway]) -> None:
        """`asked`: for new attempts, in order of preference; `former`: only to finish what was begun."""
        self._gateways = (*asked, *former)
        # Of two with the same account the one for new attempts counts.
        self._by_account = {account_of(one): one for one in reversed(self._gateways)}

    def all(self) -> frozenset[Account]:
        return frozenset(self._by_account)

    def names(self) -> list[str]:
        """`provider/environment` of all of them, and of the rows from before accounts were written down."""
        names = {f"{one.provider}/{one.environment}" for one in self._by_account}
        for one in self._by_account:
            kind = "played" if one.environment.startswith(_PLAYED) else "live"
            names.add(f"{one.provider}/{kind}:{BEFORE_ACCOUNTS}:{one.provider}")
        return sorted(names)

    def gateway(self, account: Account) -> PaymentGateway | None:
        """None: this installation has no keys for that account (any more)."""
        found = self._by_account.get(account)
        if found is not None or BEFORE_ACCOUNTS not in account.environment:
            return found
        # Of the time when no account was written down: whoever played (or charged) then is the one that does now.
        for gateway in self._gateways:
            played = gateway.environment.startswith(_PLAYED) == account.environment.startswith(_PLAYED)
            if gateway.name == account.provider and played:
                return gateway
        return None

    def of_provider(self, provider: str) -> PaymentGateway | None:
        """The provider's adapter, for what does not depend on the account."""
        return next((gateway for gateway in self._gateways if gateway.name == provider), None)


def account_of(gateway: PaymentGateway) -> Account:
    return Account(gateway.name, gateway.environment)
