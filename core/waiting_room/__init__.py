"""The waiting room, step (1) of the flow: first come, first served, and never more inside than the limit.

place.py       a visitor's place
queue_redis.py join, place, beat, leave, sweep: one script of lua/ each
ticket.py      the signed ticket that keeps a place through a reload, a sleep, a lost Redis
pace.py        how long the wait will be
draw.py        the order of who was there at the opening: the algorithm, and how to check it
limit.py       how many may be active: computed, or following load
sizes_redis.py how many wait and are in
scripts_redis.py  the scripts of lua/, all with the same keys; access_redis.py who may come in by which phase and code
phases.py         which phases somebody may come in by (pure)
drawing.py        the draw job; entries_redis.py draws_postgres.py who gathers, and what was drawn
beacon_http.py    a public random value that a draw names before it is made
price.py          what a place costs a network (pure); admission_price.py asks for it: proof_of_work.py captcha_http.py
turn.py           a visitor's turn; turns_redis.py turns_postgres.py keep it when Redis is lost
visit_times.py    how long a visitor may be in and silent
outage.py         the sale's clock stands while a store or payment is away
removals_postgres.py  visitors and networks that an operator keeps out
"""
