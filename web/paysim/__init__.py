"""The payment simulator: Toss Payments, NHN KCP, PortOne and Stripe played by our own server, to show and to test.

It plays the whole of a provider: the script that opens the window, the window "Test bank" with its choices, the API
that the server calls, the webhooks, the merchant's dashboard. There is no other way to an approved payment than the
buyer's choice in a window - or its HTTP twin, for programs.

    payment.py       a payment from the opened window to the last refund
    store_sqlite.py  payments, refunds, rules and remembered answers in one SQLite file, shared by all server processes
    behaviour.py     how a provider behaves and by which times it goes; what is drawn for one order
    play.py          what a provider says of its window: the fields that open it, the way back
    windows.py       opening and ending windows, by a browser or by a program
    page.py pages/   the page "Test bank" and the scripts of the providers
    shop.py          which addresses are the shop's own: a window returns to no other
    toss.py toss_play.py   Toss Payments' API and window
    kcp.py kcp_play.py     NHN KCP's
    portone.py portone_play.py   PortOne's
    stripe.py stripe_play.py     Stripe's
    webhooks.py      late, twice, out of order
    operators.py     behaviour, rules, ledger, the dashboard; behind the operator token
    routes.py        all routes, to be mounted under /paysim
    exchange.py      what all played providers do alike; guard.py who may look into the books

It keeps its books outside of PostgreSQL and Redis, as a real provider would: they survive a killed server and a lost
store, so that a test can hold them against the reservations. A charge is written down before the answer is delayed.
`docs/payments.md` describes it for its users.
"""

from web.paysim.routes import paysim_routes
from web.paysim.shop import own_addresses
from web.paysim.store_sqlite import SimulatorStore

__all__ = ["SimulatorStore", "own_addresses", "paysim_routes"]
