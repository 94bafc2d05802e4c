"""The payment simulator: Toss Payments' and NHN KCP's HTTP APIs, played by our own server for demonstrations and tests.

    store_sqlite.py  behaviour, orders and remembered answers in one SQLite file, shared by all server processes
    behaviour.py     how a provider behaves, and what is drawn for one order
    toss.py kcp.py   the two providers' requests, answers and codes
    operators.py     GET and PUT behaviour, GET ledger; behind the operator token
    routes.py        all routes, to be mounted under /paysim

It keeps its books outside of PostgreSQL and Redis, as a real provider would: they survive a killed server and a lost
store, so that a test can hold them against the reservations. A charge is written down before the answer is delayed.
`docs/payments.md` describes it for its users.
"""

from web.paysim.routes import paysim_routes
from web.paysim.store_sqlite import SimulatorStore

__all__ = ["SimulatorStore", "paysim_routes"]
