-- Makes one seat in Redis say what PostgreSQL says, unless it has changed since it was inspected.
-- KEYS 1 board  2 board version  3 holds  4 baskets  5 basket deadlines  6 active paying
-- ARGV 1 ordinal  2 state key prefix  3 seats channel  4 byte seen  5 state seen ('' for none)
--      6 byte to write  7 state to write ('' for none)  8 TTL of that state, ms
-- Returns 1, or 0 when it was not as seen any more
--#include seats.lua

local ordinal, key = ARGV[1], ARGV[2] .. ARGV[1]
local byte = tonumber(ARGV[6])
if is_lost(KEYS[1], KEYS[2]) then return 0 end
if seat_byte(KEYS[1], ordinal) ~= tonumber(ARGV[4]) then return 0 end
local state = redis.call('GET', key) or ''
if state ~= ARGV[5] then return 0 end

local taken_from
if state ~= ARGV[7] then
  taken_from = take_seat(KEYS[3], KEYS[4], KEYS[5], KEYS[6], ARGV[2], ordinal)
end
if ARGV[7] ~= '' then
  redis.call('SET', key, ARGV[7], 'PX', ARGV[8])
  -- The payer's basket as well: it is what keeps the payer in while the payment is under way (rule 5).
  local payer, fence = string.match(ARGV[7], '^(.-)|(%d+)|')
  local till = clock_ms() + tonumber(ARGV[8])
  local basket = read_basket(KEYS[4], payer)
  if not basket or basket.mode == 'lapsed' then
    basket = { fence = fence, till = till, extensions = 0, mode = 'paying', seats = {} }
  end
  if basket.mode == 'paying' and basket.fence == fence then
    local there = false
    for _, seat in ipairs(basket.seats) do there = there or seat == ordinal end
    if not there then basket.seats[#basket.seats + 1] = ordinal end
    write_basket(KEYS[4], KEYS[5], payer, basket)
    redis.call('ZADD', KEYS[6], integer(till), payer)
  end
end
redis.call('ZREM', KEYS[3], ordinal)
local changes = {}
put_byte(KEYS[1], ordinal, byte, changes)
publish_changes(KEYS[2], ARGV[3], changes, taken_from)
return 1
