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

if state ~= ARGV[7] and state ~= '' then
  -- Out of the basket of who seemed to have it.
  local owner = string.match(state, '^(.-)|')
  local basket = owner and read_basket(KEYS[4], owner)
  if basket then
    local kept = {}
    for _, seat in ipairs(basket.seats) do
      if seat ~= ordinal then kept[#kept + 1] = seat end
    end
    if #kept < #basket.seats then
      basket.seats = kept
      if #kept > 0 then
        write_basket(KEYS[4], KEYS[5], owner, basket)
      else
        drop_basket(KEYS[4], KEYS[5], owner)
        redis.call('ZREM', KEYS[6], owner)
      end
    end
  end
end
if ARGV[7] == '' then redis.call('DEL', key) else redis.call('SET', key, ARGV[7], 'PX', ARGV[8]) end
redis.call('ZREM', KEYS[3], ordinal)
local changes = {}
put_byte(KEYS[1], ordinal, byte, changes)
publish_changes(KEYS[2], ARGV[3], changes)
return 1
