-- A use of a code was spent by a purchase, or the purchase came to nothing and the use is free again. Done once for each
-- purchase, however often it is told.
-- KEYS 1 codes of visitors  2 spent uses
-- ARGV 1 visitor  2 the code (its digest)  3 the purchase  4 '1': spent, '0': free again  5 how long the keys are kept, ms
-- Returns 1, or 0 when that was told before

local mark = ARGV[2] .. ':' .. ARGV[3]
if ARGV[4] == '1' then
  if redis.call('HSETNX', KEYS[2], mark, 1) == 0 then return 0 end
  redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
  local own = redis.call('HGET', KEYS[1], ARGV[1])
  if own and string.match(own, '^[^|]*') == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
  return 1
end
if redis.call('HDEL', KEYS[2], mark) == 0 then return 0 end
if redis.call('HINCRBY', KEYS[2], ARGV[2], -1) <= 0 then redis.call('HDEL', KEYS[2], ARGV[2]) end
return 1
