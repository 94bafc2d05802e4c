-- The payment did not begin: paying seats are held again for the time that is left, or free.
-- KEYS 1 board  2 board version  3 holds  4 baskets  5 basket deadlines  6 active paying  7 active users
--      8 shares  9 stop  10 owed
-- ARGV 1 visitor  2 state key prefix  3 seats channel  4 fence of the payment
-- Returns {'held'}, {'freed'} or {'gone'} (another basket, or none: nothing to do)
--#include seats.lua

local visitor, prefix = ARGV[1], ARGV[2]
local basket = read_basket(KEYS[4], visitor)
if not basket or basket.mode ~= 'paying' or basket.fence ~= ARGV[4] then return { 'gone' } end
redis.call('ZREM', KEYS[6], visitor)
local now = sale_ms(KEYS[9], KEYS[10], visitor)
if basket.till > now and redis.call('ZSCORE', KEYS[7], visitor) then
  basket.mode = 'held'
  for _, ordinal in ipairs(basket.seats) do
    redis.call('SET', prefix .. ordinal, visitor .. '|' .. basket.fence .. '|held', 'PX',
      integer(basket.till - now + HOLD_KEPT_MS))
    redis.call('ZADD', KEYS[3], integer(basket.till), ordinal)
  end
  write_basket(KEYS[4], KEYS[5], visitor, basket)
  return { 'held' }
end
charge_basket(KEYS[8], visitor, basket, now)
local changes = {}
for _, ordinal in ipairs(basket.seats) do free_seat(KEYS[1], KEYS[3], prefix, visitor, ordinal, changes) end
drop_basket(KEYS[4], KEYS[5], visitor)
publish_changes(KEYS[2], ARGV[3], changes)
return { 'freed' }
