-- Signs of life of many visitors at once.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6... visitors
-- Returns {visitor, why, ...} of those who are neither active, nor waiting, nor gathered for an opening; why: see queue.lua
--#include queue.lua

local missing = {}
freeze_if_due()
local gathering = draw_state() == 'gathering'
for i = 6, #ARGV do
  local visitor = ARGV[i]
  if redis.call('ZSCORE', ACTIVE, visitor) then
    redis.call('ZADD', ACTIVE, integer(now), visitor)
  elseif redis.call('ZSCORE', QUEUE, visitor) then
    redis.call('ZADD', BEATS, integer(now), visitor)
  elseif redis.call('HEXISTS', ENTRIES, visitor) == 1 then
    -- Who is there at the opening is known; beats after it change nothing.
    if gathering then redis.call('ZADD', ENTRY_BEATS, integer(now), visitor) end
  else
    missing[#missing + 1] = visitor
    missing[#missing + 1] = why_out(visitor)
  end
end
return missing
