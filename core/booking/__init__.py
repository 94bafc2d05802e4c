"""The checkout saga: a basket becomes a reservation, is paid for, and ends confirmed, failed or cancelled.

reservation.py            what a reservation is, and the one table of its transitions (pure)
attempt.py, refund.py     what an attempt to pay is, and what follows from a provider's answer; money that goes back
(pure)
stored.py                 what is written and read of a reservation, and how a row is read (pure)
sql/, reservations_postgres.py, refunds_postgres.py   each step as one guarded statement
results_redis.py          tells Redis and the buyer's browser what PostgreSQL decided
settlement.py             brings one claimed attempt to its end, whatever happened to the process before
attempt_ends.py           its end in PostgreSQL, and the telling of it
refunding.py              makes one claimed refund, or lets go of one authorisation
tasks.py                  how many of both at once in this process, and what waits for room
paying.py                 what buyer and browser do to an attempt: window, return, closed, next, give back
following_hints.py        what a webhook does to it: hints.py, hints_redis.py how often it makes us ask
mails_again_postgres.py   a ticket's e-mail once more, to its address or a corrected one
checkout.py               what the rest of the system calls: submit, get, cancel, finish_due
taking.py                 a reservation of seats that the waiting list has kept: past the queue, and never held
giving_back.py            tickets given back for the money; event_refunds_postgres.py a whole event's
accounts_postgres.py      one reservation's money, for the refund desk; books_postgres.py every movement as CSV
comparing.py              the providers' lists against our books: comparison.py what a line says (pure),
                          findings_postgres.py what differs, mending.py one press for each of them
unanswered.py             a reservation whose guard PostgreSQL did not answer
refused_by_guard.py       one that it refused; refusals_postgres.py why, where it is not the seats
leases.py                 writes under a claim that outlast a PostgreSQL that is away
addresses.py              which e-mail addresses are one buyer's (pure)
receipts.py               what a buyer is shown of a payment that went through
payment_times.py          how long the steps of a payment may take
statements_postgres.py    the statements of sql/; measures.py what checkout measures
"""
