-- Signs of life of many visitors at once.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6... visitors
-- Returns the visitors who are neither active nor waiting
--#include queue.lua

local missing = {}
for i = 6, #ARGV do
  local visitor = ARGV[i]
  if redis.call('ZSCORE', ACTIVE, visitor) then
    redis.call('ZADD', ACTIVE, integer(now), visitor)
  elseif redis.call('ZSCORE', QUEUE, visitor) then
    redis.call('ZADD', BEATS, integer(now), visitor)
  else
    missing[#missing + 1] = visitor
  end
end
return missing
