-- A circuit's state, swapped only by who has seen the newest one.
--
-- KEYS[1]  hash `version`, `state`: what the processes learnt of a payment provider (keys.breaker)
-- ARGV[1]  the version that the new state was computed from; empty: only read
-- ARGV[2]  the new state (JSON of core/payments/breaker.py)
-- ARGV[3]  TTL in seconds, renewed by reading as well: a forced circuit stays forced while anybody looks
--
-- Returns {1 swapped or 0 not, version, state or empty, seconds, microseconds}: what is there afterwards, and Redis' time,
-- by which all processes measure, so that their clocks need not agree.
local time = redis.call('TIME')
local version = redis.call('HGET', KEYS[1], 'version') or '0'
if ARGV[1] ~= '' and ARGV[1] == version then
  local next_version = tostring(tonumber(version) + 1)
  redis.call('HSET', KEYS[1], 'version', next_version, 'state', ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  return {1, next_version, ARGV[2], time[1], time[2]}
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return {0, version, redis.call('HGET', KEYS[1], 'state') or '', time[1], time[2]}
