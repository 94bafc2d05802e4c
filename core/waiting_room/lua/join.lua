-- Gives a visitor a place at the tail, or the same place again, or the place that a signed ticket names (S7).
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 visitor  7 number on the visitor's ticket, 0 without one  8-15 the price: see queue.lua, charge
--      16 that number's turn: see queue.lua, number_after_loss
-- Returns {'waiting' or 'active', number, ahead, waiting, active, queue version, until ms, pace, low, high, room}, {'no_board'}, or
--         {'turn'} when it has to be known what became of the number's turn, or {'proof', step} when the place costs a proof of work that was not handed in
--#include queue.lua

local visitor, claimed = ARGV[6], tonumber(ARGV[7])
if is_lost(BOARD, BOARD_VERSION) then return { 'no_board' } end

-- A session that has not ended, of a visitor who is not inside: Redis threw away who is.
local session_end = tonumber(redis.call('ZSCORE', UNTIL, visitor) or '0')
local was_inside = session_end > shown(visitor) and redis.call('ZCARD', ACTIVE) < LIMIT
if redis.call('ZSCORE', ACTIVE, visitor) or was_inside then
  redis.call('ZADD', ACTIVE, integer(now), visitor)
  keep_session(visitor)
elseif redis.call('ZSCORE', QUEUE, visitor) then
  redis.call('ZADD', BEATS, integer(now), visitor)
else
  claimed = number_after_loss(visitor, claimed, ARGV[16])
  if not claimed then return { 'turn' } end
  local last = newest_number()
  local spent = tonumber(redis.call('ZSCORE', SPENT, visitor) or '0')
  local refused = charge(visitor, 8, claimed > spent and is_of_an_earlier_epoch(claimed))
  if refused then return refused end
  -- Who gathers for a phase to come, and comes in by one that is open.
  if draw_state() == 'gathering' then
    redis.call('HDEL', ENTRIES, visitor)
    redis.call('ZREM', ENTRY_BEATS, visitor)
  end
  local number
  if brings_back(visitor, claimed, spent) then
    number = claimed
    local tail = redis.call('ZRANGE', QUEUE, -1, -1, 'WITHSCORES')
    if tail[2] and tonumber(tail[2]) > number then returned[1] = number end
    last = math.max(last, number)
  else
    last = last + 1
    number = last
  end
  redis.call('SET', NUMBER, integer(last))
  redis.call('ZADD', QUEUE, integer(number), visitor)
  redis.call('ZADD', BEATS, integer(now), visitor)
  admit(AT_ONCE)
  local rank = redis.call('ZRANK', QUEUE, visitor)
  if rank then promise(visitor, rank, room_for_head()) end
  publish_queue(false)
end
return place_reply(visitor)
