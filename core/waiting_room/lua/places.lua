-- The number of each of these visitors and how many are ahead, all at one queue version.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6... visitors
-- Returns {queue version, number of the first, ahead of the first, number of the second, ...}; ahead -1: does not wait;
--          -2: has entered, and not everybody has a number yet
--#include queue.lua

local visitors = {}
for i = 6, #ARGV do visitors[#visitors + 1] = ARGV[i] end
local drawing = draw_state()
local entries = drawing == 'gathering' or drawing == 'frozen'
local numbers = each_of('ZMSCORE', QUEUE, visitors)
local entered = entries and each_of('HMGET', ENTRIES, visitors) or {}
local reply = { tonumber(redis.call('GET', VERSION) or '0') }
for i, visitor in ipairs(visitors) do
  reply[#reply + 1] = numbers[i] or '0'
  -- Who has no number has no rank either.
  reply[#reply + 1] = entered[i] and -2 or numbers[i] and redis.call('ZRANK', QUEUE, visitor) or -1
end
return reply
