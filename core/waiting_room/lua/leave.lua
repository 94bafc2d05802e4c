-- A visitor gives up the place, or is removed: holds are freed, the ticket is spent, the next one comes in.
-- KEYS, ARGV 1-5: see queue.lua; the last two keys: claims, codes of visitors
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
  -- A code's use is free at once, and not only when its claim has had the time to become a place (claim.lua).
  local CLAIMS, OF = KEYS[#KEYS - 1], KEYS[#KEYS]
  local code = string.match(redis.call('HGET', OF, visitor) or '', '^(%x+)|')
  local claims = code and redis.call('HGET', CLAIMS, code)
  if claims then
    local function aged(claimant) return claimant == visitor and claimant .. ',0' or nil end
    redis.call('HSET', CLAIMS, code, (string.gsub(claims, '([^,;]+),%d+', aged)))
  end
  free_place(visitor)
  admit(AT_ONCE)
  publish_queue(true)
end
return gone
