-- Signs of life of many visitors at once: four calls of Redis for all of them, not two for each.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 'missing', or 'place' for one visitor  7... visitors, a thousand at most
-- Returns {visitor, why, ...} of those who are neither active, nor waiting, nor gathered for an opening; why: see
-- queue.lua; with 'place' what place.lua says of the visitor
--#include queue.lua

freeze_if_due()
local gathering = draw_state() == 'gathering'
local asked = {}
for i = 7, #ARGV do asked[#asked + 1] = ARGV[i] end

-- Those of `visitors` that `scores` speaks of are noted in `beats`; returns the others.
local function note(visitors, scores, beats)
  local here, absent = {}, {}
  for i, visitor in ipairs(visitors) do
    if scores[i] then
      here[#here + 1] = integer(now)
      here[#here + 1] = visitor
    else
      absent[#absent + 1] = visitor
    end
  end
  if beats and #here > 0 then redis.call('ZADD', beats, unpack(here)) end
  return absent
end

local others = note(asked, redis.call('ZMSCORE', ACTIVE, unpack(asked)), ACTIVE)
if #others > 0 then others = note(others, redis.call('ZMSCORE', QUEUE, unpack(others)), BEATS) end
-- Who is there at the opening is known; beats after it change nothing.
if #others > 0 then others = note(others, redis.call('HMGET', ENTRIES, unpack(others)), gathering and ENTRY_BEATS or nil) end
if ARGV[6] == 'place' then return place_reply(asked[1]) end
local missing = {}
for _, visitor in ipairs(others) do
  missing[#missing + 1] = visitor
  missing[#missing + 1] = why_out(visitor)
end
return missing
