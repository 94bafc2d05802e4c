-- Redis' time, as TIME answers.
-- KEYS 1 any: where a Cluster runs it, so that all processes ask the same node
-- Returns {seconds, microseconds within the second}
return redis.call('TIME')
