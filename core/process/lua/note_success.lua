-- A periodic job has succeeded, by Redis' own clock.
-- KEYS 1 the hash of all jobs
-- ARGV 1 job  2 seconds after which it is late  3 seconds that the hash is kept
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], now[1] .. '.' .. string.format('%06d', now[2]) .. '|' .. ARGV[2])
return redis.call('EXPIRE', KEYS[1], ARGV[3])
