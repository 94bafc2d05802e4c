-- How many are ahead of each of these visitors, all at one queue version.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6... visitors
-- Returns {queue version, ahead of the first or -1, ahead of the second or -1, ...}
--#include queue.lua

local reply = { tonumber(redis.call('GET', VERSION) or '0') }
for i = 6, #ARGV do reply[#reply + 1] = redis.call('ZRANK', QUEUE, ARGV[i]) or -1 end
return reply
