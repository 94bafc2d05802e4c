-- Prelude of the scripts that give seats to a visitor. Not run by itself.
-- KEYS 1 board  2 board version  3 holds  4 baskets  5 basket deadlines  6 active users  7 active until  8 fence
--      9 shares  10 places  11 stop  12 owed
-- ARGV 1 visitor  2 state key prefix  3 hold length, ms  4 seats of one visitor, at most  5 extensions allowed
--      6 seats channel  7 'longest|own|network|pause': the longest that a basket takes, ms; unpaid seat-milliseconds of a
--      visitor and of a network until they pause, and that pause, ms
--      8 Redis' time up to which somebody waits for the answer, ms, or 0  9 letters that stand for this call
-- They answer {'ok', fence, until ms, extensions left, mode, ordinal...}, or {'no_board'} {'not_active'} {'paying'}
-- {'too_many', held and bought} {'cool_down', ms left} {'late'}, and what each of them says.
--#include seats.lua

local board, version, holds, baskets, deadlines, shares = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[9]
local visitor, prefix, channel = ARGV[1], ARGV[2], ARGV[6]
local now = sale_ms(KEYS[11], KEYS[12], visitor)
local session_end = tonumber(redis.call('ZSCORE', KEYS[7], visitor) or '0')
local changes = {}
local basket
local LONGEST, OWN, OF_NETWORK, PAUSE = string.match(ARGV[7], '^(.-)|(.-)|(.-)|(.-)$')
-- Of who has a place here; none where places have no price.
local network = redis.call('HGET', KEYS[10], visitor) or ''

-- Why this visitor may hold nothing now, or nil; then `basket` is what is held already, or nil.
local function not_now()
  if is_late(ARGV[8]) then return { 'late' } end
  if is_lost(board, version) then return { 'no_board' } end
  if not redis.call('ZSCORE', KEYS[6], visitor) or session_end <= now then return { 'not_active' } end
  basket = read_basket(baskets, visitor)
  if basket and basket.mode == 'paying' then return { 'paying' } end
  -- A basket whose time ran out but that no sweep has met yet is freed here, so that it cannot live on.
  if basket and (basket.mode == 'lapsed' or basket.till <= now) then
    free_basket(board, holds, baskets, deadlines, shares, prefix, visitor, changes, now)
    basket = nil
  end
  -- The same call again: the first answer.
  if basket and basket.call ~= '' and basket.call == ARGV[9] then return basket_reply(basket) end
  if basket then return end  -- only changes seats
  local pause = cooling(shares, visitor, network, now, tonumber(OWN), tonumber(OF_NETWORK), tonumber(PAUSE), tonumber(LONGEST))
  if pause then return { 'cool_down', integer(pause) } end
end

-- {'too_many', held and bought} when so many more are too many, else nil.
local function too_many(more)
  local _, has = bought_seats(shares, visitor)
  if basket then has = has + #basket.seats end
  if more + has > tonumber(ARGV[4]) then return { 'too_many', has } end
end

-- {'cool_down', ms left} when some of these seats were let go here, and are for others first, and which are; else nil.
local function not_yet(ordinals)
  if OF_NETWORK == 'inf' then return nil end
  local left, which = for_others_first(shares, visitor, network, basket ~= nil, ordinals, now)
  if left then return { 'cool_down', integer(left) }, which end
end

-- What was freed on the way is told, whatever the answer is.
local function answer(reply)
  publish_changes(version, channel, changes)
  return reply
end

-- Seats that nobody has, into the visitor's basket, under a new fence. The answer's end of all this.
local function give(wanted)
  if not basket then
    -- The session's end bounds the hold: what the visitor reads is the moment at which the seats are lost.
    local used = tonumber(redis.call('HGET', shares, 'x|' .. visitor) or '0')
    basket = {
      till = math.min(now + tonumber(ARGV[3]), session_end), extensions = math.max(0, tonumber(ARGV[5]) - used),
      mode = 'held', seats = {}, since = now, used = 0, most = tonumber(LONGEST) * tonumber(ARGV[4]), network = network,
    }
    if network ~= '' then note_figures(shares, ARGV[3], ARGV[4], redis.call('STRLEN', board)) end
  end
  if #wanted > 0 then
    -- max(last + 1, microseconds): still grows after Redis lost its counter.
    local t = redis.call('TIME')
    local fence = math.max(tonumber(redis.call('GET', KEYS[8]) or '0') + 1, t[1] * 1000000 + t[2])
    basket.fence, basket.call = integer(fence), ARGV[9]
    redis.call('SET', KEYS[8], basket.fence, 'PX', KEPT_MS)
    count_held(basket, now)
    for _, ordinal in ipairs(wanted) do
      basket.seats[#basket.seats + 1] = ordinal
      put_byte(board, ordinal, HELD, changes)
    end
    local left = integer(basket.till - now + HOLD_KEPT_MS)
    for _, ordinal in ipairs(basket.seats) do
      redis.call('SET', prefix .. ordinal, visitor .. '|' .. basket.fence .. '|held', 'PX', left)
      redis.call('ZADD', holds, integer(basket.till), ordinal)
    end
    write_basket(baskets, deadlines, visitor, basket)
  end
  publish_changes(version, channel, changes, visitor)
  return basket_reply(basket)
end
