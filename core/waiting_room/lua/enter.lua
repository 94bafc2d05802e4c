-- A join while people gather for an opening, or while its order is being drawn (F1).
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 visitor  7 number on the visitor's ticket, 0 without one
--      8 id of the opening  9 its draw_at, ms  10 its state in PostgreSQL: announced, frozen or drawn
--      11 base and  12 reserved numbers, as PostgreSQL has them  13 'receipt|salt' for a new entry
--      14 '1' when that receipt is from a ticket of this opening  15 patience with those who were lost, ms
--      16-23 the price: see queue.lua, charge  24 the number's turn: see queue.lua, number_after_loss
-- Returns what join.lua returns, {'stale'} when that opening is over and Redis has the next one, or {'entered', 'receipt|salt', opening, draw_at ms, entries, queue version, draw state}
--#include queue.lua

local visitor, claimed = ARGV[6], tonumber(ARGV[7])
if is_lost(BOARD, BOARD_VERSION) then return { 'no_board' } end

if not know_opening(ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[15]) then return { 'stale' } end
freeze_if_due()

local known = redis.call('ZSCORE', ACTIVE, visitor) or redis.call('ZSCORE', QUEUE, visitor)
local entered = redis.call('HEXISTS', ENTRIES, visitor) == 1
local drawing = draw_state()
local own = ARGV[14] == '1'
local spent = tonumber(redis.call('ZSCORE', SPENT, visitor) or '0')
if not known and not entered then
  claimed = number_after_loss(visitor, claimed, ARGV[24])
  if not claimed then return { 'turn' } end
  local was_lost = own and redis.call('HGET', DRAW, 'lost') == '1'
  local refused = charge(visitor, 16, was_lost or (claimed > spent and is_of_an_earlier_epoch(claimed)))
  if refused then return refused end
end
-- Who has a place from a part of the sale before, and was silent for a while, comes back to it: the draw stands behind it.
-- Who gives no number gets an entry while people gather: the mark of a place that a ticket brings back stays.
local asks = claimed > 0 or drawing ~= 'gathering'
local back = not known and not entered and asks and brings_back(visitor, claimed, spent)
if not known and not entered and not back and drawing == 'gathering' then
  redis.call('HSET', ENTRIES, visitor, ARGV[13])
  entered = true
elseif not known and not entered and drawing == 'frozen' and own then
  -- Redis was lost after the entries were frozen: whether this one is among them, the order will tell.
  redis.call('HSET', ENTRIES, visitor, ARGV[13])
  entered = true
end
if entered then
  if drawing == 'gathering' then redis.call('ZADD', ENTRY_BEATS, integer(now), visitor) end
  return place_reply(visitor)
end
if not known then
  -- Behind everybody who was there at the opening.
  local last = newest_number()
  local number = last + 1
  if back then
    number = claimed
    local tail = redis.call('ZRANGE', QUEUE, -1, -1, 'WITHSCORES')
    if tail[2] and tonumber(tail[2]) > number then returned[1] = number end
  end
  redis.call('SET', NUMBER, integer(math.max(last, number)))
  redis.call('ZADD', QUEUE, integer(number), visitor)
  admit(AT_ONCE)
  local rank = redis.call('ZRANK', QUEUE, visitor)
  if rank then promise(visitor, rank, room_for_head()) end
  publish_queue(false)
end
if redis.call('ZSCORE', ACTIVE, visitor) then
  redis.call('ZADD', ACTIVE, integer(now), visitor)
  keep_session(visitor)
elseif redis.call('ZSCORE', QUEUE, visitor) then
  redis.call('ZADD', BEATS, integer(now), visitor)
end
return place_reply(visitor)
