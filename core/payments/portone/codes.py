"""What PortOne's error codes prove. Without its SDK, which takes half a second to load: diagnosis reads them too."""

from __future__ import annotations

from typing import Final

#: The payment token is not this payment's, or its payment is another amount's. Nothing was confirmed.
WRONG_KEY: Final = frozenset({"INVALID_PAYMENT_TOKEN", "INFORMATION_MISMATCH", "PAYMENT_NOT_FOUND", "INVALID_REQUEST"})

#: For the shop to mend: the API secret, or what it may do.
MISCONFIGURED: Final = frozenset({"UNAUTHORIZED", "FORBIDDEN", "CHANNEL_NOT_FOUND"})

#: Of the window: the buyer left it. What the provider behind calls it stands in `pgCode`.
CLOSED_WINDOW: Final = frozenset({"USER_CANCEL", "PAY_PROCESS_CANCELED", "CANCELED", "CANCELLED"})
