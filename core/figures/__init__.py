"""What operators look at: figures of a sale and of the processes, read seldom and cheaply, true of the installation.

sale_redis.py          queue, active, holds of one sale at this moment, in one round trip
checkouts_postgres.py  what became of the latest checkouts, and how long they took
vitals_redis.py        what each process measures of itself, shared through Redis
windows.py             a quantile of the last minute out of cumulative histogram buckets
inspection_postgres.py one seat, and the reservations of a seat or a customer
history_redis.py       a sample of each open sale every few seconds, kept for an hour: the charts' past
networks_redis.py      who has the places of a sale, by network
"""
