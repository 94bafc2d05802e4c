-- A visitor gives up the place, or is removed: holds are freed, the ticket is spent, the next one comes in.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 visitor  7 reason
-- Returns 1, or 0 when the visitor was neither waiting, nor active, nor gathered for an opening
--#include queue.lua

local visitor, reason = ARGV[6], ARGV[7]
local gone = 0
local number = leave_queue(visitor)
if number then
  redis.call('ZADD', SPENT, number, visitor)
  is_out(visitor, reason)
  gone = 1
elseif redis.call('ZSCORE', ACTIVE, visitor) then
  end_session(visitor, reason)
  gone = 1
end
if redis.call('HDEL', ENTRIES, visitor) == 1 then
  redis.call('ZREM', ENTRY_BEATS, visitor)
  if gone == 0 then is_out(visitor, reason) end
  gone = 1
end
if gone == 1 then
  free_place(visitor)
  admit(AT_ONCE)
  publish_queue(true)
end
return gone
