-- Adds seats to a visitor's basket, all or nothing (S3).
-- KEYS 1 board  2 board version  3 holds  4 baskets  5 basket deadlines  6 active users  7 active until  8 fence
-- ARGV 1 visitor  2 state key prefix  3 hold length, ms  4 seats of one visitor, at most  5 extensions allowed
--      6 seats channel  7 'check' or 'trust' (trust: that nobody holds them has been checked under a lock or a version)
--      8... ordinals, without duplicates
-- Returns {'ok', fence, until ms, extensions left, mode, ordinal...}, or {'no_board'} {'not_active'} {'paying'}
--         {'too_many', held} {'no_such_seat', ordinal...} {'taken', ordinal...}
--#include seats.lua

local board, version, holds, baskets, deadlines = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local visitor, prefix = ARGV[1], ARGV[2]

if is_lost(board, version) then return { 'no_board' } end
local now = clock_ms()
local session_end = tonumber(redis.call('ZSCORE', KEYS[7], visitor) or '0')
if not redis.call('ZSCORE', KEYS[6], visitor) or session_end <= now then return { 'not_active' } end

local basket = read_basket(baskets, visitor)
if basket and basket.mode == 'paying' then return { 'paying' } end
-- A basket whose time ran out but that no sweep has met yet is freed here, so that it cannot live on.
local changes = {}
if basket and (basket.mode == 'lapsed' or basket.till <= now) then
  free_basket(board, holds, baskets, deadlines, prefix, visitor, changes)
  basket = nil
end
local own = {}
if basket then for _, ordinal in ipairs(basket.seats) do own[ordinal] = true end end

local size = redis.call('STRLEN', board)
local unknown, taken, wanted = { 'no_such_seat' }, { 'taken' }, {}
for i = 8, #ARGV do
  local ordinal = ARGV[i]
  if tonumber(ordinal) >= size then
    unknown[#unknown + 1] = ordinal
  elseif not own[ordinal] then
    wanted[#wanted + 1] = ordinal
    local byte = seat_byte(board, ordinal)
    -- Whatever the caller has checked: what PostgreSQL has sold or blocked meanwhile stays so.
    if byte == SOLD or byte == BLOCKED
      or ARGV[7] == 'check' and (byte == HELD or redis.call('EXISTS', prefix .. ordinal) == 1) then
      taken[#taken + 1] = ordinal
    end
  end
end
local refusal
if #unknown > 1 then
  refusal = unknown
elseif #wanted + (basket and #basket.seats or 0) > tonumber(ARGV[4]) then
  refusal = { 'too_many', basket and #basket.seats or 0 }
elseif #taken > 1 then
  refusal = taken
end
if refusal then
  publish_changes(version, ARGV[6], changes)
  return refusal
end

if not basket then
  -- The session's end bounds the hold: what the visitor reads is the moment at which the seats are lost.
  basket = { till = math.min(now + tonumber(ARGV[3]), session_end), extensions = ARGV[5], mode = 'held', seats = {} }
end
if #wanted > 0 then
  -- max(last + 1, microseconds): still grows after Redis lost its counter.
  local t = redis.call('TIME')
  local fence = math.max(tonumber(redis.call('GET', KEYS[8]) or '0') + 1, t[1] * 1000000 + t[2])
  basket.fence = integer(fence)
  redis.call('SET', KEYS[8], basket.fence, 'PX', KEPT_MS)
  for _, ordinal in ipairs(wanted) do
    basket.seats[#basket.seats + 1] = ordinal
    put_byte(board, ordinal, HELD, changes)
  end
  local left = integer(basket.till - now)
  for _, ordinal in ipairs(basket.seats) do
    redis.call('SET', prefix .. ordinal, visitor .. '|' .. basket.fence .. '|held', 'PX', left)
    redis.call('ZADD', holds, integer(basket.till), ordinal)
  end
  write_basket(baskets, deadlines, visitor, basket)
end
publish_changes(version, ARGV[6], changes, visitor)
return basket_reply(basket)
