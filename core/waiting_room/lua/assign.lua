-- One page of drawn numbers is written into the queue. Safe to repeat. Places are shown when all are written.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 id of the opening  7... visitor, number, visitor, number, ...
-- Returns how many were written: who has left meanwhile gets none
--#include queue.lua

if redis.call('HGET', DRAW, 'opening') ~= ARGV[6] or draw_state() ~= 'frozen' then return 0 end
local written = 0
local draw = redis.call('HMGET', DRAW, 'base', 'reserved')
-- Of a crowd every sixteenth is enough to know how its waits come out.
local each = tonumber(draw[2]) > 1000 and 16 or 1
local room = free_room()
for i = 7, #ARGV, 2 do
  local visitor = ARGV[i]
  if redis.call('HEXISTS', ENTRIES, visitor) == 1 and not redis.call('ZSCORE', ACTIVE, visitor) then
    redis.call('ZADD', QUEUE, ARGV[i + 1], visitor)
    redis.call('ZADD', BEATS, integer(now), visitor)
    local ahead = tonumber(ARGV[i + 1]) - tonumber(draw[1]) - 1
    if ahead % each == 0 then promise(visitor, ahead, room) end
    written = written + 1
  end
end
return written
