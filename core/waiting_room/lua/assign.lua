-- One page of drawn numbers is written into the queue. Safe to repeat. Places are shown when all are written.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 id of the opening  7... visitor, number, visitor, number, ...
-- Returns how many were written: who has left meanwhile gets none
--#include queue.lua

if redis.call('HGET', DRAW, 'opening') ~= ARGV[6] or draw_state() ~= 'frozen' then return 0 end
local draw = redis.call('HMGET', DRAW, 'base', 'reserved')
local base = tonumber(draw[1])
-- Of a crowd every sixteenth is enough to know how its waits come out.
local each = tonumber(draw[2]) > 1000 and 16 or 1
local room = free_room()
-- Four calls of Redis for all of the page, not four for each.
local asked = {}
for i = 7, #ARGV, 2 do asked[#asked + 1] = ARGV[i] end
local entered, active = redis.call('HMGET', ENTRIES, unpack(asked)), redis.call('ZMSCORE', ACTIVE, unpack(asked))
local numbered, heard, at = {}, {}, integer(now)
for i, visitor in ipairs(asked) do
  if entered[i] and not active[i] then
    local number = ARGV[6 + 2 * i]
    numbered[#numbered + 1], numbered[#numbered + 2] = number, visitor
    heard[#heard + 1], heard[#heard + 2] = at, visitor
    local ahead = tonumber(number) - base - 1
    if ahead % each == 0 then promise(visitor, ahead, room) end
  end
end
if #numbered == 0 then return 0 end
redis.call('ZADD', QUEUE, unpack(numbered))
redis.call('ZADD', BEATS, unpack(heard))
return #numbered / 2
