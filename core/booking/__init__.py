"""The checkout saga: a basket becomes a reservation, is paid for, and ends confirmed, failed or cancelled.

reservation.py            what a reservation is, and the one table of its transitions (pure)
payment.py                what a payment is, and what follows from a provider's answer (pure)
sql/, reservations_postgres.py   each step as one status-guarded statement
results_redis.py          tells Redis and the buyer's browser what PostgreSQL decided
settlement.py             brings one claimed payment to its end, whatever happened to the process before
checkout.py               what the rest of the system calls: submit, get, cancel, finish_due
"""
