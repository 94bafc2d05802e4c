"""The ground floor: how a process runs its tasks, keeps its leases and calls its stores. It imports no room of `core`.

supervisor.py     the one way to run a background task: named, watched, restarted, drained
tasks.py          ending tasks, racing awaitables, limits: every wait for an end has one
watched_tasks.py  tasks whose failure is logged and counted
backoff.py        how long to wait before something is tried again
jobs.py           periodic jobs: one list, one loop for each
job_watch.py job_health.py successes_redis.py   which jobs are late, by their last success, and what is done about it
apart.py          work that would hold the loop, in a process with an end
ending.py         a process that ends itself, to be replaced
lease_redis.py    one process at a time
leases.py         the keeper that renews a lease while its work runs
once.py           single flight: who asks meanwhile waits for the same answer
calls.py          a lost Redis is StoreUnavailable, everywhere in the same words
rate.py           how often somebody may call
store_redis.py lua_redis.py   opening Redis, running scripts in batches
waits.py          a long wait: the store's fault or ours?
line.py              a line that is too long: who would wait in vain is refused at once
cycle_collector.py   Python's cycle collector, set for a long-lived process
gathered.py          calls that many tasks make at the same time, made together; publisher_redis.py the same of
                     messages
exchange_redis.py    several commands over one connection, without what the library does for each
store_watch.py       whether what a sale needs answers this process
clock_redis.py       the one clock of an installation: Redis'
bounded.py           a dictionary that stays small
rate_limit.py        how often each of many callers may do something, within one process
source_files.py      Lua and SQL as files, joined with what they include
spans.py             what a purchase did, as spans; tls_http.py whom this process believes over TLS
"""
