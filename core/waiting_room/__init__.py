"""The waiting room, step (1) of the flow: first come, first served, and never more inside than the limit.

place.py       a visitor's place
queue_redis.py join, place, beat, leave, sweep: one script of lua/ each
ticket.py      the signed ticket that keeps a place through a reload, a sleep, a lost Redis
pace.py        how long the wait will be
draw.py        the order of who was there at the opening: the algorithm, and how to check it
limit.py       how many may be active: computed, or following load
sizes_redis.py how many wait and are in
"""
