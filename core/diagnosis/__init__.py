"""The runbook as a call: "I can't book", walked step by step for a visitor, a reservation or a seat (S33).

finding.py            what a step found; every cause that can be named, with what to do; which one is the likeliest
dependencies.py       PostgreSQL, Redis, the sale, the periodic work
people.py             the visitor: place, session, basket
seats.py              the seat: Redis against PostgreSQL, who holds it, its lock
money.py              the reservation, its payment, the circuits
messages.py           outbox, dead letters, the buyer's e-mail
diagnose.py           the walk, and the safe mends
"""
