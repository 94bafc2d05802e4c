-- The number of each of these visitors and how many are ahead, all at one queue version.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6... visitors
-- Returns {queue version, number of the first, ahead of the first or -1, number of the second, ...}
--#include queue.lua

local reply = { tonumber(redis.call('GET', VERSION) or '0') }
for i = 6, #ARGV do
  reply[#reply + 1] = redis.call('ZSCORE', QUEUE, ARGV[i]) or '0'
  reply[#reply + 1] = redis.call('ZRANK', QUEUE, ARGV[i]) or -1
end
return reply
