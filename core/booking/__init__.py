"""The checkout saga: a basket becomes a reservation, is paid for, and ends confirmed, failed or cancelled.

reservation.py            what a reservation is, and the one table of its transitions (pure)
attempt.py, refund.py     what an attempt to pay is, and what follows from a provider's answer; money that goes back
(pure)
stored.py                 what is written and read of a reservation, and how a row is read (pure)
sql/, reservations_postgres.py, refunds_postgres.py   each step as one guarded statement
results_redis.py          tells Redis and the buyer's browser what PostgreSQL decided
settlement.py             brings one claimed attempt to its end, whatever happened to the process before
refunding.py              makes one claimed refund, or lets go of one authorisation
tasks.py                  how many of both at once in this process, and what waits for room
paying.py                 what buyer, browser and webhook do to an attempt: window, return, closed, next, give back
mails_again_postgres.py   a ticket's e-mail once more, to its address or a corrected one
checkout.py               what the rest of the system calls: submit, get, cancel, finish_due
"""
