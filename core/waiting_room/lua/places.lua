-- The number of each of these visitors and how many are ahead, all at one queue version.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6... visitors
-- Returns {queue version, number of the first, ahead of the first, number of the second, ...}; ahead -1: does not wait;
--          -2: has entered, and not everybody has a number yet
--#include queue.lua

local reply = { tonumber(redis.call('GET', VERSION) or '0') }
local drawing = draw_state()
local entries = drawing == 'gathering' or drawing == 'frozen'
for i = 6, #ARGV do
  local entered = entries and redis.call('HEXISTS', ENTRIES, ARGV[i]) == 1
  reply[#reply + 1] = redis.call('ZSCORE', QUEUE, ARGV[i]) or '0'
  reply[#reply + 1] = entered and -2 or redis.call('ZRANK', QUEUE, ARGV[i]) or -1
end
return reply
