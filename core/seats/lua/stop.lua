-- Prelude: the sale's clock (R4). Included by seats.lua; not run by itself.
-- It stands while PostgreSQL, Redis or payment is away. Deadlines are made and judged by it, so nothing ends meanwhile. When
-- it goes on, every session and basket is given the time for which it stood (waiting_room/lua/sweep.lua); until a visitor
-- has got that, the clock is behind for this one.
--   stop, a hash: since: when it began to stand, ms  swept: the last sweep, ms  gap: ms without a sweep after which it stands
--     most: ms for which it stands at most from now on  given: ms that those in `owed` have not got yet
--     ended: when it went on last, ms  sum: what stops that followed soon on each other were given, ms
--     unnoted: stops that PostgreSQL is still to note for the time to pay, 'ended:given,' each, ms
--   owed, a zset of visitors

-- A hold's key outlives its deadline by the longest that the clock may stand, and a minute.
local HOLD_KEPT_MS = 660000

local function stood(stop, owed, visitor, now)
  local known = redis.call('HMGET', stop, 'since', 'swept', 'gap', 'most', 'given')
  local since, swept, gap = tonumber(known[1] or ''), tonumber(known[2] or ''), tonumber(known[3] or '')
  -- Nobody has swept: Redis, or the whole service, was away.
  if not since and swept and gap and now - swept > gap then since = swept end
  local ms = since and math.max(0, math.min(now - since, tonumber(known[4] or '0'))) or 0
  if known[5] and redis.call('ZSCORE', owed, visitor) then ms = ms + tonumber(known[5]) end
  return ms
end

-- What the sale's clock shows a visitor, ms.
local function sale_ms(stop, owed, visitor)
  local now = clock_ms()
  return now - stood(stop, owed, visitor, now)
end
