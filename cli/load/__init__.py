"""Load from outside: visitors who use a running server through its public API only, and what is measured of them.

client.py        the HTTP API: one pool of connections, every call measured
measures.py      latencies, refusals and errors by call (pure)
visitor.py       one visitor's way through the sale over HTTP: what each step needs
channel.py       the same over the live channel
window.py        the payment page as JSON, the window's HTTP twin, and the way back
journey.py       what a visitor of a rush does, step by step, and where it ended
funnel.py        where the visitors were stopped (pure)
rush.py          all visitors at once: the run
observer.py      one browser that only watches: does its board converge?
event.py         the event that a rush makes for itself
truth.py         what PostgreSQL, the board and the payment simulator say afterwards
verdict.py       whether they and the API agree (pure)
report.py        the run as text and as JSON
crowd.py         visitors of a demonstration: unhurried, adjacent seats, some leave
neighbours.py    seats beside each other (pure)
proof.py         what a place costs, solved as a browser does it
crowd_command.py rush_command.py   both from the command line
"""
