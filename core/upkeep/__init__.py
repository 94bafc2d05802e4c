"""What keeps an installation well while nobody looks.

sweeping.py        the sweep of every event, once a second
mismatch.py        where Redis and PostgreSQL may differ and where not: the rules of the consistency job
reconcile.py       the consistency job; reconcile_rounds.py when it looks at what
janitor_redis.py   locks without a TTL
limits_redis.py    the active limit within what the machines bear; load_redis.py what they bear now
seat_rows_postgres.py  pages of seats for the consistency job
redis_watch_redis.py   notices that Redis is another one than before; memory_redis.py how full it is
"""
