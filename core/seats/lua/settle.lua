-- What PostgreSQL decided about seats, written to the board: sold, or available again. Safe to repeat.
-- A visitor who has bought makes room soon: the session ends a while after the purchase, if not before.
-- KEYS 1 board  2 board version  3 holds  4 baskets  5 basket deadlines  6 active paying
--      7 active until  8 spent tickets  9 queue version  10 shares
-- ARGV 1 visitor  2 state key prefix  3 seats channel  4 fence  5 new byte (0 or 2)  6 queue channel
--      7 session left after a purchase, ms  8 '1' when it ended unpaid by the buyer's doing  9... ordinals
-- Returns {'ok'} or {'no_board'}
--#include seats.lua

local board, holds, baskets, deadlines = KEYS[1], KEYS[3], KEYS[4], KEYS[5]
local visitor, prefix, fence, byte = ARGV[1], ARGV[2], ARGV[4], tonumber(ARGV[5])
if is_lost(KEYS[1], KEYS[2]) then return { 'no_board' } end
local changes = {}

local named = {}
for i = 9, #ARGV do named[#named + 1] = ARGV[i] end
note_bought(KEYS[10], visitor, fence, named, byte == SOLD)
-- Of a closed sale that somebody looks at: it dies with its board.
if redis.call('PTTL', KEYS[2]) >= 0 then redis.call('PEXPIRE', KEYS[10], KEPT_MS, 'NX') end

for i = 9, #ARGV do
  local ordinal = ARGV[i]
  local state = redis.call('GET', prefix .. ordinal)
  local own = not state or string.match(state, '^.-|(%d+)|') == fence
  if own or byte == SOLD then
    if own then
      redis.call('DEL', prefix .. ordinal)
      redis.call('ZREM', holds, ordinal)
    else
      take_seat(holds, baskets, deadlines, KEYS[6], prefix, ordinal)
    end
    local current = seat_byte(board, ordinal)
    -- A late "available again" must not open a seat that was sold or blocked meanwhile.
    if byte == SOLD or current == HELD then put_byte(board, ordinal, byte, changes) end
  end
end
local basket = read_basket(baskets, visitor)
if basket and basket.fence == fence then
  -- A seat of this basket that was not named is somebody else's in PostgreSQL: no state may outlive the basket. Its byte
  -- stays as it is, unavailable, until it is told by whoever changed the row, or mended.
  for _, ordinal in ipairs(basket.seats) do
    local state = redis.call('GET', prefix .. ordinal)
    if state and string.match(state, '^.-|(%d+)|') == fence then
      redis.call('DEL', prefix .. ordinal)
      redis.call('ZREM', holds, ordinal)
    end
  end
  if byte == SOLD then
    clear_account(KEYS[10], visitor, basket.network)
  elseif ARGV[8] == '1' then
    charge_basket(KEYS[10], visitor, basket, clock_ms())
  end
  drop_basket(baskets, deadlines, visitor)
  local session_end = tonumber(redis.call('ZSCORE', KEYS[7], visitor) or '0')
  local soon = clock_ms() + tonumber(ARGV[7])
  if byte == SOLD and session_end > soon then
    redis.call('ZADD', KEYS[7], integer(soon), visitor)
    -- Browsers are told as they are told of an admission: active, until then.
    redis.call('PUBLISH', ARGV[6], cjson.encode({
      v = tonumber(redis.call('GET', KEYS[9]) or '0'),
      admitted = { { visitor, tonumber(redis.call('ZSCORE', KEYS[8], visitor) or '0'), soon } },
    }))
  end
end
basket = read_basket(baskets, visitor)
if not basket or basket.mode ~= 'paying' then redis.call('ZREM', KEYS[6], visitor) end
publish_changes(KEYS[2], ARGV[3], changes)
return { 'ok' }
