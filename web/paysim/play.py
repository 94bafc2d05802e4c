"""What each played provider says of its own window: which fields open it, and where it sends the buyer afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from web.paysim.exchange import Reply
from web.paysim.payment import Payment

Ending = Literal["approve", "decline", "close"]
ENDINGS: Final[tuple[Ending, ...]] = ("approve", "decline", "close")


@dataclass(frozen=True, slots=True)
class Asked:
    """A window that the shop's page asked for. `amount` is in minor units."""

    order_id: str
    amount: int
    currency: str
    name: str
    returned: str
    closed: str
    method: str = "CARD"
    details: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """Where the buyer's browser goes when the window ends: by GET to `url`, or with `form` by POST to it.

    `program` is the address for clients without a browser: what a form would have carried stands in its query.
    """

    url: str
    program: str
    form: Mapping[str, str] = field(default_factory=dict)


class Play(Protocol):
    """One provider's window."""

    @property
    def provider(self) -> str: ...

    @property
    def framed(self) -> bool:
        """Whether the provider's script shows the window in a frame over the shop's page."""
        ...

    @property
    def methods(self) -> tuple[str, ...]:
        """What the window offers to pay by: CARD, VIRTUAL_ACCOUNT."""
        ...

    @property
    def client_key(self) -> str:
        """What the page must show to open a window."""
        ...

    def read(self, fields: Mapping[str, Any]) -> Asked | Reply:
        """The fields of the payment page, or the provider's refusal of them."""
        ...

    def opened(self, fields: Mapping[str, Any]) -> str | None:
        """The window that the fields name, where the shop's server has opened it already; else None."""
        ...

    def new_key(self) -> str:
        """A provider's name for a payment that nobody has used."""
        ...

    def leave(self, payment: Payment, ending: Ending) -> Leave: ...

    def refuse(self, code: str) -> Reply:
        """The provider's own form of a refusal."""
        ...
