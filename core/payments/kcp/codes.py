"""What NHN KCP's `res_cd` proves. An answered approval is approved with `0000` and with nothing else.

NHN KCP publishes no complete list; these refusals are those that
http://www.ezypay.com/failed-payment-response-guide/SK/KCP-local-cards lists from it. Any other code is not taken at
its word: the order is net-cancelled, after which it is certain that nothing was charged.
"""

from __future__ import annotations

from typing import Final

APPROVED: Final = "0000"

#: The card or its issuer said no: limits, balance.
DECLINED: Final = frozenset(
    {
        "AC25",
        "CC07",
        "CC08",
        "CC09",
        "CC10",
        "CC61",
        "CC88",
        "8186",
        "8188",
    }
)

#: The window's data are not this order's, or too old. The simulator's; NHN KCP's own is not published.
WRONG_KEY: Final = frozenset({"SIM401"})

#: The certificate or the site code is not ours. The simulator's; NHN KCP's own are not published.
MISCONFIGURED: Final = frozenset({"SIM403"})

#: Of the window: the buyer left it.
CLOSED_WINDOW: Final = "3001"
