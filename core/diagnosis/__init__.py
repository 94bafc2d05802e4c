"""The runbook as a call: "I can't book", walked step by step for a visitor, a reservation or a seat (S33).

finding.py            what a step found; every cause that can be named, with what to do; which one is the likeliest
dependencies_*.py     PostgreSQL; Redis; mail_smtp.py the mail server; providers_http.py the payment providers
disk.py               room on the disk of the data folder
board_redis.py queue_redis.py keys_redis.py   a sale's board, queue and keys; jobs_redis.py the periodic jobs
sale.py               the sale: open, closed, paused
people_*.py           the visitor: place, session, basket; kept out, or with as many seats as one may have
shares_redis.py       what a visitor and its network have held without buying
seats_redis.py        the seat: Redis against PostgreSQL, who holds it, its lock
money*.py             the reservation, its payment, the circuits
processes_redis.py    processes that hang, lines that are too long
clocks_postgres.py    clocks that differ from Redis'
draws_postgres.py     draws that are late
messages_postgres.py  outbox, dead letters, the buyer's e-mail
consumers.py          Kafka: its brokers, who consumes, how far behind
question.py           what is asked, answered, and learnt on the way
steps_redis.py        one step: it ends in time, and whatever a store does is a finding
diagnose.py           the walk; mending.py the mends that are safe
health_check.py       the part of it that is about nobody in particular: what the health watch looks at
health_watch.py       looks over and over, and tells the people on call
"""
