-- When an order that a webhook was about may be looked up, over all processes; as `core/booking/hints.py` for one.
-- KEYS 1 zset order -> its latest look-up, made or planned (ms since 1970); `order-` -> the one before
-- ARGV 1 order  2 ms between two look-ups of it  3 ms between any two  4 the longest wait in ms
-- Returns the ms to wait, in which the turn is the caller's; -1: this hint is one too many
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local order, own, pause = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - own)
local last = tonumber(redis.call('ZSCORE', KEYS[1], order) or 0)
if last > now then return -1 end
local at = math.max(now, last == 0 and 0 or last + own)
local taken = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. at - pause, '+inf', 'WITHSCORES')
for i = 2, #taken, 2 do
  local other = tonumber(taken[i])
  if other >= at + pause then break end
  if other > at - pause then at = other + pause end
end
if at > now + tonumber(ARGV[4]) then return -1 end
if last > 0 then redis.call('ZADD', KEYS[1], string.format('%.0f', last), order .. '-') end
redis.call('ZADD', KEYS[1], string.format('%.0f', at), order)
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(ARGV[4]) + own))
return at - now
